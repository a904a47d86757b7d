//! The write-ahead gate: what is applied, what is durable, and the groups on their way.
//!
//! Everything a client is told carries a `hold` zxid and leaves once `durable` has reached it. In
//! memory that is at once. Otherwise the transactions applied between two drains form one commit
//! group, sealed when the driver asks what to do:
//!
//! ```text
//!   durable ≤ … groups in flight … ≤ sealed ≤ … open group … ≤ applied
//! ```
//!
//! While the limit of groups in flight is reached the open group grows instead: group size follows
//! load. And while a snapshot that the log counts on is not there, nothing is sealed.
//!
//! Behaviour: `org.apache.zookeeper.server.SyncRequestProcessor`.

use std::{collections::VecDeque, mem};

use super::config::Durability;
use crate::{
    ids::{Ticket, Zxid},
    storage::{File, FileOp, KnownFiles, LogWriter, encode_record},
    wire::{Txn, TxnHeader},
};

/// Bytes of an open group at which nothing more is served: storage hangs. No deadline runs then.
const OPEN_LENGTH_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Gate {
    applied: Zxid,
    durable: Zxid,
    log: Option<Groups>,
}

#[derive(Debug)]
struct Groups {
    writer: LogWriter,
    /// Records of the open group, encoded; its first zxid, while there is one.
    open: Vec<u8>,
    open_first: Option<Zxid>,
    /// Sealed groups: the ticket that stores each, and its last zxid.
    in_flight: VecDeque<(Ticket, Zxid)>,
    in_flight_max: usize,
    /// Whether the snapshot is missing that the log begins behind.
    is_shut: bool,
    /// What is done to the files before anything new is written: until then nothing that was
    /// recovered from them is durable.
    preparations: Option<(Ticket, Zxid)>,
}

impl Gate {
    /// A gate behind which everything up to `recovered` is durable, once what `files` need is done.
    pub(super) fn new(durability: &Durability, recovered: Zxid, files: &mut KnownFiles) -> Self {
        let Durability::Logged(config) = durability else {
            return Self { applied: recovered, durable: recovered, log: None };
        };
        let preparations = files.preparations(config.sync);
        let (writer, prepared) = LogWriter::new(config, mem::take(&mut files.logs), preparations);
        let groups = Groups {
            writer,
            open: Vec::new(),
            open_first: None,
            in_flight: VecDeque::new(),
            in_flight_max: config.groups_in_flight_max.max(1),
            is_shut: !files.is_reproducible,
            preparations: prepared.map(|ticket| (ticket, recovered)),
        };
        let durable = if prepared.is_some() { Zxid::ZERO } else { recovered };
        Self { applied: recovered, durable, log: Some(groups) }
    }

    /// Takes note of an applied transaction. `digest` is the tree's after it.
    pub(super) fn record(&mut self, header: &TxnHeader, txn: &Txn<'_>, digest: Option<u64>) {
        debug_assert_eq!(header.zxid, self.applied.next(), "zxids have no gaps");
        self.applied = header.zxid;
        match &mut self.log {
            None => self.durable = header.zxid,
            Some(groups) => {
                groups.open_first.get_or_insert(header.zxid);
                encode_record(&mut groups.open, header, txn, digest);
            }
        }
    }

    /// Everything up to `ticket` is stored. Returns whether `durable` moved.
    pub(super) fn stored(&mut self, ticket: Ticket) -> bool {
        let Some(groups) = &mut self.log else { return false };
        let before = self.durable;
        if let Some((_, recovered)) = groups.preparations.take_if(|(last, _)| *last <= ticket) {
            self.durable = recovered;
        }
        while let Some(&(last_ticket, last_zxid)) = groups.in_flight.front() {
            if last_ticket > ticket {
                break;
            }
            groups.in_flight.pop_front();
            self.durable = last_zxid;
        }
        self.durable > before
    }

    /// The next operation for the log lane; seals the open group when it may go.
    pub(super) fn poll(&mut self) -> Option<(Ticket, FileOp)> {
        let groups = self.log.as_mut()?;
        if let Some(first) = groups.open_first
            && !groups.is_shut
            && groups.in_flight.len() < groups.in_flight_max
        {
            groups.open_first = None;
            let ticket = groups.writer.write(first, mem::take(&mut groups.open));
            groups.in_flight.push_back((ticket, self.applied));
        }
        groups.writer.poll()
    }

