//! Which files go, and when.

use std::time::Duration;

use zookeeper_core::{
    server::Event,
    storage::{Lane, Retention},
};

use crate::store::*;

const MINUTE: Duration = Duration::from_secs(60);

const fn keep(interval: Duration) -> Option<Retention> {
    Some(Retention { snapshots: 3, interval })
}

/// Whether the log has all that follows the oldest snapshot.
fn check_kept(lanes: &Lanes) {
    let snapshots = lanes.names("snapshot.");
    let logs = lanes.names("log.");
    let oldest = number(&snapshots[0]);
    assert!(snapshots.len() == 3, "{snapshots:?}");
    assert!(number(&logs[0]) <= oldest + 1, "{snapshots:?} {logs:?}");
    assert!(logs.len() == 1 || number(&logs[1]) > oldest, "{snapshots:?} {logs:?}");
}

#[test]
fn old_files_go_after_each_snapshot() {
    let (mut world, lanes, client) = world(|storage, _| {
        storage.snapshot_transactions = 10;
        storage.retention = keep(Duration::ZERO);
    });
    while snapshots_of(world.events()).1.len() < 3 {
        create_some(&mut world, client, 1);
        let removed = lanes.take_executed().iter().any(|op| op.starts_with("remove"));
        assert!(!removed, "there are not enough of them");
    }
    create_some(&mut world, client, 100);
    check_kept(&lanes);
    // Snapshots go first, and are gone for good, before the logs behind them do.
    let executed = lanes.take_executed();
    let mut removals = 0;
    for (place, op) in executed.iter().enumerate().filter(|(_, op)| op.starts_with("remove log.")) {
        let before = executed[..place].iter().rev().find(|op| !op.starts_with("remove log."));
        assert_eq!(before.map(String::as_str), Some("sync snapshots"), "before {op}");
        removals += 1;
    }
    assert!(removals > 3);
    let purged = world.events().iter().filter_map(|event| match event {
        Event::FilesPurged { files } => Some(files.len()),
        _ => None,
    });
    let removed = executed.iter().filter(|op| op.starts_with("remove")).count();
    assert_eq!(purged.sum::<usize>(), removed);
    world.finish();
}

#[test]
fn old_files_go_in_an_interval() {
    let (mut world, lanes, client) = world(|storage, config| {
        storage.snapshot_transactions = 10;
        storage.retention = keep(MINUTE);
        config.endpoint.session_timeout_max = Some(Duration::from_secs(3_600));
    });
    create_some(&mut world, client, 100);
    let snapshots = lanes.names("snapshot.").len();
    assert!(snapshots > 5, "nothing has gone yet");
    world.advance(MINUTE);
    check_kept(&lanes);
    // One on its way is not disturbed: old files go behind it.
    lanes.allow(Lane::Snapshot, 0);
    let client = world.start();
    create_some(&mut world, client, 40);
    world.advance(MINUTE + MINUTE);
    assert!(lanes.waiting(Lane::Snapshot).iter().all(|op| *op != "remove"));
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    check_kept(&lanes);
    world.finish();
}

#[test]
fn without_retention_nothing_goes() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 10);
    create_some(&mut world, client, 100);
    world.advance(MINUTE);
    assert!(lanes.names("snapshot.").len() > 7);
    assert_eq!(lanes.names("log.").first().map(String::as_str), Some("log.1"));
    world.finish();
}

#[test]
fn a_removal_that_fails_is_tried_again() {
    let (mut world, lanes, client) = world(|storage, _| {
        storage.snapshot_transactions = 10;
        storage.retention = keep(Duration::ZERO);
    });
    while snapshots_of(world.events()).1.len() < 3 {
        create_some(&mut world, client, 1);
    }
    // Behind the fourth: create, append, sync, rename, sync directory.
    lanes.fail_behind(Lane::Snapshot, 5);
    while snapshots_of(world.events()).1.len() < 4 {
        create_some(&mut world, client, 1);
    }
    assert!(world.events().iter().any(|event| matches!(event, Event::PurgeFailed { .. })));
    assert_eq!(lanes.names("snapshot.").len(), 4);
    create_some(&mut world, client, 20);
    check_kept(&lanes);
    world.finish();
}
