//! The clocks of this machine.

use std::time::{Duration, Instant as SystemInstant, SystemTime, UNIX_EPOCH};

use zookeeper_core::Instant;

/// Longer than anything waits, and not too long for any system's clock.
const FAR: Duration = Duration::from_secs(1 << 30);

/// The monotonic clock, counted from the start of the driver.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: SystemInstant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: SystemInstant::now() }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// What the system calls this time; far in the future if it cannot name it.
    #[must_use]
    pub fn system_time(&self, at: Instant) -> SystemInstant {
        let since = at.saturating_duration_since(Instant::ZERO);
        self.start.checked_add(since).unwrap_or_else(|| self.start + FAR)
    }
}

/// Milliseconds since 1970 by the wall clock; negative before.
pub(crate) fn unix_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(error) => -i64::try_from(error.duration().as_millis()).unwrap_or(i64::MAX),
    }
}
