//! The writer of snapshots: the order of operations that lets one be trusted.
//!
//! ```text
//!  leftovers go ▸ create temporary ▸ append … append ▸ sync ▸ (the log is durable up to it)
//!      ▸ rename, sync directory ▸ old snapshots go, sync directory ▸ old logs go
//! ```
//!
//! A lane goes on behind a failure, so whatever takes something away is asked for only when all
//! that it counts on was acknowledged.
//!
//! Nobody waits for a snapshot, so one chunk at a time is on its way, and a failure ends no more
//! than the snapshot in hand: its temporary goes, older snapshots stay. A temporary that could not
//! be removed is tried again before the next one is made.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileSnap`, which writes to the final name.

use std::{collections::VecDeque, io, mem};

use super::{
    KnownSnapshot, Purge, SnapshotEncoder, StorageError,
    operation::{Dir, File, FileOp},
};
use crate::{
    ids::{Ticket, Zxid},
    tree::SnapshotMark,
};

/// Turns one snapshot after the other into operations of the snapshot lane.
#[derive(Debug)]
pub(crate) struct SnapshotWriter {
    /// The snapshots there are, oldest first.
    snapshots: Vec<KnownSnapshot>,
    /// Temporaries to remove before another one is made.
    leftovers: Vec<File>,
    /// Whether a snapshot ends with its transaction.
    writes_last_zxid: bool,
    state: State,
    /// What is said about older tickets belongs to something given up.
    valid_from: Ticket,
    next_ticket: Ticket,
    operations: VecDeque<(Ticket, FileOp)>,
}

#[derive(Debug)]
enum State {
    Idle,
    /// Leftovers are being removed; then a snapshot may begin.
    Clearing {
        until: Ticket,
        next: Option<SnapshotMark>,
    },
    /// `until` acknowledges the chunk on its way; without one the next is wanted.
    Writing {
        open: Box<Open>,
        until: Option<Ticket>,
    },
    /// Everything is written, and being made durable.
    Syncing {
        written: Written,
        until: Ticket,
    },
    /// The log has yet to become durable as far as the snapshot goes.
    Waiting {
        written: Written,
    },
    /// It gets its name.
    Naming {
        written: Written,
        until: Ticket,
    },
    /// Old files are being removed: the snapshots first, with `logs` the logs behind them.
    Purging {
        purge: Purge,
        logs: bool,
        until: Ticket,
    },
}

/// A snapshot being written.
#[derive(Debug)]
struct Open {
    mark: SnapshotMark,
    temporary: File,
    encoder: SnapshotEncoder,
}

/// A snapshot that is written as a whole.
#[derive(Clone, Debug)]
struct Written {
    zxid: Zxid,
    temporary: File,
    length: u64,
}

/// What was achieved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// A snapshot is there for good.
    Stored { zxid: Zxid, length: u64 },
    /// Old files are gone.
    Purged(Purge),
}

/// What failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setback {
    /// A snapshot: it was given up.
    Snapshot(Zxid),
    /// The removal of old files; they are tried again another time.
    Removal,
}

impl SnapshotWriter {
    /// A writer beside the snapshots there are. What an earlier start left unfinished goes at once.
    pub(crate) fn new(
        snapshots: Vec<KnownSnapshot>,
        leftovers: Vec<File>,
        writes_last_zxid: bool,
    ) -> Self {
        let mut writer = Self {
            snapshots,
            leftovers,
            writes_last_zxid,
            state: State::Idle,
            valid_from: Ticket(1),
            next_ticket: Ticket(1),
            operations: VecDeque::new(),
        };
        writer.clear(None);
        writer
    }

    /// Begins a snapshot; only when [`SnapshotWriter::can_begin`].
    pub(crate) fn begin(&mut self, mark: SnapshotMark) {
        debug_assert!(self.can_begin(), "one at a time");
        if let State::Clearing { next, .. } = &mut self.state {
            *next = Some(mark);
        } else {
            self.clear(Some(mark));
        }
    }

    /// Writes the next chunk; only when [`SnapshotWriter::wants_chunk`]. `fill` appends records and
    /// says whether there are more.
    pub(crate) fn write_chunk(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> bool) {
        let State::Writing { open, until: until @ None } = &mut self.state else { return };
        let more = fill(open.encoder.records());
        if !more {
            open.encoder.end_nodes();
            open.encoder.digest(open.mark.zxid, open.mark.digest);
            if self.writes_last_zxid {
                open.encoder.last_zxid(open.mark.zxid);
            }
        }
        if open.encoder.waiting() == 0 {
            return;
        }
        let file = open.temporary.clone();
        let bytes = open.encoder.take().into();
        let append = FileOp::Append { file: file.clone(), bytes };
        let appended = queue(&mut self.next_ticket, &mut self.operations, append);
        if more {
            *until = Some(appended);
            return;
        }
        let (zxid, length) = (open.mark.zxid, open.encoder.length());
        let written = Written { zxid, temporary: file.clone(), length };
        let until = self.queue(FileOp::Sync { file });
        self.state = State::Syncing { written, until };
    }

