//! Stores, and what they are recovered to.

use zookeeper_core::storage::{
    FileOp, Recovered, RecoveryConfig, RecoveryError, RecoveryEvent, SnapshotEncoder,
};
use zookeeper_core::{
    Zxid,
    tree::{StoredStat, Tree},
};
use zookeeper_sim::{
    disk::Image,
    store::{file, recover, repaired},
};

use crate::fixtures::{SNAPSHOT_0, records::Log};

/// A store by names.
pub(crate) fn store<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Image {
    let mut image = Image::default();
    for (name, bytes) in files {
        image.insert(file(name), bytes);
    }
    image
}

/// A fresh snapshot, and these logs.
pub(crate) fn with_logs<'a>(logs: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Image {
    let mut image = store([("snapshot.0", SNAPSHOT_0.to_vec())]);
    for (name, bytes) in logs {
        image.insert(file(name), bytes);
    }
    image
}

/// A log of the transactions of a range.
pub(crate) fn log(zxids: std::ops::RangeInclusive<i64>) -> Vec<u8> {
    Log::of(zxids).bytes
}

/// A log without a record.
pub(crate) fn no_records() -> Vec<u8> {
    Log::new().bytes
}

/// A snapshot of a tree that has seen the znodes `/1` up to `/zxid` come.
pub(crate) fn snapshot(zxid: i64) -> Vec<u8> {
    let stat = |zxid| StoredStat {
        czxid: Zxid(zxid),
        mzxid: Zxid(zxid),
        pzxid: Zxid(zxid),
        ctime_ms: 1_000 + zxid,
        mtime_ms: 1_000 + zxid,
        ..StoredStat::default()
    };
    let mut encoder = SnapshotEncoder::new();
    encoder.count(0);
    encoder.count(0);
    let count = i32::try_from(zxid).unwrap();
    let root = StoredStat { pzxid: Zxid(zxid), cversion: count, ..StoredStat::default() };
    encoder.node("", Some(b""), -1, &root);
    encoder.node("/zookeeper", Some(b""), -1, &StoredStat::default());
    encoder.node("/zookeeper/quota", Some(b""), -1, &StoredStat::default());
    encoder.node("/zookeeper/config", Some(b""), -1, &StoredStat::default());
    for zxid in 1..=zxid {
        encoder.node(&format!("/{zxid}"), Some(b"x"), -1, &stat(zxid));
    }
    encoder.end_nodes();
    encoder.digest(Zxid(0), None);
    encoder.last_zxid(Zxid(zxid));
    encoder.take()
}

/// What a recovery came to.
pub(crate) type Outcome = (Result<Recovered, RecoveryError>, Vec<RecoveryEvent>);

/// Recovers a store by the usual settings. If that succeeds, what a server then does to the files
/// is done, and recovering them again has to come to the same.
pub(crate) fn run(image: &Image) -> Outcome {
    run_with(image, &RecoveryConfig::default())
}

/// The same by other settings.
pub(crate) fn run_with(image: &Image, config: &RecoveryConfig) -> Outcome {
    let (outcome, events) = recover(image, config, 1);
    if let Ok(recovered) = &outcome {
        check_znodes(recovered.tree().unwrap());
        let again = recover(&repaired(image, recovered), config, 1).0.unwrap();
        assert_eq!(again.repairs(), [], "nothing is left to be done");
        assert!(again.leftovers().is_empty());
        assert_eq!(again.zxid(), recovered.zxid());
        assert_eq!(again.newest_ms(), recovered.newest_ms());
        let [one, two] = [recovered, &again].map(|recovered| recovered.tree().unwrap());
        assert!(one.stored_nodes().eq(two.stored_nodes()), "both trees are one");
        assert_eq!(one.digest(), two.digest());
        assert!(one.sessions().iter().eq(two.sessions().iter()));
    }
    (outcome, events)
}

/// Such stores make the znode `/7` in transaction 7, and so on.
fn check_znodes(tree: &Tree) {
    tree.check_invariants();
    for node in tree.stored_nodes() {
        if let Ok(zxid) = node.path.trim_start_matches('/').parse::<i64>() {
            assert_eq!(node.stat.czxid, Zxid(zxid));
        }
    }
}

/// The recovered store; panics with the error.
pub(crate) fn ok(outcome: &Outcome) -> &Recovered {
    match &outcome.0 {
        Ok(recovered) => recovered,
        Err(error) => panic!("{error}"),
    }
}

/// The error, and that its text says what is needed.
pub(crate) fn error(outcome: &Outcome, says: &[&str]) -> RecoveryError {
    let error = outcome.0.as_ref().expect_err("the store must not be recovered").clone();
    let text = error.to_string();
    for part in says {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    error
}

/// The names of the repairs, with what they are about.
pub(crate) fn repairs(recovered: &Recovered) -> Vec<String> {
    let text = |op: &FileOp| match op {
        FileOp::Truncate { file, length } => format!("truncate {file} {length}"),
        FileOp::Sync { file } | FileOp::Remove { file } => format!("{} {file}", op.name()),
        op => op.name().into(),
    };
    recovered.repairs().iter().map(text).collect()
}
