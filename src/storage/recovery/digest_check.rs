//! Whether the tree is what the server had that wrote the files.
//!
//! Behaviour: `compareSnapshotDigests` and `compareDigest` of
//! `org.apache.zookeeper.server.DataTree`.

use std::collections::VecDeque;

use super::RecoveryEvent;
use crate::ids::Zxid;

/// Compares the tree's digest with those in the files.
#[derive(Debug, Default)]
pub(super) struct DigestCheck {
    /// The digest of a snapshot that was taken while transactions went on: the tree has it, and
    /// any other digest, once they are replayed.
    awaited: Option<(Zxid, Option<u64>)>,
    mismatches: u64,
}

impl DigestCheck {
    /// Takes what a snapshot of everything up to `zxid` says, and compares if it can.
    pub(super) fn new(
        zxid: Zxid,
        stored: Option<(Zxid, Option<u64>)>,
        tree: Option<u64>,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Self {
        // A digest of an earlier transaction was not brought up to date, and says nothing.
        let awaited = stored.filter(|(at, _)| *at >= zxid && *at > Zxid::ZERO);
        let mut check = Self { awaited, mismatches: 0 };
        if awaited.is_some_and(|(at, _)| at == zxid) {
            check.compare(zxid, None, tree, events);
        }
        check
    }

    /// A transaction was replayed; its record may have a digest.
    pub(super) fn compare(
        &mut self,
        zxid: Zxid,
        logged: Option<u64>,
        tree: Option<u64>,
        events: &mut VecDeque<RecoveryEvent>,
    ) {
        let expected = match self.awaited {
            Some((at, _)) if zxid < at => return,
            Some((at, stored)) if zxid == at => stored.or(logged),
            _ => logged,
        };
        self.awaited = None;
        let (Some(expected), Some(found)) = (expected, tree) else { return };
        if expected == found {
            return;
        }
        self.mismatches += 1;
        if self.mismatches == 1 {
            events.push_back(RecoveryEvent::DigestMismatch { zxid, expected, found });
        }
    }

    /// The transaction that the snapshot's digest is about, if the replay did not get there.
    pub(super) fn awaited(&self) -> Option<Zxid> {
        self.awaited.map(|(zxid, _)| zxid)
    }

    pub(super) const fn mismatches(&self) -> u64 {
        self.mismatches
    }
}
