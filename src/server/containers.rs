//! The clean-up of empty containers and outlived TTL znodes.
//!
//! Every interval all candidates are looked at, in steps; each removal is a transaction of its own,
//! spaced by the rate limit, and checked again when its turn comes.
//!
//! Behaviour: `org.apache.zookeeper.server.ContainerManager`.

use std::{collections::VecDeque, time::Duration};

use super::{Server, config::Containers};
use crate::{ids::SessionId, time::Instant, tree::RemovalCursor, wire::Txn};

/// Candidates looked at in one step.
const LOOKED_AT_PER_STEP: usize = 256;

#[derive(Debug)]
pub(super) struct Cleaner {
    next_check: Instant,
    /// Where the look at all candidates stands, while one goes on.
    cursor: Option<RemovalCursor>,
    /// Found removable, not removed yet; looking goes on when it is empty.
    removable: VecDeque<Box<str>>,
    next_removal: Instant,
}

impl Cleaner {
    pub(super) fn new(now: Instant, config: &Containers) -> Self {
        Self {
            next_check: now + config.check_interval,
            cursor: None,
            removable: VecDeque::new(),
            next_removal: now,
        }
    }

    /// When [`Server::clean_containers`] has something to do again.
    pub(super) fn timeout(&self) -> Instant {
        if !self.removable.is_empty() {
            self.next_removal
        } else if self.cursor.is_some() {
            Instant::ZERO
        } else {
            self.next_check
        }
    }
}

impl Server {
    /// One step of the clean-up, if one is due.
    pub(super) fn clean_containers(&mut self) {
        if self.now < self.cleaner.timeout() {
            return;
        }
        if let Some(path) = self.cleaner.removable.pop_front() {
            let per_minute = self.config.containers.per_minute_max.max(1);
            self.cleaner.next_removal = self.now + Duration::from_secs(60) / per_minute;
            // It may have got a child or new data, or gone, since it was found.
            let (now_ms, never_used_ms) = (self.clock.unix_ms(self.now), self.never_used_ms());
            if self.tree.is_removal_candidate(&path, now_ms, never_used_ms)
                && let Ok(txn) = self.tree.prepare_removal(&path)
            {
                self.remove(&txn);
            }
            return;
        }
        let mut cursor = self.cleaner.cursor.take().unwrap_or_else(|| {
            self.cleaner.next_check = self.now + self.config.containers.check_interval;
            RemovalCursor::default()
        });
        let mut found = Vec::new();
        let more = self.tree.removal_candidates(
            &mut cursor,
            LOOKED_AT_PER_STEP,
            self.clock.unix_ms(self.now),
            self.never_used_ms(),
            &mut found,
        );
        self.cleaner.removable.extend(found);
        self.cleaner.cursor = more.then_some(cursor);
    }

    /// How long a container may wait for its first child.
    fn never_used_ms(&self) -> i64 {
        let never_used = self.config.containers.never_used_max.as_millis();
        i64::try_from(never_used).unwrap_or(i64::MAX)
    }

    fn remove(&mut self, txn: &Txn<'_>) {
        // The removal carries no session, as upstream logs it.
        let _ = self.commit_own(SessionId::NONE, txn);
    }
}
