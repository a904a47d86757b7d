//! Operations that fail: a full disk, a broken one, a sync that fails once.

use std::io::ErrorKind;

use zookeeper_core::{server::Failure, storage::Lane};
use zookeeper_sim::{
    crash::{Run, Script, Settings},
    disk::{Crash, Fault, Marks, Plan},
    replay,
};

use super::support::{on_all_cores, print};

/// Rounds of load; the settings let snapshots, new logs and purges fall into them.
const ROUNDS: u64 = 4;

/// Operations of the snapshot that a fresh store begins with: create, append, sync, rename, sync
/// directory.
const FIRST_SNAPSHOT: usize = 5;

fn script(seed: u64, plan: Plan) -> Script {
    let mut script = Script::new(seed, ROUNDS);
    (script.settings, script.plan) = (Settings::hasty(), plan);
    script
}

/// How many operations of each lane a run without failures has.
fn lengths(seed: u64) -> [usize; 2] {
    let run = Run::first(script(seed, Plan::none()));
    print(&run, 0, run.marks());
    [Lane::Log, Lane::Snapshot].map(|lane| run.executed(lane))
}

/// The newest snapshot there is after an operation.
fn newest_snapshot(run: &Run, index: usize) -> Option<i64> {
    let image = run.checkpoints()[index].disk.crash(Crash::KEPT, &mut Marks::default());
    let files = image.files().into_iter();
    let zxid = |name: &str| i64::from_str_radix(name.strip_prefix("snapshot.")?, 16).ok();
    files.filter_map(|info| zxid(&info.file.name)).max()
}

fn faults(number: usize) -> Fault {
    match number % 4 {
        0 => Fault::Fails(ErrorKind::StorageFull),
        1 => Fault::FailsBehind { bytes: number % 97, kind: ErrorKind::StorageFull },
        2 => Fault::Fails(ErrorKind::Other),
        _ => Fault::SyncFails,
    }
}

#[test]
fn a_log_that_fails_ends_the_server_and_takes_nothing_back() {
    let seed = replay::seed();
    let [count, _] = lengths(seed);
    let (starts, marks) = on_all_cores(count, |number, marks| {
        let fault = faults(number);
        let run = Run::first(script(seed, Plan::at(Lane::Log, number, fault)));
        let Some(Failure::Storage(error)) = run.failure() else {
            panic!("operation {number} fails: {:?}", run.failure())
        };
        let (last, checkpoint) = run.last();
        let op = checkpoint.op.as_ref().expect("the one that failed");
        assert_eq!(error.operation, op.name(), "operation {number}");
        assert!(!error.file.is_empty() && error.to_string().contains(&*error.file));
        marks.merge(run.marks());
        // Nobody was told of anything that is not on the disk, whatever else became of it.
        for crash in [Crash::LOST, Crash::KEPT, Crash::random(seed)] {
            run.crash_once(last, crash, marks);
        }
        3
    });
    println!("{starts} starts; {marks}");
}

#[test]
fn a_snapshot_that_fails_is_made_again_and_takes_nothing_away() {
    let seed = replay::seed();
    let [_, count] = lengths(seed);
    let (starts, marks) = on_all_cores(count, |number, marks| {
        let fault = faults(number);
        let run = Run::first(script(seed, Plan::at(Lane::Snapshot, number, fault)));
        // Until the first one is there, there is nothing to go on with.
        let is_first = number < FIRST_SNAPSHOT;
        assert_eq!(run.failure().is_some(), is_first, "operation {number}: {:?}", run.failure());
        marks.merge(run.marks());
        let checkpoints = run.checkpoints().len();
        let failed = run.checkpoints().iter().position(|checkpoint| checkpoint.is_failed);
        let failed = failed.expect("the operation fails");
        if !is_first && failed < checkpoints / 2 {
            assert!(newest_snapshot(&run, failed) < newest_snapshot(&run, checkpoints - 1));
        }
        for index in (0..checkpoints).step_by(7).chain([checkpoints - 1]) {
            run.crash_once(index, Crash::LOST, marks);
        }
        checkpoints / 7
    });
    println!("{starts} starts; {marks}");
}
