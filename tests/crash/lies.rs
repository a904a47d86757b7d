//! A sync that says it is done, and is not: a start may miss what was acknowledged, or refuse, but
//! never finds what never was.

use zookeeper_core::storage::FileOp;
use zookeeper_sim::{
    crash::{Outcome, Run, Script, Settings, start},
    disk::{Crash, Fault, Mark, Marks},
    replay,
};

use super::support::{on_all_cores, print};

/// Operations behind a lie after which the power may go.
const LATER: [usize; 6] = [0, 1, 2, 5, 13, 40];

/// Lets the sync that is operation `index` lie, and the power go then or later.
fn lie(run: &Run, index: usize, marks: &mut Marks) -> usize {
    let op = run.checkpoints()[index].op.as_ref();
    let Some(op @ (FileOp::Sync { .. } | FileOp::SyncDir { .. })) = op else { return 0 };
    let mut starts = 0;
    for fault in [Fault::SyncLate, Fault::SyncDropped] {
        let mut disk = run.checkpoints()[index - 1].disk.clone();
        disk.execute_with(op, Some(fault), marks).expect("a lie is no failure");
        let mut done = index;
        for later in LATER {
            let Some(last) = run.checkpoints().get(index + later) else { break };
            for next in &run.checkpoints()[done + 1..(index + later).max(done) + 1] {
                let op = next.op.as_ref().expect("only the first one is none");
                disk.execute(op).expect("a lie is not noticed");
            }
            done = index + later;
            for crash in [Crash::LOST, Crash::KEPT, Crash::random(index as u64)] {
                let image = disk.crash(crash, marks);
                let context = (index, fault, later, crash, &last.op);
                if let Outcome::Refused(error) =
                    start(&image, run.config(), run.history(), &context)
                {
                    let error = error.to_string();
                    assert!(error.contains("log.") || error.contains("snapshot."), "{error}");
                    marks.add(Mark::Failed);
                }
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
    let count = run.checkpoints().len();
    let (starts, marks) = on_all_cores(count, |index, marks| lie(&run, index, marks));
    print(&run, starts, &marks);
    for mark in [Mark::SyncLate, Mark::SyncDropped, Mark::SectorLost] {
        assert!(marks.count(mark) > 0, "{mark:?}");
    }
}
