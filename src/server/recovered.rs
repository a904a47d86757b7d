//! What a server starts from.

use crate::tree::Tree;

/// What a server starts from.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The tree; `None` is a fresh one.
    pub(super) tree: Option<Tree>,
    /// The time of the newest transaction, in milliseconds of Unix time.
    pub(super) newest_ms: i64,
}

impl Recovered {
    /// Nothing: the server starts with a fresh tree.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A tree that was brought up to date, and the time of its newest transaction.
    #[must_use]
    pub const fn new(tree: Tree, newest_ms: i64) -> Self {
        Self { tree: Some(tree), newest_ms }
    }
}
