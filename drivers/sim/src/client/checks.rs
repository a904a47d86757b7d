//! What must hold for a session whatever its servers do.

use zookeeper_core::{
    Instant,
    wire::{Op, Xid},
};

use super::{driver::Driver, entry::Seen, sent::Sent};

/// How many ordinary numbers there are for requests, from 1.
const XIDS: i32 = i32::MAX - 1;

impl Driver {
    /// Each request completes once, each connection ends once, each state is told once, and nothing
    /// comes behind the last event.
    pub(super) fn check_event(&mut self, seen: &Seen) {
        assert!(!self.is_over, "{seen} although the session is over");
        match seen {
            Seen::Reply(id, _) => {
                let is_done = self.requests.get_mut(id);
                let is_done = is_done.unwrap_or_else(|| panic!("nobody asked for {seen}"));
                assert!(!std::mem::replace(is_done, true), "{seen} once more");
            }
            Seen::Watch { watchers, .. } | Seen::Restored(watchers) | Seen::Lost(watchers) => {
                assert!(!watchers.is_empty(), "{seen} to nobody");
                assert!(watchers.is_sorted_by(|one, two| one < two), "{seen}");
            }
            Seen::State(state, watchers) => {
                assert_ne!(*state, self.last_state, "the state is told once more");
                assert!(watchers.is_sorted_by(|one, two| one < two), "{seen}");
                self.last_state = *state;
            }
            Seen::Ended { attempt, reason } => {
                let Some(link) = self.links.get_mut(attempt.index()) else { return };
                let before = link.end.replace(reason.clone());
                assert_eq!(before, None, "{seen} although it has ended before");
            }
            Seen::Warning(_) => {}
            Seen::Closed(_) => {
                self.is_over = true;
                assert_eq!(self.unfinished(), 0, "a request is forgotten");
            }
        }
    }

    /// Reserved numbers are for pings and authentication; all others count up, from 1 again behind
    /// the largest but one. Where a connection was lost, some are missing.
    pub(super) fn check_sent(&mut self, index: usize, sent: &Sent) {
        let (Some(xid), Some(op)) = (sent.xid(), sent.op()) else { return };
        match op {
            Op::Ping => assert_eq!(xid, Xid::PING),
            Op::Auth => assert_eq!(xid, Xid::AUTH),
            _ => {
                assert!(xid.0 > 0 && xid.0 < i32::MAX, "{sent}");
                let before = self.last_xid.replace(xid);
                let link = &mut self.links[index];
                let is_first = !std::mem::replace(&mut link.has_sent, true);
                let Some(before) = before else { return };
                let step = (xid.0 - before.0).rem_euclid(XIDS);
                assert!(step == 1 || (is_first && step < XIDS / 2), "{sent} behind {}", before.0);
            }
        }
    }

    /// Nobody was forgotten, and the session is sound.
    pub(super) fn check_rest(&mut self, now: Instant) {
        for link in &self.links {
            assert_eq!(link.is_closed, link.end.is_some(), "{} {:?}", link.conn, link.end);
            if link.is_closed || !link.is_connected {
                continue;
            }
            let has_end = link.to_client.ended().is_some() && !link.is_end_told;
            let is_unread =
                (!link.to_client.is_empty() || has_end) && self.session.wants_read(link.conn);
            assert!(!is_unread, "nobody said to read {} on", link.conn);
            let is_unsent = self.session.poll_transmit(link.conn).is_some();
            assert!(!is_unsent || link.is_write_armed, "nobody said to write to {}", link.conn);
        }
        assert_eq!(self.early, [], "connections that nobody knows");
        // Looking may have told the session something; it may have something to say then.
        assert!(!self.drain(now), "looking at the session changes nothing");
        let is_due = self.session.poll_timeout().is_some_and(|at| at <= now);
        assert!(!is_due, "{:?} is due for ever", self.session.timeout_reason());
        if self.is_over {
            assert_eq!(self.session.poll_timeout(), None, "what is over waits for nothing");
            assert!(self.links.iter().all(|link| link.is_closed), "a connection is left");
        } else {
            assert!(self.session.poll_timeout().is_some(), "a session that waits for nothing");
        }
    }
}
