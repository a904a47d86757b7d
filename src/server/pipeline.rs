//! A request's way through the server: lent by the endpoint, decided by the tree, answered.
//!
//! Reads answer at once. A write is prepared into one transaction, takes the next zxid whether it
//! succeeds or fails, is applied, and goes behind the gate; its events are queued before its reply.
//!
//! Behaviour: `org.apache.zookeeper.server.PrepRequestProcessor` and `FinalRequestProcessor`.

use super::{Event, Failure, Server};
use crate::{
    endpoint::{self, Incoming, Notification, Reply},
    ids::{ConnId, RequestId, SessionId, Zxid},
    tree::{Caller, Outcome, Tree, Watcher},
    wire::{Request, Txn, TxnHeader, perms},
};

/// Requests served in one go: replies coalesce, and the driver gets its turn.
const REQUESTS_PER_TURN: usize = 64;

/// The zxid in the header of events that stand for what a client missed while it was away.
const MISSED: Zxid = Zxid(-1);

/// Watches of closed connections forgotten in one go.
const WATCHES_PER_TURN: usize = 256;

impl Server {
    /// Does what is waiting, within one turn's budget. Returns whether more is waiting.
    pub(super) fn pump(&mut self) -> bool {
        if self.failure.is_some() {
            return false;
        }
        self.handle_endpoint_events();
        if self.forgetting {
            self.forgetting = self.tree.clean(WATCHES_PER_TURN);
        }
        for _ in 0..REQUESTS_PER_TURN {
            if !self.serve_next() {
                return self.forgetting;
            }
        }
        true
    }

    /// What happened to connections and sessions; they come before the requests behind them.
    pub(super) fn handle_endpoint_events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                endpoint::Event::ConnectionClosed { conn, session, reason } => {
                    self.tree.retire_watcher(Watcher(conn.to_bits()));
                    self.forgetting = true;
                    self.events.push_back(Event::ConnectionClosed { conn, session, reason });
                }
                // A failed server decides nothing any more.
                _ if self.failure.is_some() => {}
                endpoint::Event::Connect { conn, request } => self.connect(conn, &request),
                endpoint::Event::Expired { session } => self.expire(session),
                endpoint::Event::Command { conn, command } => {
                    let text = self.command(command);
                    self.endpoint.answer_command(self.now, conn, text);
                }
            }
        }
    }

    /// Serves one request, if there is one and storage keeps up: what it acknowledges next goes on
    /// here.
    fn serve_next(&mut self) -> bool {
        if self.gate.is_full() {
            return false;
        }
        let Some(incoming) = self.endpoint.poll_request() else { return false };
        // Everything below that needs it borrows from the request's frame; answering ends that.
        let Incoming { id, xid, caller, request } = incoming;
        let session = caller.session;
        let op = request.op();
        let caller =
            Caller { session, watcher: Watcher(id.conn.to_bits()), identities: caller.identities };
        if !op.is_write() {
            let answer = self.tree.read(&caller, &request, &mut self.fired);
            let (error, hold) = (answer.error(), answer.hold());
            let reply = Reply { zxid: None, error, body: answer.response(), hold };
            if !self.fired.is_empty() {
                // What setWatches found: events for the caller alone, before the reply.
                let applied = self.gate.applied();
                for change in self.fired.iter() {
                    let event = Notification::new(MISSED, change.kind, change.path, applied);
                    self.endpoint.notify(self.now, id.conn, &event);
                }
                self.fired.clear();
            }
            self.endpoint.reply(self.now, id, reply);
            return true;
        }
        let header = TxnHeader {
            session,
            cxid: xid.0,
            zxid: self.gate.applied().next(),
            time_ms: self.clock.unix_ms(self.now),
        };
        let closes = matches!(request, Request::CloseSession);
        let txn = if closes {
            self.tree.prepare_close(session)
        } else {
            self.tree.prepare(&caller, &request).unwrap_or_else(Txn::Error)
        };
        let outcome = self.tree.apply(&header, &txn, &mut self.fired);
        let digest = digest_after(&self.tree, &txn);
        self.gate.record(&header, &txn, digest);
        self.finish_write(id, header.zxid, &outcome);
        if closes && self.failure.is_none() {
            self.newest_close = header.zxid;
            self.endpoint.end_session(self.now, session, header.zxid);
            self.events.push_back(Event::SessionClosed { session });
        }
        true
    }

    /// Events first, then the reply.
    fn finish_write(&mut self, id: RequestId, zxid: Zxid, outcome: &Outcome) {
        if matches!(outcome, Outcome::Inconsistent) {
            self.fail(Failure::Inconsistent);
            return;
        }
        self.after_commit(zxid);
        let answer = self.tree.answer(outcome);
        let reply =
            Reply { zxid: Some(zxid), error: answer.error(), body: answer.response(), hold: zxid };
        self.endpoint.reply(self.now, id, reply);
    }

    /// Commits a transaction of the server's own. `None` when the server has failed by it.
    pub(super) fn commit_own(&mut self, session: SessionId, txn: &Txn<'_>) -> Option<Zxid> {
        let zxid = self.gate.applied().next();
        let time_ms = self.clock.unix_ms(self.now);
        let header = TxnHeader { session, cxid: 0, zxid, time_ms };
        let outcome = self.tree.apply(&header, txn, &mut self.fired);
        if matches!(outcome, Outcome::Inconsistent) {
            self.fail(Failure::Inconsistent);
            return None;
        }
        let digest = digest_after(&self.tree, txn);
        self.gate.record(&header, txn, digest);
        self.after_commit(zxid);
        Some(zxid)
    }

    /// What follows every transaction: it may be durable at once, and its watchers hear of it.
    fn after_commit(&mut self, zxid: Zxid) {
        if self.gate.durable() == zxid {
            self.endpoint.release(self.now, zxid);
        }
        self.deliver(zxid);
    }

    /// Tells the watchers that may know.
    fn deliver(&mut self, zxid: Zxid) {
        for change in self.fired.iter() {
            let mut event = None;
            for &Watcher(bits) in change.watchers {
                let conn = ConnId::from_bits(bits);
                if let Some(acl) = change.acl {
                    let Some(identities) = self.endpoint.identities(conn) else { continue };
                    if !self.tree.allows(acl, perms::READ, identities) {
                        continue;
                    }
                }
                let event = event
                    .get_or_insert_with(|| Notification::new(zxid, change.kind, change.path, zxid));
                self.endpoint.notify(self.now, conn, event);
            }
        }
        self.fired.clear();
    }
}

/// The digest to log with a transaction.
const fn digest_after(tree: &Tree, txn: &Txn<'_>) -> Option<u64> {
    if txn.takes_digest() { tree.digest() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn the_end_of_a_session_that_names_no_paths_is_logged_without_a_digest() {
        let tree = Tree::new(crate::tree::Config::default(), &mut Rng::new(1));
        let close = |paths| digest_after(&tree, &Txn::CloseSession { paths });
        assert_eq!(close(Some(Vec::new())), tree.digest());
        assert_eq!(close(None), None);
    }
}
