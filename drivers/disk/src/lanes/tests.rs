//! Lanes with their threads.

use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
};

use bytes::Bytes;
use tempfile::TempDir;
use zookeeper_core::storage::{Dir, File};

use super::*;
use crate::{
    Config, Disk, OpenError,
    faults::{Fault, Faulty},
};

/// Only what hangs takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

fn start(config: &Config) -> (Lanes, Arc<Faulty>, Receiver<()>) {
    let system = Arc::new(Faulty::default());
    let disk = Disk::open_with(config, Arc::clone(&system) as _).expect("room");
    let (wake, woken) = channel();
    let lanes = disk
        .start(move || {
            let _ = wake.send(());
        })
        .expect("threads");
    (lanes, system, woken)
}

/// The next answer.
fn next(lanes: &Lanes, woken: &Receiver<()>) -> Done {
    loop {
        if let Some(done) = lanes.poll() {
            return done;
        }
        woken.recv_timeout(DEADLINE).expect("an answer");
    }
}

fn file(dir: Dir, name: &str) -> File {
    File { dir, name: name.into() }
}

fn create(dir: Dir, name: &str) -> FileOp {
    FileOp::Create { file: file(dir, name), reserve: 0 }
}

fn append(dir: Dir, name: &str, bytes: &'static [u8]) -> FileOp {
    FileOp::Append { file: file(dir, name), bytes: Bytes::from_static(bytes) }
}

fn content(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join("version-2").join(name)).expect("it is there")
}

#[test]
fn lanes_work_side_by_side_each_in_its_directory() {
    let (data, logs) = (TempDir::new().expect("room"), TempDir::new().expect("room"));
    let mut config = Config::new(data.path());
    config.log_dir = Some(logs.path().into());
    let (lanes, system, woken) = start(&config);
    let (open, gate) = channel();
    system.plan("create", Fault::Hang(gate));
    lanes.submit(Lane::Snapshot, Ticket(1), create(Dir::Snapshot, "tmp.snapshot.1"));
    // It has begun; the log does not wait for it.
    while !system.calls().contains(&"create") {
        thread::yield_now();
    }
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    lanes.submit(Lane::Log, Ticket(2), append(Dir::Log, "log.1", b"record"));
    let mut last = next(&lanes, &woken);
    while last.ticket < Ticket(2) {
        last = next(&lanes, &woken);
    }
    assert_eq!(last, Done { lane: Lane::Log, ticket: Ticket(2), result: Ok(()) });
    assert_eq!(lanes.poll(), None);
    drop::<Sender<()>>(open);
    let done = next(&lanes, &woken);
    assert_eq!(done, Done { lane: Lane::Snapshot, ticket: Ticket(1), result: Ok(()) });
    assert_eq!(content(logs.path(), "log.1"), b"record");
    assert_eq!(content(data.path(), "tmp.snapshot.1"), b"");
}

#[test]
fn dropping_finishes_what_is_queued_and_unlocks() {
    let dir = TempDir::new().expect("room");
    let config = Config::new(dir.path());
    let (lanes, system, _woken) = start(&config);
    system.plan("write_at", Fault::Short(3));
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    lanes.submit(Lane::Log, Ticket(2), append(Dir::Log, "log.1", b"records"));
    Disk::open(&config).expect_err("it is in use");
    drop(lanes);
    assert_eq!(content(dir.path(), "log.1"), b"records");
    drop(Disk::open(&config).expect("nobody uses it"));
}