    /// The snapshot that the log begins behind is there.
    pub(super) fn open(&mut self) {
        if let Some(groups) = &mut self.log {
            groups.is_shut = false;
        }
    }

    /// Whether a snapshot is missing.
    pub(super) fn is_shut(&self) -> bool {
        self.log.as_ref().is_some_and(|groups| groups.is_shut)
    }

    /// The next group begins another file.
    pub(super) fn roll_log(&mut self) {
        if let Some(groups) = &mut self.log {
            groups.writer.roll();
        }
    }

    /// Whether transactions wait for being sealed.
    pub(super) fn has_open_group(&self) -> bool {
        self.log.as_ref().is_some_and(|groups| groups.open_first.is_some())
    }

    /// Whether everything applied is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.durable == self.applied
    }

    /// The files of the log, oldest first, each with its first transaction.
    pub(super) fn logs(&self) -> &[(Zxid, File)] {
        self.log.as_ref().map_or(&[], |groups| groups.writer.files())
    }

    /// These files are gone.
    pub(super) fn forget_logs(&mut self, removed: &[File]) {
        if let Some(groups) = &mut self.log {
            groups.writer.forget(removed);
        }
    }

    /// Files of the log that got as long as they may, since the start.
    pub(super) fn log_files_filled(&self) -> u64 {
        self.log.as_ref().map_or(0, |groups| groups.writer.files_filled())
    }

    /// Bytes of records written to the log since the start.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log.as_ref().map_or(0, |groups| groups.writer.bytes())
    }

    /// Whether no more may be applied until storage has caught up.
    pub(super) fn is_full(&self) -> bool {
        self.log.as_ref().is_some_and(|groups| groups.open.len() >= OPEN_LENGTH_MAX)
    }

    /// The newest transaction in memory.
    pub(super) const fn applied(&self) -> Zxid {
        self.applied
    }

    /// The newest transaction on stable storage.
    pub(super) const fn durable(&self) -> Zxid {
        self.durable
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.durable <= self.applied);
        let Some(groups) = &self.log else {
            assert_eq!(self.durable, self.applied, "in memory, applied is durable");
            return;
        };
        groups.writer.check_invariants();
        assert!(groups.in_flight.len() <= groups.in_flight_max);
        assert!(!groups.is_shut || groups.in_flight.is_empty(), "nothing passes a shut gate");
        assert_eq!(groups.open_first.is_some(), !groups.open.is_empty());
        let zxids = groups.in_flight.iter().map(|&(_, zxid)| zxid);
        assert!(zxids.is_sorted(), "groups are sealed in order");
        let is_prepared = groups.preparations.is_none();
        assert!(is_prepared || self.durable == Zxid::ZERO);
        if groups.open.is_empty() && groups.in_flight.is_empty() && is_prepared {
            assert_eq!(self.durable, self.applied, "nothing is on its way");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        SessionId,
        storage::{self, Dir},
        wire::{Blob, ErrorCode},
    };

    fn gate(durability: &Durability, recovered: Zxid) -> Gate {
        let mut files = KnownFiles { is_reproducible: true, ..KnownFiles::default() };
        Gate::new(durability, recovered, &mut files)
    }

    fn record(gate: &mut Gate, zxid: i64) {
        let header = TxnHeader { session: SessionId(1), cxid: 1, zxid: Zxid(zxid), time_ms: 0 };
        gate.record(&header, &Txn::Error(ErrorCode::NO_NODE), None);
        gate.check_invariants();
    }

    fn logged(groups_in_flight_max: usize) -> Durability {
        let mut config = storage::Config::default();
        (config.groups_in_flight_max, config.reserve) = (groups_in_flight_max, 0);
        Durability::Logged(config)
    }

    fn drain(gate: &mut Gate) -> Vec<Ticket> {
        let tickets = std::iter::from_fn(|| gate.poll()).map(|(ticket, _)| ticket).collect();
        gate.check_invariants();
        tickets
    }

    #[test]
    fn in_memory_applied_is_durable() {
        let mut gate = gate(&Durability::InMemory, Zxid(7));
        record(&mut gate, 8);
        assert_eq!(gate.durable(), Zxid(8));
        assert_eq!(gate.poll(), None);
    }

    #[test]
    fn groups_grow_while_the_limit_is_reached() {
        let durability = logged(2);
        let mut gate = gate(&durability, Zxid::ZERO);
        record(&mut gate, 1);
        let first = *drain(&mut gate).last().unwrap();
        record(&mut gate, 2);
        let second = *drain(&mut gate).last().unwrap();
        record(&mut gate, 3);
        record(&mut gate, 4);
        assert_eq!(drain(&mut gate), [], "two groups are on their way");
        assert!(gate.stored(first));
        assert_eq!((gate.durable(), gate.applied()), (Zxid(1), Zxid(4)));
        let third = *drain(&mut gate).last().unwrap();
        assert!(!gate.stored(first), "an old acknowledgement says nothing new");
        assert!(gate.stored(third), "a late one acknowledges all before it");
        assert!(second < third);
        assert_eq!(gate.durable(), Zxid(4));
        gate.check_invariants();
    }

    #[test]
    fn a_store_that_hangs_fills_the_gate_and_one_that_goes_on_empties_it() {
        let durability = logged(1);
        let mut gate = gate(&durability, Zxid::ZERO);
        record(&mut gate, 1);
        let first = *drain(&mut gate).last().unwrap();
        let data = vec![0; 1 << 20];
        let txn = Txn::SetData { path: "/a".into(), data: Some(Blob::Slice(&data)), version: 1 };
        for zxid in 2.. {
            if gate.is_full() {
                break;
            }
            assert!(zxid < 100, "the gate has an end");
            let header = TxnHeader { session: SessionId(1), cxid: 1, zxid: Zxid(zxid), time_ms: 0 };
            gate.record(&header, &txn, None);
        }
        assert_eq!(drain(&mut gate), []);
        assert!(gate.stored(first) && gate.is_full());
        assert!(!drain(&mut gate).is_empty() && !gate.is_full());
    }

    #[test]
    fn nothing_is_sealed_before_the_snapshot_that_the_log_counts_on_is_there() {
        let mut gate = Gate::new(&logged(2), Zxid(7), &mut KnownFiles::default());
        record(&mut gate, 8);
        assert_eq!(drain(&mut gate), []);
        assert!(gate.is_shut() && gate.has_open_group() && !gate.is_settled());
        gate.open();
        let first = *drain(&mut gate).last().unwrap();
        assert!(gate.stored(first) && gate.is_settled());
    }

    #[test]
    fn what_was_recovered_is_durable_once_its_files_are() {
        let newest = File { dir: Dir::Log, name: "log.1".into() };
        let (logs, sources) = (vec![(Zxid(1), newest.clone())], vec![newest]);
        let mut files =
            KnownFiles { logs, sources, is_reproducible: true, ..KnownFiles::default() };
        let mut gate = Gate::new(&logged(2), Zxid(7), &mut files);
        gate.check_invariants();
        assert_eq!((gate.durable(), gate.applied()), (Zxid::ZERO, Zxid(7)));
        record(&mut gate, 8);
        let tickets = drain(&mut gate);
        assert!(!gate.stored(tickets[1]), "two of three syncs");
        assert!(gate.stored(tickets[2]) && gate.durable() == Zxid(7));
        assert!(gate.stored(*tickets.last().unwrap()) && gate.is_settled());
    }

    #[test]
    fn without_sync_a_group_is_durable_once_it_is_appended() {
        let mut config = storage::Config::default();
        config.sync = false;
        let mut gate = gate(&Durability::Logged(config), Zxid::ZERO);
        record(&mut gate, 1);
        let tickets = drain(&mut gate);
        assert_eq!(tickets.len(), 2, "create and append");
        assert!(gate.stored(tickets[1]));
        assert_eq!(gate.durable(), Zxid(1));
    }

    #[test]
    fn a_ticket_inside_a_group_releases_nothing() {
        let durability = logged(2);
        let mut gate = gate(&durability, Zxid::ZERO);
        record(&mut gate, 1);
        let tickets = drain(&mut gate);
        for ticket in &tickets[..tickets.len() - 1] {
            assert!(!gate.stored(*ticket));
        }
        assert!(gate.stored(tickets[tickets.len() - 1]));
    }
}
