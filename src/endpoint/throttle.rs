//! The limit on the rate of handshakes.
//!
//! Behaviour: `org.apache.zookeeper.server.BlueThrottle`.

use super::config::ConnectionThrottle;
use crate::time::Instant;

/// A bucket of tokens, one per handshake.
#[derive(Debug)]
pub(super) struct TokenBucket {
    config: Option<ConnectionThrottle>,
    tokens: u32,
    filled: Instant,
}

impl TokenBucket {
    pub(super) fn new(config: Option<ConnectionThrottle>, now: Instant) -> Self {
        Self { config, tokens: config.map_or(0, |config| config.tokens), filled: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let Some(config) = self.config else { return true };
        let interval = config.fill_time.as_micros().max(1);
        let times = now.saturating_duration_since(self.filled).as_micros() / interval;
        if times > 0 {
            self.filled = now;
            let added = times.saturating_mul(u128::from(config.fill_count));
            let added = u32::try_from(added).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(added).min(config.tokens);
        }
        let taken = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fills_with_time_up_to_its_size() {
        let config =
            ConnectionThrottle { tokens: 2, fill_count: 1, fill_time: Duration::from_millis(10) };
        let mut bucket = TokenBucket::new(Some(config), Instant::ZERO);
        assert!(bucket.take(Instant::ZERO) && bucket.take(Instant::ZERO));
        assert!(!bucket.take(Instant::from_millis(9)));
        assert!(bucket.take(Instant::from_millis(10)) && !bucket.take(Instant::from_millis(11)));
        let later = Instant::from_millis(1_000);
        assert!(bucket.take(later) && bucket.take(later) && !bucket.take(later));
        let mut off = TokenBucket::new(None, Instant::ZERO);
        assert!((0..100).all(|_| off.take(Instant::ZERO)));
    }
}
