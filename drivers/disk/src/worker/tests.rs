//! One lane without its thread.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{
    Config,
    faults::{Fault, Faulty},
    system::Real,
};

/// A lane in a directory of its own.
struct Bench {
    worker: Worker,
    system: Arc<Faulty>,
    answers: Vec<Done>,
    next: u64,
    dir: TempDir,
}

impl Bench {
    fn new(lane: Lane) -> Self {
        let dir = TempDir::new().expect("room");
        let system = Arc::new(Faulty::default());
        let directories = Directories::open(&Config::new(dir.path()), &Real).expect("room");
        let worker =
            Worker::new(lane, directories, Arc::clone(&system) as _, Duration::from_secs(60));
        Self { worker, system, answers: Vec::new(), next: 1, dir }
    }

    /// Executes operations as one batch; says whether the lane goes on.
    fn run(&mut self, operations: impl IntoIterator<Item = FileOp>) -> bool {
        let mut batch = Vec::new();
        for op in operations {
            batch.push((Ticket(self.next), op));
            self.next += 1;
        }
        let answers = &mut self.answers;
        self.worker.execute(&batch, &mut |done| answers.push(done))
    }

    /// The answers since this was last asked: tickets, and what failed.
    fn answers(&mut self) -> Vec<(u64, Option<String>)> {
        let answer = |done: Done| (done.ticket.0, done.result.err().map(|error| error.to_string()));
        self.answers.drain(..).map(answer).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("version-2").join(name)
    }

    fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("it is there")
    }
}

fn file(name: &str) -> File {
    File { dir: Dir::Log, name: name.into() }
}

fn create(name: &str) -> FileOp {
    FileOp::Create { file: file(name), reserve: 0 }
}

fn append(name: &str, bytes: &'static [u8]) -> FileOp {
    FileOp::Append { file: file(name), bytes: Bytes::from_static(bytes) }
}

fn sync(name: &str) -> FileOp {
    FileOp::Sync { file: file(name) }
}

fn rename(from: &str, to: &str) -> FileOp {
    FileOp::Rename { from: file(from), to: to.into() }
}

fn remove(name: &str) -> FileOp {
    FileOp::Remove { file: file(name) }
}

/// Input and output error.
const EIO: i32 = 5;

const SYNC_DIR: FileOp = FileOp::SyncDir { dir: Dir::Log };

#[test]
fn groups_that_wait_together_share_a_sync_and_an_answer() {
    let mut bench = Bench::new(Lane::Log);
    assert!(bench.run([create("log.1"), append("log.1", b"one"), sync("log.1"), SYNC_DIR]));
    assert_eq!(bench.answers(), [(4, None)]);
    assert_eq!(bench.system.calls(), ["create", "write_at", "sync_all", "sync_dir"]);

    let group = |bytes| [append("log.1", bytes), sync("log.1")];
    assert!(bench.run([group(b"two"), group(b"three"), group(b"four")].concat()));
    assert_eq!(bench.answers(), [(10, None)]);
    assert_eq!(bench.system.calls(), ["write_at", "write_at", "write_at", "sync_data"]);
    assert_eq!(bench.content("log.1"), b"onetwothreefour");
}

/// What is done between two syncs may need the first of them.
#[test]
fn nothing_overtakes_a_sync() {
    let mut bench = Bench::new(Lane::Log);
    bench.run([create("a"), sync("a"), SYNC_DIR, sync("a"), create("b"), sync("b"), sync("b")]);
    assert_eq!(bench.answers(), [(7, None)]);
    let calls = bench.system.calls();
    assert_eq!(calls, ["create", "sync_all", "sync_dir", "sync_data", "create", "sync_all"]);
    bench.run([append("b", b"1"), sync("b"), remove("a"), append("b", b"2"), sync("b")]);
    let calls = bench.system.calls();
    assert_eq!(calls, ["write_at", "sync_data", "remove", "write_at", "sync_data"]);
}

#[test]
fn writes_go_on_after_interruptions_and_short_ones() {
    let mut bench = Bench::new(Lane::Log);
    bench.system.plan("write_at", Fault::Short(2));
    bench.system.plan("write_at", Fault::Error(io::ErrorKind::Interrupted));
    bench.system.plan("write_at", Fault::Short(1));
    assert!(bench.run([create("log.1"), append("log.1", b"record"), append("log.1", b"!")]));
    assert_eq!(bench.answers(), [(3, None)]);
    assert_eq!(bench.content("log.1"), b"record!");
    assert_eq!(bench.system.calls().len(), 1 + 4 + 1);

    bench.system.plan("write_at", Fault::Short(0));
    assert!(!bench.run([append("log.1", b"more")]));
    let [(4, Some(error))] = &bench.answers()[..] else { panic!("no failure") };
    assert!(error.starts_with("append of ") && error.contains("log.1 failed: "), "{error}");
}

