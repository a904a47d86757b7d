//! One life after the other: what the next start finds is served on, and crashes again.

use zookeeper_core::Rng;
use zookeeper_sim::{
    crash::{Effort, Run, Script, Settings},
    disk::{Crash, Data, Disk, Entries, Marks, Pace, Plan, Reserve},
    replay,
};

use super::support::{on_all_cores, print};

/// Second lives are many; other seeds begin them behind other operations.
const STRIDE: usize = 4;

/// Which operation comes first when only some are looked at, and how many those are.
fn every(stride: usize, seed: u64, run: &Run) -> (usize, usize) {
    let first = (seed % stride as u64) as usize;
    (first, (run.checkpoints().len() - first).div_ceil(stride))
}

/// Lets the power go after an operation, serves on from there, and lets it go again: after every
/// operation of the second life, its repairs included.
fn live_on(run: &Run, index: usize, crash: Crash, marks: &mut Marks) -> usize {
    let (image, zxid, recovered) = run.crash_once(index, crash, marks);
    let script = Script { rounds: 1, seed: index as u64, ..Script::new(0, 0) };
    let disk = Disk::from_image(&image, Reserve::Hidden);
    let next = run.next(index, script, disk, recovered);
    assert!(next.history().newest() > zxid && next.failure().is_none());
    let count = next.checkpoints().len();
    (0..count).map(|index| next.crash_after(index, Effort::Few, marks)).sum()
}

#[test]
fn a_server_goes_on_after_any_crash() {
    let seed = replay::seed();
    let mut script = Script::new(seed, 6);
    script.settings = Settings::hasty();
    let run = Run::first(script);
    let (first, count) = every(STRIDE, seed, &run);
    let (starts, marks) = on_all_cores(count, |number, marks| {
        let index = first + number * STRIDE;
        let crashes = [Crash::LOST, Crash::KEPT, Crash::random(seed ^ index as u64)];
        live_on(&run, index, crashes[index % 3], marks)
    });
    print(&run, starts, &marks);
}

/// The process ends, and with it nothing of what the system still has to write. The next one must
/// not take that for safe.
#[test]
fn what_an_ended_process_left_to_the_system_is_not_safe_yet() {
    let seed = replay::seed();
    let mut script = Script::new(seed, 6);
    script.settings = Settings::hasty();
    let run = Run::first(script.clone());
    let (first, count) = every(STRIDE, seed, &run);
    let (starts, marks) = on_all_cores(count, |number, marks| {
        let index = first + number * STRIDE;
        let (_, _, recovered) = run.crash_once(index, Crash::KEPT, marks);
        let script = Script { rounds: 0, seed: index as u64, ..script.clone() };
        let next = run.next(index, script, run.checkpoints()[index].disk.clone(), recovered);
        let count = next.checkpoints().len();
        (0..count).map(|index| next.crash_after(index, Effort::Few, marks)).sum()
    });
    print(&run, starts, &marks);
}

/// A disk of another temper in every life.
fn temper(rng: &mut Rng) -> (Settings, Pace) {
    let mut settings = if rng.one_in(2) { Settings::hasty() } else { Settings::default() };
    settings.reserve = if rng.one_in(2) { Reserve::Hidden } else { Reserve::Zeros };
    let latency_max = std::time::Duration::from_micros([0, 300, 20_000][rng.below(3) as usize]);
    (settings, Pace { latency_max, shares_syncs: rng.one_in(2) })
}

#[test]
fn many_lives_in_a_row_lose_nothing() {
    let seed = replay::seed();
    let (starts, marks) = on_all_cores(replay::rounds(6), |round, marks| {
        let mut rng = Rng::new(seed.wrapping_add(round as u64));
        let script = |rng: &mut Rng| {
            let (settings, pace) = temper(rng);
            let (plan, rounds, seed) = (Plan::none(), 1 + rng.below(6), rng.next_u64());
            Script { settings, seed, pace, plan, rounds }
        };
        let mut run = Run::first(script(&mut rng));
        let mut starts = 0;
        for _ in 0..6 {
            let count = run.checkpoints().len() as u64;
            for _ in 0..20 {
                starts += run.crash_after(rng.below(count) as usize, Effort::Some, marks);
            }
            let index = rng.below(count) as usize;
            let data = [Data::Lost, Data::Kept, Data::Random { torn: false }];
            let entries = [Entries::Lost, Entries::Kept, Entries::Random];
            let crash = Crash {
                data: data[rng.below(3) as usize],
                entries: entries[rng.below(3) as usize],
                seed: rng.next_u64(),
            };
            let (image, _, recovered) = run.crash_once(index, crash, marks);
            let script = script(&mut rng);
            let disk = Disk::from_image(&image, script.settings.reserve);
            run = run.next(index, script, disk, recovered);
            marks.merge(run.marks());
        }
        starts
    });
    println!("{starts} starts; {marks}");
}