    /// The log is durable up to `durable`.
    pub(crate) fn log_is_durable(&mut self, durable: Zxid) {
        let State::Waiting { written } = &self.state else { return };
        if durable < written.zxid {
            return;
        }
        let written = written.clone();
        let name = name(written.zxid);
        self.queue(FileOp::Rename { from: written.temporary.clone(), to: name.name });
        let until = self.queue(FileOp::SyncDir { dir: Dir::Snapshot });
        self.state = State::Naming { written, until };
    }

    /// Removes old files, if there is nothing else to do. Snapshots are gone for good before the
    /// logs behind them go.
    pub(crate) fn purge(&mut self, purge: Purge) {
        if !matches!(self.state, State::Idle) || purge.is_empty() {
            return;
        }
        if purge.snapshots.is_empty() {
            self.remove_logs(purge);
        } else {
            let until = self.remove(purge.snapshots.clone(), Dir::Snapshot);
            self.state = State::Purging { purge, logs: false, until };
        }
    }

    /// Gives up a snapshot of which parts are missing still.
    pub(crate) fn abandon(&mut self) {
        match &mut self.state {
            State::Clearing { next, .. } => *next = None,
            State::Writing { .. } => self.give_up(),
            _ => {}
        }
    }

    /// Every operation up to `ticket` is done.
    pub(crate) fn stored(&mut self, ticket: Ticket) -> Option<Progress> {
        match &mut self.state {
            State::Clearing { until, next } if *until <= ticket => {
                let next = *next;
                self.leftovers.clear();
                self.state = State::Idle;
                if let Some(mark) = next {
                    self.open(mark);
                }
            }
            State::Writing { until, .. } if until.is_some_and(|until| until <= ticket) => {
                *until = None;
            }
            State::Syncing { written, until } if *until <= ticket => {
                self.state = State::Waiting { written: written.clone() };
            }
            State::Naming { written, until } if *until <= ticket => {
                let Written { zxid, length, .. } = *written;
                self.state = State::Idle;
                // Whoever finds two snapshots of one transaction takes either.
                let snapshots = self.superseded(zxid);
                self.know(zxid, true);
                self.purge(Purge { snapshots, logs: Vec::new() });
                return Some(Progress::Stored { zxid, length });
            }
            State::Purging { purge, logs, until } if *until <= ticket => {
                let (purge, logs) = (mem::take(purge), *logs);
                self.state = State::Idle;
                self.snapshots.retain(|snapshot| !purge.snapshots.contains(&snapshot.file));
                if logs || purge.logs.is_empty() {
                    return Some(Progress::Purged(purge));
                }
                self.remove_logs(purge);
            }
            _ => {}
        }
        None
    }

    /// An operation failed. `None` when that changes nothing.
    pub(crate) fn failed(&mut self, ticket: Ticket, error: &StorageError) -> Option<Setback> {
        if ticket < self.valid_from {
            return None;
        }
        match &self.state {
            // Somebody else has removed it.
            State::Clearing { until, .. } | State::Purging { until, .. }
                if ticket < *until && error.kind == io::ErrorKind::NotFound =>
            {
                None
            }
            State::Clearing { next, .. } => {
                let setback = next.map_or(Setback::Removal, |mark| Setback::Snapshot(mark.zxid));
                self.forget_operations();
                Some(setback)
            }
            State::Purging { .. } => {
                self.forget_operations();
                Some(Setback::Removal)
            }
            State::Naming { written, .. } => {
                // It may have its name, and may lose it again.
                let zxid = written.zxid;
                self.know(zxid, false);
                self.give_up();
                Some(Setback::Snapshot(zxid))
            }
            State::Writing { open, .. } => {
                let zxid = open.mark.zxid;
                self.give_up();
                Some(Setback::Snapshot(zxid))
            }
            State::Syncing { written, .. } | State::Waiting { written } => {
                let zxid = written.zxid;
                self.give_up();
                Some(Setback::Snapshot(zxid))
            }
            State::Idle => None,
        }
    }

    /// The next operation for the snapshot lane.
    pub(crate) fn poll(&mut self) -> Option<(Ticket, FileOp)> {
        self.operations.pop_front()
    }

    /// Whether a snapshot may begin.
    pub(crate) const fn can_begin(&self) -> bool {
        matches!(self.state, State::Idle | State::Clearing { next: None, .. })
    }

