//! This project's server, killed again and again under its writers. `ZK_ROUNDS` says how often,
//! `ZK_SEED` repeats a run as far as the moments of the kills can be repeated.
//! `ZK_PEER_KIND=apache` kills Apache's server instead, which proves the test.

use std::env;

use zookeeper_peers::crash::Plan;
use zookeeper_peers::{Kind, enabled, number, seed, trace_if_wanted};

const ROUNDS: u64 = 200;

#[test]
fn what_was_acknowledged_outlives_the_process() {
    trace_if_wanted();
    let is_control = env::var("ZK_PEER_KIND").is_ok_and(|kind| kind == "apache");
    let kind = if is_control { Kind::Apache } else { Kind::Ours };
    let Some(program) = enabled().then(|| kind.need()).flatten() else { return };
    let (seed, rounds) = (seed(), number("ZK_ROUNDS").unwrap_or(ROUNDS));
    let summary = Plan { program, seed, rounds }.run().expect("a server");
    println!("{summary}");
}
