//! What becomes of requests and watches when a connection or the session ends.
//!
//! Behaviour: `ClientCnxn.conLossPacket`, `finishPacket` and `EventThread.queueEventOfDeath`.

use super::{
    CloseReason, KeeperState, LostReason, RequestError, RequestId, Session,
    inflight::{Purpose, Removal},
    queue::Queued,
    state::Phase,
};
use crate::{ids::Zxid, wire::ErrorCode};

/// What requests fail with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    Connection,
    Expired,
    AuthFailed,
    Closed,
}

impl Loss {
    const fn error(self, maybe_executed: bool) -> RequestError {
        match self {
            Self::Connection => RequestError::ConnectionLoss { maybe_executed },
            Self::Expired => RequestError::SessionExpired { maybe_executed },
            Self::AuthFailed => RequestError::AuthFailed { maybe_executed },
            Self::Closed => RequestError::Closed { maybe_executed },
        }
    }
}

impl Session {
    /// The server says that the session is over: first the state, then the failures.
    pub(super) fn expire(&mut self, reason: CloseReason) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.enter(KeeperState::Expired);
        self.fail_all(Loss::Expired, sent);
        self.finish(reason);
    }

    /// The session must be over, although no server said so: first the failures, then the state.
    pub(super) fn expire_by_time(&mut self) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.fail_all(Loss::Expired, sent);
        self.enter(KeeperState::Expired);
        self.finish(CloseReason::SelfExpired);
    }

    /// The server refused this user: first the state, then `culprit`, then the other failures.
    pub(super) fn refuse(
        &mut self,
        reason: CloseReason,
        culprit: Option<(RequestId, RequestError)>,
    ) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.enter(KeeperState::AuthFailed);
        if let Some((id, error)) = culprit {
            self.complete(id, Err(error));
        }
        self.fail_all(Loss::AuthFailed, sent);
        self.finish(reason);
    }

    /// The server answered `closeSession`: confirmed, or refused as a read-only server may.
    pub(super) fn end_closed(&mut self, confirmed: bool) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.fail_all(Loss::Closed, sent);
        self.enter(KeeperState::Closed);
        self.finish(CloseReason::Closed { confirmed });
    }

    /// The session is closed while there is no server to tell.
    pub(super) fn end_unreached(&mut self) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.fail_all(Loss::Connection, sent);
        self.enter(KeeperState::Closed);
        self.finish(CloseReason::Closed { confirmed: false });
    }

    /// The session is left to itself.
    pub(super) fn end_detached(&mut self) {
        let sent = self.drop_link(LostReason::SessionEnded);
        self.fail_all(Loss::Closed, sent);
        self.finish(CloseReason::Detached);
    }

    /// The last event. Nothing happens any more.
    pub(super) fn finish(&mut self, reason: CloseReason) {
        debug_assert_eq!(self.requests.len(), 0, "every request is complete");
        self.timers.clear_all();
        self.watches.clear();
        self.events.push(Queued::Closed(reason.clone()));
        self.phase = Phase::Over(reason);
    }

    /// Fails every request, those in flight first. `sent` bytes left on the connection.
    pub(super) fn fail_all(&mut self, loss: Loss, sent: u64) {
        let now = self.now;
        let error = |is_late: bool, maybe_executed| {
            if is_late {
                RequestError::TimedOut { maybe_executed }
            } else {
                loss.error(maybe_executed)
            }
        };
        while let Some(auth) = self.requests.pop_auth() {
            let is_late = auth.deadline.is_some_and(|at| at <= now);
            if let Some(id) = auth.id {
                self.complete(id, Err(error(is_late, auth.start < sent)));
            }
        }
        while let Some(request) = self.requests.pop_in_flight() {
            let is_late = request.deadline.is_some_and(|at| at <= now);
            self.fail(request.id, request.purpose, error(is_late, request.start < sent));
        }
        while let Some(waiting) = self.requests.pop_waiting() {
            let is_late = waiting.deadline.is_some_and(|at| at <= now);
            self.fail(waiting.id, waiting.purpose, error(is_late, false));
        }
        self.set_request_timer();
    }

    /// Fails one request.
    pub(super) fn fail(&mut self, id: Option<RequestId>, purpose: Purpose, error: RequestError) {
        let Some(id) = id else { return };
        match purpose {
            Purpose::Remove(removal) => self.complete_removal(id, *removal, Zxid::ZERO, Err(error)),
            Purpose::Plain
            | Purpose::Watch(_)
            | Purpose::Restore(_)
            | Purpose::StopWatching
            | Purpose::Close => {
                self.complete(id, Err(error));
            }
        }
    }

    /// Tells the outcome of a request that has no record.
    pub(super) fn complete(&mut self, id: RequestId, result: Result<Zxid, RequestError>) {
        self.events.push(Queued::Reply { id, result });
    }

    /// Removes watches here, as the server's answer and the caller's wish allow, and tells so.
    ///
    /// Behaviour: `ZooKeeper.WatchDeregistration.unregister`.
    pub(super) fn complete_removal(
        &mut self,
        id: RequestId,
        removal: Removal,
        zxid: Zxid,
        result: Result<(), RequestError>,
    ) {
        let Removal { path, watcher, kind, local } = removal;
        if !self.watches.contains(&path, watcher, kind) {
            return self.complete(id, Err(RequestError::NoWatcher));
        }
        if let Err(error) = result
            && !local
        {
            return self.complete(id, Err(error));
        }
        let is_connected = !matches!(
            result.map_err(RequestError::code),
            Err(ErrorCode::CONNECTION_LOSS | ErrorCode::SESSION_EXPIRED)
        );
        let state =
            if is_connected { KeeperState::SyncConnected } else { KeeperState::Disconnected };
        let removed = self.watches.remove(&path, watcher, kind);
        if watcher.is_some() {
            self.stop_watching(&path, &removed);
        }
        for (kind, watchers) in removed {
            let path = path.clone();
            self.events.push(Queued::Removed { watchers, kind, path, state });
        }
        self.complete(id, Ok(zxid));
    }

    /// The session's state for watchers changes; the same twice is told once.
    pub(super) fn enter(&mut self, state: KeeperState) {
        if state == self.last_state {
            return;
        }
        self.last_state = state;
        self.events.push(Queued::State { state, watchers: self.watches.watchers() });
        if !self.config.auto_watch_reset && state != KeeperState::SyncConnected {
            self.report_lost(|watches| watches.clear_one_shot());
        }
    }

    /// Tells those from whom `forget` takes watches.
    pub(super) fn report_lost(
        &mut self,
        forget: impl FnOnce(&mut super::watches::WatchTables) -> Vec<super::WatcherId>,
    ) {
        let watchers = forget(&mut self.watches);
        if !watchers.is_empty() {
            self.events.push(Queued::Lost { watchers });
        }
    }
}
