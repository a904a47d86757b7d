//! What the end of a log is: every bit flipped, every sector lost, every length cut.

use zookeeper_core::{
    Zxid,
    storage::{LogDamageKind, LogScan, LogTail, RECORD_LENGTH_MAX, ScanItem, TailState},
};

use crate::fixtures::{LOG_1, LOG_29, PADDING, records::Log};

const SECTOR: usize = 512;

/// Where records start, and what follows them.
pub(crate) fn scan(bytes: &[u8], chunk: usize) -> (Vec<usize>, LogTail) {
    let mut scan = LogScan::new(RECORD_LENGTH_MAX);
    let mut chunks = bytes.chunks(chunk);
    let mut starts = Vec::new();
    let mut end = None;
    loop {
        match scan.next() {
            ScanItem::NeedBytes => match chunks.next() {
                Some(chunk) => scan.push(chunk),
                None => scan.finish(),
            },
            ScanItem::Record(record) => starts.push(usize::try_from(record.offset).unwrap()),
            ScanItem::RecordsEnd { offset, kind } => end = Some((offset, kind)),
            ScanItem::Tail(tail) => {
                let (offset, kind) = end.expect("records end before the tail");
                assert_eq!(offset, tail.offset);
                assert_eq!(offset + tail.length, bytes.len() as u64);
                assert!(kind.is_none() || kind == kind_of(tail.state));
                assert_eq!(scan.next(), ScanItem::Tail(tail), "it repeats");
                return (starts, tail);
            }
        }
    }
}

fn kind_of(state: TailState) -> Option<LogDamageKind> {
    match state {
        TailState::Torn { kind, .. }
        | TailState::Corrupt { kind, .. }
        | TailState::DamagedInside { kind, .. } => Some(kind),
        _ => None,
    }
}

fn is_torn(tail: &LogTail) -> bool {
    matches!(tail.state, TailState::Torn { .. })
}

fn is_corrupt(tail: &LogTail) -> bool {
    matches!(tail.state, TailState::Corrupt { .. })
}

/// A log of records whose bytes are never zero for long, over several sectors.
fn long() -> Log {
    (1..=6).fold(Log::new(), |log, zxid| {
        let data: Vec<u8> = (0..700).map(|at| u8::try_from(at % 250 + 1).unwrap()).collect();
        log.with(zxid, &data)
    })
}

#[test]
fn a_log_cut_anywhere_is_torn_or_ends_there() {
    for log in [&LOG_1[..LOG_1.len() - PADDING], &LOG_29[..LOG_29.len() - PADDING]] {
        let starts = scan(log, 4096).0;
        for length in 16..log.len() {
            let (found, tail) = scan(&log[..length], 1000);
            let last = starts.iter().copied().rfind(|at| *at <= length).unwrap_or(16);
            assert_eq!(tail.offset, last as u64, "cut to {length}");
            assert_eq!(found, starts.iter().copied().filter(|at| *at < last).collect::<Vec<_>>());
            // The first bytes of a checksum are zero, and zeros are an end.
            let is_end = log[last..length].iter().all(|byte| *byte == 0);
            assert_eq!(is_end, tail.state == TailState::Clean, "cut to {length}");
            assert_eq!(!is_end, is_torn(&tail), "cut to {length}: {tail:?}");
        }
    }
}

#[test]
fn a_cut_log_with_zeros_behind_is_torn() {
    let log = long();
    let last = *log.starts.last().unwrap();
    for length in last + 1..log.bytes.len() - 1 {
        let mut bytes = log.bytes[..length].to_vec();
        bytes.resize(8192, 0);
        let tail = scan(&bytes, 1000).1;
        assert_eq!(tail.offset, last as u64);
        // A disk loses sectors as a whole; an upstream that ends between two writes leaves this.
        let is_end = log.bytes[last..length].iter().all(|byte| *byte == 0);
        assert_eq!(is_end, tail.state == TailState::Clean, "cut to {length}");
        assert_eq!(!is_end, is_torn(&tail), "cut to {length}: {tail:?}");
    }
}

