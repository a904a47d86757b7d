//! Logs, snapshots and whole stores: whatever is in them, nothing panics, how they are cut up does
//! not matter, and what was read can be written and read again.

use zookeeper_core::{
    Zxid,
    storage::{
        Compression, LogItem, LogReader, LogRecord, LogScan, LogTail, RecoveryConfig, ScanItem,
        SnapshotDamage, SnapshotEncoder, SnapshotItem, SnapshotReader, TailState,
        encode_file_header, encode_record,
    },
    tree::{StoredNode, Tree},
    wire::Txn,
};

use super::files::{Input, log as make_log, snapshot as make_snapshot};
use crate::{
    disk::Image,
    store::{file, recover, repaired},
};

/// The longest record here, in bytes.
const RECORD_LENGTH_MAX: usize = 8 << 10;

/// What can come out of a decompressor at a time, in bytes.
const PIECE_LENGTH_MAX: usize = 1 << 20;

/// Whether the rest is a file as it is, then that, or how to make one.
///
/// # Panics
///
/// When the log is not read as it should be.
pub fn log(data: &[u8]) {
    let mut input = Input::new(data);
    let (is_raw, chunk) = (input.byte(), usize::from(input.byte()) + 1);
    let bytes = if is_raw == 0 { make_log(&mut input, 0) } else { input.rest().to_vec() };
    let (records, tail) = scan(&bytes, bytes.len().max(1));
    assert_eq!((&records, tail), (&scan(&bytes, chunk).0, scan(&bytes, chunk).1));
    assert_eq!(tail.offset + tail.length, bytes.len() as u64);
    assert!(records.is_sorted_by_key(|record| (record.0, record.1)), "records come in order");
    if matches!(tail.state, TailState::Clean | TailState::Torn { .. }) {
        let cut = &bytes[..usize::try_from(tail.offset).expect("it is in the file")];
        let (again, tail) = scan(cut, chunk);
        assert_eq!(again, records, "nothing good is cut");
        assert_eq!((tail.length, tail.state), (0, TailState::Clean));
    }
    check_reader(&bytes, chunk);
}

type Scanned = (Vec<(u64, Zxid, String)>, LogTail);

fn scan(bytes: &[u8], chunk: usize) -> Scanned {
    let mut scan = LogScan::new(RECORD_LENGTH_MAX);
    let mut chunks = bytes.chunks(chunk);
    let mut records = Vec::new();
    loop {
        match scan.next() {
            ScanItem::NeedBytes => match chunks.next() {
                Some(chunk) => scan.push(chunk),
                None => scan.finish(),
            },
            ScanItem::Record(record) => {
                check_record(&record);
                records.push((record.offset, record.header.zxid, format!("{record:?}")));
            }
            ScanItem::RecordsEnd { .. } => {}
            ScanItem::Tail(tail) => return (records, tail),
        }
    }
}

/// A record that was read says the same when it is written and read again.
fn check_record(record: &LogRecord<'_>) {
    // Without a digest, two empty paths look like a digest without paths. No server writes them.
    if let Txn::CloseSession { paths: Some(paths) } = &record.txn
        && paths.iter().all(|path| path.is_empty())
    {
        return;
    }
    let mut bytes = Vec::new();
    encode_file_header(&mut bytes);
    encode_record(&mut bytes, &record.header, &record.txn, record.digest);
    // What is not UTF-8 gets longer.
    let mut reader = LogReader::new(16 * RECORD_LENGTH_MAX);
    reader.push(&bytes);
    match reader.next() {
        Ok(LogItem::Record(again)) => {
            assert_eq!((again.header, again.digest), (record.header, record.digest));
            assert_eq!(again.txn, record.txn);
        }
        other => panic!("{record:?} is read as {other:?}"),
    }
}

/// A reader that asks for more holds less than a record.
fn check_reader(bytes: &[u8], chunk: usize) {
    let mut reader = LogReader::new(RECORD_LENGTH_MAX);
    let mut chunks = bytes.chunks(chunk);
    loop {
        match reader.next() {
            Ok(LogItem::NeedBytes) => {
                assert!(reader.unread().len() < RECORD_LENGTH_MAX + 13);
                match chunks.next() {
                    Some(chunk) => reader.push(chunk),
                    None => reader.finish(),
                }
            }
            Ok(LogItem::Record(_)) => {}
            Ok(LogItem::End { .. }) | Err(_) => return,
        }
    }
}

/// How it is compressed, or that the rest says how to make it; how it is cut up; then the file.
///
/// # Panics
///
/// When the snapshot is not read as it should be.
pub fn snapshot(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, chunk) = (input.byte(), usize::from(input.byte()) + 1);
    let (compression, bytes) = match kind & 3 {
        0 => (Compression::None, make_snapshot(&mut input)),
        1 => (Compression::None, input.rest().to_vec()),
        2 => (Compression::Gzip, input.rest().to_vec()),
        _ => (Compression::Snappy, input.rest().to_vec()),
    };
    let (items, end) = read(compression, &bytes, bytes.len().max(1));
    assert!((&items, end) == (&read(compression, &bytes, chunk).0, end), "cut up");
    assert_eq!(end, read(compression, &bytes, chunk).1);
    if end.is_ok() && compression == Compression::None {
        check_snapshot(&bytes, &items);
    }
}