#[test]
fn a_failed_log_is_told_once_and_written_no_more() {
    let dir = TempDir::new().expect("room");
    let (lanes, system, woken) = start(&Config::new(dir.path()));
    system.plan("sync_all", Fault::Error(io::ErrorKind::StorageFull));
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    lanes.submit(Lane::Log, Ticket(2), FileOp::Sync { file: file(Dir::Log, "log.1") });
    let mut last = next(&lanes, &woken);
    while last.result.is_ok() {
        last = next(&lanes, &woken);
    }
    assert_eq!((last.lane, last.ticket), (Lane::Log, Ticket(2)));
    // Not even the sync that would now go well.
    lanes.submit(Lane::Log, Ticket(3), FileOp::Sync { file: file(Dir::Log, "log.1") });
    lanes.submit(Lane::Log, Ticket(4), create(Dir::Log, "log.2"));
    lanes.submit(Lane::Snapshot, Ticket(1), create(Dir::Snapshot, "tmp.snapshot.1"));
    assert_eq!(next(&lanes, &woken).lane, Lane::Snapshot);
    let completions = Arc::clone(&lanes.completions);
    drop(lanes);
    assert_eq!(completions.pop(), None);
    assert!(!dir.path().join("version-2/log.2").exists());
}

#[test]
fn storage_that_hangs_is_left_behind_and_stays_locked() {
    let dir = TempDir::new().expect("room");
    let mut config = Config::new(dir.path());
    config.finish_timeout = Duration::from_millis(1);
    let (lanes, system, woken) = start(&config);
    let (open, gate) = channel::<()>();
    system.plan("create", Fault::Hang(gate));
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    drop(lanes);
    let error = Disk::open(&config).expect_err("a thread may still write");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(open);
    woken.recv_timeout(DEADLINE).expect("it goes on");
    // Its end ends the channel too.
    woken.recv_timeout(DEADLINE).expect_err("nothing more is done");
    assert!(dir.path().join("version-2/log.1").exists());
}

#[test]
fn a_loop_is_woken_once_for_what_it_has_not_looked_at() {
    let (wake, woken) = channel();
    let completions = Completions::new(move || {
        let _ = wake.send(());
    });
    let done = |ticket| Done { lane: Lane::Log, ticket: Ticket(ticket), result: Ok(()) };
    for _ in 0..2 {
        (1..=3).for_each(|ticket| completions.push(done(ticket)));
        assert_eq!(woken.try_iter().count(), 1);
        for ticket in 1..=3 {
            assert_eq!(completions.pop(), Some(done(ticket)));
        }
        assert_eq!(completions.pop(), None);
    }
}

#[test]
fn sizes_are_those_of_both_directories_as_the_lanes_saw_them() {
    let (data, logs) = (TempDir::new().expect("room"), TempDir::new().expect("room"));
    let put = |dir: &TempDir, name: &str, length| {
        let version = dir.path().join("version-2");
        std::fs::create_dir_all(&version).expect("room");
        std::fs::write(version.join(name), vec![7; length]).expect("room");
    };
    put(&data, "snapshot.0", 10);
    let mut config = Config::new(data.path());
    config.log_dir = Some(logs.path().into());
    let (lanes, _system, woken) = start(&config);
    let before = lanes.sizes();
    assert!(before.0 >= 10, "what is there at the start is known: {before:?}");
    put(&data, "snapshot.1", 20);
    put(&logs, "log.1", 1_000);
    assert_eq!(lanes.sizes(), before, "nobody lists a directory to answer this");
    // What is measured after one batch is there when the next one is answered.
    for (ticket, lane) in [(1, Lane::Snapshot), (2, Lane::Snapshot)] {
        let op = FileOp::Remove { file: file(Dir::Snapshot, "snapshot.5") };
        lanes.submit(lane, Ticket(ticket), op);
        assert_eq!(next(&lanes, &woken).ticket, Ticket(ticket));
    }
    assert_eq!(lanes.sizes(), (before.0 + 20, before.1 + 1_000));
}

