//! What crashes leave, and what is done about it.

use zookeeper_core::{
    Zxid,
    storage::{LogDamage, LogDamageKind, RecoveryError, RecoveryEvent},
};
use zookeeper_sim::store::file;

use crate::{
    fixtures::records::Log,
    support::{error, log, no_records, ok, repairs, run, snapshot, store, with_logs},
};

#[test]
fn a_torn_tail_is_cut() {
    let whole = Log::of(1..=4);
    let [.., last] = whole.starts[..] else { panic!("four records") };
    for length in last + 5..whole.bytes.len() {
        let outcome = run(&with_logs([("log.1", whole.bytes[..length].to_vec())]));
        let recovered = ok(&outcome);
        assert_eq!(recovered.zxid(), Zxid(3), "cut to {length}");
        assert_eq!(repairs(recovered), [format!("truncate log.1 {last}"), "sync log.1".into()]);
        assert!(recovered.is_reproducible());
        let [_, RecoveryEvent::TornTail { file: torn, damage, length: cut, records_behind: 0 }] =
            &outcome.1[..]
        else {
            panic!("{:?}", outcome.1)
        };
        assert_eq!(*torn, file("log.1"));
        assert_eq!((damage.offset, *cut), (last as u64, (length - last) as u64));
        assert!(matches!(damage.kind, LogDamageKind::RecordCut { .. }));
        let text = outcome.1[1].to_string();
        assert!(text.contains("log.1") && text.contains(&format!("offset {last}")), "{text}");
    }
}

#[test]
fn a_lost_sector_cuts_the_log_there() {
    let data = [7; 900];
    let whole = (1..=5).fold(Log::new(), |log, zxid| log.with(zxid, &data));
    for sector in 1..whole.bytes.len().div_ceil(512) {
        let mut bytes = whole.bytes.clone();
        let end = bytes.len().min((sector + 1) * 512);
        bytes[sector * 512..end].fill(0);
        let kept = whole.starts.partition_point(|start| *start <= sector * 512) - 1;
        let outcome = run(&with_logs([("log.1", bytes)]));
        let recovered = ok(&outcome);
        assert_eq!(recovered.zxid(), Zxid(i64::try_from(kept).unwrap()), "sector {sector}");
        let first = if kept == 0 {
            vec!["remove log.1".into(), "sync directory".into()]
        } else {
            vec![format!("truncate log.1 {}", whole.starts[kept]), "sync log.1".into()]
        };
        assert_eq!(repairs(recovered), first, "sector {sector}");
    }
}

#[test]
fn a_newest_log_without_a_record_goes() {
    let whole = log(5..=6);
    let mut cases: Vec<Vec<u8>> = (0..=16).map(|length| whole[..length].to_vec()).collect();
    // A header of which only a part was written, over zeros.
    cases.extend((0..16).map(|length| [&whole[..length], &[0; 5000]].concat()));
    cases.push(vec![0; 16]);
    cases.push(vec![0; 5000]);
    cases.push([&whole[..16], &[0; 5000]].concat());
    // A part of the first record.
    cases.push(whole[..40].to_vec());
    for bytes in cases {
        let outcome = run(&with_logs([("log.1", log(1..=4)), ("log.5", bytes.clone())]));
        let recovered = ok(&outcome);
        assert_eq!(recovered.zxid(), Zxid(4));
        assert_eq!(repairs(recovered), ["remove log.5", "sync directory"], "{bytes:x?}");
        assert!(outcome.1.contains(&RecoveryEvent::EmptyLog { file: file("log.5") }));
    }
}

#[test]
fn torn_and_empty_logs_one_behind_the_other() {
    let whole = log(1..=4);
    let torn = whole[..whole.len() - 3].to_vec();
    let image = with_logs([("log.1", torn), ("log.4", Vec::new()), ("log.5", no_records())]);
    let outcome = run(&image);
    let recovered = ok(&outcome);
    assert_eq!(recovered.zxid(), Zxid(3));
    let cut = Log::of(1..=3).bytes.len();
    assert_eq!(
        repairs(recovered),
        [
            &*format!("truncate log.1 {cut}"),
            "sync log.1",
            "remove log.4",
            "remove log.5",
            "sync directory"
        ]
    );
}

#[test]
fn an_older_log_may_end_as_it_likes_if_the_next_one_goes_on() {
    let good = Log::of(1..=4).bytes;
    let more = Log::of(1..=5).bytes;
    let mut flipped = more.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let record_end = Some(LogDamageKind::RecordEnd { found: b'B' ^ 1 });
    let cut =
        Some(LogDamageKind::RecordCut { expected: (more.len() - good.len()) as u64, present: 30 });
    let zeros = [&good[..], &[0; 1000]].concat();
    for (bytes, kind) in [
        (good.clone(), None),
        (zeros, None),
        (more[..good.len() + 30].to_vec(), cut),
        (flipped, record_end),
    ] {
        let outcome = run(&with_logs([("log.1", bytes), ("log.5", log(5..=9))]));
        let recovered = ok(&outcome);
        assert_eq!((recovered.zxid(), recovered.repairs()), (Zxid(9), &[][..]));
        let damage = kind.map(|kind| LogDamage { offset: good.len() as u64, kind });
        let harmless =
            damage.map(|damage| RecoveryEvent::HarmlessDamage { file: file("log.1"), damage });
        assert_eq!(outcome.1[1..], Vec::from_iter(harmless));
    }
}

