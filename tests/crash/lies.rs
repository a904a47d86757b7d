//! A sync that says it is done, and is not: a start may miss what was acknowledged, or refuse, but
//! never finds what never was.

use std::sync::atomic::{AtomicUsize, Ordering};

use zookeeper_core::storage::FileOp;
use zookeeper_sim::{
    crash::{Run, Script, Settings, start},
    disk::{Crash, Fault, Mark, Marks},
    replay,
};

use super::support::{names_a_file, on_all_cores, print};

/// Operations behind a lie after which the power may go.
const LATER: [usize; 6] = [0, 1, 2, 5, 13, 40];

/// How starts ended.
#[derive(Debug, Default)]
struct Ends {
    whole: AtomicUsize,
    with_less: AtomicUsize,
    refused: AtomicUsize,
}

/// Lets the sync that is operation `index` lie, and the power go then or later.
fn lie(run: &Run, index: usize, ends: &Ends, marks: &mut Marks) -> usize {
    let op = run.checkpoints()[index].op.as_ref();
    let Some(op @ (FileOp::Sync { .. } | FileOp::SyncDir { .. })) = op else { return 0 };
    let mut starts = 0;
    for fault in [Fault::SyncLate, Fault::SyncDropped] {
        let mut disk = run.checkpoints()[index - 1].disk.clone();
        disk.execute_with(op, Some(fault), marks).expect("a lie is no failure");
        let mut done = index;
        for last in LATER.map(|later| index + later) {
            if last >= run.checkpoints().len() {
                break;
            }
            for next in &run.checkpoints()[done + 1..=last.max(done)] {
                let op = next.op.as_ref().expect("only the first one is none");
                disk.execute(op).expect("a lie is not noticed");
            }
            done = last;
            for crash in [Crash::LOST, Crash::KEPT, Crash::random(index as u64)] {
                let image = disk.crash(crash, marks);
                let context = (index, fault, last, crash);
                let end = match start(&image, run.config(), run.history(), &context) {
                    Ok((zxid, _)) if zxid >= run.known(last).told => &ends.whole,
                    Ok(_) => &ends.with_less,
                    Err(error) => {
                        assert!(names_a_file(&error.to_string()), "{error} at {context:?}");
                        &ends.refused
                    }
                };
                end.fetch_add(1, Ordering::Relaxed);
                starts += 1;
            }
        }
    }
    starts
}

#[test]
fn one_lie_never_makes_a_wrong_tree() {
    let mut script = Script::new(replay::seed(), 8);
    script.settings = Settings::hasty();
    let run = Run::first(script);
    let (count, ends) = (run.checkpoints().len(), Ends::default());
    let (starts, marks) = on_all_cores(count, |index, marks| lie(&run, index, &ends, marks));
    print(&run, starts, &marks);
    println!("{ends:?}");
    assert!(ends.whole.into_inner() > 0 && ends.with_less.into_inner() > 0);
    for mark in [Mark::SyncLate, Mark::SyncDropped, Mark::SectorLost] {
        assert!(marks.count(mark) > 0, "{mark:?}");
    }
}