    /// Whether [`SnapshotWriter::purge`] does something.
    pub(crate) const fn can_purge(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether a snapshot has begun and not ended.
    pub(crate) const fn has_begun(&self) -> bool {
        !self.can_begin() && !matches!(self.state, State::Purging { .. })
    }

    /// Whether it is time for the next chunk.
    pub(crate) const fn wants_chunk(&self) -> bool {
        matches!(self.state, State::Writing { until: None, .. })
    }

    /// The snapshots there are, oldest first.
    pub(crate) fn snapshots(&self) -> &[KnownSnapshot] {
        &self.snapshots
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.snapshots.is_sorted_by_key(|snapshot| snapshot.zxid), "oldest first");
        if !matches!(self.state, State::Idle | State::Clearing { .. } | State::Purging { .. }) {
            assert!(self.leftovers.is_empty(), "one temporary at a time");
        }
        let tickets = self.operations.iter().map(|&(ticket, _)| ticket);
        assert!(tickets.is_sorted(), "operations wait in their order");
    }

    /// Removes leftovers; then `next` begins.
    fn clear(&mut self, next: Option<SnapshotMark>) {
        if self.leftovers.is_empty() {
            if let Some(mark) = next {
                self.open(mark);
            }
            return;
        }
        let until = self.remove(self.leftovers.clone(), Dir::Snapshot);
        self.state = State::Clearing { until, next };
    }

    fn open(&mut self, mark: SnapshotMark) {
        let name = format!("tmp.snapshot.{:x}", mark.zxid.0).into();
        let temporary = File { dir: Dir::Snapshot, name };
        self.queue(FileOp::Create { file: temporary.clone(), reserve: 0 });
        let open = Box::new(Open { mark, temporary, encoder: SnapshotEncoder::new() });
        self.state = State::Writing { open, until: None };
    }

    /// Ends the snapshot in hand without a result; its temporary goes.
    fn give_up(&mut self) {
        let temporary = match &self.state {
            State::Writing { open, .. } => open.temporary.clone(),
            State::Syncing { written, .. }
            | State::Waiting { written }
            | State::Naming { written, .. } => written.temporary.clone(),
            State::Idle | State::Clearing { .. } | State::Purging { .. } => return,
        };
        self.leftovers.push(temporary);
        self.forget_operations();
        self.clear(None);
    }

    /// What is not on its way never is; what is on its way is nobody's business any more.
    fn forget_operations(&mut self) {
        self.operations.clear();
        self.valid_from = self.next_ticket;
        self.state = State::Idle;
    }

    /// There is a snapshot of this transaction now, and no other of the same.
    fn know(&mut self, zxid: Zxid, is_valid: bool) {
        let file = name(zxid);
        if is_valid {
            self.snapshots.retain(|snapshot| snapshot.zxid != zxid);
        } else if self.snapshots.iter().any(|snapshot| snapshot.file == file) {
            return;
        }
        let place = self.snapshots.partition_point(|snapshot| snapshot.zxid <= zxid);
        self.snapshots.insert(place, KnownSnapshot { zxid, file, is_valid });
    }

    /// Snapshots of the same transaction under other names: compressed ones.
    fn superseded(&self, zxid: Zxid) -> Vec<File> {
        let name = name(zxid);
        let same = self.snapshots.iter().filter(|snapshot| snapshot.zxid == zxid);
        same.map(|snapshot| snapshot.file.clone()).filter(|file| *file != name).collect()
    }

    fn remove_logs(&mut self, purge: Purge) {
        let until = self.remove(purge.logs.clone(), Dir::Log);
        self.state = State::Purging { purge, logs: true, until };
    }

    /// Removes files of one directory for good.
    fn remove(&mut self, files: Vec<File>, dir: Dir) -> Ticket {
        for file in files {
            self.queue(FileOp::Remove { file });
        }
        self.queue(FileOp::SyncDir { dir })
    }

    fn queue(&mut self, operation: FileOp) -> Ticket {
        queue(&mut self.next_ticket, &mut self.operations, operation)
    }
}

/// Queues an operation under the next ticket, beside a borrow of the rest of the writer.
fn queue(
    next_ticket: &mut Ticket,
    operations: &mut VecDeque<(Ticket, FileOp)>,
    operation: FileOp,
) -> Ticket {
    let ticket = *next_ticket;
    *next_ticket = Ticket(ticket.0 + 1);
    operations.push_back((ticket, operation));
    ticket
}

/// A snapshot's name for good.
fn name(zxid: Zxid) -> File {
    File { dir: Dir::Snapshot, name: format!("snapshot.{:x}", zxid.0).into() }
}

#[cfg(test)]
mod tests;
