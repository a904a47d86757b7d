//! Snapshots in steps, beside requests.

use std::time::Duration;

use zookeeper_core::{server::Event, storage::Lane, wire::ErrorCode};
use zookeeper_sim::{
    pair::{World, request},
    snapshot,
};

use crate::store::*;

#[test]
fn the_log_begins_behind_a_snapshot_that_is_there_for_good() {
    let (mut world, lanes) = fresh(|_, _| {}, 0);
    let client = world.open();
    assert_eq!(world.shake_hands(client, &World::hello()), None);
    let all = ["create", "append", "append", "sync", "rename", "sync directory"];
    let mut done = 0;
    loop {
        assert_eq!(lanes.waiting(Lane::Log), [] as [&str; 0], "no record is written");
        world.server().check_invariants();
        let Some(next) = lanes.waiting(Lane::Snapshot).first().copied() else { break };
        assert!(all.contains(&next), "{next}");
        lanes.allow(Lane::Snapshot, 1);
        world.settle();
        done += 1;
        assert!(done < 10, "it ends");
        if world.client(client).handshake().is_some() {
            break;
        }
    }
    assert!(world.client(client).handshake().is_some_and(|answer| answer.is_granted()));
    assert_eq!(lanes.names("snapshot."), ["snapshot.0"]);
    let executed = lanes.take_executed();
    let place = |wanted: &str| executed.iter().position(|op| op == wanted).expect(wanted);
    assert!(place("rename snapshot.0") < place("sync snapshots"));
    assert!(place("sync snapshots") < place("create log.1"));
    let read = snapshot::read(&lanes.state().files["snapshot.0"]);
    assert_eq!(read.nodes.len(), 4, "what a fresh tree has");
    assert!(read.sessions.is_empty(), "of before the first client came");
    lanes.allow(Lane::Snapshot, ALL);
    world.finish();
}

#[test]
fn a_snapshot_is_of_the_moment_it_began_at() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 20);
    world.call(client, &request::create_as("/mine", request::EPHEMERAL)).ok();
    create_large(&mut world, client);
    lanes.allow(Lane::Snapshot, 0);
    while snapshots_of(world.events()).0.len() < 2 {
        create_some(&mut world, client, 1);
    }
    let tree = world.server().tree();
    let mut nodes: Vec<_> = tree
        .stored_nodes()
        .map(|node| (node.path.to_owned(), node.data.map(|data| data.to_vec()), node.stat))
        .collect();
    let sessions: Vec<_> = tree.sessions().iter().map(|(id, _)| id).collect();
    let zxid = tree.last_zxid();
    for number in 0..40 {
        let path = format!("/later{number}");
        world.call(client, &request::create(&path, b"1")).ok();
        for changed in ["/mine", "/large5"] {
            world.call(client, &request::set_data(changed, path.as_bytes())).ok();
        }
        if number % 3 == 0 {
            world.call(client, &request::delete(&path)).ok();
        }
    }
    assert!(world.server().storage_stats().expect("figures").snapshot_waiting > 100 << 10);
    let newcomer = world.start();
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    let (_, stored) = snapshots_of(world.events());
    assert_eq!(stored[..2], [0, zxid.0]);
    let read = snapshot::read(&lanes.state().files[&format!("snapshot.{:x}", zxid.0)]);
    assert_eq!((read.last_zxid, read.digest.0), (Some(zxid), zxid));
    let mut found: Vec<_> =
        read.nodes.into_iter().map(|(path, node)| (path, node.data, node.stat)).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    nodes.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(found, nodes);
    assert_eq!(read.sessions.into_keys().collect::<Vec<_>>(), sessions);
    world.ping(newcomer);
    world.finish();
}

#[test]
fn no_request_waits_for_more_than_one_chunk() {
    let (mut world, lanes, client) = world(|storage, config| {
        storage.snapshot_transactions = 120;
        config.endpoint.frame_length_max = 1 << 20;
    });
    let data = vec![b'x'; 100 << 10];
    lanes.allow(Lane::Snapshot, 0);
    let mut number = 0;
    while snapshots_of(world.events()).0.len() < 2 {
        world.call(client, &request::create(&format!("/n{number}"), &data)).ok();
        number += 1;
    }
    // The store checks that chunks are short and come one by one; here each waits for its own
    // acknowledgement, with requests between.
    let mut chunks = 0;
    while snapshots_of(world.events()).1.len() < 2 {
        let waiting = lanes.waiting(Lane::Snapshot);
        chunks += waiting.iter().filter(|op| **op == "append").count();
        assert!(!waiting.is_empty(), "it goes on");
        for request in [
            request::get_data("/n0", false),
            request::set_data(&format!("/n{}", chunks % number), b"later"),
        ] {
            world.call(client, &request).ok();
        }
        assert_eq!(lanes.waiting(Lane::Snapshot), waiting, "nothing is made before its time");
        lanes.allow(Lane::Snapshot, waiting.len());
        world.settle();
    }
    assert!(chunks >= number * 100 / 400, "{chunks} chunks for {number} znodes");
    lanes.allow(Lane::Snapshot, ALL);
    world.finish();
}

