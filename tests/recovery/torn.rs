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
    // It tells of more than the snapshot, or of less.
    let outcome = run(&files(log(1..=7)));
    assert_eq!(ok(&outcome).zxid(), Zxid(7));
    let outcome = run(&files(whole[..whole.len() - 3].to_vec()));
    let cut = format!("truncate log.1 {}", log(1..=4).len());
    let expected = [&*cut, "sync log.1", "remove log.6", "sync directory"];
    assert_eq!(
        (repairs(ok(&outcome)), ok(&outcome).zxid()),
        (expected.map(str::to_owned).to_vec(), Zxid(5))
    );
}

#[test]
fn an_empty_log_between_two_goes() {
    let image = with_logs([("log.1", log(1..=4)), ("log.3", no_records()), ("log.5", log(5..=6))]);
    let outcome = run(&image);
    assert_eq!(ok(&outcome).zxid(), Zxid(6));
    assert_eq!(repairs(ok(&outcome)), ["remove log.3", "sync directory"]);
}
