//! The pauses, the odds of a move, and whether every server gets its share.

use std::collections::{BTreeMap, BTreeSet};

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;

const SPIN: Duration = Duration::from_millis(1_000);
const CLIENTS: u64 = 20_000;

fn host(name: &str) -> HostPort {
    HostPort::new(name, 2181)
}

/// Servers named `s0`, `s1` and so on.
fn servers(numbers: impl IntoIterator<Item = usize>) -> Vec<HostPort> {
    numbers.into_iter().map(|number| host(&format!("s{number}"))).collect()
}

/// The pauses of this many turns, in milliseconds.
fn waits(hosts: &mut Hosts, rng: &mut Rng, turns: usize) -> Vec<u128> {
    (0..turns).map(|_| hosts.next(SPIN, rng).wait.as_millis()).collect()
}

#[test]
fn a_pause_ends_each_round() {
    let rng = &mut Rng::new(1);
    let mut hosts = Hosts::new(servers(0..3), rng);
    assert_eq!(waits(&mut hosts, rng, 7), [0, 0, 0, 1000, 0, 0, 1000]);
    let mut hosts = Hosts::new(servers(0..1), rng);
    assert_eq!(waits(&mut hosts, rng, 3), [0, 1000, 1000]);
}

#[test]
fn a_round_begins_behind_the_server_that_was_good() {
    let rng = &mut Rng::new(1);
    let mut hosts = Hosts::new(servers(0..1), rng);
    assert_eq!(waits(&mut hosts, rng, 1), [0]);
    hosts.connected();
    assert_eq!(waits(&mut hosts, rng, 2), [1000, 1000]);
    let mut hosts = Hosts::new(servers(0..3), rng);
    assert_eq!(waits(&mut hosts, rng, 2), [0, 0]);
    hosts.connected();
    assert_eq!(waits(&mut hosts, rng, 6), [0, 0, 1000, 0, 0, 1000]);
}

#[test]
fn without_spin_nothing_waits() {
    let rng = &mut Rng::new(1);
    let mut hosts = Hosts::new(servers(0..2), rng);
    assert!((0..9).all(|_| hosts.next(Duration::ZERO, rng).wait.is_zero()));
}