#[test]
fn an_older_log_that_ends_too_early_is_refused_with_its_damage() {
    let whole = log(1..=4);
    let torn = whole[..whole.len() - 3].to_vec();
    let offset = Log::of(1..=3).bytes.len() as u64;
    let outcome = run(&with_logs([("log.1", torn), ("log.5", log(5..=9))]));
    match error(&outcome, &["log.5", "expected 0x4", "log.1", &format!("offset {offset}")]) {
        RecoveryError::Gap { before: Some(before), .. } => {
            assert_eq!((&before.0, before.1.offset), (&file("log.1"), offset));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_log_without_a_record_does_not_hide_the_one_before() {
    let whole = log(1..=5);
    let files = |first: Vec<u8>| {
        store([("snapshot.5", snapshot(5)), ("log.1", first), ("log.6", no_records())])
    };
    let outcome = run(&files(whole.clone()));
    assert_eq!(repairs(ok(&outcome)), ["remove log.6", "sync directory"]);
    // It tells of more than the snapshot.
    let outcome = run(&files(log(1..=7)));
    assert_eq!(ok(&outcome).zxid(), Zxid(7));
    let more = log(1..=6);
    let outcome = run(&files(more[..more.len() - 3].to_vec()));
    let cut = format!("truncate log.1 {}", whole.len());
    let expected = [&*cut, "sync log.1", "remove log.6", "sync directory"];
    assert_eq!(
        (repairs(ok(&outcome)), ok(&outcome).zxid()),
        (expected.map(str::to_owned).to_vec(), Zxid(5))
    );
}

#[test]
fn what_a_snapshot_tells_of_was_not_lost_in_a_crash() {
    let whole = (1..=5).fold(Log::new(), |log, zxid| log.with(zxid, &[7; 900]));
    let cut = whole.bytes[..whole.starts[4] + 600].to_vec();
    let mut lost = whole.bytes.clone();
    let sector = whole.starts[2].next_multiple_of(512);
    lost[sector..sector + 512].fill(0);
    let damaged = b"ZKSN".to_vec();
    let newest: fn(i64) -> Vec<u8> = snapshot;
    // By the snapshot that was loaded, or by the mere name of one that cannot be.
    for (at, snapshots, torn, offset, records_behind) in [
        (4, vec![("snapshot.4", newest(4))], &cut, whole.starts[4], None),
        (5, vec![("snapshot.5", newest(5))], &cut, whole.starts[4], Some(0)),
        (
            5,
            vec![("snapshot.0", newest(0)), ("snapshot.5", damaged.clone())],
            &cut,
            whole.starts[4],
            Some(0),
        ),
        (2, vec![("snapshot.2", newest(2))], &lost, whole.starts[2], None),
        (3, vec![("snapshot.3", newest(3))], &lost, whole.starts[2], Some(2)),
        (
            3,
            vec![("snapshot.0", newest(0)), ("snapshot.3", damaged)],
            &lost,
            whole.starts[2],
            Some(2),
        ),
    ] {
        let outcome = run(&store(snapshots.into_iter().chain([("log.1", torn.clone())])));
        let Some(records_behind) = records_behind else {
            assert_eq!(ok(&outcome).zxid(), Zxid(at), "snapshot.{at}");
            continue;
        };
        match error(&outcome, &["log.1 ", &format!("offset {offset}")]) {
            RecoveryError::CorruptTail { .. } if records_behind == 0 => {}
            RecoveryError::DamagedInside { next_offset, next, records_behind: count, .. } => {
                assert_eq!((count, next), (records_behind, Zxid(4)));
                assert_eq!(next_offset, whole.starts[3] as u64);
            }
            other => panic!("snapshot.{at}: {other}"),
        }
    }
}

#[test]
fn a_log_that_a_snapshot_tells_of_had_a_record() {
    let whole = log(5..=6);
    for (at, is_refused) in [(4, false), (5, true)] {
        for bytes in [&whole[..12], &whole[..40]] {
            let name = format!("snapshot.{at}");
            let logs = [("log.1", log(1..=4)), ("log.5", bytes.to_vec())];
            let outcome = run(&store([(&*name, snapshot(at))].into_iter().chain(logs)));
            if is_refused {
                let found = error(&outcome, &["log.5 "]);
                assert!(matches!(found, RecoveryError::CorruptTail { .. }), "{found}");
            } else {
                assert_eq!(repairs(ok(&outcome)), ["remove log.5", "sync directory"]);
            }
        }
    }
}

#[test]
fn an_empty_log_between_two_goes() {
    let image = with_logs([("log.1", log(1..=4)), ("log.3", no_records()), ("log.5", log(5..=6))]);
    let outcome = run(&image);
    assert_eq!(ok(&outcome).zxid(), Zxid(6));
    assert_eq!(repairs(ok(&outcome)), ["remove log.3", "sync directory"]);
}
