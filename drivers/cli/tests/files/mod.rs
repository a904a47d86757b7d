//! Files of a server, made by hand, and those of Apache ZooKeeper.

#![allow(dead_code, reason = "not every test needs everything")]

use std::{fs, sync::Arc};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use zookeeper_core::{
    Rng, SessionId, Zxid,
    storage::{SnapshotEncoder, encode_file_header, encode_record},
    tree::{Config, StoredNode, StoredStat, Tree},
    wire::{Acl, CreateKind, Txn, TxnHeader, perms},
};

/// The path of a file that Apache ZooKeeper wrote.
pub(crate) fn fixture(name: &str) -> String {
    format!("{}/../../tests/fixtures/apache-3.8.0/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A log, and where each of its records starts.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) starts: Vec<usize>,
}

impl Log {
    /// Session 7 creates `/<zxid>` with one byte, again and again.
    pub(crate) fn of(zxids: impl IntoIterator<Item = i64>) -> Self {
        Self::with_digests(zxids, |_| None)
    }

    /// The same with these digests of the tree.
    pub(crate) fn with_digests(
        zxids: impl IntoIterator<Item = i64>,
        digest: impl Fn(i64) -> Option<u64>,
    ) -> Self {
        let mut log = Self { bytes: Vec::new(), starts: Vec::new() };
        encode_file_header(&mut log.bytes);
        for zxid in zxids {
            log.starts.push(log.bytes.len());
            let (session, time_ms) = (SessionId(7), 1_000 + zxid);
            let header = TxnHeader { session, cxid: 1, zxid: Zxid(zxid), time_ms };
            let txn = Txn::Create {
                create2: false,
                path: format!("/{zxid}").into(),
                data: Some(b"x".as_slice().into()),
                acl: Arc::new([Acl::new(perms::ALL, "world", "anyone")]),
                kind: CreateKind::Persistent,
                parent_cversion: -1,
            };
            encode_record(&mut log.bytes, &header, &txn, digest(zxid));
        }
        log
    }
}

/// A znode of a [`snapshot`]: its path, its data, and its owner.
pub(crate) type Znode<'a> = (&'a str, Option<&'a [u8]>, i64);

/// What every tree has.
pub(crate) const SYSTEM: [Znode<'static>; 4] = [
    ("", Some(b""), 0),
    ("/zookeeper", Some(b""), 0),
    ("/zookeeper/quota", Some(b""), 0),
    ("/zookeeper/config", Some(b""), 0),
];

/// A snapshot of this transaction: a session, an ACL that is read by everybody, and these znodes,
/// which have it if their paths end with `closed`.
pub(crate) fn snapshot(zxid: i64, znodes: &[Znode<'_>], digest: Option<u64>) -> Vec<u8> {
    let mut encoder = SnapshotEncoder::new();
    encoder.count(1);
    encoder.session(SessionId(7), 30_000);
    encoder.count(1);
    encoder.acl(1, &[Acl::new(perms::READ, "world", "anyone")]);
    for (path, data, owner) in znodes {
        let acl = if path.ends_with("closed") { 1 } else { -1 };
        let [czxid, mzxid, pzxid] = [Zxid(zxid); 3];
        let stat = StoredStat { czxid, mzxid, pzxid, owner: *owner, ..StoredStat::default() };
        encoder.node(path, *data, acl, &stat);
    }
    encoder.end_nodes();
    encoder.digest(Zxid(zxid), digest);
    encoder.last_zxid(Zxid(zxid));
    encoder.take()
}

/// The digest of the tree that such a snapshot is of.
pub(crate) fn digest(zxid: i64, znodes: &[Znode<'_>]) -> u64 {
    let mut tree = Tree::new(Config::default(), &mut Rng::new(0));
    for (path, data, owner) in znodes {
        let is_closed = path.ends_with("closed");
        let acl = Acl::new(if is_closed { perms::READ } else { perms::ALL }, "world", "anyone");
        let [czxid, mzxid, pzxid] = [Zxid(zxid); 3];
        let stat = StoredStat { czxid, mzxid, pzxid, owner: *owner, ..StoredStat::default() };
        let data = data.map(Bytes::copy_from_slice);
        tree.restore_node(StoredNode { path, data, acl: [acl].into(), stat }).expect("a tree");
    }
    tree.digest().expect("it is kept")
}

/// A directory with these files, and their paths.
pub(crate) fn write(files: &[(&str, &[u8])]) -> (TempDir, Vec<String>) {
    let directory = TempDir::new().expect("room");
    let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    for (name, bytes) in files {
        fs::write(path(name), bytes).expect("room");
    }
    let paths = files.iter().map(|(name, _)| path(name)).collect();
    (directory, paths)
}

/// Lines of JSON.
pub(crate) fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}
