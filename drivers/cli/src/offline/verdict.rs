//! How files are.

/// From best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Verdict {
    /// In order.
    #[default]
    Fine,
    /// A crash cut off what was never acknowledged. Every server cuts it by itself.
    Torn,
    /// Something is lost, or nobody can tell.
    Damaged,
}

impl Verdict {
    /// The status to exit with, as the help says.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Damaged => 1,
            Self::Torn => 4,
        }
    }

    /// The word for it in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Torn => "torn",
            Self::Damaged => "damaged",
        }
    }
}
