//! Which snapshot is taken, and what becomes of the others.

use std::borrow::Cow;

use zookeeper_core::{
    SessionId, Zxid,
    storage::{
        RecoveryConfig, RecoveryError, RecoveryEvent, SnapshotDamageKind, SnapshotEncoder,
        SnapshotPart, SnapshotProblem, encode_file_header, encode_record,
    },
    tree::{RestoreError, StoredStat},
    wire::{Blob, Txn},
};
use zookeeper_sim::store::{file, recover};

use crate::{
    fixtures::records::{create, header},
    support::{error, log, ok, run, snapshot, store},
};

/// Two snapshots and all logs.
fn files(newer: Vec<u8>) -> [(&'static str, Vec<u8>); 4] {
    [
        ("snapshot.3", snapshot(3)),
        ("snapshot.7", newer),
        ("log.1", log(1..=7)),
        ("log.8", log(8..=9)),
    ]
}

#[test]
fn a_damaged_snapshot_makes_way_for_the_one_before() {
    let good = snapshot(7);
    for length in 0..good.len() {
        // Behind a seal it may end.
        if length + 21 == good.len() || length + 21 + 33 == good.len() {
            continue;
        }
        let outcome = run(&store(files(good[..length].to_vec())));
        let recovered = ok(&outcome);
        assert_eq!(recovered.summary().snapshot, Some(file("snapshot.3")), "cut to {length}");
        assert_eq!((recovered.zxid(), recovered.transactions_replayed()), (Zxid(9), 6));
        let [RecoveryEvent::SnapshotUnusable { file: bad, .. }, _] = &outcome.1[..] else {
            panic!("cut to {length}: {:?}", outcome.1)
        };
        assert_eq!(*bad, file("snapshot.7"));
    }
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let outcome = run(&store(files(bytes)));
        assert_eq!(ok(&outcome).summary().snapshot, Some(file("snapshot.3")), "bit {bit}");
        assert_eq!(ok(&outcome).zxid(), Zxid(9));
    }
}

#[test]
fn without_the_logs_behind_the_older_one_nothing_can_be_done() {
    let mut files = files(snapshot(7)[..50].to_vec()).to_vec();
    files.remove(2);
    let found = error(&run(&store(files)), &["log.8", "expected 0x4", "0x8"]);
    assert!(matches!(found, RecoveryError::Gap { .. }));
}

