//! Logs made by hand.

use std::{borrow::Cow, sync::Arc};

use zookeeper_core::{
    SessionId, Zxid,
    storage::{encode_file_header, encode_record},
    wire::{Acl, Blob, CreateKind, Txn, TxnHeader, perms},
};

/// The header of the transaction with this number.
pub fn header(zxid: i64) -> TxnHeader {
    TxnHeader { session: SessionId(7), cxid: 1, zxid: Zxid(zxid), time_ms: 1_000 + zxid }
}

/// A znode `/<zxid>` with this data.
pub fn create(zxid: i64, data: &[u8]) -> Txn<'_> {
    Txn::Create {
        create2: false,
        path: Cow::Owned(format!("/{zxid}")),
        data: Some(Blob::Slice(data)),
        acl: Arc::new([Acl::new(perms::ALL, "world", "anyone")]),
        kind: CreateKind::Persistent,
        parent_cversion: -1,
    }
}

/// A log, and where each of its records starts.
#[derive(Clone, Debug)]
pub struct Log {
    pub bytes: Vec<u8>,
    pub starts: Vec<usize>,
}

impl Log {
    /// Only the header.
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        encode_file_header(&mut bytes);
        Self { bytes, starts: Vec::new() }
    }

    /// With another record.
    pub fn with(mut self, zxid: i64, data: &[u8]) -> Self {
        self.starts.push(self.bytes.len());
        encode_record(&mut self.bytes, &header(zxid), &create(zxid, data), None);
        self
    }

    /// With a record of this payload, and the right checksum.
    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        self.starts.push(self.bytes.len());
        let (mut low, mut high) = (1_u32, 0_u32);
        for byte in payload {
            low = (low + u32::from(*byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        self.bytes.extend(i64::from(high << 16 | low).to_be_bytes());
        self.bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        self.bytes.extend(payload);
        self.bytes.push(b'B');
        self
    }

    /// Records with these numbers, whose data is one byte.
    pub fn of(zxids: impl IntoIterator<Item = i64>) -> Self {
        zxids.into_iter().fold(Self::new(), |log, zxid| log.with(zxid, b"x"))
    }
}
