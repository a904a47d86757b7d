use std::iter;

use super::*;

fn mark(zxid: i64) -> SnapshotMark {
    SnapshotMark { zxid: Zxid(zxid), digest: Some(1) }
}

fn known(zxid: i64, name: &str) -> KnownSnapshot {
    let file = File { dir: Dir::Snapshot, name: name.into() };
    KnownSnapshot { zxid: Zxid(zxid), file, is_valid: true }
}

fn fresh() -> SnapshotWriter {
    SnapshotWriter::new(Vec::new(), Vec::new(), true)
}

fn error(kind: io::ErrorKind) -> StorageError {
    let (file, operation, message) = ("a file".into(), "append", "because".into());
    StorageError { file, operation, kind, message }
}

/// What comes out, as "operation file", and the newest ticket of it.
fn drain(writer: &mut SnapshotWriter) -> (Vec<String>, Ticket) {
    let mut newest = Ticket(0);
    let named = |operation: &FileOp| match operation {
        FileOp::Create { file, .. }
        | FileOp::Append { file, .. }
        | FileOp::Sync { file }
        | FileOp::Remove { file } => format!("{} {file}", operation.name()),
        FileOp::Rename { from, to } => format!("rename {from} {to}"),
        FileOp::SyncDir { dir } => format!("sync {dir:?}"),
        FileOp::Truncate { .. } => panic!("nothing is cut"),
    };
    let operations = iter::from_fn(|| writer.poll())
        .map(|(ticket, operation)| {
            assert!(newest < ticket, "tickets rise");
            newest = ticket;
            named(&operation)
        })
        .collect();
    writer.check_invariants();
    (operations, newest)
}

/// Drains, and acknowledges everything.
fn run(writer: &mut SnapshotWriter) -> (Vec<String>, Option<Progress>) {
    let (operations, newest) = drain(writer);
    let progress = writer.stored(newest);
    writer.check_invariants();
    (operations, progress)
}

/// Writes a chunk; the last one ends the snapshot.
fn chunk(writer: &mut SnapshotWriter, more: bool) {
    assert!(writer.wants_chunk());
    writer.write_chunk(|out| {
        out.extend_from_slice(b"records");
        more
    });
}

#[test]
fn a_snapshot_gets_its_name_when_it_and_the_log_up_to_it_are_durable() {
    let mut writer = fresh();
    writer.begin(mark(0x1f));
    assert!(writer.has_begun() && !writer.can_begin());
    chunk(&mut writer, true);
    assert!(!writer.wants_chunk(), "one chunk at a time");
    writer.write_chunk(|_| panic!("nobody asks for it"));
    assert_eq!(run(&mut writer).0, ["create tmp.snapshot.1f", "append tmp.snapshot.1f"]);
    chunk(&mut writer, false);
    let (operations, newest) = drain(&mut writer);
    assert_eq!(operations, ["append tmp.snapshot.1f", "sync tmp.snapshot.1f"]);
    writer.log_is_durable(Zxid(0x1f));
    assert_eq!(writer.stored(Ticket(newest.0 - 1)), None);
    writer.log_is_durable(Zxid(0x1f));
    assert_eq!(drain(&mut writer).0, [] as [&str; 0], "it is not synced");
    assert_eq!(writer.stored(newest), None);
    writer.log_is_durable(Zxid(0x1e));
    assert_eq!(drain(&mut writer).0, [] as [&str; 0], "the log is not durable");
    writer.log_is_durable(Zxid(0x1f));
    let (operations, progress) = run(&mut writer);
    assert_eq!(operations, ["rename tmp.snapshot.1f snapshot.1f", "sync Snapshot"]);
    let length = 16 + 2 * 7 + 5 + 13 + 33 + 21;
    assert_eq!(progress, Some(Progress::Stored { zxid: Zxid(0x1f), length }));
    assert_eq!(writer.snapshots(), [known(0x1f, "snapshot.1f")]);
    assert!(writer.can_begin() && !writer.has_begun());
}

#[test]
fn a_chunk_of_nothing_is_not_written() {
    let mut writer = fresh();
    writer.begin(mark(1));
    chunk(&mut writer, true);
    run(&mut writer);
    writer.write_chunk(|_| true);
    assert_eq!(drain(&mut writer).0, [] as [&str; 0]);
    assert!(writer.wants_chunk(), "the next is wanted at once");
}

