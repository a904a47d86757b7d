//! When a snapshot is due, and when the log goes on in another file.

use zookeeper_core::storage::Lane;
use zookeeper_sim::pair::request;

use crate::store::*;

#[test]
fn a_snapshot_is_due_after_half_of_the_transactions_to_all_of_them() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 20);
    create_some(&mut world, client, 200);
    let (begun, stored) = snapshots_of(world.events());
    assert_eq!(begun, stored, "each ends before the next");
    let gaps: Vec<_> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 10 && gaps.iter().all(|gap| (10..20).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "chance moves it: {gaps:?}");
    // The log goes on in another file behind each.
    let firsts: Vec<_> = lanes.names("log.").iter().map(|name| number(name)).collect();
    let expected: Vec<_> = begun.iter().map(|zxid| zxid + 1).collect();
    assert_eq!(firsts, expected[..firsts.len()]);
    assert!(expected.len() - firsts.len() <= 1, "a file is made for its first record");
    world.finish();
}

#[test]
fn a_snapshot_is_due_after_so_many_bytes_of_the_log() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_bytes = Some(8_000));
    let data = vec![b'x'; 900];
    for number in 0..60 {
        world.call(client, &request::create(&format!("/n{number}"), &data)).ok();
    }
    let (begun, _) = snapshots_of(world.events());
    assert!((7..=16).contains(&begun.len()), "{begun:?}");
    let lengths: Vec<_> =
        lanes.names("log.").iter().map(|name| lanes.state().files[name].len()).collect();
    let whole = &lengths[..lengths.len() - 1];
    assert!(whole.iter().all(|length| (4_000..9_500).contains(length)), "{lengths:?}");
    world.finish();
}

#[test]
fn without_a_limit_of_bytes_only_transactions_count() {
    let (mut world, _, client) = world(|storage, _| storage.snapshot_bytes = None);
    let data = vec![b'x'; 9_000];
    for number in 0..60 {
        world.call(client, &request::create(&format!("/n{number}"), &data)).ok();
    }
    assert_eq!(snapshots_of(world.events()).0, [0]);
    world.finish();
}

#[test]
fn one_that_is_due_while_another_is_written_is_skipped() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 10);
    lanes.allow(Lane::Snapshot, 0);
    create_some(&mut world, client, 100);
    assert_eq!(snapshots_of(world.events()).0.len(), 2, "one hangs");
    assert!(lanes.names("log.").len() > 5, "and the log goes on in other files all the same");
    lanes.allow(Lane::Snapshot, ALL);
    create_some(&mut world, client, 10);
    let (begun, stored) = snapshots_of(world.events());
    assert_eq!((begun.len(), stored.len()), (3, 3));
    assert!(begun[2] > 100);
    world.finish();
}

#[test]
fn a_log_that_is_long_enough_goes_on_in_another_file() {
    let (mut world, lanes, client) = world(|storage, _| storage.log_length_max = Some(1_000));
    create_some(&mut world, client, 60);
    assert_eq!(snapshots_of(world.events()).0, [0], "that is no reason for a snapshot");
    let names = lanes.names("log.");
    assert!(names.len() > 4, "{names:?}");
    let lengths: Vec<_> = names.iter().map(|name| lanes.state().files[name].len()).collect();
    assert!(lengths.iter().all(|length| *length < 1_200), "{lengths:?}");
    world.finish();
}

#[test]
fn groups_on_their_way_are_acknowledged_in_order_across_files() {
    let (mut world, lanes, client) = world(|storage, _| storage.log_length_max = Some(20));
    lanes.allow(Lane::Log, 0);
    lanes.take_executed();
    let one = world.send(client, &request::create("/one", b""));
    world.settle();
    let two = world.send(client, &request::create("/two", b""));
    world.settle();
    let expected = ["create", "append", "sync", "sync directory"].repeat(2);
    assert_eq!(lanes.waiting(Lane::Log), expected);
    for done in 1..=8 {
        lanes.allow(Lane::Log, 1);
        world.settle();
        assert_eq!(world.answer(client, one).is_some(), done >= 4);
        assert_eq!(world.answer(client, two).is_some(), done >= 8);
    }
    let executed = lanes.take_executed();
    assert!(executed[2].starts_with("sync log.2") && executed[4] == "create log.3");
    world.finish();
}

#[test]
fn without_sync_a_write_is_answered_once_it_is_appended() {
    let (mut world, lanes, client) = world(|storage, _| storage.sync = false);
    lanes.take_executed();
    create_some(&mut world, client, 2);
    assert_eq!(lanes.take_executed(), ["append log.1", "append log.1"]);
    lanes.allow(Lane::Log, 0);
    let xid = world.send(client, &request::create("/a", b""));
    world.settle();
    assert_eq!(world.answer(client, xid), None);
    lanes.allow(Lane::Log, 1);
    world.settle();
    assert!(world.answer(client, xid).is_some());
    world.finish();
}

#[test]
fn a_snapshot_begins_between_two_groups_of_a_log_that_never_rests() {
    let (mut world, lanes, client) = world(|storage, config| {
        storage.snapshot_transactions = 50;
        config.endpoint.requests_max = 10_000;
    });
    // Two groups are on their way all the time, and a third one is open.
    lanes.allow(Lane::Log, 0);
    for round in 0..100 {
        for number in 0..5 {
            world.send(client, &request::create(&format!("/r{round}n{number}"), b""));
            world.settle();
        }
        lanes.allow(Lane::Log, 2);
        world.settle();
    }
    let (begun, _) = snapshots_of(world.events());
    assert!(begun.len() > 5, "{begun:?}");
    lanes.allow(Lane::Log, ALL);
    world.settle();
    let firsts: Vec<_> = lanes.names("log.").iter().map(|name| number(name)).collect();
    assert!(begun.iter().all(|zxid| firsts.contains(&(zxid + 1))), "{begun:?} {firsts:?}");
    world.finish();
}
