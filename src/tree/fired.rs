//! What watchers are to be told, in order.

use std::ops::Range;

use super::watches::Watcher;
use crate::wire::{Acl, AclList, EventKind};

/// The events of one transaction or catch-up; reused for its memory.
#[derive(Debug, Default)]
pub struct Fired {
    changes: Vec<Record>,
    text: String,
    pub(super) watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Record {
    kind: EventKind,
    path: Range<usize>,
    acl: Option<AclList>,
    watchers: Range<usize>,
}

/// Something that happened to a path, and who watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Where.
    pub path: &'a str,
    /// Only who may READ by this list is told; `None` is everyone.
    pub acl: Option<&'a [Acl]>,
    /// Who, each once.
    pub watchers: &'a [Watcher],
}

impl Fired {
    /// Whether nobody is to be told anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.changes.iter().map(|record| Change {
            kind: record.kind,
            path: &self.text[record.path.clone()],
            acl: record.acl.as_deref(),
            watchers: &self.watchers[record.watchers.clone()],
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.text.clear();
        self.watchers.clear();
    }

    /// Adds a change for the watchers that were pushed since `start`, if there are any.
    pub(super) fn push(
        &mut self,
        kind: EventKind,
        path: &str,
        acl: Option<&AclList>,
        start: usize,
    ) {
        let watchers = start..self.watchers.len();
        if watchers.is_empty() {
            return;
        }
        let path_start = self.text.len();
        self.text.push_str(path);
        let path = path_start..self.text.len();
        self.changes.push(Record { kind, path, acl: acl.cloned(), watchers });
    }
}
