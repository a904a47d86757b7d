//! Files of a server, made by hand, and those of Apache ZooKeeper.

#![allow(dead_code, reason = "not every test needs everything")]

use std::sync::Arc;

use zookeeper_core::{
    SessionId, Zxid,
    storage::{encode_file_header, encode_record},
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
            encode_record(&mut log.bytes, &header, &txn, None);
        }
        log
    }
}