/// Every call of the log lane that fails, with what is then there.
#[test]
fn a_lack_of_room_at_any_call_stops_the_log() {
    const OPERATIONS: [&str; 9] = [
        "create",
        "append",
        "append",
        "sync",
        "sync directory",
        "truncate",
        "sync",
        "rename",
        "remove",
    ];
    let operations = || {
        [
            FileOp::Create { file: file("log.1"), reserve: 1 << 20 },
            append("log.1", b"one"),
            append("log.1", b"two"),
            sync("log.1"),
            SYNC_DIR,
            FileOp::Truncate { file: file("log.1"), length: 3 },
            sync("log.1"),
            rename("log.1", "log.2"),
            remove("log.2"),
        ]
    };
    for (call, skip, failing) in [
        ("create", 0, 0),
        ("write_at", 0, 1),
        ("write_at", 1, 2),
        ("sync_all", 0, 3),
        ("sync_dir", 0, 4),
        ("open_to_write", 0, 5),
        ("truncate", 0, 5),
        ("sync_all", 1, 6),
        ("rename", 0, 7),
        ("remove", 0, 8),
    ] {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied] {
            let mut bench = Bench::new(Lane::Log);
            bench.system.plan_after(skip, call, Fault::Error(kind));
            assert!(!bench.run(operations()), "{call}: the lane goes on");
            // Nothing before it counts as stored either: the group is not complete.
            let [done] = &bench.answers[..] else { panic!("{call}: {:?}", bench.answers) };
            let error = done.result.as_ref().expect_err("it failed");
            assert_eq!(done.ticket, Ticket(failing as u64 + 1), "{call}");
            assert_eq!((error.operation, error.kind), (OPERATIONS[failing], kind), "{call}");
            assert!(error.file.contains("version-2"), "{call}: {error}");
            assert_eq!(bench.system.calls().last(), Some(&call), "it was the last call");
        }
    }
    let mut bench = Bench::new(Lane::Log);
    assert!(bench.run(operations()));
    assert!(!bench.path("log.1").exists() && !bench.path("log.2").exists());
}

/// The sync of every group but a file's first.
#[test]
fn a_sync_that_fails_answers_for_nothing_and_is_not_tried_again() {
    for groups in [1, 3] {
        for fault in [
            Fault::Errno(EIO),
            Fault::Error(io::ErrorKind::StorageFull),
            Fault::Error(io::ErrorKind::QuotaExceeded),
            // Whether a sync that was interrupted has done its work is unknown.
            Fault::Error(io::ErrorKind::Interrupted),
        ] {
            let mut bench = Bench::new(Lane::Log);
            assert!(bench.run([create("log.1"), append("log.1", b"zero"), sync("log.1")]));
            assert_eq!(bench.answers(), [(3, None)]);
            bench.system.calls();
            bench.system.plan("sync_data", fault);
            let group = [append("log.1", b"more"), sync("log.1")];
            assert!(!bench.run(vec![group; groups].concat()), "the lane goes on");
            // The groups shared the sync: none of them is stored, and the last one says so.
            let last = 3 + 2 * groups as u64;
            let answers = bench.answers();
            let [(ticket, Some(error))] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!(*ticket, last);
            assert!(error.starts_with("sync of ") && error.contains("log.1"), "{error}");
            let calls = bench.system.calls();
            assert_eq!(calls.iter().filter(|call| **call == "sync_data").count(), 1);
            assert_eq!(calls.last(), Some(&"sync_data"));
        }
    }
}

/// A group that was synced by itself is not answered for either, if a later one of its batch fails.
#[test]
fn a_failure_behind_a_sync_is_the_only_answer_of_the_log() {
    let mut bench = Bench::new(Lane::Log);
    assert!(bench.run([create("log.1"), sync("log.1")]));
    assert_eq!(bench.answers(), [(2, None)]);
    bench.system.plan_after(1, "sync_data", Fault::Errno(EIO));
    let group = [append("log.1", b"more"), sync("log.1")];
    assert!(!bench.run([&group[..], &[SYNC_DIR], &group[..]].concat()));
    let answers = bench.answers();
    let [(7, Some(_))] = &answers[..] else { panic!("{answers:?}") };
}

#[test]
fn a_snapshot_whose_sync_fails_gets_no_name() {
    let mut bench = Bench::new(Lane::Snapshot);
    bench.run([create("tmp.snapshot.5"), sync("tmp.snapshot.5")]);
    bench.system.plan("sync_data", Fault::Errno(EIO));
    let rest = [sync("tmp.snapshot.5"), rename("tmp.snapshot.5", "snapshot.5")];
    assert!(bench.run([&[append("tmp.snapshot.5", b"part")], &rest[..]].concat()));
    let answers = bench.answers();
    let [(2, None), (3, None), (4, Some(first)), (5, Some(second))] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(first, second);
    assert!(!bench.path("snapshot.5").exists());
}

