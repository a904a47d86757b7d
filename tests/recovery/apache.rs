//! What Apache ZooKeeper left.

use zookeeper_core::{
    SessionId, Zxid,
    storage::{RecoveryConfig, RecoveryEvent},
    tree::{StoredNode, Tree},
};
use zookeeper_sim::{disk::Image, store::file};

use crate::{
    fixtures::{
        LOG_1, LOG_29, PADDING, SNAPSHOT_0, SNAPSHOT_28, SNAPSHOT_31, SNAPSHOT_31_GZ,
        SNAPSHOT_31_SNAPPY, Seen, seen,
    },
    support::{Outcome, ok, run_with, store},
};

/// That server had `extendedTypesEnabled`; what it left is the same without.
fn run(image: &Image) -> Outcome {
    let mut config = RecoveryConfig::default();
    assert!(!config.tree.extended_types, "the default is upstream's");
    let outcome = run_with(image, &config);
    config.tree.extended_types = true;
    let other = run_with(image, &config);
    let [one, other] = [&outcome, &other].map(|outcome| ok(outcome).tree().unwrap());
    assert!(one.stored_nodes().eq(other.stored_nodes()), "the setting is about creating");
    outcome
}

fn to_seen(tree: &Tree, node: &StoredNode<'_>) -> Seen {
    let prefix = format!("{}/", node.path);
    let is_child = |other: &StoredNode<'_>| {
        other.path.strip_prefix(&prefix).is_some_and(|name| !name.is_empty() && !name.contains('/'))
    };
    let children = i32::try_from(tree.stored_nodes().filter(is_child).count()).unwrap();
    let acl = node.acl.iter().map(|acl| format!("{},{},{}", acl.perms, acl.id.scheme, acl.id.id));
    let owner = node.stat.owner.cast_unsigned();
    Seen {
        path: if node.path.is_empty() { "/".into() } else { node.path.into() },
        data: node.data.as_ref().map(|data| data.to_vec()),
        acl: acl.collect::<Vec<_>>().join(" "),
        czxid: node.stat.czxid.0,
        mzxid: node.stat.mzxid.0,
        pzxid: node.stat.pzxid.0,
        ctime_ms: node.stat.ctime_ms,
        mtime_ms: node.stat.mtime_ms,
        version: node.stat.version,
        cversion: 2 * node.stat.cversion - children,
        aversion: node.stat.aversion,
        // Containers and TTL znodes have no owner that a client sees.
        owner: if owner >> 56 >= 0x80 { 0 } else { owner },
        children,
    }
}

/// The tree that a client saw, and the sessions that were open.
fn check(outcome: &Outcome) {
    let recovered = ok(outcome);
    let tree = recovered.tree().unwrap();
    let mut nodes: Vec<Seen> = tree.stored_nodes().map(|node| to_seen(tree, &node)).collect();
    nodes.sort();
    let mut seen = seen();
    seen.sort();
    assert_eq!(nodes, seen);
    assert_eq!(recovered.zxid(), Zxid(0x31));
    let sessions: Vec<SessionId> = tree.sessions().iter().map(|(id, _)| id).collect();
    assert_eq!(sessions, [0x0100_0017_2c94_0001, 0x0100_0017_3fd4_0000].map(SessionId));
    // The digests of the snapshot and of every record are those of the tree.
    assert_eq!(tree.digest(), Some(33_336_397_100));
    assert_eq!(recovered.summary().digest_mismatches, 0);
    assert_eq!(recovered.summary().misfits, 0);
    assert_eq!(recovered.newest_ms(), 1_796_063_580_494);
}

#[test]
fn from_every_snapshot_the_same_tree() {
    for (name, snapshot, replayed) in [
        ("snapshot.0", SNAPSHOT_0, 0x31),
        ("snapshot.28", SNAPSHOT_28, 9),
        ("snapshot.31", SNAPSHOT_31, 0),
        ("snapshot.31.gz", SNAPSHOT_31_GZ, 0),
        ("snapshot.31.snappy", SNAPSHOT_31_SNAPPY, 0),
    ] {
        let logs = [("log.1", LOG_1.to_vec()), ("log.29", LOG_29.to_vec())];
        let outcome = run(&store([(name, snapshot.to_vec())].into_iter().chain(logs)));
        check(&outcome);
        let recovered = ok(&outcome);
        assert_eq!(recovered.transactions_replayed(), replayed, "{name}");
        assert_eq!(recovered.summary().snapshot, Some(file(name)));
        assert!(recovered.is_reproducible());
        let loaded = RecoveryEvent::SnapshotLoaded {
            file: file(name),
            zxid: Zxid(0x31 - i64::try_from(replayed).unwrap()),
        };
        assert_eq!(outcome.1, [loaded], "{name}");
    }
}

#[test]
fn the_whole_directory() {
    let outcome = run(&store([
        ("snapshot.0", SNAPSHOT_0.to_vec()),
        ("snapshot.28", SNAPSHOT_28.to_vec()),
        ("snapshot.31", SNAPSHOT_31.to_vec()),
        ("snapshot.31.gz", SNAPSHOT_31_GZ.to_vec()),
        ("log.1", LOG_1.to_vec()),
        ("log.29", LOG_29.to_vec()),
    ]));
    check(&outcome);
    assert_eq!(ok(&outcome).summary().snapshot, Some(file("snapshot.31")));
    assert_eq!(ok(&outcome).summary().logs_read, 1);
}

#[test]
fn from_the_logs_alone() {
    let outcome = run(&store([("log.1", LOG_1.to_vec()), ("log.29", LOG_29.to_vec())]));
    check(&outcome);
    assert!(!ok(&outcome).is_reproducible(), "a snapshot has to be written first");
    assert_eq!(outcome.1, [RecoveryEvent::WithoutSnapshot { first: Zxid(1) }]);
}

#[test]
fn with_all_the_zeros_that_were_there() {
    let padded = |log: &[u8]| {
        let mut log = log.to_vec();
        log.resize(16 + (64 << 20), 0);
        log
    };
    let logs = [("log.1", padded(LOG_1)), ("log.29", padded(LOG_29))];
    let outcome = run(&store([("snapshot.0", SNAPSHOT_0.to_vec())].into_iter().chain(logs)));
    check(&outcome);
    assert_eq!(ok(&outcome).repairs(), []);
}

#[test]
fn cut_at_every_byte() {
    let log = &LOG_29[..LOG_29.len() - PADDING];
    let files = |length: usize| {
        store([("snapshot.28", SNAPSHOT_28.to_vec()), ("log.29", log[..length].to_vec())])
    };
    let mut zxids = Vec::new();
    for length in 0..=log.len() {
        let outcome = run(&files(length));
        let recovered = ok(&outcome);
        assert!(recovered.transactions_replayed() < 9 || length == log.len());
        assert!(zxids.last().is_none_or(|last| *last <= recovered.zxid()));
        zxids.push(recovered.zxid());
    }
    zxids.dedup();
    assert_eq!(zxids, (0x28..=0x31).map(Zxid).collect::<Vec<_>>());
}
