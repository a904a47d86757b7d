//! One log behind the other: what may follow what.

use zookeeper_core::{
    Zxid,
    storage::{Dir, File, LogDamage, LogDamageKind, RecoveryConfig, RecoveryError, RecoveryEvent},
};
use zookeeper_sim::store::file;

use crate::fixtures::records::Log;
use crate::support::{
    error, log, no_records, ok, repairs, run, run_with, snapshot, store, with_logs,
};

#[test]
fn an_empty_store_is_new() {
    let outcome = run(&store([]));
    let recovered = ok(&outcome);
    assert_eq!((recovered.zxid(), recovered.session_count()), (Zxid::ZERO, 0));
    assert!(!recovered.is_reproducible());
    assert_eq!(outcome.1, [RecoveryEvent::Fresh]);
    // So is one whose first log never got a record.
    let outcome = run(&store([("log.1", no_records())]));
    let empty = RecoveryEvent::EmptyLog { file: file("log.1") };
    assert_eq!(outcome.1, [empty, RecoveryEvent::Fresh]);
    assert_eq!(repairs(ok(&outcome)), ["remove log.1", "sync directory"]);
}

#[test]
fn files_of_others_are_left_alone() {
    let outcome = run(&store([
        ("acceptedEpoch", b"1".to_vec()),
        ("log.1.bak", b"a copy".to_vec()),
        ("snapshot.5.tmp", b"a part".to_vec()),
        ("myid", Vec::new()),
    ]));
    assert_eq!(outcome.1, [RecoveryEvent::Fresh]);
}

#[test]
fn snapshots_that_were_never_completed_go() {
    let outcome = run(&store([
        ("snapshot.3", snapshot(3)),
        ("tmp.snapshot.5", b"begun".to_vec()),
        ("log.1", log(1..=4)),
    ]));
    assert_eq!(ok(&outcome).zxid(), Zxid(4));
    assert_eq!(ok(&outcome).leftovers(), [file("tmp.snapshot.5")]);
    assert_eq!(outcome.1[0], RecoveryEvent::Leftover { file: file("tmp.snapshot.5") });
}

#[test]
fn logs_go_on_where_the_last_one_ended() {
    let outcome = run(&with_logs([("log.1", log(1..=4)), ("log.5", log(5..=9))]));
    assert_eq!(ok(&outcome).zxid(), Zxid(9));
    assert_eq!(ok(&outcome).transactions_replayed(), 9);
    assert_eq!(ok(&outcome).newest_ms(), 1009);
    assert_eq!(outcome.1.len(), 1, "{:?}", outcome.1);
}

#[test]
fn records_before_the_snapshot_are_passed_over() {
    for at in 0..=9 {
        let name = format!("snapshot.{at:x}");
        let logs = [("log.1", log(1..=4)), ("log.5", log(5..=9))];
        let outcome = run(&store([(&*name, snapshot(at))].into_iter().chain(logs)));
        let recovered = ok(&outcome);
        assert_eq!(recovered.zxid(), Zxid(9));
        assert_eq!(recovered.transactions_replayed(), u64::try_from(9 - at).unwrap());
        assert_eq!(recovered.summary().misfits, 0);
        assert_eq!(recovered.summary().logs_read, if at < 4 { 2 } else { 1 });
    }
}

#[test]
fn a_missing_log_in_the_middle_is_refused() {
    let outcome = run(&with_logs([("log.1", log(1..=4)), ("log.8", log(8..=9))]));
    let gap = RecoveryError::Gap {
        file: file("log.8"),
        offset: 16,
        expected: Zxid(5),
        found: Zxid(8),
        before: None,
    };
    let says = ["log.8", "offset 16", "0x8", "expected 0x5", "restore the missing log"];
    assert_eq!(error(&outcome, &says), gap);
}

#[test]
fn a_missing_first_log_is_refused() {
    let files = [("snapshot.3", snapshot(3)), ("log.5", log(5..=9))];
    let found = error(&run(&store(files)), &["expected 0x4"]);
    assert!(matches!(found, RecoveryError::Gap { expected: Zxid(4), found: Zxid(5), .. }));
}

