//! A power cut after every operation of the store, and at every byte of every write.

use zookeeper_core::wire::Op;
use zookeeper_sim::{
    crash::{Effort, Run, Script},
    disk::Mark,
    replay,
};

use super::support::{on_all_cores, print};

/// Every kind of transaction there is.
const KINDS: [Op; 12] = [
    Op::CreateSession,
    Op::CloseSession,
    Op::Create,
    Op::Create2,
    Op::CreateContainer,
    Op::CreateTtl,
    Op::Delete,
    Op::DeleteContainer,
    Op::SetData,
    Op::SetAcl,
    Op::Multi,
    Op::Error,
];

#[test]
fn every_start_finds_everything_that_somebody_knows_of() {
    let run = Run::first(Script::new(replay::seed(), 24));
    assert!(run.requests() >= 500 && run.failure().is_none());
    for kind in KINDS {
        assert!(run.history().count(kind) > 0, "{kind}");
    }
    let count = run.checkpoints().len();
    let (starts, marks) =
        on_all_cores(count, |index, marks| run.crash_after(index, Effort::EveryByte, marks));
    print(&run, starts, &marks);
    for mark in [Mark::SectorLost, Mark::LengthCut, Mark::ZerosVisible, Mark::CreateLost] {
        assert!(marks.count(mark) > 0, "{mark:?}");
    }
}
