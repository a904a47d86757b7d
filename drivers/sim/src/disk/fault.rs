//! What can go wrong with an operation, and when it does.

use std::{collections::BTreeMap, io, time::Duration};

use zookeeper_core::storage::Lane;

/// What goes wrong with one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It fails, and nothing of it is done.
    Fails(io::ErrorKind),
    /// An append fails behind its first bytes; anything else fails as a whole.
    FailsBehind {
        /// How many bytes.
        bytes: usize,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// A sync fails. The system takes what it was for as written: the next sync succeeds, and what
    /// this one lost is lost.
    SyncFails,
    /// A sync says that it is done. The next one does it.
    SyncLate,
    /// A sync says that it is done. What it was for never arrives.
    SyncDropped,
    /// It takes this long.
    Slow(Duration),
}

/// Which operations something goes wrong with.
#[derive(Clone, Debug, Default)]
pub struct Plan(BTreeMap<(Lane, usize), Fault>);

impl Plan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One thing goes wrong, with a lane's operation of this number, from 0.
    #[must_use]
    pub fn at(lane: Lane, number: usize, fault: Fault) -> Self {
        Self::none().and(lane, number, fault)
    }

    /// One more thing goes wrong.
    #[must_use]
    pub fn and(mut self, lane: Lane, number: usize, fault: Fault) -> Self {
        self.add(lane, number, fault);
        self
    }

    pub(super) fn add(&mut self, lane: Lane, number: usize, fault: Fault) {
        self.0.insert((lane, number), fault);
    }

    /// What goes wrong with a lane's operation.
    #[must_use]
    pub fn fault(&self, lane: Lane, number: usize) -> Option<Fault> {
        self.0.get(&(lane, number)).copied()
    }
}
