//! What would make a directory whole again, found out without touching it.
//!
//! ```text
//!   read ──► damage? ──► a change ──┐      refused: nothing is changed at all
//!    ▲                              │
//!    └── as the files would be ◄────┘      read without complaint: the plan is complete
//! ```
//!
//! All judgement is the recovery's own: what it calls a torn or a corrupt tail is cut, what it
//! cannot use of snapshots goes aside if it gets along without. Everything else it refuses, and so
//! it is refused here.

use std::fmt;

use zookeeper_core::storage::{
    File, FileOp, RecoveryConfig, RecoveryError, RecoveryEvent, SnapshotProblem,
};
use zookeeper_disk::Disk;

use super::{
    failure::OfflineError,
    store::{Changes, Reading},
    verdict::Verdict,
};

/// One change, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) file: File,
    pub(super) change: Change,
    pub(super) reason: String,
}

/// What is to be done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// It keeps this many bytes.
    Cut(u64),
    /// It goes aside.
    Remove,
}

/// What is to be done.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is to be thought of the directory as it is.
    pub(super) before: Verdict,
    /// How it would be with everything done.
    pub(super) outcome: Reading,
}

impl Plan {
    /// Finds out what to do.
    pub(super) fn make(disk: &Disk, config: &RecoveryConfig) -> Result<Self, OfflineError> {
        let mut changes = Changes::default();
        let outcome = changes.read(disk, config.clone())?;
        let mut plan = Self { steps: Vec::new(), before: outcome.verdict(), outcome };
        // Each round changes a file that none has changed before.
        while let steps @ [_, ..] = &plan.next_steps(&changes)[..] {
            for step in steps {
                match step.change {
                    Change::Cut(length) => drop(changes.cuts.insert(step.file.clone(), length)),
                    Change::Remove => drop(changes.gone.insert(step.file.clone())),
                }
            }
            plan.steps.extend_from_slice(steps);
            plan.outcome = changes.read(disk, config.clone())?;
        }
        Ok(plan)
    }

    /// What the last reading calls for.
    fn next_steps(&self, changes: &Changes) -> Vec<Step> {
        let reading = &self.outcome;
        let mut steps = match &reading.outcome {
            Ok(recovered) => {
                recovered.repairs().iter().filter_map(|op| of_op(op, reading)).collect()
            }
            Err(error @ RecoveryError::CorruptTail { file, damage, .. }) => {
                let change = Change::Cut(damage.offset);
                vec![Step { file: file.clone(), change, reason: error.to_string() }]
            }
            Err(_) => return Vec::new(),
        };
        if reading.outcome.is_ok() {
            steps.extend(reading.events.iter().filter_map(of_snapshot));
        }
        steps.retain(|step| match step.change {
            Change::Cut(length) => changes.cuts.get(&step.file).is_none_or(|cut| *cut > length),
            Change::Remove => !changes.gone.contains(&step.file),
        });
        steps
    }
}

/// What a server would do to a log by itself.
fn of_op(op: &FileOp, reading: &Reading) -> Option<Step> {
    let (file, change) = match op {
        FileOp::Truncate { file, length } => (file, Change::Cut(*length)),
        FileOp::Remove { file } => (file, Change::Remove),
        _ => return None,
    };
    let about = |event: &&RecoveryEvent| match event {
        RecoveryEvent::TornTail { file: of, .. } | RecoveryEvent::EmptyLog { file: of } => {
            of == file
        }
        _ => false,
    };
    let reason = reading.events.iter().find(about).map(ToString::to_string).unwrap_or_default();
    Some(Step { file: file.clone(), change, reason })
}

/// A snapshot that the recovery got along without. One that cannot be read may be readable later.
fn of_snapshot(event: &RecoveryEvent) -> Option<Step> {
    match event {
        RecoveryEvent::SnapshotUnusable { problem: SnapshotProblem::Unreadable(_), .. } => None,
        RecoveryEvent::SnapshotUnusable { file, .. } => {
            Some(Step { file: file.clone(), change: Change::Remove, reason: event.to_string() })
        }
        _ => None,
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(length) => write!(f, "cut to {length} bytes"),
            Self::Remove => f.write_str("moved away"),
        }
    }
}
