//! Damage that no crash explains: refused, with the place and the remedy.

use zookeeper_core::{
    Zxid,
    storage::{LogDamageKind, RECORD_LENGTH_MAX, RecoveryConfig, RecoveryError, RecoveryEvent},
};
use zookeeper_sim::store::file;

use crate::{
    fixtures::records::Log,
    support::{error, log, ok, run, run_with, with_logs},
};

/// Six records without long zeros, and every bit of them flipped.
fn flipped() -> impl Iterator<Item = (usize, Log)> {
    let whole = Log::of(1..=6);
    (16 * 8..whole.bytes.len() * 8).map(move |bit| {
        let mut log = whole.clone();
        log.bytes[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, log)
    })
}

#[test]
fn every_flipped_bit_of_the_newest_log_is_refused() {
    for (at, log) in flipped() {
        let index = log.starts.partition_point(|start| *start <= at) - 1;
        let offset = log.starts[index] as u64;
        let place = format!("offset {offset}");
        let outcome = run(&with_logs([("log.1", log.bytes.clone())]));
        let is_last = index == 5;
        let remedy = if is_last { "zk data repair" } else { "from a backup" };
        let is_long = |error: &RecoveryError| matches!(error, RecoveryError::RecordTooLong { .. });
        match error(&outcome, &["log.1", &place]) {
            RecoveryError::CorruptTail { file: bad, damage, .. } if is_last => {
                assert_eq!((bad, damage.offset), (file("log.1"), offset));
            }
            RecoveryError::DamagedInside {
                file: bad,
                damage,
                next_offset,
                next,
                records_behind,
                ..
            } if !is_last => {
                assert_eq!((bad, damage.offset), (file("log.1"), offset));
                assert_eq!(next_offset, log.starts[index + 1] as u64);
                assert_eq!(next, Zxid(i64::try_from(index).unwrap() + 2));
                assert_eq!(records_behind, 5 - index as u64);
            }
            other => assert!(is_long(&other), "byte {at}: {other}"),
        }
        let text = outcome.0.unwrap_err().to_string();
        assert!(text.contains(remedy), "byte {at}: {text}");
    }
}

#[test]
fn a_flipped_bit_in_an_older_log_is_refused_too() {
    for (at, damaged) in flipped() {
        let index = damaged.starts.partition_point(|start| *start <= at) - 1;
        let outcome = run(&with_logs([("log.1", damaged.bytes), ("log.7", log(7..=9))]));
        let place = format!("offset {}", damaged.starts[index]);
        let expected = format!("expected 0x{:x}", index + 1);
        let found = error(&outcome, &["log.7", "log.1", &place, &expected]);
        assert!(matches!(found, RecoveryError::Gap { found: Zxid(7), .. }), "{found}");
    }
}

#[test]
fn a_flipped_bit_in_a_header_is_refused() {
    for bit in 0..64 {
        let mut damaged = Log::of(1..=6);
        damaged.bytes[bit / 8] ^= 1 << (bit % 8);
        let found = error(&run(&with_logs([("log.1", damaged.bytes)])), &["log.1", "offset 0"]);
        match found {
            RecoveryError::DamagedInside { damage, next_offset: 16, records_behind: 6, .. } => {
                assert!(damage.kind.is_foreign(), "{damage}");
            }
            other => panic!("bit {bit}: {other}"),
        }
    }
}