#[test]
fn without_the_transaction_at_its_end_it_is_shorter() {
    let length = |writes_last_zxid| {
        let mut writer = SnapshotWriter::new(Vec::new(), Vec::new(), writes_last_zxid);
        writer.begin(mark(1));
        chunk(&mut writer, false);
        run(&mut writer);
        writer.log_is_durable(Zxid(1));
        match run(&mut writer).1 {
            Some(Progress::Stored { length, .. }) => length,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(length(true), length(false) + 21);
}

#[test]
fn an_error_at_any_operation_ends_the_snapshot_and_its_temporary() {
    // create, append, append, sync, rename, sync directory
    for failing in 1..=6 {
        let mut writer = fresh();
        writer.begin(mark(1));
        let mut setback = None;
        for step in 0..4 {
            if writer.wants_chunk() {
                chunk(&mut writer, step == 0);
            }
            let (_, newest) = drain(&mut writer);
            if newest >= Ticket(failing) {
                setback = writer.failed(Ticket(failing), &error(io::ErrorKind::StorageFull));
                // The store may say something about what was on its way behind it.
                assert_eq!(writer.stored(newest), None);
                assert_eq!(writer.failed(newest, &error(io::ErrorKind::NotFound)), None);
                break;
            }
            writer.stored(newest);
            writer.log_is_durable(Zxid(1));
        }
        assert_eq!(setback, Some(Setback::Snapshot(Zxid(1))), "operation {failing}");
        assert!(!writer.has_begun());
        let (operations, _) = run(&mut writer);
        assert_eq!(operations, ["remove tmp.snapshot.1", "sync Snapshot"]);
        let is_valid = writer.snapshots().iter().any(|snapshot| snapshot.is_valid);
        assert!(!is_valid, "nobody goes back to it");
        writer.begin(mark(2));
        chunk(&mut writer, false);
        assert_eq!(drain(&mut writer).0.len(), 3);
    }
}

#[test]
fn a_temporary_that_cannot_be_removed_is_tried_again_before_the_next_one_is_made() {
    let leftover = File { dir: Dir::Snapshot, name: "tmp.snapshot.9".into() };
    let mut writer = SnapshotWriter::new(Vec::new(), vec![leftover], true);
    let (operations, newest) = drain(&mut writer);
    assert_eq!(operations, ["remove tmp.snapshot.9", "sync Snapshot"]);
    let denied = error(io::ErrorKind::PermissionDenied);
    assert_eq!(writer.failed(Ticket(1), &denied), Some(Setback::Removal));
    assert_eq!(writer.stored(newest), None);

    writer.begin(mark(10));
    assert!(!writer.wants_chunk());
    let (operations, newest) = drain(&mut writer);
    assert_eq!(operations, ["remove tmp.snapshot.9", "sync Snapshot"], "never two temporaries");
    assert_eq!(writer.failed(Ticket(newest.0 - 1), &denied), Some(Setback::Snapshot(Zxid(10))));

    writer.begin(mark(11));
    let (_, newest) = drain(&mut writer);
    let gone = error(io::ErrorKind::NotFound);
    assert_eq!(writer.failed(Ticket(newest.0 - 1), &gone), None, "what is gone is gone");
    writer.stored(newest);
    chunk(&mut writer, true);
    assert_eq!(drain(&mut writer).0, ["create tmp.snapshot.b", "append tmp.snapshot.b"]);
}

#[test]
fn one_that_begins_while_leftovers_go_waits_for_that() {
    let leftover = File { dir: Dir::Snapshot, name: "tmp.snapshot.9".into() };
    let mut writer = SnapshotWriter::new(Vec::new(), vec![leftover], true);
    writer.begin(mark(10));
    assert!(writer.has_begun() && !writer.wants_chunk());
    run(&mut writer);
    chunk(&mut writer, false);
    assert_eq!(drain(&mut writer).0[0], "create tmp.snapshot.a");
}

#[test]
fn one_that_is_abandoned_leaves_nothing() {
    let mut writer = fresh();
    writer.begin(mark(1));
    chunk(&mut writer, true);
    let (_, newest) = drain(&mut writer);
    writer.abandon();
    assert!(!writer.has_begun());
    assert_eq!(writer.stored(newest), None, "of what was on its way");
    assert_eq!(run(&mut writer).0, ["remove tmp.snapshot.1", "sync Snapshot"]);
    assert_eq!(writer.snapshots(), []);
}

#[test]
fn another_of_the_same_transaction_is_replaced() {
    let older = vec![known(0, "snapshot.0"), known(1, "snapshot.1.gz")];
    let mut writer = SnapshotWriter::new(older, Vec::new(), true);
    writer.begin(mark(1));
    chunk(&mut writer, false);
    run(&mut writer);
    writer.log_is_durable(Zxid(1));
    let (operations, progress) = run(&mut writer);
    assert_eq!(operations, ["rename tmp.snapshot.1 snapshot.1", "sync Snapshot"]);
    assert!(matches!(progress, Some(Progress::Stored { zxid: Zxid(1), .. })));
    assert_eq!(writer.snapshots(), [known(0, "snapshot.0"), known(1, "snapshot.1")]);
    let (operations, progress) = run(&mut writer);
    assert_eq!(operations, ["remove snapshot.1.gz", "sync Snapshot"]);
    let snapshots = vec![known(1, "snapshot.1.gz").file];
    assert_eq!(progress, Some(Progress::Purged(Purge { snapshots, logs: Vec::new() })));
    assert!(writer.can_purge());
}

/// Does everything there is, on a lane that goes on behind the operation that fails.
fn go_on(writer: &mut SnapshotWriter, failing: Option<Ticket>, done: &mut Vec<String>) {
    loop {
        let (operations, newest) = drain(writer);
        if operations.is_empty() {
            return;
        }
        let oldest = newest.0 - operations.len() as u64 + 1;
        for (ticket, operation) in (oldest..).map(Ticket).zip(operations) {
            if Some(ticket) == failing {
                writer.failed(ticket, &error(io::ErrorKind::Other));
                continue;
            }
            done.push(operation);
            writer.stored(ticket);
        }
    }
}

#[test]
fn one_of_the_same_transaction_stays_when_its_successor_fails() {
    // create, append, sync, rename, sync directory
    for failing in 1..=5 {
        let mut writer = SnapshotWriter::new(vec![known(1, "snapshot.1.gz")], Vec::new(), true);
        writer.begin(mark(1));
        chunk(&mut writer, false);
        let mut done = Vec::new();
        go_on(&mut writer, Some(Ticket(failing)), &mut done);
        writer.log_is_durable(Zxid(1));
        go_on(&mut writer, Some(Ticket(failing)), &mut done);
        assert!(!done.contains(&"remove snapshot.1.gz".into()), "operation {failing}: {done:?}");
        assert!(writer.snapshots().contains(&known(1, "snapshot.1.gz")));
    }
}

#[test]
fn logs_stay_when_the_snapshots_before_them_may_stay() {
    // remove, sync directory
    for failing in 1..=2 {
        let older = vec![known(0, "snapshot.0"), known(1, "snapshot.1")];
        let log = File { dir: Dir::Log, name: "log.1".into() };
        let purge = Purge { snapshots: vec![older[0].file.clone()], logs: vec![log] };
        let mut writer = SnapshotWriter::new(older, Vec::new(), true);
        writer.purge(purge);
        let mut done = Vec::new();
        go_on(&mut writer, Some(Ticket(failing)), &mut done);
        assert!(!done.contains(&"remove log.1".into()), "operation {failing}: {done:?}");
        assert!(writer.can_purge(), "it is tried again another time");
        assert_eq!(writer.snapshots().len(), 2);
    }
}

#[test]
fn old_snapshots_are_gone_for_good_before_old_logs_go() {
    let older = vec![known(0, "snapshot.0"), known(1, "snapshot.1")];
    let log = File { dir: Dir::Log, name: "log.1".into() };
    let purge = Purge { snapshots: vec![older[0].file.clone()], logs: vec![log] };
    let mut writer = SnapshotWriter::new(older, Vec::new(), true);
    writer.purge(Purge::default());
    assert!(writer.can_purge(), "nothing to do");
    writer.purge(purge.clone());
    assert!(!writer.can_begin() && !writer.has_begun());
    let (operations, progress) = run(&mut writer);
    assert_eq!(
        (operations, progress),
        (vec!["remove snapshot.0".into(), "sync Snapshot".into()], None)
    );
    assert_eq!(writer.snapshots(), [known(1, "snapshot.1")], "whatever becomes of the logs");
    let (operations, progress) = run(&mut writer);
    assert_eq!(operations, ["remove log.1", "sync Log"]);
    assert_eq!(progress, Some(Progress::Purged(purge)));
    assert_eq!(writer.snapshots(), [known(1, "snapshot.1")]);

    writer.purge(Purge { snapshots: vec![writer.snapshots()[0].file.clone()], logs: vec![] });
    let (_, newest) = drain(&mut writer);
    let denied = error(io::ErrorKind::PermissionDenied);
    assert_eq!(writer.failed(newest, &denied), Some(Setback::Removal));
    assert_eq!(writer.snapshots().len(), 1, "it is tried again another time");
}