#[test]
fn logs_without_a_snapshot_have_to_start_at_the_beginning() {
    let outcome = run(&store([("log.1", log(1..=4)), ("log.5", log(5..=6))]));
    assert_eq!(ok(&outcome).zxid(), Zxid(6));
    assert!(!ok(&outcome).is_reproducible());
    let later = store([("log.5", log(5..=6)), ("log.7", log(7..=7))]);
    let refused = RecoveryError::NoSnapshot { file: file("log.5"), first: Zxid(5) };
    assert_eq!(error(&run(&later), &["snapshot.trust.empty", "log.5", "0x5"]), refused);
    let mut config = RecoveryConfig::default();
    config.trust_empty_snapshot = true;
    let outcome = run_with(&later, &config);
    assert_eq!(ok(&outcome).zxid(), Zxid(7));
    assert_eq!(outcome.1, [RecoveryEvent::WithoutSnapshot { first: Zxid(5) }]);
}

#[test]
fn a_copy_under_another_name_is_refused() {
    let outcome = run(&with_logs([("log.1", log(1..=4)), ("log.5", log(1..=4))]));
    let misnamed = RecoveryError::Misnamed {
        file: file("log.5"),
        offset: 16,
        expected: Zxid(5),
        found: Zxid(1),
    };
    assert_eq!(error(&outcome, &["log.5", "0x1", "expected 0x5", "copy"]), misnamed);
}

#[test]
fn logs_that_tell_of_the_same_are_refused() {
    let outcome = run(&with_logs([("log.1", log(1..=4)), ("log.3", log(3..=9))]));
    let overlap =
        RecoveryError::Overlap { file: file("log.3"), offset: 16, last: Zxid(4), found: Zxid(3) };
    assert_eq!(error(&outcome, &["log.3", "0x3", "after 0x4", "two logs"]), overlap);
}

#[test]
fn an_epoch_may_follow_another() {
    let epoch = |epoch: i64, counter: i64| (epoch << 32) + counter;
    for (next, is_good) in [
        (epoch(1, 0), true),
        (epoch(1, 1), true),
        (epoch(7, 1), true),
        (epoch(1, 2), false),
        (epoch(0, 6), false),
    ] {
        let name = format!("log.{next:x}");
        let image = with_logs([("log.1", log(1..=4)), (&name, log(next..=next))]);
        let outcome = run(&image);
        if is_good {
            assert_eq!(ok(&outcome).zxid(), Zxid(next), "{name}");
        } else {
            let found = error(&outcome, &["expected 0x5"]);
            assert!(matches!(found, RecoveryError::Gap { .. }), "{name}");
        }
    }
}

#[test]
fn the_counter_of_a_standalone_server_runs_over_into_the_epoch() {
    let last = 0xffff_ffff;
    let image = store([
        ("snapshot.5", snapshot(5)),
        ("log.6", log(6..=6)),
        ("log.7", Log::of([7, last]).bytes),
        ("log.100000000", log(last + 1..=last + 2)),
    ]);
    assert_eq!(ok(&run(&image)).zxid(), Zxid(last + 2));
}

#[test]
fn files_in_the_wrong_directory_are_refused() {
    let mut image = with_logs([("log.1", log(1..=4))]);
    let misplaced = File { dir: Dir::Log, name: "snapshot.3".into() };
    image.insert(misplaced.clone(), snapshot(3));
    let found = error(&run(&image), &["snapshot.3", "wrong directory"]);
    assert_eq!(found, RecoveryError::Misplaced { file: misplaced });
}

#[test]
fn a_foreign_file_is_refused_wherever_it_is() {
    for (bytes, kind) in [
        (b"PK\x03\x04 and so on".to_vec(), LogDamageKind::Magic { found: 0x504b_0304 }),
        (snapshot(3), LogDamageKind::Magic { found: 0x5a4b_534e }),
        (b"ZKLG\0\0\0\x03\0\0\0\0\0\0\0\0".to_vec(), LogDamageKind::Version { found: 3 }),
    ] {
        for name in ["log.1", "log.5"] {
            let mut image = with_logs([("log.1", log(1..=4)), ("log.5", log(5..=9))]);
            image.insert(file(name), bytes.clone());
            let damage = LogDamage { offset: 0, kind };
            let foreign = RecoveryError::ForeignLog { file: file(name), damage };
            assert_eq!(error(&run(&image), &[name, "offset 0", "expected"]), foreign);
        }
    }
}