#[test]
fn snapshots_none_of_which_can_be_used_are_no_fresh_store() {
    let image = store([
        ("snapshot.3", snapshot(3)[..10].to_vec()),
        ("snapshot.7", snapshot(7)[..50].to_vec()),
        ("log.1", log(1..=9)),
    ]);
    let outcome = run(&image);
    // Each file is told with its own problem, and nothing is said to come that does not.
    let told: Vec<_> = outcome.1.iter().map(ToString::to_string).collect();
    let [newest, oldest] = &told[..] else { panic!("{told:?}") };
    assert!(newest.starts_with("snapshot.7 cannot be used: "), "{newest}");
    assert!(oldest.starts_with("snapshot.3 cannot be used: "), "{oldest}");
    match error(&outcome, &["snapshot.7", "offset", "backup"]) {
        RecoveryError::NoUsableSnapshot { file: newest, problem } => {
            assert_eq!(newest, file("snapshot.7"));
            let SnapshotProblem::Damaged(damage) = problem else { panic!("{problem}") };
            let cut = SnapshotDamageKind::Cut { part: SnapshotPart::Node };
            assert_eq!((damage.offset, damage.kind), (24, cut));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_snapshot_that_cannot_be_read_makes_way_too() {
    let mut image = store(files(snapshot(7)));
    image.break_file(file("snapshot.7"));
    let outcome = run(&image);
    assert_eq!(ok(&outcome).summary().snapshot, Some(file("snapshot.3")));
    let RecoveryEvent::SnapshotUnusable { problem: SnapshotProblem::Unreadable(_), .. } =
        &outcome.1[0]
    else {
        panic!("{:?}", outcome.1)
    };
}

#[test]
fn a_log_that_cannot_be_read_is_the_end() {
    let mut image = store(files(snapshot(7)));
    image.break_file(file("log.8"));
    let found = error(&run(&image), &["log.8", "read", "input/output error"]);
    assert!(matches!(found, RecoveryError::Unreadable { .. }));
}

/// A snapshot whose body is made by hand.
fn made(zxid: i64, nodes: impl FnOnce(&mut SnapshotEncoder), digest: Option<u64>) -> Vec<u8> {
    let mut encoder = SnapshotEncoder::new();
    encoder.count(1);
    encoder.session(SessionId(5), 9000);
    encoder.count(0);
    encoder.node("", Some(b""), -1, &StoredStat::default());
    nodes(&mut encoder);
    encoder.end_nodes();
    encoder.digest(Zxid(zxid), digest);
    encoder.take()
}

#[test]
fn znodes_that_do_not_fit_spoil_a_snapshot() {
    let ephemeral = StoredStat { owner: 5, ..StoredStat::default() };
    for (paths, at, error) in [
        (&["/a/b"][..], 0, RestoreError::NoParent),
        (&["/a", "/a/b"], 1, RestoreError::ParentIsEphemeral),
        (&["a"], 0, RestoreError::IllegalPath),
        (&["/a/"], 0, RestoreError::IllegalPath),
    ] {
        let mut offsets = Vec::new();
        let nodes = |encoder: &mut SnapshotEncoder| {
            for path in paths {
                offsets.push(encoder.length());
                encoder.node(path, None, -1, &ephemeral);
            }
        };
        let newer = made(7, nodes, None);
        let outcome = run(&store(files(newer)));
        let problem =
            SnapshotProblem::Misfit { path: paths[at].into(), offset: offsets[at], error };
        let unusable = RecoveryEvent::SnapshotUnusable { file: file("snapshot.7"), problem };
        assert_eq!(outcome.1[0], unusable);
        assert_eq!(ok(&outcome).zxid(), Zxid(9));
    }
}

#[test]
fn ephemerals_of_unknown_sessions_go() {
    let node = |owner| StoredStat { owner, ..StoredStat::default() };
    let nodes = |encoder: &mut SnapshotEncoder| {
        encoder.node("/mine", None, -1, &node(5));
        encoder.node("/nobodys", None, -1, &node(6));
    };
    let outcome = run(&store([("snapshot.7", made(7, nodes, None))]));
    let recovered = ok(&outcome);
    let paths: Vec<_> = recovered.tree().unwrap().stored_nodes().map(|node| node.path).collect();
    assert!(paths.contains(&"/mine") && !paths.contains(&"/nobodys"), "{paths:?}");
    assert_eq!(outcome.1[1..], [RecoveryEvent::OrphansRemoved { count: 1 }]);
    assert!(!recovered.is_reproducible(), "no record tells of it");
    assert_eq!(recovered.summary().orphans_removed, 1);
}

#[test]
fn the_digest_of_a_snapshot_is_compared() {
    let right =
        ok(&run(&store([("snapshot.7", made(7, |_| {}, None))]))).tree().unwrap().digest().unwrap();
    let outcome = run(&store([("snapshot.7", made(7, |_| {}, Some(right)))]));
    assert_eq!(outcome.1.len(), 1, "{:?}", outcome.1);
    let outcome = run(&store([("snapshot.7", made(7, |_| {}, Some(right ^ 1)))]));
    let mismatch =
        RecoveryEvent::DigestMismatch { zxid: Zxid(7), expected: right ^ 1, found: right };
    assert!(outcome.1.contains(&mismatch), "{:?}", outcome.1);
    assert_eq!(ok(&outcome).summary().digest_mismatches, 1);
}

#[test]
fn a_digest_of_later_is_compared_when_the_replay_is_there() {
    let digest_at = |zxid, digest| {
        let mut encoder = SnapshotEncoder::new();
        encoder.count(0);
        encoder.count(0);
        encoder.node("", Some(b""), -1, &StoredStat::default());
        encoder.end_nodes();
        encoder.digest(Zxid(zxid), Some(digest));
        encoder.take()
    };
    let run = |at, digest, log: Vec<u8>| {
        run(&store([("snapshot.0", digest_at(at, digest)), ("log.1", log)]))
    };
    let right = ok(&run(0, 0, log(1..=2))).tree().unwrap().digest().unwrap();
    assert_eq!(run(2, right, log(1..=3)).1.len(), 1);
    let outcome = run(2, right ^ 1, log(1..=3));
    let mismatch =
        RecoveryEvent::DigestMismatch { zxid: Zxid(2), expected: right ^ 1, found: right };
    // It is told before the log is over.
    assert_eq!(outcome.1[1..], [mismatch]);
    // It proves that there was more.
    let ahead = RecoveryError::SnapshotAhead {
        snapshot: file("snapshot.0"),
        expected: Zxid(4),
        reached: Zxid(3),
    };
    let says = ["0x3", "expected 0x4", "snapshot.0", "restore the missing log", "forceSync=no"];
    assert_eq!(error(&run(4, right, log(1..=3)), &says), ahead);
    assert_eq!(run(4, right, log(1..=4)).1.len(), 2, "another digest, and nothing missing");
}

#[test]
fn znodes_of_later_than_the_logs_prove_that_there_was_more() {
    let stat =
        StoredStat { czxid: Zxid(2), mzxid: Zxid(2), pzxid: Zxid(2), ..StoredStat::default() };
    for (path, stat, expected) in [
        ("/2", stat, 2),
        ("/2", StoredStat { czxid: Zxid(5), ..stat }, 5),
        ("/2", StoredStat { mzxid: Zxid(6), ..stat }, 6),
        ("/2", StoredStat { pzxid: Zxid(7), ..stat }, 7),
        // Of the servers' configuration, not of a transaction.
        ("/zookeeper/config", StoredStat { mzxid: Zxid(7), ..stat }, 2),
    ] {
        // A server without digests; and one of which no transaction is known.
        for digest in [None, Some(None)] {
            let mut encoder = SnapshotEncoder::new();
            encoder.count(0);
            encoder.count(0);
            for path in ["", "/zookeeper"] {
                encoder.node(path, Some(b""), -1, &StoredStat::default());
            }
            encoder.node(path, Some(b""), -1, &stat);
            encoder.end_nodes();
            if let Some(digest) = digest {
                encoder.digest(Zxid(0), digest);
            }
            let bytes = encoder.take();
            for last in 2..=8 {
                let files = [("snapshot.1", bytes.clone()), ("log.1", log(1..=last))];
                let outcome = recover(&store(files), &RecoveryConfig::default(), 1).0;
                assert_eq!(outcome.is_ok(), last >= expected, "{path}: {last}");
                match outcome {
                    Ok(recovered) => assert_eq!(recovered.zxid(), Zxid(last)),
                    Err(RecoveryError::SnapshotAhead { expected: found, reached, .. }) => {
                        assert_eq!((found, reached), (Zxid(expected), Zxid(last)));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

#[test]
fn digests_in_the_log_are_compared_and_told_once() {
    let mut log = Vec::new();
    encode_file_header(&mut log);
    for zxid in 1..=3 {
        encode_record(&mut log, &header(zxid), &create(zxid, b"x"), Some(5));
    }
    let outcome = run(&store([("snapshot.0", snapshot(0)), ("log.1", log)]));
    let [_, RecoveryEvent::DigestMismatch { zxid: Zxid(1), expected: 5, .. }] = &outcome.1[..]
    else {
        panic!("{:?}", outcome.1)
    };
    assert_eq!(ok(&outcome).summary().digest_mismatches, 3);
    assert_eq!(ok(&outcome).zxid(), Zxid(3));
}

#[test]
fn a_snapshot_taken_while_transactions_went_on() {
    // It has the effects of 2 and 3 already.
    let fuzzy = {
        let mut encoder = SnapshotEncoder::new();
        encoder.count(0);
        encoder.count(0);
        encoder.node("", Some(b""), -1, &StoredStat { cversion: 2, ..StoredStat::default() });
        for zxid in 1..=2 {
            let stat = StoredStat { czxid: Zxid(zxid), ..StoredStat::default() };
            encoder.node(&format!("/{zxid}"), Some(b"x"), -1, &stat);
        }
        encoder.end_nodes();
        encoder.digest(Zxid(0), None);
        encoder.take()
    };
    let mut log = Vec::new();
    encode_file_header(&mut log);
    encode_record(&mut log, &header(2), &create(2, b"x"), None);
    let gone = Txn::Delete { container: false, path: Cow::Borrowed("/1") };
    encode_record(&mut log, &header(3), &gone, None);
    encode_record(&mut log, &header(4), &gone, None);
    let data = Some(Blob::Slice(b"new"));
    let set = Txn::SetData { path: Cow::Borrowed("/2"), data, version: 1 };
    encode_record(&mut log, &header(5), &set, None);
    let outcome = run(&store([("snapshot.1", fuzzy), ("log.2", log)]));
    let recovered = ok(&outcome);
    assert_eq!((recovered.zxid(), recovered.summary().misfits), (Zxid(5), 2));
    let tree = recovered.tree().unwrap();
    let two = tree.stored_nodes().find(|node| node.path == "/2").unwrap();
    assert_eq!(two.data.as_deref(), Some(&b"new"[..]));
    assert!(tree.stored_nodes().all(|node| node.path != "/1"));
}
