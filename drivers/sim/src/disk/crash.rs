//! A power cut: which of the changes that were not synced arrived.

/// Which changes arrived. Equal crashes of equal disks leave equal images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crash {
    /// What became of the files' contents.
    pub data: Data,
    /// What became of the directories' entries.
    pub entries: Entries,
    /// Decides where chance does.
    pub seed: u64,
}

/// What became of contents that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Nothing arrived.
    Lost,
    /// Everything arrived.
    Kept,
    /// Everything arrived, but of the last write only its first bytes.
    Prefix {
        /// How many.
        bytes: usize,
        /// What is behind them.
        rest: Rest,
    },
    /// Everything arrived, but of the last write only the sectors of this mask; bit 0 is the first
    /// one it touches.
    Sectors(u64),
    /// Every sector and every length decides for itself.
    Random {
        /// Whether a sector may also arrive in part, which no disk does that writes sectors as a
        /// whole.
        torn: bool,
    },
}

/// What is behind the last bytes that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing: the file ends.
    Cut,
    /// Zeros: the file's length arrived.
    Zeros,
}

/// What became of changes of directories that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entries {
    /// None happened.
    Lost,
    /// All happened.
    Kept,
    /// Every change decides for itself; a rename happens as a whole or not at all.
    Random,
}

impl Crash {
    /// Nothing arrived that was not synced.
    pub const LOST: Self = Self { data: Data::Lost, entries: Entries::Lost, seed: 0 };

    /// Everything arrived: the process ended, and the system lives.
    pub const KEPT: Self = Self { data: Data::Kept, entries: Entries::Kept, seed: 0 };

    /// Everything decides for itself; sectors arrive as a whole.
    #[must_use]
    pub const fn random(seed: u64) -> Self {
        Self { data: Data::Random { torn: false }, entries: Entries::Random, seed }
    }
}
