//! The monotonic clock, as the session counts it and as timers want it.

use std::time::Instant as SystemInstant;

use zookeeper_core::Instant;

/// Time since a session's driver was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: SystemInstant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: SystemInstant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The same moment on the system's clock; `None` if it is too far away for that.
    pub(crate) fn to_system(self, instant: Instant) -> Option<SystemInstant> {
        self.start.checked_add(instant.saturating_duration_since(Instant::ZERO))
    }
}
