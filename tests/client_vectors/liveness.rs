//! Row 8: keeping a session alive.

use std::time::Duration;

use zookeeper_core::wire::Op;
use zookeeper_sim::client::{Options, World};

use super::sent_at;

/// An idle session pings at half its read time-out, at the latest after ten seconds.
#[test]
fn v08_an_idle_session_pings() {
    for (timeout_ms, expected) in [
        (6_000, vec![2_000, 4_000, 6_000, 8_000, 10_000]),
        // Upstream says that 10 s are its longest silence, and keeps 20 s.
        (60_000, vec![10_000, 20_000, 30_000, 40_000, 50_000]),
    ] {
        let mut options = Options::new(1);
        options.config.session_timeout = Duration::from_millis(timeout_ms);
        let mut world = World::new(options);
        let until = expected.last().map_or(0, |last| *last);
        world.advance_ms(until);
        let expected: Vec<_> = expected.into_iter().map(u128::from).collect();
        let entries = world.take_entries();
        assert_eq!(sent_at(&entries, Op::Ping), expected, "a time-out of {timeout_ms} ms");
        assert_eq!(entries.len(), 3 + expected.len(), "and nothing else happens");
        world.finish();
    }
}
