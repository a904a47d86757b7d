//! What one `SetWatches` request sets again.
//!
//! Behaviour: `ClientCnxn.SendThread.primeConnection`, except that a batch stays below its limit
//! where upstream lets the last path go over: a long path would make the request too long for the
//! server, which ends the connection, each time again.

use std::{mem, sync::Arc};

use super::WatchKind;

/// Bytes of a path's length on the wire.
const LENGTH_PREFIX: usize = 4;

/// The paths of one request, each list in an order that depends on history alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::client) struct Batch {
    pub(in crate::client) data: Vec<Arc<str>>,
    pub(in crate::client) exist: Vec<Arc<str>>,
    pub(in crate::client) child: Vec<Arc<str>>,
    pub(in crate::client) persistent: Vec<Arc<str>>,
    pub(in crate::client) recursive: Vec<Arc<str>>,
}

impl Batch {
    /// The paths with a watch of this kind.
    #[must_use]
    pub(in crate::client) fn paths(&self, kind: WatchKind) -> &[Arc<str>] {
        match kind {
            WatchKind::Data => &self.data,
            WatchKind::Exist => &self.exist,
            WatchKind::Child => &self.child,
            WatchKind::Persistent => &self.persistent,
            WatchKind::Recursive => &self.recursive,
        }
    }

    /// Whether only the newer request, `SetWatches2`, can carry it.
    #[must_use]
    pub(in crate::client) const fn needs_set_watches2(&self) -> bool {
        !self.persistent.is_empty() || !self.recursive.is_empty()
    }

    const fn paths_mut(&mut self, kind: WatchKind) -> &mut Vec<Arc<str>> {
        match kind {
            WatchKind::Data => &mut self.data,
            WatchKind::Exist => &mut self.exist,
            WatchKind::Child => &mut self.child,
            WatchKind::Persistent => &mut self.persistent,
            WatchKind::Recursive => &mut self.recursive,
        }
    }
}

/// Fills one batch after another.
pub(super) struct Batches {
    full: Vec<Batch>,
    open: Batch,
    /// Bytes of the open batch's paths on the wire; 0 only if it has none.
    bytes: usize,
    bytes_max: usize,
}

impl Batches {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { full: Vec::new(), open: Batch::default(), bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, kind: WatchKind, path: &Arc<str>) {
        let bytes = path.len() + LENGTH_PREFIX;
        if self.bytes > 0 && self.bytes + bytes > self.bytes_max {
            self.full.push(mem::take(&mut self.open));
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.open.paths_mut(kind).push(Arc::clone(path));
    }

    pub(super) fn finish(mut self) -> Vec<Batch> {
        if self.bytes > 0 {
            self.full.push(self.open);
        }
        self.full
    }
}