#[test]
fn the_newest_snapshot_proves_that_there_was_more() {
    let mut bad = snapshot(9);
    bad.truncate(100);
    let files = [("snapshot.3", snapshot(3)), ("snapshot.9", bad), ("log.1", log(1..=7))];
    let outcome = run(&store(files));
    let refused = RecoveryError::EndsBeforeSnapshot {
        snapshot: file("snapshot.9"),
        expected: Zxid(9),
        reached: Zxid(7),
    };
    assert_eq!(error(&outcome, &["0x7", "0x9", "snapshot.9", "backup"]), refused);
}

#[test]
fn a_newer_epoch_does_not_vouch_for_what_is_before_it() {
    let whole = Log::of(1..=4);
    let first = 1 << 32 | 1;
    let run = |older: &[u8]| {
        // The logs behind are good, and vouch for one another.
        let newer = [
            ("log.100000001", log(first..=first + 1)),
            ("log.100000003", log(first + 2..=first + 5)),
        ];
        run(&with_logs([("log.1", older.to_vec())].into_iter().chain(newer)))
    };
    let padded = [&whole.bytes[..], &[0; 1000]].concat();
    for clean in [&whole.bytes, &padded] {
        let outcome = run(clean);
        assert_eq!((ok(&outcome).zxid(), ok(&outcome).repairs()), (Zxid(first + 5), &[][..]));
    }
    // What a crash leaves is cut.
    let outcome = run(&whole.bytes[..whole.bytes.len() - 3]);
    assert_eq!((ok(&outcome).zxid(), outcome.1.len()), (Zxid(first + 5), 2));
    let cut = [format!("truncate log.1 {}", whole.starts[3]), "sync log.1".into()];
    assert_eq!(repairs(ok(&outcome)), cut);
    assert!(matches!(outcome.1[1], RecoveryEvent::TornTail { .. }), "{:?}", outcome.1);
    // Anything else is refused.
    for record in 0..4 {
        let mut damaged = whole.clone();
        damaged.bytes[damaged.starts[record] + 20] ^= 1;
        let place = format!("offset {}", damaged.starts[record]);
        match error(&run(&damaged.bytes), &["log.1 ", &place]) {
            RecoveryError::DamagedInside { .. } if record < 3 => {}
            RecoveryError::CorruptTail { .. } if record == 3 => {}
            other => panic!("record {record}: {other}"),
        }
    }
}

#[test]
fn logs_that_are_trusted_do_not_vouch_for_one_before_them() {
    let mut damaged = Log::of(1..=1);
    damaged.bytes[damaged.starts[0] + 20] ^= 1;
    let mut config = RecoveryConfig::default();
    config.trust_empty_snapshot = true;
    let outcome = run_with(&store([("log.1", damaged.bytes), ("log.5", log(5..=6))]), &config);
    let found = error(&outcome, &["log.1 ", "offset 16"]);
    assert!(matches!(found, RecoveryError::CorruptTail { .. }), "{found}");
}

#[test]
fn a_store_that_no_transaction_can_follow_is_refused() {
    let no_more = RecoveryError::NoMoreTransactions { zxid: Zxid(i64::MAX) };
    let newest = |last: i64| with_logs([("log.1", Log::of([1, last]).bytes)]);
    assert_eq!(error(&run(&newest(i64::MAX)), &["0x7fffffffffffffff", "backup"]), no_more);
    assert_eq!(ok(&run(&newest(i64::MAX - 1))).zxid(), Zxid(i64::MAX - 1));
    // The same by a snapshot's name alone.
    let image = store([("snapshot.7fffffffffffffff", snapshot(0))]);
    assert_eq!(error(&run(&image), &[]), no_more);
}