#[test]
fn every_order_is_somebodys() {
    let order = |seed| {
        let rng = &mut Rng::new(seed);
        let mut hosts = Hosts::new(servers(0..3), rng);
        [(); 3].map(|()| hosts.next(SPIN, rng).host.host)
    };
    assert_eq!((0..200).map(order).collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(order(7), order(7));
}

#[test]
#[should_panic(expected = "a session needs a server")]
fn an_empty_list_is_a_mistake() {
    let _ = Hosts::new(Vec::new(), &mut Rng::new(1));
}

#[test]
fn an_empty_update_changes_nothing() {
    let rng = &mut Rng::new(1);
    let mut hosts = Hosts::new(servers(0..2), rng);
    assert!(!hosts.update(Vec::new(), None, rng));
    assert_eq!(hosts.len(), 2);
}

/// What became of many clients when one list replaced another.
struct Moves {
    moved: u64,
    /// Clients of each server of the new list.
    shares: BTreeMap<String, u64>,
}

/// Each client connects to a server of the old list, is given the new one, and connects to where
/// that leads it.
fn replace(before: &[HostPort], after: &[HostPort]) -> Moves {
    let mut moves = Moves { moved: 0, shares: BTreeMap::new() };
    for seed in 0..CLIENTS {
        let rng = &mut Rng::new(seed);
        let mut hosts = Hosts::new(before.to_vec(), rng);
        let mut server = hosts.next(SPIN, rng).host;
        hosts.connected();
        if hosts.update(after.to_vec(), Some((&server, None)), rng) {
            moves.moved += 1;
            let turn = hosts.next(SPIN, rng);
            assert_eq!(turn.wait, Duration::ZERO);
            server = turn.host;
            hosts.connected();
        }
        assert!(after.contains(&server), "nobody stays where no server is");
        assert_eq!(waits(&mut hosts, rng, after.len()).last(), Some(&1000), "back to the server");
        *moves.shares.entry(server.host).or_default() += 1;
    }
    moves
}

/// Whether `count` clients are `percent` of all, but for chance.
fn is_about(count: u64, percent: u64) -> bool {
    (count * 100).abs_diff(CLIENTS * percent) < CLIENTS * 2
}

#[test]
fn two_more_servers_move_two_fifths() {
    let moves = replace(&servers(0..3), &servers(0..5));
    assert!(is_about(moves.moved, 40), "{}", moves.moved);
    assert_eq!(moves.shares.len(), 5);
    assert!(moves.shares.values().all(|&share| is_about(share, 20)), "{:?}", moves.shares);
}

#[test]
fn two_servers_less_move_their_clients_alone() {
    let moves = replace(&servers(0..5), &servers(0..3));
    assert!(is_about(moves.moved, 40), "{}", moves.moved);
    assert!(moves.shares.values().all(|&share| is_about(share, 33)), "{:?}", moves.shares);
}

#[test]
fn a_tenth_server_moves_a_tenth() {
    let moves = replace(&servers(0..9), &servers(0..10));
    assert!(is_about(moves.moved, 10), "{}", moves.moved);
    assert!(moves.shares.values().all(|&share| is_about(share, 10)), "{:?}", moves.shares);
}

#[test]
fn shares_are_fair_whatever_comes_and_goes() {
    for (before, after) in [(0..5, 3..7), (0..4, 1..5), (0..2, 1..6), (0..3, 3..6), (0..3, 5..7)] {
        let (before, after) = (servers(before), servers(after));
        let shares = replace(&before, &after).shares;
        let fair = 100 / after.len() as u64;
        assert_eq!(shares.len(), after.len());
        assert!(shares.values().all(|&share| is_about(share, fair)), "{before:?} {shares:?}");
    }
}

#[test]
fn the_odds_of_an_old_server_fill_its_share() {
    let odds = |before, old: usize, new: usize| {
        let places = |count| (0..count).collect();
        decide(before, places(old), places(new), false, &mut Rng::new(1)).unwrap().old_odds
    };
    assert_eq!(odds(5, 3, 0), Odds { hits: 6, of: 6 });
    assert_eq!(odds(5, 2, 2), Odds { hits: 2, of: 12 });
    assert_eq!(odds(4, 3, 1), Odds { hits: 0, of: 4 });
    assert_eq!(odds(3, 0, 2), Odds { hits: 0, of: 6 });
    assert_eq!(odds(3, 3, 0), Odds::ALWAYS);
    assert_eq!(odds(3, 2, 2), Odds::NEVER);
}

#[test]
fn new_servers_are_tried_first_and_then_all_in_rounds() {
    for seed in 0..50 {
        let rng = &mut Rng::new(seed);
        let mut hosts = Hosts::new(servers(0..2), rng);
        let _ = hosts.next(SPIN, rng);
        hosts.connected();
        assert!(hosts.update(servers(1..5), Some((&host("s0"), None)), rng));
        let names: Vec<_> = (0..4).map(|_| hosts.next(SPIN, rng)).collect();
        assert!(names.iter().all(|turn| turn.wait.is_zero()));
        assert!(names[..3].iter().all(|turn| turn.host != host("s1")));
        assert_eq!(names[3].host, host("s1"));
        assert_eq!(hosts.next(SPIN, rng).wait, SPIN, "each was tried once");
    }
}

#[test]
fn a_good_server_ends_the_move() {
    let rng = &mut Rng::new(1);
    let mut hosts = Hosts::new(servers(0..2), rng);
    assert!(hosts.update(servers(5..8), None, rng));
    let _ = hosts.next(SPIN, rng);
    hosts.connected();
    assert!(hosts.rebalance.is_none());
    assert_eq!(waits(&mut hosts, rng, 3), [0, 0, 1000]);
}

#[test]
fn the_same_list_moves_nobody() {
    for seed in 0..50 {
        let rng = &mut Rng::new(seed);
        let mut hosts = Hosts::new(servers(0..3), rng);
        let server = hosts.next(SPIN, rng).host;
        hosts.connected();
        assert!(!hosts.update(servers(0..3), Some((&server, None)), rng));
        assert!(!hosts.update(servers(0..3), None, rng));
        assert_eq!(hosts.current.map(|place| &hosts.list[place]), Some(&server));
        assert_eq!(waits(&mut hosts, rng, 3), [0, 0, 1000]);
    }
}

#[test]
fn a_server_is_recognised_by_name_or_address() {
    let peer = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    let v6 = |text: &str| HostPort::new(text, 2181);
    let rows = [
        (host("zk1"), None, host("zk1"), true),
        (host("zk1"), None, host("ZK1"), true),
        (host("zk1"), None, HostPort::new("zk1", 2182), false),
        (host("zk1"), peer("10.0.0.1:2181"), host("10.0.0.1"), true),
        (host("zk1"), peer("[::ffff:10.0.0.1]:2181"), host("10.0.0.1"), true),
        (host("zk1"), peer("10.0.0.1:2181"), HostPort::new("10.0.0.1", 2182), false),
        (host("zk1"), peer("10.0.0.2:2181"), host("10.0.0.1"), false),
        (host("zk1"), None, host("10.0.0.1"), false),
        (host("zk1"), None, host("zk2"), false),
        (v6("::1"), None, v6("0:0:0:0:0:0:0:1"), true),
        (v6("::1"), None, v6("::2"), false),
    ];
    for (current, peer, listed, is_known) in rows {
        let rng = &mut Rng::new(1);
        let mut hosts = Hosts::new(vec![current.clone()], rng);
        let _ = hosts.next(SPIN, rng);
        hosts.connected();
        let moved = hosts.update(vec![listed.clone()], Some((&current, peer)), rng);
        assert_eq!(moved, !is_known, "{current} {listed}");
        let turn = hosts.next(SPIN, rng);
        let wait = if is_known { SPIN } else { Duration::ZERO };
        assert_eq!(turn, Turn { host: listed, wait });
    }
}

#[test]
fn a_client_without_a_server_counts_where_it_was_last() {
    let rng = &mut Rng::new(3);
    let mut hosts = Hosts::new(servers(0..3), rng);
    let first = hosts.next(SPIN, rng).host;
    hosts.connected();
    let second = hosts.next(SPIN, rng).host;
    // The last good server is in the new list, and so is the one under way.
    assert!(!hosts.update(vec![first.clone(), second.clone()], None, rng));
    assert_eq!(hosts.next(SPIN, rng), Turn { host: first, wait: Duration::ZERO });
    assert_eq!(hosts.next(SPIN, rng), Turn { host: second, wait: SPIN });
}

#[test]
fn a_second_update_during_a_move_counts_from_where_the_client_would_go() {
    let mut stayed = 0;
    for seed in 0..CLIENTS {
        let rng = &mut Rng::new(seed);
        let mut hosts = Hosts::new(servers(0..3), rng);
        let server = hosts.next(SPIN, rng).host;
        hosts.connected();
        if !hosts.update(servers(0..5), Some((&server, None)), rng) {
            continue;
        }
        // It would go to one of the two new servers, one of which is gone again.
        if !hosts.update(servers(0..4), None, rng) {
            stayed += 1;
        }
    }
    assert!(is_about(stayed, 20), "{stayed}");
}

#[derive(Clone, Debug)]
enum Step {
    Next,
    Connected,
    Update(Vec<u8>, u8),
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 8 {
            0..5 => Self::Next,
            5 => Self::Connected,
            _ => Self::Update(Vec::arbitrary(g), u8::arbitrary(g)),
        }
    }
}