/// Every bit of a log, one at a time, or one of several.
fn flips(log: &[u8], step: usize) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..log.len() * 8).step_by(step).map(|bit| {
        let mut bytes = log.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, bytes)
    })
}

#[test]
fn a_flipped_bit_never_counts_as_a_crash() {
    for (log, step) in [(&LOG_29[..LOG_29.len() - PADDING], 1), (&long().bytes, 9)] {
        let starts = scan(log, 4096).0;
        for (at, bytes) in flips(log, step) {
            let (found, tail) = scan(&bytes, 4096);
            if at < 8 {
                assert!(kind_of(tail.state).unwrap().is_foreign(), "byte {at}: {tail:?}");
                continue;
            }
            if at < 16 {
                assert_eq!((found.len(), tail.state), (starts.len(), TailState::Clean));
                continue;
            }
            let index = starts.partition_point(|start| *start <= at) - 1;
            assert_eq!(found, starts[..index], "byte {at}");
            assert_eq!(tail.offset, starts[index] as u64, "byte {at}");
            match (tail.state, starts.get(index + 1)) {
                (TailState::Corrupt { .. }, None) => {}
                (TailState::DamagedInside { next_offset, records_behind, .. }, Some(next)) => {
                    assert_eq!(next_offset, *next as u64, "byte {at}");
                    assert_eq!(records_behind, (starts.len() - index - 1) as u64, "byte {at}");
                }
                other => panic!("byte {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_length_is_found_out_by_the_checksum() {
    let log = long();
    for bit in 0..31 {
        let mut bytes = log.bytes.clone();
        let last = *log.starts.last().unwrap();
        bytes[last + 11 - bit / 8] ^= 1 << (bit % 8);
        // Zeros enough for the longest record that fits, so that none is cut off.
        bytes.resize(bytes.len() + (3 << 20), 0);
        let right = (log.bytes.len() - last - 13) as u64;
        match scan(&bytes, 1 << 20).1.state {
            TailState::Corrupt { fitting_length, .. } => {
                assert_eq!(fitting_length, Some(right), "bit {bit}");
            }
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

#[test]
fn a_lost_sector_is_torn() {
    let log = long();
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(16_384, 0);
        bytes
    };
    for sector in 1..log.bytes.len().div_ceil(SECTOR) {
        let lost = sector * SECTOR..((sector + 1) * SECTOR).min(log.bytes.len());
        let mut bytes = log.bytes.clone();
        bytes[lost.clone()].fill(0);
        // The record that has a byte there; the zeros a checksum starts with are no loss.
        let index = log.starts.partition_point(|start| *start <= lost.start) - 1;
        for bytes in [bytes.clone(), padded(bytes)] {
            let (found, tail) = scan(&bytes, 1000);
            assert_eq!(found, log.starts[..index], "sector {sector}");
            assert_eq!(tail.offset, log.starts[index] as u64, "sector {sector}");
            let TailState::Torn { records_behind, .. } = tail.state else {
                panic!("sector {sector}: {tail:?}")
            };
            let behind = log.starts.iter().filter(|start| **start >= lost.end).count() as u64;
            assert!(records_behind <= behind, "sector {sector}");
        }
    }
}

#[test]
fn a_sector_with_the_head_of_a_record_may_be_lost_up_to_it() {
    // What is lost of a sector that was synced before is only what was appended to it.
    let log = long();
    for (index, start) in log.starts.iter().enumerate().skip(1) {
        let mut bytes = log.bytes.clone();
        let end = start.div_ceil(SECTOR) * SECTOR;
        bytes[*start..end.min(log.bytes.len())].fill(0);
        let (found, tail) = scan(&bytes, 1000);
        assert_eq!(found, log.starts[..index]);
        assert_eq!(tail.offset, *start as u64);
        assert!(is_torn(&tail), "record {index}: {tail:?}");
    }
}

#[test]
fn zeros_in_a_record_are_no_proof_when_more_than_a_moment_follows() {
    const RECORDS: i64 = 10_000;
    let zeros = [0; 2 * SECTOR];
    let flipped = |interval_ms: i64| {
        let mut log = (0..RECORDS).fold(Log::new().with(1, &zeros), |log, number| {
            log.with_at(number * interval_ms, number + 2, b"")
        });
        log.bytes[40] ^= 1;
        log
    };
    // As many as come in one burst of clients.
    let burst = scan(&flipped(1).bytes, 1 << 20).1;
    assert!(matches!(burst.state, TailState::Torn { records_behind: 10_000, .. }), "{burst:?}");
    let log = flipped(2);
    let longer = scan(&log.bytes, 1 << 20).1;
    let next_offset = log.starts[1] as u64;
    match longer.state {
        TailState::DamagedInside { next_offset: next, next_zxid, records_behind, .. } => {
            assert_eq!((next, next_zxid, records_behind), (next_offset, Zxid(2), 10_000));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_behind_a_hole_are_of_one_moment_or_it_is_none_of_a_crash() {
    // A sector is lost in the first record, and what follows has these times.
    let lost = |times: &[i64]| {
        let data = [1; 4 * SECTOR];
        let log = times
            .iter()
            .zip(2..)
            .fold(Log::new().with(1, &data), |log, (time, zxid)| log.with_at(*time, zxid, b"x"));
        let mut bytes = log.bytes;
        bytes[SECTOR..2 * SECTOR].fill(0);
        scan(&bytes, 1000).1.state
    };
    for times in [&[][..], &[0], &[5_000, 15_000], &[15_000, 5_000], &[-10_000, -5_000, 0]] {
        let TailState::Torn { records_behind, .. } = lost(times) else { panic!("{times:?}") };
        assert_eq!(records_behind, times.len() as u64);
    }
    for times in [&[5_000, 15_001][..], &[15_001, 5_000], &[0, 20_000, 0], &[i64::MIN, i64::MAX]] {
        let TailState::DamagedInside { records_behind, next_zxid, .. } = lost(times) else {
            panic!("{times:?}")
        };
        assert_eq!((records_behind, next_zxid), (times.len() as u64, Zxid(2)));
    }
}

#[test]
fn zeros_with_something_behind_are_torn_only_by_the_sector() {
    let mut bytes = long().bytes;
    let end = bytes.len();
    bytes.resize(8192, 0);
    let clean = scan(&bytes, 1000).1;
    assert_eq!((clean.offset, clean.state), (end as u64, TailState::Clean));
    for at in end..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] = 1;
        let tail = scan(&bytes, 8192).1;
        assert_eq!(tail.offset, end as u64);
        if (end + 4..end + 12).contains(&at) {
            // That makes a checksum, as the first bytes of a record do, or a length: of a record
            // that the file is too short for, or of none at all.
            let is_known = is_torn(&tail) || is_corrupt(&tail);
            assert!(is_known, "byte {at}: {tail:?}");
        } else if at / SECTOR == end / SECTOR {
            assert!(is_corrupt(&tail), "byte {at}: {tail:?}");
        } else {
            let torn = TailState::Torn { kind: LogDamageKind::Hole, records_behind: 0 };
            assert_eq!(tail.state, torn, "byte {at}");
        }
    }
}

#[test]
fn a_header_written_in_part_is_torn_and_another_one_is_not() {
    let log = long();
    for length in 1..16 {
        let mut bytes = log.bytes[..length].to_vec();
        bytes.resize(4096, 0);
        let tail = scan(&bytes, 4096).1;
        // The database's number is zero.
        let is_whole = length >= 8;
        assert_eq!(tail.offset, if is_whole { 16 } else { 0 });
        assert_eq!(is_whole, tail.state == TailState::Clean, "{length} bytes");
        assert_eq!(!is_whole, is_torn(&tail), "{length} bytes: {tail:?}");
        bytes[0] ^= 1;
        assert!(is_corrupt(&scan(&bytes, 4096).1), "{length} bytes, another format");
    }
}
