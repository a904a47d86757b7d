//! Sessions' deadlines: who was heard of last when, in buckets of one tick.
//!
//! A touch is one store; a session moves to its new bucket when its old one comes due. Time counts
//! only while this machine listened. A wake-up is asked for every half tick, so a gap of more than
//! a tick between two `now` values means a suspended host or a stopped process: it is taken out. So
//! is the time in which limits of ours kept us from reading a session's connection, and that in
//! which nobody is served because storage hangs.
//!
//! Behaviour: `org.apache.zookeeper.server.ExpiryQueue` and `SessionTrackerImpl`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use slab::Slab;

use crate::{
    hash::{Keys, Map},
    ids::{ConnId, SessionId},
    time::Instant,
};

/// A busy host may keep a process waiting for this long; it is no gap yet, however short the tick.
const GAP_MIN: Duration = Duration::from_millis(500);

/// A session's place in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SessionSlot(usize);

#[derive(Debug)]
struct Session {
    id: SessionId,
    timeout: Duration,
    /// In listened time.
    touched: Instant,
    /// The connection that speaks for it.
    conn: Option<ConnId>,
    /// Whether limits of ours keep us from reading that connection.
    paused: bool,
    /// Whether its expiry was reported.
    expired: bool,
    /// The bucket that counts; an entry in another one is a left-over.
    bucket: u64,
}

/// The deadlines of all sessions.
#[derive(Debug)]
pub(super) struct Liveness {
    tick: Duration,
    sessions: Slab<Session>,
    by_id: Map<SessionId, SessionSlot>,
    /// By tick number; a session's bucket is never later than its deadline.
    buckets: BTreeMap<u64, Vec<(SessionSlot, SessionId)>>,
    /// The bucket that came due, and who in it is not judged yet.
    due: (u64, VecDeque<(SessionSlot, SessionId)>),
    /// Time in which nobody listened.
    skipped: Duration,
    /// Whether time counts for nobody.
    is_stopped: bool,
    last_now: Instant,
}

impl Liveness {
    pub(super) fn new(tick: Duration, now: Instant, keys: &Keys) -> Self {
        Self {
            tick: tick.max(Duration::from_millis(1)),
            sessions: Slab::new(),
            by_id: keys.map(),
            buckets: BTreeMap::new(),
            due: (0, VecDeque::new()),
            skipped: Duration::ZERO,
            is_stopped: false,
            last_now: now,
        }
    }

    /// Time goes on to `now`. `has_others` tells that somebody else waits for this clock too.
    pub(super) fn advance(&mut self, now: Instant, has_others: bool) {
        let gap = now.saturating_duration_since(self.last_now);
        // A wake-up was promised after half a tick, if anybody waits: see `wake_up`.
        let is_gap = gap > self.tick.max(GAP_MIN) && (has_others || !self.sessions.is_empty());
        if is_gap || self.is_stopped {
            self.skipped += gap;
        }
        self.last_now = now;
    }

    /// Whether the time from now on counts for nobody.
    pub(super) const fn set_stopped(&mut self, is_stopped: bool) {
        self.is_stopped = is_stopped;
    }

    /// Now, without the time in which nobody listened.
    pub(super) fn listened(&self) -> Instant {
        self.last_now - self.skipped
    }

    /// When `listened` will be, if we listen all the time.
    pub(super) fn instant(&self, listened: Instant) -> Instant {
        listened + self.skipped
    }

    /// When to wake up for something that is due `at`: early enough to tell a gap from a rest.
    pub(super) fn wake_up(&self, at: Instant) -> Instant {
        at.min(self.last_now + self.tick / 2)
    }

    /// Follows a session with a fresh time-out, unless it is followed already.
    pub(super) fn track(&mut self, id: SessionId, timeout: Duration) -> SessionSlot {
        if let Some(&slot) = self.by_id.get(&id) {
            self.sessions[slot.0].timeout = timeout;
            self.touch(slot);
            // Whoever asks for it again in time, even if its end is due to be told, has it. And a
            // shorter time-out may end before its bucket comes.
            let session = &mut self.sessions[slot.0];
            let (bucket, had_expired) = (session.bucket, std::mem::take(&mut session.expired));
            if had_expired || self.deadline(slot) < bucket {
                self.file(slot);
            }
            return slot;
        }
        let touched = self.listened();
        let session =
            Session { id, timeout, touched, conn: None, paused: false, expired: false, bucket: 0 };
        let slot = SessionSlot(self.sessions.insert(session));
        self.by_id.insert(id, slot);
        self.file(slot);
        slot
    }

    /// Whether the session's end was reported, and nothing was heard of it since.
    pub(super) fn has_expired(&self, id: SessionId) -> bool {
        self.by_id.get(&id).is_some_and(|slot| self.sessions[slot.0].expired)
    }