fn read(
    compression: Compression,
    bytes: &[u8],
    chunk: usize,
) -> (Vec<String>, Result<(), SnapshotDamage>) {
    let mut reader = SnapshotReader::new(compression, RECORD_LENGTH_MAX);
    let mut chunks = bytes.chunks(chunk);
    let mut items = Vec::new();
    loop {
        match reader.next() {
            Ok(SnapshotItem::NeedBytes) => match chunks.next() {
                Some(chunk) => reader.push(chunk),
                None => reader.finish(),
            },
            Ok(SnapshotItem::End) => return (items, Ok(())),
            Ok(item) => items.push(format!("{item:?}")),
            Err(damage) => return (items, Err(damage)),
        }
        let piece = if compression == Compression::None { chunk } else { PIECE_LENGTH_MAX };
        assert!(reader.buffered() <= RECORD_LENGTH_MAX + piece, "{} bytes", reader.buffered());
    }
}

/// A snapshot that was read says the same when it is written and read again.
fn check_snapshot(bytes: &[u8], items: &[String]) {
    let mut sessions = Vec::new();
    let mut acls = Vec::new();
    let mut nodes: Vec<(String, StoredNode<'static>)> = Vec::new();
    let mut rest = Vec::new();
    let mut reader = SnapshotReader::new(Compression::None, RECORD_LENGTH_MAX);
    reader.push(bytes);
    reader.finish();
    loop {
        match reader.next().expect("it was read before") {
            SnapshotItem::Session { session, timeout_ms } => sessions.push((session, timeout_ms)),
            SnapshotItem::Acl { index, list } => acls.push((index, list)),
            SnapshotItem::Node(StoredNode { path, data, acl, stat }) => {
                nodes.push((path.into(), StoredNode { path: "", data, acl, stat }));
            }
            SnapshotItem::Digest { zxid, digest } => rest.push((zxid, digest, false)),
            SnapshotItem::LastZxid(zxid) => rest.push((zxid, None, true)),
            _ => break,
        }
    }
    let mut encoder = SnapshotEncoder::new();
    encoder.count(sessions.len());
    sessions.iter().for_each(|&(session, timeout_ms)| encoder.session(session, timeout_ms));
    encoder.count(acls.len());
    acls.iter().for_each(|(index, list)| encoder.acl(*index, list));
    for (path, node) in &nodes {
        // Of an index that is there twice the last one counts; the open ACL is in no table.
        let index = acls.iter().rev().find(|(_, list)| *list == node.acl).map(|(index, _)| *index);
        encoder.node(path, node.data.as_deref(), index.unwrap_or(-1), &node.stat);
    }
    encoder.end_nodes();
    for &(zxid, digest, is_last) in &rest {
        if is_last { encoder.last_zxid(zxid) } else { encoder.digest(zxid, digest) }
    }
    let has_all_digests = rest.iter().all(|(_, digest, is_last)| *is_last || digest.is_some());
    let indexes_are_distinct = {
        let mut indexes: Vec<i64> = acls.iter().map(|(index, _)| *index).collect();
        indexes.sort_unstable();
        indexes.windows(2).all(|pair| pair[0] != pair[1])
    };
    if has_all_digests && indexes_are_distinct {
        let (again, end) = read(Compression::None, &encoder.take(), 4096);
        // What is not UTF-8 gets longer.
        assert!(end.is_err() || again == items, "{items:?} is read as {again:?}");
    }
}

/// Names that stores have, and some that they have not.
const NAMES: [&str; 12] = [
    "snapshot.0",
    "snapshot.3",
    "snapshot.5",
    "log.1",
    "log.3",
    "log.4",
    "log.6",
    "tmp.snapshot.9",
    "snapshot.3.gz",
    "snapshot.5.snappy",
    "log.100000001",
    "myid",
];

/// How a store is recovered, and how its files are made.
///
/// # Panics
///
/// When the store is not recovered as it should be.
pub fn recovery(data: &[u8]) {
    let mut input = Input::new(data);
    let settings = input.byte();
    let mut image = Image::default();
    while !input.is_empty() {
        let kind = input.byte();
        let name = NAMES[usize::from(kind & 0x0f) % NAMES.len()];
        let bytes = match name.split_once('.') {
            _ if kind & 0x80 != 0 => {
                let length = usize::from(input.byte());
                input.take(length).to_vec()
            }
            Some(("log", first)) => {
                make_log(&mut input, i64::from_str_radix(first, 16).unwrap_or(1) - 1)
            }
            _ => make_snapshot(&mut input),
        };
        image.insert(file(name), bytes);
        if kind & 0x40 != 0 {
            image.break_file(file(name));
        }
    }
    let mut config = RecoveryConfig::default();
    config.trust_empty_snapshot = settings & 1 != 0;
    config.tree.extended_types = settings & 2 != 0;
    config.tree.digest = settings & 4 == 0;
    config.record_length_max = RECORD_LENGTH_MAX;
    let (outcome, events) = recover(&image, &config, 1);
    assert!(events.iter().all(|event| !event.to_string().is_empty()));
    match outcome {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(recovered) => {
            let tree = recovered.tree().expect("a recovery makes a tree");
            tree.check_invariants();
            let repaired = repaired(&image, &recovered);
            let again = recover(&repaired, &config, 1).0.expect("it was recovered before");
            assert_eq!(again.repairs(), [], "nothing is left to be done");
            assert_eq!(again.zxid(), recovered.zxid());
            assert!(same(tree, again.tree().expect("a recovery makes a tree")));
        }
    }
}

fn same(one: &Tree, two: &Tree) -> bool {
    one.stored_nodes().eq(two.stored_nodes())
        && one.sessions().iter().eq(two.sessions().iter())
        && one.digest() == two.digest()
}
