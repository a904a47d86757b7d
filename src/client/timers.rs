//! Every deadline of a session, in one table.

use crate::time::Instant;

/// What a deadline is for, in the order in which those that are due together are handled.
///
/// Behaviour: the order of checks in `ClientCnxn.SendThread.run`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// The session must be over on the server.
    Expiry,
    /// No server gave a first session in time.
    NewSession,
    /// The connection or its handshake takes too long.
    Connect,
    /// Nothing was heard for too long.
    Read,
    /// The oldest request that has a time limit.
    Request,
    /// The session is to be closed, and nothing is answered.
    Close,
    /// The pause before the next attempt is over.
    Attempt,
    /// The server is to hear something.
    Ping,
    /// A writable server is to be looked for.
    Probe,
    /// The probe under way takes too long.
    ProbeEnd,
}

impl Timer {
    const ALL: [Self; 10] = [
        Self::Expiry,
        Self::NewSession,
        Self::Connect,
        Self::Read,
        Self::Request,
        Self::Close,
        Self::Attempt,
        Self::Ping,
        Self::Probe,
        Self::ProbeEnd,
    ];

    /// What it is called in logs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Expiry => "session expiry",
            Self::NewSession => "new session",
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Request => "request",
            Self::Close => "close",
            Self::Attempt => "next attempt",
            Self::Ping => "ping",
            Self::Probe => "read-write probe",
            Self::ProbeEnd => "end of probe",
        }
    }
}

/// The deadlines that are set.
#[derive(Debug)]
pub(super) struct Timers {
    at: [Instant; Timer::ALL.len()],
}

/// The end of time: what is not set is due then.
pub(super) const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Default for Timers {
    fn default() -> Self {
        Self { at: [NEVER; Timer::ALL.len()] }
    }
}

impl Timers {
    pub(super) const fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = at;
    }

    pub(super) const fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = NEVER;
    }

    pub(super) const fn clear_all(&mut self) {
        self.at = [NEVER; Timer::ALL.len()];
    }

    pub(super) fn get(&self, timer: Timer) -> Option<Instant> {
        Some(self.at[timer as usize]).filter(|&at| at != NEVER)
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().copied().min().filter(|&at| at != NEVER)
    }

    /// What the next deadline is for.
    pub(super) fn next_timer(&self) -> Option<Timer> {
        let next = self.next()?;
        Timer::ALL.into_iter().find(|&timer| self.at[timer as usize] == next)
    }

    /// The first of those that are due, in order of importance; it is cleared.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL.into_iter().find(|&timer| self.get(timer).is_some_and(|at| at <= now));
        due.inspect(|&timer| self.clear(timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_goes_by_importance() {
        let mut timers = Timers::default();
        timers.set(Timer::Ping, Instant::from_millis(1));
        timers.set(Timer::Read, Instant::from_millis(2));
        timers.set(Timer::Probe, Instant::from_millis(3));
        assert_eq!(timers.next(), Some(Instant::from_millis(1)));
        assert_eq!(timers.next_timer(), Some(Timer::Ping));
        assert_eq!(timers.take_due(Instant::ZERO), None);
        let now = Instant::from_millis(2);
        assert_eq!(timers.take_due(now), Some(Timer::Read));
        assert_eq!(timers.take_due(now), Some(Timer::Ping));
        assert_eq!(timers.take_due(now), None);
        assert_eq!(timers.next(), Some(Instant::from_millis(3)));
        assert_eq!(timers.next_timer(), Some(Timer::Probe));
    }
}