quickcheck! {
    /// Turns name servers of the newest list; as many turns as it has servers, and one pause at
    /// most, name each of them.
    fn turns_stay_in_the_newest_list(seed: u64, steps: Vec<Step>) -> bool {
        let rng = &mut Rng::new(seed);
        let (mut list, mut server) = (servers(0..3), None);
        let mut hosts = Hosts::new(list.clone(), rng);
        for step in steps {
            match step {
                Step::Next => {
                    let turn = hosts.next(SPIN, rng);
                    assert!(list.contains(&turn.host));
                    server = Some(turn.host);
                }
                Step::Connected => hosts.connected(),
                Step::Update(numbers, known) => {
                    let new = servers(numbers.iter().map(|&number| usize::from(number % 6)));
                    let current = server.as_ref().filter(|_| known % 2 == 0);
                    let moved = hosts.update(new.clone(), current.map(|host| (host, None)), rng);
                    if !new.is_empty() {
                        assert!(moved || current.is_none_or(|host| new.contains(host)));
                        list = new;
                    }
                    server = server.filter(|_| !moved);
                }
            }
            assert_eq!(hosts.len(), list.len());
            assert!(hosts.rebalance.is_none() || hosts.last.is_none());
        }
        hosts.connected();
        let named: Vec<_> = (0..list.len()).map(|_| hosts.next(SPIN, rng)).collect();
        let pauses = named.iter().filter(|turn| !turn.wait.is_zero()).count();
        pauses <= 1 && list.iter().all(|host| named.iter().any(|turn| turn.host == *host))
    }
}
