//! Counters of what happened to data on its way to the disk: a test of a fault that never fired
//! proves nothing.

use std::{collections::BTreeMap, fmt};

/// Something that happened to data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Mark {
    /// A sector that was not synced did not arrive.
    SectorLost,
    /// A sector that was not synced arrived in part.
    SectorTorn,
    /// A sector that was not synced arrived as it was before its last change.
    SectorOlder,
    /// A file's length is less than what was written.
    LengthCut,
    /// A file ends with zeros that nobody wrote.
    ZerosVisible,
    /// A new file has no name.
    CreateLost,
    /// A file has its old name.
    RenameLost,
    /// A removed file is there again.
    RemoveLost,
    /// A cut file is as long as it was.
    TruncateLost,
    /// An operation failed.
    Failed,
    /// An append failed behind a part of its bytes.
    WrittenInPart,
    /// A sync failed, and what it was for will never arrive.
    SyncFailed,
    /// A sync said that it had done what a later one did.
    SyncLate,
    /// A sync said that it had done what was never done.
    SyncDropped,
    /// An operation took its time.
    Slow,
    /// One sync stood for several groups.
    SyncShared,
}

/// How often each thing happened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks(BTreeMap<Mark, u64>);

impl Marks {
    /// One more.
    pub fn add(&mut self, mark: Mark) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.0.get(&mark).copied().unwrap_or(0)
    }

    /// Adds the counts of others.
    pub fn merge(&mut self, others: &Self) {
        for (&mark, &count) in &others.0 {
            *self.0.entry(mark).or_default() += count;
        }
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (mark, count)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{mark:?} {count}")?;
        }
        Ok(())
    }
}
