//! One life after the other: what the next start finds is served on, and crashes again.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use zookeeper_core::{
    Rng,
    storage::{Dir, FileOp},
};
use zookeeper_sim::{
    crash::{Effort, Run, Script, Settings},
    disk::{Crash, Data, Disk, Entries, Marks, Pace, Plan, Reserve, Rest},
    generate::values::index,
    replay,
};

use super::support::{on_all_cores, print};

/// Second lives are many; other seeds begin them behind other operations.
const STRIDE: usize = 11;

/// Lives in a row.
const LIVES: usize = 6;

/// Power cuts looked at in each of them.
const CUTS: usize = 20;

/// Lives a first life, and looks at what may follow each of some of its operations.
fn after_some(follow: impl Fn(&Run, usize, &mut Marks) -> usize + Sync) {
    let seed = replay::seed();
    let mut script = Script::new(seed, 6);
    script.settings = Settings::hasty();
    let run = Run::first(script);
    let first = index(&mut Rng::new(seed), STRIDE);
    let count = (run.checkpoints().len() - first).div_ceil(STRIDE);
    let (starts, marks) =
        on_all_cores(count, |number, marks| follow(&run, first + number * STRIDE, marks));
    print(&run, starts, &marks);
}

/// A short life.
fn short(seed: usize, rounds: u64) -> Script {
    let mut script = Script::new(seed as u64, rounds);
    script.settings = Settings::hasty();
    script
}

fn crash_everywhere(run: &Run, marks: &mut Marks) -> usize {
    let all = 0..run.checkpoints().len();
    all.map(|index| run.crash_after(index, Effort::Few, marks)).sum()
}

/// The second life's crashes fall into its repairs, too.
#[test]
fn a_server_goes_on_after_any_crash() {
    let repaired = AtomicUsize::new(0);
    after_some(|run, index, marks| {
        let (index, crash) = crash_of_some_kind(run, index);
        let (image, zxid, recovered) = run.crash_once(index, crash, marks);
        repaired.fetch_add(usize::from(!recovered.repairs().is_empty()), Ordering::Relaxed);
        let disk = Disk::from_image(&image, Reserve::Hidden);
        let next = run.next(index, short(index, 1), disk, recovered);
        assert!(next.history().newest() > zxid && next.failure().is_none());
        crash_everywhere(&next, marks)
    });
    assert!(repaired.into_inner() > 0, "some lives begin with repairs");
}

/// A crash behind an operation, or one in the middle of the next group of records.
fn crash_of_some_kind(run: &Run, index: usize) -> (usize, Crash) {
    let is_group = |index: &usize| {
        let op = &run.checkpoints()[*index].op;
        matches!(op, Some(FileOp::Append { file, .. }) if file.dir == Dir::Log)
    };
    let torn = |rest| Crash { data: Data::Prefix { bytes: 20, rest }, ..Crash::KEPT };
    let crash = match index % 5 {
        0 => Crash::LOST,
        1 => Crash::KEPT,
        2 => Crash::random(index as u64),
        kind => {
            let group = (index..run.checkpoints().len()).find(is_group);
            let rest = if kind == 3 { Rest::Cut } else { Rest::Zeros };
            return group.map_or((index, Crash::LOST), |group| (group, torn(rest)));
        }
    };
    (index, crash)
}

/// The process ends, and with it nothing of what the system still has to write. The next one must
/// not take that for safe: a power cut still takes it.
#[test]
fn what_an_ended_process_left_to_the_system_is_not_safe_yet() {
    after_some(|run, index, marks| {
        let (_, _, recovered) = run.crash_once(index, Crash::KEPT, marks);
        let disk = run.checkpoints()[index].disk.clone();
        let next = run.next(index, short(index, 0), disk, recovered);
        crash_everywhere(&next, marks)
    });
}

/// A life of another temper, on another disk.
fn any_script(rng: &mut Rng) -> Script {
    let mut settings = if rng.one_in(2) { Settings::hasty() } else { Settings::default() };
    settings.reserve = if rng.one_in(2) { Reserve::Hidden } else { Reserve::Zeros };
    let latency_max = Duration::from_micros([0, 300, 20_000][index(rng, 3)]);
    let pace = Pace { latency_max, shares_syncs: rng.one_in(2) };
    let (plan, rounds, seed) = (Plan::none(), 1 + rng.below(6), rng.next_u64());
    Script { settings, seed, pace, plan, rounds }
}

/// A power cut of any kind; sectors arrive as a whole.
fn any_crash(rng: &mut Rng) -> Crash {
    let data = [Data::Lost, Data::Kept, Data::Random { torn: false }][index(rng, 3)];
    let entries = [Entries::Lost, Entries::Kept, Entries::Random][index(rng, 3)];
    Crash { data, entries, seed: rng.next_u64() }
}

#[test]
fn many_lives_in_a_row_lose_nothing() {
    let seed = replay::seed();
    let (starts, marks) = on_all_cores(replay::rounds(6), |round, marks| {
        let mut rng = Rng::new(seed.wrapping_add(round as u64));
        let mut run = Run::first(any_script(&mut rng));
        let mut starts = 0;
        for _ in 0..LIVES {
            let count = run.checkpoints().len();
            for _ in 0..CUTS {
                starts += run.crash_after(index(&mut rng, count), Effort::Some, marks);
            }
            let last = index(&mut rng, count);
            let (image, _, recovered) = run.crash_once(last, any_crash(&mut rng), marks);
            let script = any_script(&mut rng);
            let disk = Disk::from_image(&image, script.settings.reserve);
            run = run.next(last, script, disk, recovered);
            marks.merge(run.marks());
        }
        starts
    });
    println!("{starts} starts; {marks}");
}
