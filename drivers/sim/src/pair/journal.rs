//! What a log's bytes say: an independent reader of the few fields that checks need.

use std::collections::BTreeSet;

use zookeeper_core::{
    SessionId, Zxid,
    storage::{LOG_MAGIC, RECORD_END},
};

/// `createSession` as a transaction's type.
const CREATE_SESSION: i32 = -10;
/// `closeSession` as a transaction's type.
const CLOSE_SESSION: i32 = -11;

/// Bytes of a log file before its first record.
const FILE_HEADER_LENGTH: usize = 16;
/// Bytes of a record before its payload.
const RECORD_HEADER_LENGTH: usize = 12;

/// One record of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Whose transaction it is.
    pub session: SessionId,
    /// Its zxid.
    pub zxid: Zxid,
    /// Its type.
    pub op: i32,
}

/// What is known from records that are on stable storage.
#[derive(Debug, Default)]
pub struct Journal {
    newest: Zxid,
    created: BTreeSet<SessionId>,
    closed: BTreeSet<SessionId>,
}

impl Journal {
    /// Takes one more record.
    ///
    /// # Panics
    ///
    /// When its zxid is not the next one.
    pub fn record(&mut self, record: Record) {
        assert!(
            self.newest == Zxid::ZERO || record.zxid == self.newest.next(),
            "{record:?} after {:?}",
            self.newest
        );
        self.newest = record.zxid;
        match record.op {
            CREATE_SESSION => _ = self.created.insert(record.session),
            CLOSE_SESSION => _ = self.closed.insert(record.session),
            _ => {}
        }
    }

    /// The newest transaction.
    #[must_use]
    pub const fn newest(&self) -> Zxid {
        self.newest
    }

    /// Whether the session's beginning is in it.
    #[must_use]
    pub fn has_created(&self, session: SessionId) -> bool {
        self.created.contains(&session)
    }

    /// Whether the session's end is in it.
    #[must_use]
    pub fn has_closed(&self, session: SessionId) -> bool {
        self.closed.contains(&session)
    }
}

/// Reads whole records of a log file from `bytes`, which start at the file's start if `is_new`.
///
/// # Panics
///
/// When the bytes are not whole records.
pub(super) fn read_records(mut bytes: &[u8], is_new: bool) -> Vec<Record> {
    if is_new {
        let (header, rest) = bytes.split_at(FILE_HEADER_LENGTH);
        assert!(header.starts_with(&LOG_MAGIC.to_be_bytes()), "a log starts with its magic");
        bytes = rest;
    }
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = number(bytes, 8);
        let length = usize::try_from(length).expect("a record has a length");
        let payload = &bytes[RECORD_HEADER_LENGTH..][..length];
        records.push(Record {
            session: SessionId(long(payload, 0)),
            zxid: Zxid(long(payload, 12)),
            op: number(payload, 28),
        });
        assert_eq!(bytes[RECORD_HEADER_LENGTH + length], RECORD_END);
        bytes = &bytes[RECORD_HEADER_LENGTH + length + 1..];
    }
    records
}

fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(*bytes[at..].first_chunk().expect("records are whole"))
}

fn long(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(*bytes[at..].first_chunk().expect("records are whole"))
}
