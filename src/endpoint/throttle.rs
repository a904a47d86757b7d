//! The limit on the rate of handshakes.
//!
//! Behaviour: `org.apache.zookeeper.server.BlueThrottle`.

use super::config::ConnectionThrottle;
use crate::{rng::Rng, time::Instant};

/// What a new session and a resumed one cost where they are weighted.
const NEW_WEIGHT: u32 = 3;
const RESUMED_WEIGHT: u32 = 2;

/// A bucket of tokens for handshakes.
#[derive(Debug)]
pub(super) struct TokenBucket {
    config: Option<ConnectionThrottle>,
    tokens: u32,
    filled: Instant,
    /// The probability with which a handshake is refused although there are tokens.
    drop: f64,
    /// When that changed last.
    frozen: Instant,
}

impl TokenBucket {
    pub(super) fn new(config: Option<ConnectionThrottle>, now: Instant) -> Self {
        let config = config.filter(|config| config.tokens > 0);
        let tokens = config.map_or(0, |config| config.tokens);
        Self { config, tokens, filled: now, drop: 0.0, frozen: now }
    }

    /// Takes what a handshake costs, if it is there and chance does not refuse it.
    pub(super) fn take(&mut self, now: Instant, is_new: bool, rng: &mut Rng) -> bool {
        let Some(config) = self.config else { return true };
        self.fill(&config, now);
        if self.is_dropped(&config, now, rng) {
            return false;
        }
        let cost = match (config.is_weighted, is_new) {
            (false, _) => 1,
            (true, true) => NEW_WEIGHT,
            (true, false) => RESUMED_WEIGHT,
        };
        let left = self.tokens.checked_sub(cost);
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }

    fn fill(&mut self, config: &ConnectionThrottle, now: Instant) {
        let interval = config.fill_time.as_micros().max(1);
        let passed = now.saturating_duration_since(self.filled).as_micros();
        if passed < interval {
            return;
        }
        self.filled = now;
        let added = passed.saturating_mul(u128::from(config.fill_count)) / interval;
        let added = u32::try_from(added).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(added).min(config.tokens);
    }

    /// An empty bucket makes drops likelier, a full one less likely, now and then.
    fn is_dropped(&mut self, config: &ConnectionThrottle, now: Instant, rng: &mut Rng) -> bool {
        let Some(freeze_time) = config.freeze_time else { return false };
        if now.saturating_duration_since(self.frozen) > freeze_time {
            let used = f64::from(config.tokens - self.tokens);
            if self.tokens == 0 {
                self.drop = (self.drop + config.drop_increase).min(1.0);
            } else if used <= f64::from(config.tokens) * config.decrease_ratio {
                self.drop = (self.drop - config.drop_decrease).max(0.0);
            }
            self.frozen = now;
        }
        f64::from(u32::try_from(rng.below(1 << 32)).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
            < self.drop
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(tokens: u32) -> ConnectionThrottle {
        let mut config = ConnectionThrottle::new(tokens);
        config.fill_time = Duration::from_millis(10);
        config
    }

    #[test]
    fn fills_with_time_up_to_its_size() {
        let mut rng = Rng::new(1);
        let mut bucket = TokenBucket::new(Some(config(2)), Instant::ZERO);
        let mut take = |at| bucket.take(Instant::from_millis(at), true, &mut rng);
        assert!(take(0) && take(0) && !take(9));
        assert!(take(10) && !take(11));
        assert!(take(1_000) && take(1_000) && !take(1_000));
    }

    #[test]
    fn is_off_without_tokens() {
        for config in [None, Some(config(0))] {
            let mut off = TokenBucket::new(config, Instant::ZERO);
            assert!((0..100).all(|_| off.take(Instant::ZERO, true, &mut Rng::new(1))));
        }
    }

    #[test]
    fn weights_charge_new_sessions_more() {
        let mut rng = Rng::new(1);
        let mut weighted = config(5);
        weighted.is_weighted = true;
        let mut bucket = TokenBucket::new(Some(weighted), Instant::ZERO);
        let mut take = |is_new| bucket.take(Instant::ZERO, is_new, &mut rng);
        assert!(take(true) && !take(true) && take(false) && !take(false));
    }

    #[test]
    fn an_empty_bucket_makes_drops_likelier() {
        let mut rng = Rng::new(1);
        let mut dropping = config(1);
        dropping.freeze_time = Some(Duration::from_millis(1));
        dropping.drop_increase = 1.0;
        dropping.drop_decrease = 1.0;
        let mut bucket = TokenBucket::new(Some(dropping), Instant::ZERO);
        assert!(bucket.take(Instant::ZERO, true, &mut rng));
        assert!(!bucket.take(Instant::from_millis(5), true, &mut rng), "empty: drops begin");
        assert!(bucket.take(Instant::from_millis(40), true, &mut rng), "full: they end");
    }
}
