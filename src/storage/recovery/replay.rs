//! The logs behind a snapshot, replayed, and what their ends are.
//!
//! ```text
//!  log.1 ── records ── end      log.20 ── records ── end      log.35 ── end
//!                       │                   ▲         └────────── judged ─┘
//!                       └ vouched for by ───┘
//! ```
//!
//! Where a log ends it may be torn, or damaged. That does not matter if the next log goes on with
//! the very next transaction: then its server had seen the same end. The first transaction of a
//! newer epoch follows whatever came before it, and so says nothing about that. Ends that no later
//! record vouches for are judged by [`TailCheck`] when all logs are read. An end that a snapshot
//! tells to have been further is no trace of a crash, whatever it looks like.

use std::{collections::VecDeque, mem};

use super::{
    RecoveryError, RecoveryEvent,
    digest_check::DigestCheck,
    files::{Files, Named},
    loading::Loading,
};
use crate::{
    ids::Zxid,
    storage::{
        continuity::follows,
        log_damage::{LogDamage, LogDamageKind},
        log_reader::{LogItem, LogReader, LogRecord},
        operation::{Dir, FileOp},
        record_search::RecordSearch,
        tail_check::{LogTail, TailCheck, TailState},
    },
    tree::Tree,
};

/// Logs that are being replayed.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) tree: Tree,
    /// The place of the snapshot below; none is a fresh tree.
    pub(super) snapshot: Option<usize>,
    pub(super) newest_ms: i64,
    record_length_max: usize,
    trust_empty_snapshot: bool,
    /// Everything up to here is in the tree.
    applied: Zxid,
    /// The newest record read, replayed or not.
    last_read: Option<Zxid>,
    step: Step,
    /// Ends that no later record has vouched for so far.
    stops: VecDeque<Stop>,
    /// Ends that none will: a newer epoch has begun behind them.
    unvouched: VecDeque<Stop>,
    pub(super) digests: DigestCheck,
    /// The newest transaction that left a trace in a znode of the snapshot.
    newest_trace: Zxid,
    pub(super) repairs: Vec<FileOp>,
    /// Logs that will be removed, by their place.
    pub(super) removed: Vec<usize>,
    /// Logs that were read.
    pub(super) logs_read: usize,
    pub(super) transactions: u64,
    pub(super) bytes: u64,
    pub(super) misfits: u64,
}

#[derive(Debug)]
enum Step {
    Log(LogStep),
    Tail(Box<TailStep>),
    End,
}

#[derive(Debug)]
struct LogStep {
    index: usize,
    reader: LogReader,
    has_records: bool,
}

#[derive(Debug)]
struct TailStep {
    stop: Stop,
    check: TailCheck,
    /// Set where a snapshot tells that there was more: then a crash is no explanation, and what is
    /// behind the end has to be known.
    search: Option<RecordSearch>,
}

/// Where the records of a log end.
#[derive(Clone, Copy, Debug)]
struct Stop {
    index: usize,
    offset: u64,
    kind: Option<LogDamageKind>,
    last: Option<Zxid>,
}

/// What is to be read.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) log: &'a Named,
    pub(super) offset: u64,
}

impl Replay {
    /// On top of a snapshot.
    pub(super) fn on_snapshot(
        loading: Loading,
        record_length_max: usize,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Self {
        let Loading { index, zxid, tree, newest_ms, digest, newest_trace, .. } = loading;
        let digests = DigestCheck::new(zxid, digest, tree.digest(), events);
        let mut replay = Self::on_nothing(tree, record_length_max, false);
        (replay.snapshot, replay.newest_ms) = (Some(index), newest_ms);
        (replay.applied, replay.digests) = (zxid, digests);
        replay.newest_trace = newest_trace;
        replay.begin_log(files.first_log_for(zxid.next()), files, events);
        replay
    }

    /// On top of a fresh tree.
    pub(super) fn without_snapshot(
        tree: Tree,
        record_length_max: usize,
        trust_empty_snapshot: bool,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Self {
        let mut replay = Self::on_nothing(tree, record_length_max, trust_empty_snapshot);
        replay.begin_log(0, files, events);
        replay
    }

    fn on_nothing(tree: Tree, record_length_max: usize, trust_empty_snapshot: bool) -> Self {
        Self {
            tree,
            snapshot: None,
            newest_ms: 0,
            record_length_max,
            trust_empty_snapshot,
            applied: Zxid::ZERO,
            last_read: None,
            step: Step::End,
            stops: VecDeque::new(),
            unvouched: VecDeque::new(),
            digests: DigestCheck::default(),
            newest_trace: Zxid::ZERO,
            repairs: Vec::new(),
            removed: Vec::new(),
            logs_read: 0,
            transactions: 0,
            bytes: 0,
            misfits: 0,
        }
    }

    /// Everything up to here is in the tree.
    pub(super) const fn applied(&self) -> Zxid {
        self.applied
    }

    /// The newest transaction of which the snapshot holds traces, if the logs do not have it.
    pub(super) fn missing(&self) -> Option<Zxid> {
        let newest = self.digests.awaited().max(Some(self.newest_trace));
        newest.filter(|newest| *newest > self.applied)
    }

    /// Whether there was no record at all.
    pub(super) const fn is_without_records(&self) -> bool {
        self.last_read.is_none()
    }

    /// What is to be read; `None` is the end.
    pub(super) fn part<'a>(&self, files: &'a Files) -> Option<Part<'a>> {
        let (index, offset) = match &self.step {
            Step::Log(log) => (log.index, 0),
            Step::Tail(tail) => (tail.stop.index, tail.stop.offset),
            Step::End => return None,
        };
        Some(Part { log: &files.logs[index], offset })
    }