#[test]
fn a_checksum_says_what_it_expected() {
    let mut log = Log::of(1..=2);
    log.bytes[log.starts[1] + 7] ^= 1;
    match error(&run(&with_logs([("log.1", log.bytes)])), &["checksum", "expected", "found"]) {
        RecoveryError::CorruptTail { damage, .. } => {
            let LogDamageKind::Checksum { expected, found } = damage.kind else {
                panic!("{damage}")
            };
            assert_eq!(expected ^ found, 1);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_wrong_length_is_told_from_the_checksum() {
    let mut log = Log::of(1..=2);
    let right = log.bytes.len() - log.starts[1] - 13;
    log.bytes[log.starts[1] + 10] ^= 1;
    let says = format!("its checksum is right for a length of {right}");
    let found = error(&run(&with_logs([("log.1", log.bytes)])), &[&says]);
    assert!(matches!(found, RecoveryError::CorruptTail { .. }), "{found}");
}

#[test]
fn something_behind_the_zeros_is_refused() {
    let whole = log(1..=4);
    let end = whole.len();
    let mut bytes = [&whole[..], &[0; 100]].concat();
    bytes[end + 50] = 1;
    match error(&run(&with_logs([("log.1", bytes)])), &["zeros", "zk data repair"]) {
        RecoveryError::CorruptTail { damage, .. } => {
            assert_eq!((damage.offset, damage.kind), (end as u64, LogDamageKind::Hole));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn records_behind_zeros_are_not_lost_in_silence() {
    let whole = Log::of(1..=4);
    let bytes = [&whole.bytes[..], &[0; 40], &log(6..=7)[16..]].concat();
    match error(&run(&with_logs([("log.1", bytes)])), &["0x6", "backup"]) {
        RecoveryError::DamagedInside { next_offset, next, records_behind, .. } => {
            assert_eq!(next_offset, whole.bytes.len() as u64 + 40);
            assert_eq!((next, records_behind), (Zxid(6), 2));
        }
        other => panic!("{other}"),
    }
}

/// A disk lost a sector that it had synced: what follows was written over minutes.
#[test]
fn a_lost_sector_with_minutes_of_records_behind_is_refused() {
    let lost = |step_ms| {
        let first = Log::new().with(1, &[1; 2048]);
        let log = (2..=20).fold(first, |log, zxid| log.with_at(zxid * step_ms, zxid, b"x"));
        let mut bytes = log.bytes;
        bytes[512..1024].fill(0);
        run(&with_logs([("log.1", bytes)]))
    };
    match error(&lost(10_000), &["log.1", "offset 16", "0x2", "backup"]) {
        RecoveryError::DamagedInside { records_behind: 19, .. } => {}
        other => panic!("{other}"),
    }
    // Of one moment they may all have been under way; but nobody claims to know it.
    let outcome = lost(1);
    assert_eq!(ok(&outcome).zxid(), Zxid::ZERO);
    let event = outcome.1.iter().find(|it| matches!(it, RecoveryEvent::TornTail { .. }));
    let text = event.expect("it is told").to_string();
    assert!(text.contains("if the disk kept") && text.contains("a copy is kept"), "{text}");
    assert!(!text.contains("never acknowledged"), "{text}");
}

#[test]
fn a_record_longer_than_the_limit_names_the_setting() {
    let whole = Log::of(1..=2).with(3, &[7; 1000]);
    let image = with_logs([("log.1", whole.bytes.clone())]);
    assert_eq!(ok(&run(&image)).zxid(), Zxid(3));
    let mut config = RecoveryConfig::default();
    config.record_length_max = 500;
    let outcome = run_with(&image, &config);
    // The checksum is right for the length that is there, so there is no better guess.
    match error(&outcome, &["jute.maxbuffer", "500"]) {
        RecoveryError::RecordTooLong { offset, length, max, .. } => {
            assert_eq!(offset, whole.starts[2] as u64);
            let length_there = (whole.bytes.len() - whole.starts[2] - 13) as u64;
            assert_eq!((length, max), (length_there, 500));
        }
        other => panic!("{other}"),
    }
    const { assert!(RECORD_LENGTH_MAX > 2 * zookeeper_core::FRAME_LENGTH_MAX) };
}

#[test]
fn a_bit_of_the_padding_in_a_later_sector_costs_nothing() {
    let mut bytes = log(1..=4);
    let end = bytes.len() as u64;
    bytes.resize(4096, 0);
    bytes[3000] = 1;
    let outcome = run(&with_logs([("log.1", bytes)]));
    assert_eq!(ok(&outcome).zxid(), Zxid(4));
    let RecoveryEvent::TornTail { damage, .. } = &outcome.1[1] else { panic!("{:?}", outcome.1) };
    assert_eq!((damage.offset, damage.kind), (end, LogDamageKind::Hole));
}