#[test]
fn a_panic_in_a_call_is_a_failure_of_its_operation() {
    let dir = TempDir::new().expect("room");
    let (lanes, system, woken) = start(&Config::new(dir.path()));
    system.plan("create", Fault::Panic);
    lanes.submit(Lane::Snapshot, Ticket(1), create(Dir::Snapshot, "tmp.snapshot.1"));
    let done = next(&lanes, &woken);
    let error = done.result.expect_err("it panicked").to_string();
    assert!(error.contains("tmp.snapshot.1") && error.contains("a call that panics"), "{error}");
    // Snapshots go on, and the log does not.
    lanes.submit(Lane::Snapshot, Ticket(2), create(Dir::Snapshot, "tmp.snapshot.2"));
    let expected = Done { lane: Lane::Snapshot, ticket: Ticket(2), result: Ok(()) };
    assert_eq!(next(&lanes, &woken), expected);
    system.plan("write_at", Fault::Panic);
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    lanes.submit(Lane::Log, Ticket(2), append(Dir::Log, "log.1", b"record"));
    lanes.submit(Lane::Log, Ticket(3), FileOp::Sync { file: file(Dir::Log, "log.1") });
    let mut last = next(&lanes, &woken);
    while last.result.is_ok() {
        last = next(&lanes, &woken);
    }
    assert_eq!((last.lane, last.ticket), (Lane::Log, Ticket(2)));
    let completions = Arc::clone(&lanes.completions);
    drop(lanes);
    assert_eq!(completions.pop(), None, "nothing behind it is stored");
    drop(Disk::open(&Config::new(dir.path())).expect("its end unlocks the directory"));
}

#[test]
fn a_thread_that_panics_elsewhere_does_not_end_without_a_word() {
    let dir = TempDir::new().expect("room");
    let disk = Disk::open(&Config::new(dir.path())).expect("room");
    let lanes = disk.start(|| panic!("who is woken panics")).expect("threads");
    lanes.submit(Lane::Log, Ticket(7), create(Dir::Log, "log.1"));
    // Both are there before anybody looks, or waking would panic in a panic.
    lanes.log.close();
    lanes.snapshot.close();
    lanes.ended.recv_timeout(DEADLINE).expect_err("nothing is sent");
    assert_eq!(lanes.poll(), Some(Done { lane: Lane::Log, ticket: Ticket(7), result: Ok(()) }));
    let error = lanes.poll().expect("a word").result.expect_err("the thread is gone");
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[test]
fn without_a_thread_nobody_waits_for_its_end() {
    let dir = TempDir::new().expect("room");
    let config = Config::new(dir.path());
    let directories = Directories::open(&config, &Faulty::default()).expect("room");
    let worker = |lane| {
        Worker::new(lane, directories.clone(), Arc::new(Faulty::default()), config.sync_warning)
    };
    let workers = [Lane::Log, Lane::Snapshot].map(worker);
    let threads = std::cell::Cell::new(0);
    let one = |name, run| {
        threads.set(threads.get() + 1);
        if threads.get() > 1 { Err(io::ErrorKind::OutOfMemory.into()) } else { spawn(name, run) }
    };
    let (begin, directories) = (Instant::now(), directories.clone());
    let lanes = Lanes::start_with(directories, Vec::new(), workers, DEADLINE, || {}, &one);
    assert_eq!(lanes.expect_err("one is missing").kind(), io::ErrorKind::OutOfMemory);
    assert!(begin.elapsed() < DEADLINE, "it waited for itself");
}

#[test]
fn the_end_is_waited_for_once() {
    let dir = TempDir::new().expect("room");
    let mut config = Config::new(dir.path());
    config.finish_timeout = DEADLINE;
    let (mut lanes, system, _woken) = start(&config);
    let (open, gate) = channel::<()>();
    system.plan("create", Fault::Hang(gate));
    lanes.submit(Lane::Log, Ticket(1), create(Dir::Log, "log.1"));
    lanes.finish_timeout = Duration::ZERO;
    lanes.begin_finish();
    // What counts is when the end began.
    lanes.finish_timeout = DEADLINE;
    lanes.begin_finish();
    let begin = Instant::now();
    drop(lanes);
    assert!(begin.elapsed() < DEADLINE, "it was waited for a second time");
    drop(open);
}
