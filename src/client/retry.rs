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

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::client::ArgumentError;

    const KINDS: [Repetition; 3] = [Repetition::Harmless, Repetition::Guarded, Repetition::Unsafe];

    fn lost(maybe_executed: bool) -> Error {
        RequestError::ConnectionLoss { maybe_executed }.into()
    }

    #[test]
    fn what_was_not_sent_can_always_be_repeated() {
        let policy = RetryPolicy::default();
        let unsent = [
            lost(false),
            RequestError::TimedOut { maybe_executed: false }.into(),
            Error::server(ErrorCode::THROTTLED),
            Error::server(ErrorCode::OPERATION_TIMEOUT),
            SubmitError::QueueFull(1).into(),
            SubmitError::BytesFull(1).into(),
        ];
        for error in &unsent {
            assert!(KINDS.iter().all(|&kind| policy.repeats(error, kind)), "{error}");
        }
    }

    #[test]
    fn what_may_have_happened_depends_on_the_operation() {
        let policy = RetryPolicy::default();
        for error in [lost(true), RequestError::TimedOut { maybe_executed: true }.into()] {
            assert_eq!(KINDS.map(|kind| policy.repeats(&error, kind)), [true, true, false]);
        }
        let strict = RetryPolicy { repeats_guarded: false, ..policy };
        assert_eq!(KINDS.map(|kind| strict.repeats(&lost(true), kind)), [true, false, false]);
        assert_eq!(KINDS.map(|kind| strict.repeats(&lost(false), kind)), [true; 3]);
    }

    #[test]
    fn what_cannot_change_is_never_repeated() {
        let policy = RetryPolicy::default();
        let expired = Error::from(RequestError::SessionExpired { maybe_executed: false });
        let refused = Error::from(SubmitError::Expired);
        for error in [
            &Error::server(ErrorCode::NO_NODE),
            &Error::server(ErrorCode::BAD_VERSION),
            &RequestError::AuthFailed { maybe_executed: false }.into(),
            &RequestError::Closed { maybe_executed: false }.into(),
            &RequestError::ReplyTooLarge { length: 2, max: 1 }.into(),
            &SubmitError::Closing.into(),
            &SubmitError::TooManyWatches(1).into(),
            &ArgumentError::EmptyAcl.into(),
            &Error::UnexpectedReply,
            &expired,
            &refused,
        ] {
            assert!(KINDS.iter().all(|&kind| !policy.repeats(error, kind)), "{error}");
        }
        let renewing = RetryPolicy { repeats_expired: true, ..policy };
        assert!(KINDS.iter().all(|&kind| renewing.repeats(&expired, kind)));
        assert!(KINDS.iter().all(|&kind| renewing.repeats(&refused, kind)));
        let doubtful = RequestError::SessionExpired { maybe_executed: true }.into();
        assert!(!renewing.repeats(&doubtful, Repetition::Unsafe));
    }

    #[test]
    fn delays_grow_to_their_bound() {
        let policy = RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() };
        let mut rng = Rng::new(1);
        let delays: Vec<_> = (1..10).map(|n| policy.delay(n, &mut rng).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(policy.delay(u32::MAX, &mut rng), policy.delay_max);
    }

    #[test]
    fn tries_and_time_end() {
        let (now, second) = (Instant::from_millis(5_000), Duration::from_secs(1));
        let try_all = |policy: RetryPolicy, apart: Duration| {
            let (mut retry, mut now) = (Retry::new(policy, now, 7), now);
            while let Some(delay) = retry.handle_failure(now, &lost(false), Repetition::Unsafe) {
                now = now + delay + apart;
            }
            retry.failures()
        };
        assert_eq!(try_all(RetryPolicy::default(), second), 8);
        assert_eq!(try_all(RetryPolicy::NEVER, second), 1);
        assert_eq!(try_all(RetryPolicy { tries_max: 0, ..RetryPolicy::default() }, second), 1);
        let hurried = RetryPolicy {
            jitter_percent: 0,
            deadline: Some(Duration::from_millis(2_300)),
            ..RetryPolicy::default()
        };
        // After 0, 1.1 and 2.3 seconds; the next would begin at 3.7.
        assert_eq!(try_all(hurried, second), 3);
    }

    quickcheck! {
        fn delays_stay_in_range(millis: (u32, u32), factor: u32, rest: (u32, u32, u64)) -> bool {
            let policy = RetryPolicy {
                delay_min: Duration::from_millis(millis.0.into()),
                delay_max: Duration::from_millis(millis.1.into()),
                factor,
                jitter_percent: rest.0,
                ..RetryPolicy::default()
            };
            let full = RetryPolicy { jitter_percent: 0, ..policy };
            let (mut one, mut two) = (Rng::new(rest.2), Rng::new(rest.2));
            let delay = policy.delay(rest.1, &mut one);
            let most = full.delay(rest.1, &mut two.clone());
            let least = most * (100 - rest.0.min(100)) / 100;
            delay <= most && most <= policy.delay_max && delay + Duration::from_micros(100) >= least
                && policy.delay(rest.1, &mut two) == delay
        }
    }
}
