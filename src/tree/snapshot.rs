//! A snapshot of the tree, exact, while the tree goes on changing.
//!
//! A snapshot is of the tree at one moment, but is encoded part by part. Whatever is about to change
//! or go is encoded before, in its old state, and waits for its turn:
//!
//! ```text
//!             ┌ sessions ┐  ┌── ACLs ──┐  ┌──────── znodes ────────┐
//!  the file:  encoded  ▸ walk, by place   ▸ walk, by number  ▸ walk, by slot
//!                        └ waiting ┘        └ waiting ┘        └ waiting ┘
//! ```
//!
//! Of each section first goes what waits, then the walk goes on. So a znode that waits stands before
//! all that the walk finds later, and as a znode never goes into either without the ancestors it has
//! not seen yet, parents stand before their children.
//!
//! A znode carries the number of the newest snapshot that has it. One that comes later gets that
//! number at once, so one compare tells whether a change has to care.
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.serialize`, which writes what it finds.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Sessions, Tree,
    acl_table::AclTable,
    node::{NodeId, Nodes, ROOT},
    record::{encode_listed_acl, encode_node, encode_session},
};
use crate::{
    ids::{SessionId, Zxid},
    wire::{AclList, Encode, length},
};

/// Records or empty slots looked at for one chunk: a millisecond's worth or two, however short.
const LOOKED_AT_PER_CHUNK: usize = 16 << 10;

/// Bytes after which what waits goes on in another piece of memory: so it never moves as a whole.
const PIECE_LENGTH: usize = 16 << 10;

/// What a snapshot is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotMark {
    /// The newest transaction in it.
    pub zxid: Zxid,
    /// The digest of the tree after that, where it is kept.
    pub digest: Option<u64>,
}

/// A snapshot being encoded.
#[derive(Debug)]
pub(super) struct Capture {
    sessions: Section<u64>,
    acls: Section<i64>,
    nodes: Section<u32>,
    /// The list last asked for, and its number: neighbours mostly have the same.
    recent_acl: Option<(AclList, i64)>,
    /// Znodes on the way from one to the root, kept for its memory.
    ancestors: Vec<NodeId>,
}

/// One kind of records: those at `next..bound` that were not encoded ahead are to come.
#[derive(Debug)]
struct Section<T> {
    next: T,
    bound: T,
    /// Records that are not encoded.
    left: usize,
    waiting: Waiting,
}

/// Encoded bytes that wait for those before them in the file.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Vec<u8>>,
    length: usize,
}

/// How much one chunk may still take.
#[derive(Debug)]
struct Budget {
    /// The output's length at which it is full.
    end: usize,
    looks: usize,
}

impl Tree {
    /// Begins a snapshot of the tree as it is now; one that is being encoded is given up.
    pub fn begin_snapshot(&mut self) -> SnapshotMark {
        self.nodes.begin_snapshot();
        self.capture = Some(Box::new(Capture {
            sessions: Section::counted(0, self.sessions.next_place(), self.sessions.len()),
            acls: Section::counted(0, self.acls.next_index(), self.acls.listed()),
            nodes: Section {
                next: 0,
                bound: self.nodes.slot_bound(),
                left: self.nodes.len(),
                waiting: Waiting::default(),
            },
            recent_acl: None,
            ancestors: Vec::new(),
        }));
        SnapshotMark { zxid: self.last_zxid, digest: self.digest() }
    }

    /// Appends the next part of the snapshot to `out`: about `length` bytes, exceeded by one record
    /// at most, or by what a znode's ancestors come to. It may be none. Returns whether there is
    /// more; if not, the snapshot has ended.
    ///
    /// All parts together are a snapshot's sessions, ACLs and znodes, without the mark at their end.
    pub fn snapshot_chunk(&mut self, length: usize, out: &mut Vec<u8>) -> bool {
        let Some(capture) = &mut self.capture else { return false };
        let mut budget = Budget { end: out.len() + length, looks: LOOKED_AT_PER_CHUNK };
        let has_ended = capture.write_sessions(&self.sessions, &mut budget, out)
            && capture.write_acls(&self.acls, &mut budget, out)
            && capture.write_nodes(&mut self.nodes, &self.acls, &mut budget, out);
        if has_ended {
            self.end_snapshot();
        }
        !has_ended
    }

    /// Gives the snapshot up.
    pub fn end_snapshot(&mut self) {
        self.capture = None;
    }

    /// Bytes that were encoded ahead and wait for their place in the snapshot.
    #[must_use]
    pub fn snapshot_waiting(&self) -> usize {
        self.capture.as_ref().map_or(0, |capture| {
            [&capture.sessions.waiting, &capture.acls.waiting, &capture.nodes.waiting]
                .map(|waiting| waiting.length)
                .iter()
                .sum()
        })
    }

    /// A znode is about to change or to go.
    pub(super) fn preserve(&mut self, id: NodeId) {
        if let Some(capture) = &mut self.capture {
            capture.preserve_node(&mut self.nodes, &self.acls, id);
        }
    }

    /// A session is about to change or to go.
    pub(super) fn preserve_session(&mut self, session: SessionId) {
        if let Some(capture) = &mut self.capture
            && let Some((place, timeout_ms)) = self.sessions.place(session)
            && capture.sessions.take(place)
        {
            capture.sessions.waiting.push(|out| encode_session(session, timeout_ms, out));
        }
    }

    /// A znode has the list no more.
    pub(super) fn release_acl(&mut self, list: &AclList) {
        if let Some(index) = self.acls.release(list)
            && let Some(capture) = &mut self.capture
        {
            capture.preserve_acl(index, list);
        }
    }
}

impl Capture {
    fn write_sessions(
        &mut self,
        sessions: &Sessions,
        budget: &mut Budget,
        out: &mut Vec<u8>,
    ) -> bool {
        let section = &mut self.sessions;
        if !section.waiting.move_to(budget, out) {
            return false;
        }
        for (place, session, timeout_ms) in sessions.between(section.next, section.bound) {
            if !budget.allows(out) {
                return false;
            }
            encode_session(session, timeout_ms, out);
            section.next = place + 1;
            section.left -= 1;
        }
        section.next = section.bound;
        true
    }

    fn write_acls(&mut self, acls: &AclTable, budget: &mut Budget, out: &mut Vec<u8>) -> bool {
        let section = &mut self.acls;
        if !section.waiting.move_to(budget, out) {
            return false;
        }
        for (index, list) in acls.between(section.next, section.bound) {
            if !budget.allows(out) {
                return false;
            }
            encode_listed_acl(index, list, out);
            section.next = index + 1;
            section.left -= 1;
        }
        section.next = section.bound;
        true
    }

    fn write_nodes(
        &mut self,
        nodes: &mut Nodes,
        acls: &AclTable,
        budget: &mut Budget,
        out: &mut Vec<u8>,
    ) -> bool {
        if !self.nodes.waiting.move_to(budget, out) {
            return false;
        }
        while self.nodes.left > 0 {
            debug_assert!(self.nodes.next < self.nodes.bound, "what is left is in some slot");
            if !budget.allows(out) {
                return false;
            }
            let slot = self.nodes.next;
            self.nodes.next += 1;
            if let Some(id) = nodes.in_slot(slot) {
                self.capture_with_ancestors(nodes, acls, id, out);
            }
        }
        self.nodes.next = self.nodes.bound;
        true
    }

    fn preserve_node(&mut self, nodes: &mut Nodes, acls: &AclTable, id: NodeId) {
        if nodes.is_captured(id) {
            return;
        }
        let mut waiting = std::mem::take(&mut self.nodes.waiting);
        waiting.push(|out| self.capture_with_ancestors(nodes, acls, id, out));
        self.nodes.waiting = waiting;
    }

    fn preserve_acl(&mut self, index: i64, list: &AclList) {
        if self.acls.take(index) {
            self.acls.waiting.push(|out| encode_listed_acl(index, list, out));
        }
    }

    /// Encodes a znode, unless the snapshot has it, behind those above it that the snapshot has not.
    fn capture_with_ancestors(
        &mut self,
        nodes: &mut Nodes,
        acls: &AclTable,
        mut id: NodeId,
        out: &mut Vec<u8>,
    ) {
        let mut ancestors = std::mem::take(&mut self.ancestors);
        while !nodes.is_captured(id) {
            ancestors.push(id);
            if id == ROOT {
                break;
            }
            id = nodes.get(id).parent;
        }
        while let Some(id) = ancestors.pop() {
            let node = nodes.capture(id);
            let acl_index = self.acl_index(acls, &node.acl);
            let (path, data) = (node.stored_path(), node.data.as_deref());
            encode_node(path, data, acl_index, &node.stored_stat(), out);
            self.nodes.left -= 1;
        }
        self.ancestors = ancestors;
    }

    fn acl_index(&mut self, acls: &AclTable, list: &AclList) -> i64 {
        match &self.recent_acl {
            Some((recent, index)) if Arc::ptr_eq(recent, list) => *index,
            _ => {
                let index = acls.index(list);
                self.recent_acl = Some((Arc::clone(list), index));
                index
            }
        }
    }

    pub(super) fn check_invariants(&self, nodes: &Nodes, sessions: &Sessions, acls: &AclTable) {
        let left = sessions.between(self.sessions.next, self.sessions.bound).count();
        assert_eq!(left, self.sessions.left, "sessions that are not encoded");
        let left = acls.between(self.acls.next, self.acls.bound).count();
        assert_eq!(left, self.acls.left, "ACLs that are not encoded");
        let mut left = 0;
        for (id, node) in nodes.iter() {
            if !nodes.is_captured(id) {
                left += 1;
                assert!(id.is_in(&(self.nodes.next..self.nodes.bound)), "{} comes", node.path);
                assert!(acls.index(&node.acl) < self.acls.bound, "{} has a listed ACL", node.path);
            } else {
                assert!(nodes.is_captured(node.parent), "above {}", node.path);
            }
        }
        assert_eq!(left, self.nodes.left, "znodes that are not encoded");
        for waiting in [&self.sessions.waiting, &self.acls.waiting, &self.nodes.waiting] {
            assert_eq!(waiting.pieces.iter().map(Vec::len).sum::<usize>(), waiting.length);
        }
    }
}

impl<T: PartialOrd> Section<T> {
    /// A section that begins with the number of its records.
    fn counted(next: T, bound: T, left: usize) -> Self {
        let mut waiting = Waiting::default();
        waiting.push(|out| length(left).encode(out));
        Self { next, bound, left, waiting }
    }

    /// Whether the record at a place is still to come. It is taken out of turn, then.
    fn take(&mut self, place: T) -> bool {
        let is_to_come = place >= self.next && place < self.bound;
        self.left -= usize::from(is_to_come);
        is_to_come
    }
}

impl Waiting {
    fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.pieces.back().is_none_or(|piece| piece.len() >= PIECE_LENGTH) {
            self.pieces.push_back(Vec::new());
        }
        let Some(piece) = self.pieces.back_mut() else { return };
        let before = piece.len();
        encode(piece);
        self.length += piece.len() - before;
    }

    /// Moves what the budget allows. Returns whether that was all.
    fn move_to(&mut self, budget: &mut Budget, out: &mut Vec<u8>) -> bool {
        while budget.allows(out) {
            let Some(piece) = self.pieces.pop_front() else { return true };
            self.length -= piece.len();
            out.extend_from_slice(&piece);
        }
        self.pieces.is_empty()
    }
}

impl Budget {
    /// Whether one more may be looked at, which counts as looking.
    const fn allows(&mut self, out: &[u8]) -> bool {
        self.looks = self.looks.saturating_sub(1);
        self.looks > 0 && out.len() < self.end
    }
}