#[test]
fn a_snapshot_gets_its_name_only_when_the_log_is_durable_up_to_it() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 4);
    lanes.allow(Lane::Log, 0);
    let mut sent = Vec::new();
    while snapshots_of(world.events()).0.len() < 2 {
        let path = format!("/n{}", sent.len());
        sent.push(world.send(client, &request::create(&path, b"")));
        world.settle();
        assert!(sent.len() < 10, "a group that is sealed is enough");
    }
    let (begun, _) = snapshots_of(world.events());
    assert!(world.server().durable().0 < begun[1]);
    assert_eq!(lanes.names("snapshot."), ["snapshot.0"]);
    assert_eq!(lanes.names("tmp."), [format!("tmp.snapshot.{:x}", begun[1])]);
    assert_eq!(lanes.waiting(Lane::Snapshot), [] as [&str; 0], "it is synced, and waits");
    lanes.allow(Lane::Log, ALL);
    world.settle();
    assert_eq!(lanes.names("snapshot.").len(), 2);
    assert!(sent.iter().all(|&xid| world.answer(client, xid).is_some()));
    world.finish();
}

#[test]
fn reads_of_durable_state_wait_for_no_snapshot_and_no_sync() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 4);
    let reader = world.start();
    create_some(&mut world, client, 5);
    lanes.allow(Lane::Snapshot, 0);
    create_some(&mut world, client, 8);
    assert!(!lanes.waiting(Lane::Snapshot).is_empty(), "a snapshot is on its way");
    lanes.allow(Lane::Log, 0);
    world.send(client, &request::create("/late", b""));
    world.settle();
    let answer = world.call(reader, &request::exists("/zookeeper", false));
    assert_eq!((answer.error, answer.zxid), (ErrorCode::OK, world.server().durable()));
    world.finish();
}

#[test]
fn a_shutdown_loses_nothing_that_was_applied_and_gives_a_snapshot_up() {
    let (mut world, lanes, client) = world(|storage, _| storage.snapshot_transactions = 20);
    create_large(&mut world, client);
    lanes.allow(Lane::Snapshot, 0);
    let before = snapshots_of(world.events()).0.len();
    while snapshots_of(world.events()).0.len() == before {
        create_some(&mut world, client, 1);
    }
    lanes.allow(Lane::Log, 0);
    world.send(client, &request::create("/last", b""));
    world.settle();
    // Not even the client is left to hear of it.
    world.reset(client);
    world.settle();
    let now = world.now();
    world.server_mut().shutdown(now);
    world.settle();
    assert_eq!(world.server().connection_count(), 0);
    assert!(!world.server().is_drained(), "what was applied is not durable");
    lanes.allow(Lane::Log, ALL);
    world.settle();
    assert!(world.server().is_drained(), "and nobody waits for the snapshot");
    assert_eq!(world.server().durable(), world.server().applied());
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    assert_eq!(lanes.names("tmp."), [] as [&str; 0]);
    let (begun, stored) = snapshots_of(world.events());
    assert_eq!(begun.len(), stored.len() + 1);
    world.finish();
}

#[test]
fn a_shutdown_before_the_first_snapshot_waits_for_it_when_something_counts_on_it() {
    let (mut world, lanes) = fresh(|_, _| {}, 0);
    let now = world.now();
    let client = world.open();
    world.shake_hands(client, &World::hello());
    world.server_mut().shutdown(now);
    world.settle();
    assert!(!world.server().is_drained(), "a session was created");
    lanes.allow(Lane::Snapshot, ALL);
    world.settle();
    assert!(world.server().is_drained());
    assert_eq!(lanes.names("log."), ["log.1"]);
    world.finish();

    let (mut world, _) = fresh(|_, _| {}, 0);
    world.server_mut().shutdown(now);
    world.settle();
    assert!(world.server().is_drained(), "nothing counts on it");
    world.finish();
}

#[test]
fn latency_ends_when_the_reply_may_leave() {
    let (mut world, lanes, client) = world(|_, _| {});
    lanes.allow(Lane::Log, 0);
    let xid = world.send(client, &request::create("/a", b""));
    world.advance(Duration::from_millis(70));
    lanes.allow(Lane::Log, ALL);
    world.settle();
    assert!(world.answer(client, xid).is_some());
    let latency = world.server().stats().latency;
    assert_eq!((latency.max_ms, latency.total_ms), (70, 70));
    world.call(client, &request::exists("/a", false)).ok();
    assert_eq!(world.server().stats().latency.max_ms, 70, "others are as fast as ever");
    world.finish();
}

#[test]
fn figures_tell_of_snapshots() {
    let (mut world, lanes, client) = world(|storage, config| {
        storage.snapshot_transactions = 8;
        config.endpoint.commands = zookeeper_core::endpoint::CommandWhitelist::all();
    });
    create_some(&mut world, client, 20);
    let stats = world.server().storage_stats().expect("there is a store");
    let (_, stored) = snapshots_of(world.events());
    assert_eq!(stats.snapshot_times.count, stored.len() as u64);
    assert_eq!((stats.snapshots_failed, stats.snapshot_waiting), (0, 0));
    assert!(stats.newest_snapshot.is_some());
    let length: usize =
        lanes.names("log.").iter().map(|name| lanes.state().files[name].len()).sum();
    let headers = 16 * lanes.names("log.").len();
    assert_eq!(stats.log_bytes, (length - headers) as u64);
    let stored = world.events().iter().find_map(|event| match event {
        Event::SnapshotStored { zxid, bytes, .. } => Some((*zxid, *bytes)),
        _ => None,
    });
    let (zxid, bytes) = stored.expect("one");
    let name = format!("snapshot.{:x}", zxid.0);
    assert_eq!(bytes, lanes.state().files[&name].len() as u64);
    world.finish();
}