    /// The session was heard of.
    pub(super) fn touch(&mut self, slot: SessionSlot) {
        let listened = self.listened();
        if let Some(session) = self.sessions.get_mut(slot.0) {
            session.touched = listened;
        }
    }

    /// Stops following a session. Returns the connection that spoke for it, and whether the session
    /// had expired.
    pub(super) fn forget(&mut self, id: SessionId) -> Option<(Option<ConnId>, bool)> {
        let slot = self.by_id.remove(&id)?;
        let session = self.sessions.remove(slot.0);
        Some((session.conn, session.expired))
    }

    /// `conn` speaks for the session from now on. Returns the connection that did before.
    pub(super) fn attach(&mut self, slot: SessionSlot, conn: ConnId) -> Option<ConnId> {
        let session = self.sessions.get_mut(slot.0)?;
        session.paused = false;
        session.conn.replace(conn)
    }

    /// Nobody speaks for the session any more, if it was `conn`.
    pub(super) fn detach(&mut self, slot: SessionSlot, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(slot.0)
            && session.conn == Some(conn)
        {
            session.conn = None;
            if session.paused {
                session.paused = false;
                self.touch(slot);
            }
        }
    }

    /// Whether limits of ours keep us from reading the session's connection.
    pub(super) fn set_paused(&mut self, slot: SessionSlot, paused: bool) {
        if let Some(session) = self.sessions.get_mut(slot.0)
            && session.paused != paused
        {
            session.paused = paused;
            self.touch(slot);
        }
    }

    /// The connection that speaks for a session.
    pub(super) fn connection(&self, id: SessionId) -> Option<ConnId> {
        self.sessions.get(self.by_id.get(&id)?.0)?.conn
    }

    /// Whether the session's deadline does not run.
    pub(super) fn is_paused(&self, slot: SessionSlot) -> bool {
        self.sessions.get(slot.0).is_some_and(|session| session.paused)
    }

    /// Whether requests for the session are still served.
    pub(super) fn is_live(&self, slot: SessionSlot) -> bool {
        self.sessions.get(slot.0).is_some_and(|session| !session.expired)
    }

    /// The next session whose deadline has passed; each is reported once. Looks at up to `budget`
    /// sessions.
    pub(super) fn expire(&mut self, budget: usize) -> Option<SessionId> {
        for _ in 0..budget {
            if self.due.1.is_empty() {
                let current = self.tick_number(self.listened());
                let first = self.buckets.first_entry()?;
                if *first.key() > current {
                    return None;
                }
                self.due.0 = *first.key();
                self.due.1 = first.remove().into();
            }
            let Some((slot, id)) = self.due.1.pop_front() else { continue };
            if self.by_id.get(&id) != Some(&slot) || self.sessions[slot.0].bucket != self.due.0 {
                continue;
            }
            let current = self.tick_number(self.listened());
            let Some(session) = self.sessions.get_mut(slot.0) else { continue };
            if session.expired {
                continue;
            }
            if session.paused {
                self.touch(slot);
                self.file(slot);
            } else if self.deadline(slot) > current {
                self.file(slot);
            } else if let Some(session) = self.sessions.get_mut(slot.0) {
                session.expired = true;
                return Some(session.id);
            }
        }
        None
    }

    /// When [`Liveness::expire`] has something to look at, or the clock has to be seen again.
    pub(super) fn timeout(&self) -> Option<Instant> {
        if !self.due.1.is_empty() {
            return Some(self.last_now);
        }
        let (&first, _) = self.buckets.first_key_value()?;
        Some(self.wake_up(self.instant(self.instant_of(first))))
    }

