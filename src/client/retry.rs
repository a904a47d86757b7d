//! Trying again: after which failures, how often, and how soon.
//!
//! A request whose connection is lost may have been executed all the same. So it depends on the
//! operation ([`Repetition`]) whether trying again is right, and on the failure: one that says that
//! the request was not sent can always be followed by another try.

use std::time::Duration;

use super::{Error, RequestError, SubmitError};
use crate::{rng::Rng, time::Instant, wire::ErrorCode};

/// What happens when an operation is done again although it may have been done already.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Repetition {
    /// Nothing: it changes nothing, or the same again.
    Harmless,
    /// It cannot happen twice, since it asks for a version that it changes itself; but if it did
    /// happen, the repetition fails with `BAD_VERSION`, as if somebody else had done it.
    Guarded,
    /// It may happen twice, or fail because of what it did itself.
    Unsafe,
}

/// How often to try, and how long to wait between two tries.
///
/// The delays grow by a factor; each is drawn at random from the upper part of its time, so that
/// many clients that failed together do not come back together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Tries in all, the first one included. Zero and one are no repetition.
    pub tries_max: u32,
    /// The delay after the first failure.
    pub delay_min: Duration,
    /// What each further failure multiplies it by.
    pub factor: u32,
    /// The longest delay.
    pub delay_max: Duration,
    /// The part of a delay that is drawn at random, in percent.
    pub jitter_percent: u32,
    /// How long it may take from the first try to the beginning of the last one; `None` is for
    /// ever.
    pub deadline: Option<Duration>,
    /// Whether to repeat an operation that is [`Repetition::Guarded`] and may have been executed.
    pub repeats_guarded: bool,
    /// Whether the end of the session is a reason to try again: for a client that begins a new one
    /// by itself.
    pub repeats_expired: bool,
}

impl RetryPolicy {
    /// No second try.
    pub const NEVER: Self = Self { tries_max: 1, ..Self::DEFAULT };

    const DEFAULT: Self = Self {
        tries_max: 8,
        delay_min: Duration::from_millis(100),
        factor: 2,
        delay_max: Duration::from_secs(10),
        jitter_percent: 50,
        deadline: None,
        repeats_guarded: true,
        repeats_expired: false,
    };

    /// Whether a failure of such an operation is a reason to try again.
    #[must_use]
    pub fn repeats(&self, error: &Error, repetition: Repetition) -> bool {
        let is_allowed = match repetition {
            Repetition::Harmless => true,
            Repetition::Guarded => self.repeats_guarded || !error.maybe_executed(),
            Repetition::Unsafe => !error.maybe_executed(),
        };
        is_allowed && (is_transient(error) || (self.repeats_expired && is_expiry(error)))
    }

    /// The delay after this many failures, drawn at random.
    #[must_use]
    pub fn delay(&self, failures: u32, rng: &mut Rng) -> Duration {
        let growth = self.factor.saturating_pow(failures.saturating_sub(1));
        let full = self.delay_min.saturating_mul(growth).min(self.delay_max);
        let micros = u64::try_from(full.as_micros()).unwrap_or(u64::MAX);
        let percent = u64::from(self.jitter_percent.min(100));
        // Divided first, so that no time is too long for it.
        let jitter = (micros / 100).saturating_mul(percent);
        Duration::from_micros(micros - rng.below(jitter.saturating_add(1)))
    }
}

impl Default for RetryPolicy {
    /// Eight tries within about half a minute.
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The tries of one operation.
#[derive(Clone, Debug)]
pub struct Retry {
    policy: RetryPolicy,
    rng: Rng,
    started: Instant,
    failures: u32,
}

impl Retry {
    /// Begins at the first try. Equal seeds give equal delays.
    #[must_use]
    pub const fn new(policy: RetryPolicy, now: Instant, seed: u64) -> Self {
        Self { policy, rng: Rng::new(seed), started: now, failures: 0 }
    }

    /// After a failure: how long to wait before the next try. `None`: the failure stands.
    #[must_use]
    pub fn handle_failure(
        &mut self,
        now: Instant,
        error: &Error,
        repetition: Repetition,
    ) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.policy.tries_max || !self.policy.repeats(error, repetition) {
            return None;
        }
        let delay = self.policy.delay(self.failures, &mut self.rng);
        let elapsed = now.saturating_duration_since(self.started).saturating_add(delay);
        match self.policy.deadline {
            Some(deadline) if elapsed > deadline => None,
            _ => Some(delay),
        }
    }

    /// How many tries failed.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Whether the same request may succeed later, in the same session.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Request(error) => match error {
            RequestError::ConnectionLoss { .. } | RequestError::TimedOut { .. } => true,
            RequestError::Server(code) => matches!(
                *code,
                ErrorCode::OPERATION_TIMEOUT
                    | ErrorCode::THROTTLED
                    | ErrorCode::SESSION_MOVED
                    | ErrorCode::NOT_READ_ONLY
                    | ErrorCode::RECONFIG_IN_PROGRESS
            ),
            _ => false,
        },
        Error::Refused(error) => {
            matches!(error, SubmitError::QueueFull(_) | SubmitError::BytesFull(_))
        }
        _ => false,
    }
}

fn is_expiry(error: &Error) -> bool {
    matches!(
        error,
        Error::Request(RequestError::SessionExpired { .. }) | Error::Refused(SubmitError::Expired)
    )
}