#[test]
fn reserving_is_not_needed_for_writing() {
    for fault in [
        Fault::Error(io::ErrorKind::StorageFull),
        Fault::Error(io::ErrorKind::QuotaExceeded),
        Fault::Missing,
    ] {
        let mut bench = Bench::new(Lane::Log);
        bench.system.plan("reserve", fault);
        let create = FileOp::Create { file: file("log.1"), reserve: 1 << 20 };
        assert!(bench.run([create, append("log.1", b"record"), sync("log.1")]));
        assert_eq!(bench.answers(), [(3, None)]);
        assert_eq!(bench.content("log.1"), b"record");
        assert_eq!(bench.system.calls(), ["create", "reserve", "write_at", "sync_all"]);
    }
    let mut bench = Bench::new(Lane::Log);
    bench.system.plan("reserve", Fault::Errno(EIO));
    assert!(!bench.run([FileOp::Create { file: file("log.1"), reserve: 1 << 20 }]));
}

#[cfg(target_os = "linux")]
#[test]
fn room_is_reserved_ahead_of_what_is_written() {
    const RESERVE: usize = 64 << 10;
    static BYTES: [u8; RESERVE] = [7; RESERVE];
    let mut bench = Bench::new(Lane::Log);
    bench.run([FileOp::Create { file: file("log.1"), reserve: RESERVE as u64 }]);
    assert_eq!(bench.content("log.1"), [0; RESERVE]);
    // As long as more is left than a small record takes, nothing is reserved.
    let first = RESERVE - usize::try_from(RESERVE_LEFT).expect("small");
    bench.run([append("log.1", &BYTES[..first])]);
    assert_eq!(bench.content("log.1").len(), RESERVE);
    bench.run([append("log.1", &BYTES[..1])]);
    assert_eq!(bench.content("log.1").len(), 2 * RESERVE);
    bench.run([append("log.1", &BYTES), append("log.1", &BYTES)]);
    let content = bench.content("log.1");
    let written = first + 1 + 2 * RESERVE;
    assert_eq!(content.len(), 4 * RESERVE);
    assert!(content[..written].iter().all(|byte| *byte == 7));
    assert!(content[written..].iter().all(|byte| *byte == 0));
    assert_eq!(bench.system.calls().iter().filter(|call| **call == "reserve").count(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn reserved_room_is_filled_ahead_of_what_is_written_and_the_rest_is_given_back() {
    const RESERVE: u64 = 4 << 20;
    let mut bench = Bench::new(Lane::Log);
    let create = |name| FileOp::Create { file: file(name), reserve: RESERVE };
    let fills = |bench: &Bench| bench.system.calls().iter().filter(|call| **call == "fill").count();
    bench.run([create("log.1"), append("log.1", b"one")]);
    assert_eq!(fills(&bench), 1);
    for _ in 0..3 {
        bench.run([append("log.1", b"two"), sync("log.1")]);
    }
    assert_eq!(fills(&bench), 0, "there is filled room left");
    let long = vec![7; usize::try_from(FILL_LENGTH).expect("small")];
    let written = 12 + long.len();
    bench.run([FileOp::Append { file: file("log.1"), bytes: long.into() }]);
    assert_eq!(fills(&bench), 1);
    let content = bench.content("log.1");
    assert_eq!(content.len() as u64, RESERVE);
    assert_eq!(content[..12], *b"onetwotwotwo");
    assert!(content[written..].iter().all(|byte| *byte == 0));

    // The next file takes the place of the one before, and the end of the lane that of the last.
    bench.run([create("log.2"), append("log.2", b"three"), sync("log.2")]);
    assert_eq!(bench.content("log.1").len(), written);
    assert_eq!(bench.content("log.2").len() as u64, RESERVE);
    bench.worker.release();
    assert_eq!(bench.content("log.2"), b"three");
    bench.system.plan("truncate", Fault::Error(io::ErrorKind::PermissionDenied));
    bench.run([create("log.3"), create("log.4")]);
    assert_eq!(bench.content("log.3").len() as u64, RESERVE, "it is no failure if it cannot be");
    assert!(bench.answers().iter().all(|(_, error)| error.is_none()));
}

#[test]
fn room_that_cannot_be_filled_cannot_be_written() {
    for fault in [Fault::Errno(EIO), Fault::Error(io::ErrorKind::StorageFull)] {
        let mut bench = Bench::new(Lane::Log);
        bench.system.plan("fill", fault);
        let create = FileOp::Create { file: file("log.1"), reserve: 1 << 20 };
        assert!(!bench.run([create, append("log.1", b"record"), sync("log.1")]));
        let [(2, Some(error))] = &bench.answers()[..] else { panic!("no failure") };
        assert!(error.contains("append of "), "{error}");
        assert_eq!(bench.system.calls().last(), Some(&"fill"), "nothing is written behind it");
    }
}

#[test]
fn a_failed_snapshot_stays_failed_until_it_is_made_anew() {
    let mut bench = Bench::new(Lane::Snapshot);
    bench.system.plan_after(1, "write_at", Fault::Error(io::ErrorKind::StorageFull));
    let operations = [
        create("tmp.snapshot.5"),
        append("tmp.snapshot.5", b"one"),
        append("tmp.snapshot.5", b"two"),
        append("tmp.snapshot.5", b"three"),
        sync("tmp.snapshot.5"),
        rename("tmp.snapshot.5", "snapshot.5"),
        SYNC_DIR,
    ];
    assert!(bench.run(operations.clone()), "the lane goes on");
    let answers = bench.answers();
    let tickets: Vec<u64> = answers.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(tickets, [2, 3, 4, 5, 6, 7]);
    let failed: Vec<bool> = answers.iter().map(|(_, error)| error.is_some()).collect();
    assert_eq!(failed, [false, true, true, true, true, false]);
    assert!(answers[1..5].iter().all(|answer| answer.1 == answers[1].1), "{answers:?}");
    assert!(!bench.path("snapshot.5").exists(), "half a snapshot got its name");
    assert!(bench.run([remove("tmp.snapshot.5")]));
    assert!(bench.run(operations));
    assert_eq!(bench.answers(), [(8, None), (15, None)]);
    assert_eq!(bench.content("snapshot.5"), b"onetwothree");
}

#[test]
fn a_rename_that_fails_leaves_the_old_name() {
    let mut bench = Bench::new(Lane::Snapshot);
    bench.run([create("tmp.snapshot.5"), sync("tmp.snapshot.5")]);
    fs::create_dir(bench.path("snapshot.5")).expect("room");
    assert!(bench.run([rename("tmp.snapshot.5", "snapshot.5"), create("b")]));
    let answers = bench.answers();
    let [(2, None), (3, Some(error)), (4, None)] = &answers[..] else { panic!("{answers:?}") };
    assert!(error.starts_with("rename of ") && error.contains("tmp.snapshot.5"), "{error}");
    assert!(bench.path("tmp.snapshot.5").exists());
}

#[test]
fn a_snapshot_is_synced_in_steps_and_a_log_is_not() {
    static MEGABYTE: [u8; 1 << 20] = [7; 1 << 20];
    for (lane, expected) in [(Lane::Snapshot, 2), (Lane::Log, 0)] {
        let mut bench = Bench::new(lane);
        bench.run([create("a")]);
        for _ in 0..9 {
            bench.run([append("a", &MEGABYTE)]);
        }
        let calls = bench.system.calls();
        let syncs = calls.iter().filter(|call| call.starts_with("sync")).count();
        assert_eq!(syncs, expected, "{lane:?}");
        assert_eq!(bench.content("a").len(), 9 << 20);
    }
}

#[test]
fn a_tail_is_cut_and_synced_as_a_whole() {
    let mut bench = Bench::new(Lane::Log);
    fs::write(bench.path("log.1"), b"records and a torn one").expect("room");
    bench.run([FileOp::Truncate { file: file("log.1"), length: 7 }, sync("log.1")]);
    assert_eq!(bench.answers(), [(2, None)]);
    assert_eq!(bench.system.calls(), ["open_to_write", "truncate", "sync_all"]);
    assert_eq!(bench.content("log.1"), b"records");
}

#[test]
fn a_log_that_another_process_wrote_is_synced_and_a_snapshot_is_not() {
    for (lane, is_synced) in [(Lane::Log, true), (Lane::Snapshot, false)] {
        let mut bench = Bench::new(lane);
        fs::write(bench.path("log.1"), b"records").expect("room");
        bench.run([sync("log.1")]);
        let answers = bench.answers();
        assert_eq!(answers.iter().all(|(_, error)| error.is_none()), is_synced, "{answers:?}");
        let calls: &[&str] = if is_synced { &["open_to_read", "sync_all"] } else { &[] };
        assert_eq!(bench.system.calls(), *calls);
    }
}

#[test]
fn what_is_gone_is_removed_and_what_is_not_open_is_not_written() {
    let mut bench = Bench::new(Lane::Snapshot);
    fs::write(bench.path("log.1"), b"old").expect("room");
    bench.run([remove("snapshot.1")]);
    assert_eq!(bench.answers(), [(1, None)]);
    bench.run([append("log.1", b"new")]);
    bench.run([remove("log.1"), sync("log.1")]);
    let answers = bench.answers();
    let [(2, Some(_)), (3, None), (4, Some(error))] = &answers[..] else { panic!("{answers:?}") };
    assert!(error.contains("not the file being written"), "{error}");
}