    /// Every session and the instant its bucket comes due.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (Instant, SessionId)> {
        self.sessions.iter().map(|(slot, session)| {
            (self.instant(self.instant_of(self.deadline(SessionSlot(slot)))), session.id)
        })
    }

    /// The instant a session's bucket comes due.
    pub(super) fn deadline_of(&self, slot: SessionSlot) -> Option<Instant> {
        let is_there = self.sessions.contains(slot.0);
        is_there.then(|| self.instant(self.instant_of(self.deadline(slot))))
    }

    /// A session's time-out.
    pub(super) fn timeout_of(&self, slot: SessionSlot) -> Duration {
        self.sessions.get(slot.0).map_or(Duration::ZERO, |session| session.timeout)
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.sessions.len(), self.by_id.len());
        let mut filed = vec![0; self.sessions.capacity()];
        let due = std::iter::once((&self.due.0, self.due.1.iter()));
        let waiting = self.buckets.iter().map(|(number, bucket)| (number, bucket.iter()));
        for (number, (slot, id)) in due
            .map(|(number, entries)| (number, entries.collect::<Vec<_>>()))
            .chain(waiting.map(|(number, entries)| (number, entries.collect())))
            .flat_map(|(number, entries)| entries.into_iter().map(move |entry| (*number, entry)))
        {
            if self.by_id.get(id) == Some(slot) && self.sessions[slot.0].bucket == number {
                filed[slot.0] += 1;
                assert!(number <= self.deadline(*slot));
            }
        }
        for (slot, session) in &self.sessions {
            assert!(session.expired || filed[slot] > 0, "{} is in a bucket", session.id);
        }
    }

    /// Puts a session into the bucket of its deadline.
    fn file(&mut self, slot: SessionSlot) {
        let number = self.deadline(slot);
        self.sessions[slot.0].bucket = number;
        let id = self.sessions[slot.0].id;
        self.buckets.entry(number).or_default().push((slot, id));
    }

    /// The number of the tick at which a session ends if it is not heard of.
    fn deadline(&self, slot: SessionSlot) -> u64 {
        let session = &self.sessions[slot.0];
        self.tick_number(session.touched + session.timeout) + 1
    }

    fn tick_number(&self, listened: Instant) -> u64 {
        listened.as_micros() / self.tick_micros()
    }

    fn instant_of(&self, number: u64) -> Instant {
        Instant::from_micros(number.saturating_mul(self.tick_micros()))
    }

    fn tick_micros(&self) -> u64 {
        u64::try_from(self.tick.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const TICK: Duration = Duration::from_millis(2_000);

    fn liveness() -> Liveness {
        Liveness::new(TICK, Instant::ZERO, &Keys::new(&mut Rng::new(1)))
    }

    /// Goes to `until_ms` as a driver does, in steps of the promised wake-ups.
    fn go(liveness: &mut Liveness, until_ms: u64) -> Vec<(u64, SessionId)> {
        let mut expired = Vec::new();
        let until = Instant::from_millis(until_ms);
        loop {
            let wake = liveness.timeout().unwrap_or(until).max(liveness.last_now).min(until);
            liveness.advance(wake, false);
            while let Some(id) = liveness.expire(1) {
                expired.push((wake.as_millis(), id));
            }
            liveness.check_invariants();
            if wake == until && liveness.timeout().is_none_or(|timeout| timeout > until) {
                return expired;
            }
        }
    }

    #[test]
    fn a_session_ends_within_a_tick_after_its_time_out() {
        let mut liveness = liveness();
        go(&mut liveness, 500);
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        assert_eq!(go(&mut liveness, 20_000), [(6_000, SessionId(1))]);
        assert!(!liveness.is_live(SessionSlot(0)));
        assert_eq!(go(&mut liveness, 40_000), [], "reported once");
        liveness.forget(SessionId(1));
        assert_eq!(liveness.len(), 0);
    }

    #[test]
    fn a_touch_postpones_the_end() {
        let mut liveness = liveness();
        let slot = liveness.track(SessionId(1), Duration::from_millis(4_000));
        for at in [3_000, 6_000, 9_000] {
            assert_eq!(go(&mut liveness, at), []);
            liveness.touch(slot);
        }
        assert_eq!(go(&mut liveness, 30_000), [(14_000, SessionId(1))]);
    }

    #[test]
    fn a_session_asked_for_again_lives_on() {
        let mut liveness = liveness();
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        assert_eq!(go(&mut liveness, 8_000).len(), 1);
        assert!(liveness.has_expired(SessionId(1)));
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        assert!(!liveness.has_expired(SessionId(1)));
        assert_eq!(go(&mut liveness, 30_000), [(14_000, SessionId(1))]);
    }

    #[test]
    fn a_gap_moves_every_deadline() {
        let mut liveness = liveness();
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        liveness.advance(Instant::from_millis(100_000), false);
        assert_eq!(liveness.expire(10), None, "nobody listened");
        assert_eq!(go(&mut liveness, 120_000), [(106_000, SessionId(1))]);
    }

    #[test]
    fn a_paused_session_starts_anew() {
        let mut liveness = liveness();
        let slot = liveness.track(SessionId(1), Duration::from_millis(4_000));
        liveness.set_paused(slot, true);
        assert_eq!(go(&mut liveness, 50_000), []);
        liveness.set_paused(slot, false);
        assert_eq!(go(&mut liveness, 70_000), [(56_000, SessionId(1))]);
    }

    #[test]
    fn time_that_is_stopped_counts_for_nobody() {
        let mut liveness = liveness();
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        assert_eq!(go(&mut liveness, 3_000), []);
        liveness.set_stopped(true);
        assert_eq!(go(&mut liveness, 50_000), []);
        liveness.set_stopped(false);
        assert_eq!(go(&mut liveness, 70_000), [(53_000, SessionId(1))]);
    }

    #[test]
    fn a_shorter_time_out_counts_at_once() {
        let mut liveness = liveness();
        liveness.track(SessionId(1), Duration::from_millis(40_000));
        liveness.track(SessionId(1), Duration::from_millis(4_000));
        assert_eq!(go(&mut liveness, 30_000), [(6_000, SessionId(1))]);
    }
}
