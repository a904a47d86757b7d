//! What failures of the store do.

use zookeeper_core::{
    endpoint::CloseReason,
    server::{Event, Failure},
    storage::Lane,
};
use zookeeper_sim::pair::{World, request};

use crate::store::*;

/// Operations of one short snapshot: create, append, sync, rename, sync directory.
const OPERATIONS: usize = 5;

#[test]
fn a_snapshot_that_fails_ends_nothing_else() {
    for failing in 0..OPERATIONS {
        let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 10);
        lanes.fail_behind(Lane::Snapshot, failing);
        while snapshots_of(world.events()).0.len() < 2 {
            create_some(&mut world, client, 1);
        }
        create_some(&mut world, client, 4);
        let (begun, stored) = snapshots_of(world.events());
        assert_eq!((begun.len(), stored.len()), (2, 1), "operation {failing}");
        let failed: Vec<_> = world
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::SnapshotFailed { zxid, error } => Some((zxid.0, error.operation)),
                _ => None,
            })
            .collect();
        let operations = ["create", "append", "sync", "rename", "sync directory"];
        assert_eq!(failed, [(begun[1], operations[failing])]);
        assert_eq!(lanes.names("tmp."), [] as [&str; 0], "its temporary went");
        assert!(lanes.names("snapshot.").contains(&"snapshot.0".into()), "the older one stays");
        assert_eq!(world.server().storage_stats().map(|stats| stats.snapshots_failed), Some(1));
        create_some(&mut world, client, 20);
        let (begun, stored) = snapshots_of(world.events());
        assert_eq!(begun.len(), stored.len() + 1, "later ones are taken");
        assert!(stored.len() > 1);
        world.finish();
    }
}

#[test]
fn a_snapshot_that_failed_is_tried_again_when_the_log_goes_on_in_another_file() {
    let (mut world, lanes, client) = world(|storage, _| {
        storage.snapshot_bytes = Some(1_000_000);
        storage.snapshot_transactions = 100;
        storage.log_length_max = Some(3_000);
    });
    lanes.fail_behind(Lane::Snapshot, 2);
    while snapshots_of(world.events()).0.len() < 2 {
        create_some(&mut world, client, 1);
    }
    let files = lanes.names("log.").len();
    let begun = snapshots_of(world.events()).0[1];
    while snapshots_of(world.events()).0.len() < 3 {
        create_some(&mut world, client, 1);
    }
    // The snapshot itself has made it go on in another file, and then its length has.
    assert_eq!(lanes.names("log.").len(), files + 1);
    let waited = snapshots_of(world.events()).0[2] - begun;
    assert!((10..35).contains(&waited), "{waited} transactions fill a file");
    world.finish();
}

#[test]
fn without_its_first_snapshot_a_server_cannot_go_on() {
    for failing in 0..OPERATIONS {
        let (mut world, lanes) = fresh(|_, _| {}, 0);
        let client = world.open();
        world.shake_hands(client, &World::hello());
        lanes.fail_behind(Lane::Snapshot, failing);
        lanes.allow(Lane::Snapshot, ALL);
        world.settle();
        let failure = world.events().iter().find_map(|event| match event {
            Event::Failed(failure) => Some(failure.clone()),
            _ => None,
        });
        assert!(matches!(failure, Some(Failure::Storage(_))), "operation {failing}");
        assert_eq!(*world.close_reason(client), CloseReason::Failed);
        assert_eq!(world.client(client).handshake(), None, "nobody was told anything");
        assert_eq!(lanes.names("log."), [] as [&str; 0]);
        assert_eq!(world.server().storage_stats().map(|stats| stats.snapshots_failed), Some(1));
        world.finish();
    }
}

#[test]
fn a_failure_of_the_log_ends_everything_snapshots_too() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 6);
    lanes.allow(Lane::Snapshot, 0);
    while snapshots_of(world.events()).0.len() < 2 {
        create_some(&mut world, client, 1);
    }
    lanes.fail_behind(Lane::Log, 1);
    let xid = world.send(client, &request::create("/a", b""));
    world.settle();
    assert_eq!(world.answer(client, xid), None);
    assert!(world.events().iter().any(|event| matches!(event, Event::Failed(_))));
    assert_eq!(world.server().storage_stats().map(|stats| stats.snapshot_waiting), Some(0));
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    assert_eq!(lanes.names("snapshot."), ["snapshot.0"], "nothing goes on");
    world.finish();
}

#[test]
fn a_temporary_that_stays_is_removed_before_another_is_made() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 6);
    // The append fails, and the removal behind it, too: create, append, sync; remove.
    lanes.fail_behind(Lane::Snapshot, 1);
    while !world.events().iter().any(|event| matches!(event, Event::SnapshotFailed { .. })) {
        lanes.allow(Lane::Snapshot, 3);
        create_some(&mut world, client, 1);
    }
    lanes.fail_behind(Lane::Snapshot, 0);
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    assert!(world.events().iter().any(|event| matches!(event, Event::PurgeFailed { .. })));
    assert_eq!(lanes.names("tmp.").len(), 1);
    // The store sees to it that there are never two.
    create_some(&mut world, client, 20);
    assert_eq!(lanes.names("tmp."), [] as [&str; 0]);
    assert!(snapshots_of(world.events()).1.len() > 1);
    world.finish();
}