    /// Bytes of the logs behind the one that is being read.
    pub(super) fn bytes_behind(&self, files: &Files) -> u64 {
        match &self.step {
            Step::Log(log) => files.logs[log.index + 1..].iter().map(|log| log.info.length).sum(),
            Step::Tail(_) | Step::End => 0,
        }
    }

    /// Takes the next bytes of what is to be read. Returns whether that part is done.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        is_end: bool,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Result<bool, RecoveryError> {
        match mem::replace(&mut self.step, Step::End) {
            Step::Log(mut log) => {
                log.reader.push(bytes);
                if is_end {
                    log.reader.finish();
                }
                match self.read(&mut log, files, events)? {
                    None => {
                        self.step = Step::Log(log);
                        Ok(false)
                    }
                    // A log without a record vouches for nothing, and may be removed: the next
                    // recovery begins with the one before.
                    Some(_) if self.last_read.is_none() && log.index > 0 && self.logs_read == 1 => {
                        self.logs_read = 0;
                        self.stops.clear();
                        self.begin_log(log.index - 1, files, events);
                        Ok(true)
                    }
                    Some(stop) => {
                        self.stops.push_back(stop);
                        self.begin_log(log.index + 1, files, events);
                        Ok(true)
                    }
                }
            }
            Step::Tail(mut tail) => {
                tail.push(bytes);
                if !is_end {
                    self.step = Step::Tail(tail);
                    return Ok(false);
                }
                let stop = tail.stop;
                self.judge(&stop, tail.finish(), files, events)?;
                self.begin_tail(files, events);
                Ok(true)
            }
            Step::End => Ok(true),
        }
    }

    fn begin_log(&mut self, index: usize, files: &Files, events: &mut VecDeque<RecoveryEvent>) {
        if index < files.logs.len() {
            let reader = LogReader::new(self.record_length_max);
            self.step = Step::Log(LogStep { index, reader, has_records: false });
            self.logs_read += 1;
        } else {
            self.begin_tail(files, events);
        }
    }

    fn begin_tail(&mut self, files: &Files, events: &mut VecDeque<RecoveryEvent>) {
        while let Some(stop) = self.unvouched.pop_front().or_else(|| self.stops.pop_front()) {
            // Nothing follows: there is nothing to judge.
            if stop.kind.is_none() && stop.offset >= files.logs[stop.index].info.length {
                self.remove_if_empty(&stop, files, events);
                continue;
            }
            self.step = Step::Tail(Box::new(TailStep::new(stop, self.record_length_max, files)));
            return;
        }
        self.step = Step::End;
        if !self.removed.is_empty() {
            self.repairs.push(FileOp::SyncDir { dir: Dir::Log });
        }
    }

    /// Replays what is there. Returns where the records end, if they do.
    fn read(
        &mut self,
        log: &mut LogStep,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Result<Option<Stop>, RecoveryError> {
        let index = log.index;
        let (offset, kind) = loop {
            match log.reader.next() {
                Ok(LogItem::NeedBytes) => return Ok(None),
                Ok(LogItem::Record(record)) => {
                    if !log.has_records {
                        self.check_first(index, &record, files, events)?;
                    }
                    log.has_records = true;
                    self.replay(&record, events);
                }
                Ok(LogItem::End { offset }) => break (offset, None),
                Err(damage) => break (damage.offset, Some(damage.kind)),
            }
        };
        Ok(Some(Stop { index, offset, kind, last: log.reader.last_zxid() }))
    }

    /// Whether the first record of a log is the one to come.
    fn check_first(
        &mut self,
        index: usize,
        record: &LogRecord<'_>,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Result<(), RecoveryError> {
        let Named { zxid: name, info } = &files.logs[index];
        let (file, offset, found) = (&info.file, record.offset, record.header.zxid);
        if found != *name {
            let file = file.clone();
            return Err(RecoveryError::Misnamed { file, offset, expected: *name, found });
        }
        if let Some(last) = self.last_read
            && found <= last
        {
            return Err(RecoveryError::Overlap { file: file.clone(), offset, last, found });
        }
        if self.snapshot.is_none() && self.last_read.is_none() {
            if found != Zxid::ZERO.next() && !self.trust_empty_snapshot {
                return Err(RecoveryError::NoSnapshot { file: file.clone(), first: found });
            }
            events.push_back(RecoveryEvent::WithoutSnapshot { first: found });
        } else if found > self.applied && !follows(self.applied, found) {
            let before = self.stops.iter().rev().find_map(|stop| {
                let damage = LogDamage { offset: stop.offset, kind: stop.kind? };
                Some((files.logs[stop.index].info.file.clone(), damage))
            });
            let (file, expected) = (file.clone(), self.applied.next());
            return Err(match before {
                Some((file, damage)) if damage.kind.is_foreign() => {
                    RecoveryError::ForeignLog { file, damage }
                }
                before => {
                    let before = before.map(Box::new);
                    RecoveryError::Gap { file, offset, expected, found, before }
                }
            });
        }
        if found > self.applied.next() {
            self.unvouched.append(&mut self.stops);
        }
        self.vouch(files, events)
    }

    /// The log goes on where the one before ended: whatever is behind that end was never missed.
    fn vouch(
        &mut self,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Result<(), RecoveryError> {
        for stop in mem::take(&mut self.stops) {
            match stop.kind {
                None | Some(LogDamageKind::HeaderCut { .. }) => {
                    self.remove_if_empty(&stop, files, events);
                }
                Some(kind) => {
                    let file = files.logs[stop.index].info.file.clone();
                    let damage = LogDamage { offset: stop.offset, kind };
                    if kind.is_foreign() {
                        return Err(RecoveryError::ForeignLog { file, damage });
                    }
                    events.push_back(RecoveryEvent::HarmlessDamage { file, damage });
                }
            }
        }
        Ok(())
    }

    fn replay(&mut self, record: &LogRecord<'_>, events: &mut VecDeque<RecoveryEvent>) {
        let zxid = record.header.zxid;
        self.last_read = Some(zxid);
        self.newest_ms = self.newest_ms.max(record.header.time_ms);
        if zxid <= self.applied {
            return;
        }
        let fits = self.tree.replay(&record.header, &record.txn);
        self.misfits += u64::from(!fits);
        self.applied = zxid;
        self.transactions += 1;
        self.bytes += record.length;
        self.digests.compare(zxid, record.digest, self.tree.digest(), events);
    }

    fn judge(
        &mut self,
        stop: &Stop,
        tail: LogTail,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) -> Result<(), RecoveryError> {
        let file = files.logs[stop.index].info.file.clone();
        let LogTail { offset, length, state } = tail;
        match state {
            TailState::Clean => self.remove_if_empty(stop, files, events),
            TailState::Torn { kind, records_behind } => {
                let damage = LogDamage { offset, kind };
                let torn =
                    RecoveryEvent::TornTail { file: file.clone(), damage, length, records_behind };
                events.push_back(torn);
                if stop.last.is_some() {
                    self.repairs.push(FileOp::Truncate { file: file.clone(), length: offset });
                    self.repairs.push(FileOp::Sync { file });
                } else {
                    self.remove_if_empty(stop, files, events);
                }
            }
            TailState::Corrupt { kind, fitting_length } => {
                let damage = LogDamage { offset, kind };
                return Err(RecoveryError::corrupt_tail(file, damage, fitting_length));
            }
            TailState::DamagedInside {
                kind,
                fitting_length,
                next_offset,
                next_zxid,
                records_behind,
            } => {
                return Err(RecoveryError::DamagedInside {
                    file,
                    damage: LogDamage { offset, kind },
                    fitting_length,
                    next_offset,
                    next: next_zxid,
                    records_behind,
                });
            }
        }
        Ok(())
    }

    /// A log without a record is the trace of a crash right after it was made.
    fn remove_if_empty(
        &mut self,
        stop: &Stop,
        files: &Files,
        events: &mut VecDeque<RecoveryEvent>,
    ) {
        if stop.last.is_some() {
            return;
        }
        let file = files.logs[stop.index].info.file.clone();
        events.push_back(RecoveryEvent::EmptyLog { file: file.clone() });
        self.repairs.push(FileOp::Remove { file });
        self.removed.push(stop.index);
    }
}

impl TailStep {
    fn new(stop: Stop, record_length_max: usize, files: &Files) -> Self {
        let Stop { index, offset, kind, last } = stop;
        let check = TailCheck::new(record_length_max, offset, kind, last);
        // A server gives a snapshot its name when the log is synced up to there.
        let next = last.map_or(files.logs[index].zxid, Zxid::next);
        let was_synced = files.snapshots.first().is_some_and(|newest| newest.zxid >= next);
        let search = was_synced.then(|| RecordSearch::new(record_length_max, offset, last));
        Self { stop, check, search }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.check.push(bytes);
        if let Some(search) = &mut self.search {
            search.push(bytes);
        }
    }

    fn finish(self) -> LogTail {
        let mut tail = self.check.finish();
        if let (TailState::Torn { kind, .. }, Some(mut search)) = (tail.state, self.search) {
            search.finish();
            let fitting_length = None;
            tail.state = match search.first() {
                None => TailState::Corrupt { kind, fitting_length },
                Some((next_offset, next_zxid)) => TailState::DamagedInside {
                    kind,
                    fitting_length,
                    next_offset,
                    next_zxid,
                    records_behind: search.count(),
                },
            };
        }
        tail
    }
}
