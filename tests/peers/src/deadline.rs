//! Polling for a condition instead of sleeping and hoping.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Pause between two polls. Short against a server's start, long against a poll's own cost.
const PAUSE: Duration = Duration::from_millis(10);

/// The moment at which waiting becomes an error.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }

    /// Polls until `ready` returns something, or an error.
    ///
    /// # Errors
    ///
    /// What `ready` failed with, or [`io::ErrorKind::TimedOut`] naming `what` after the deadline.
    pub fn poll<T>(
        &self,
        what: &str,
        mut ready: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        loop {
            if let Some(value) = ready()? {
                return Ok(value);
            }
            if self.is_over() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("gave up waiting for {what}"),
                ));
            }
            thread::sleep(PAUSE);
        }
    }
}
