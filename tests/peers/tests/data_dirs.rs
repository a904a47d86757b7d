//! Data directories that go from Apache ZooKeeper to this project's server and back.

use zookeeper_peers::relay::{Ending, Relay, options};
use zookeeper_peers::{Kind, Program, enabled};

/// How much the load does between two starts of a server.
const ACTIONS: usize = 350;

fn seed() -> u64 {
    1
}

fn programs() -> Option<(Program, Program)> {
    enabled().then(|| Kind::Apache.need().zip(Kind::Ours.need())).flatten()
}

/// Proves the test itself: whatever Apache's server does not find again it does not keep.
#[test]
#[ignore = "says nothing of this project's server"]
fn apache_writes_and_apache_opens() {
    let Some(program) = enabled().then(|| Kind::Apache.need()).flatten() else { return };
    moves(&program, &program);
}

fn moves(from: &Program, to: &Program) {
    let seed = seed();
    for ending in Ending::ALL {
        let mut relay = Relay::start(from, &options(), seed).expect("a server");
        relay.work(from, ACTIONS).expect("restarts");
        relay.hand_over(to, ending).expect("it takes over");
        relay.load().assert_complete();
        println!("{relay}");
    }
}
