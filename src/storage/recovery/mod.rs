//! From the files of a store to the tree they tell: a state machine.
//!
//! It is told which files there are, asks for bytes of them, and ends with the tree, its sessions
//! and where the store goes on, or with what is wrong, to the byte.
//!
//! 1. The newest snapshot that reads as a whole, each candidate into a tree of its own.
//! 2. The logs behind it, without a gap.
//! 3. What follows the last record: zeros, a torn tail that is cut, or damage.
//!
//! What a crash can leave is repaired, and told; anything else is refused. Nothing is skipped in
//! the middle, and nothing is written: what is to be done to the files is in the outcome.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnSnapLog.restore`.

mod digest_check;
mod error;
mod event;
mod files;
mod loading;
mod replay;

use std::{collections::VecDeque, mem};

pub use self::{
    error::{RecoveryError, SnapshotProblem},
    event::RecoveryEvent,
    files::{log_zxid, snapshot_zxid},
};
use self::{
    files::{Files, Named},
    loading::Loading,
    replay::Replay,
};
use super::{
    KnownFiles, KnownSnapshot, Recovered, StorageError, compression::Compression,
    log_reader::RECORD_LENGTH_MAX, operation::File, recovered::RecoverySummary,
};
use crate::{
    rng::Rng,
    tree::{self, Tree},
};

/// How much is read at a time, in bytes.
const CHUNK: u64 = 1 << 20;

/// The same of a compressed file, of which more comes out.
const COMPRESSED_CHUNK: u64 = 64 << 10;

/// A file of the store and its length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// The file. Where logs and snapshots share a directory, logs are said to be in that of logs.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
}

/// Settings of a [`Recovery`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// Settings of the tree to be made.
    pub tree: tree::Config,
    /// `snapshot.trust.empty`: whether logs without any snapshot are taken for the whole history.
    pub trust_empty_snapshot: bool,
    /// The longest payload of a record, and the longest znode, in bytes. It follows
    /// `jute.maxbuffer`.
    pub record_length_max: usize,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            tree: tree::Config::default(),
            trust_empty_snapshot: false,
            record_length_max: RECORD_LENGTH_MAX,
        }
    }
}

/// What to read next.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    /// The file.
    pub file: File,
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes; fewer are given only where the file ends.
    pub length: usize,
}

/// How far a recovery is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveryProgress {
    /// Bytes read so far.
    pub done: u64,
    /// What they will be at the end, as far as is known.
    pub total: u64,
}

/// The recovery of one store.
#[derive(Debug)]
pub struct Recovery {
    config: RecoveryConfig,
    seed: u64,
    files: Files,
    events: VecDeque<RecoveryEvent>,
    /// Why the newest snapshot cannot be used.
    newest_problem: Option<SnapshotProblem>,
    /// What is being read.
    cursor: Option<Cursor>,
    bytes_read: u64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Load(Box<Loading>),
    Replay(Box<Replay>),
    Done(Box<Result<Recovered, RecoveryError>>),
}

/// A file that is being read.
#[derive(Debug)]
struct Cursor {
    file: File,
    offset: u64,
    end: u64,
    chunk: u64,
}

impl Recovery {
    /// A recovery from these files; those of other programs are left alone. Equal seeds and equal
    /// files give equal trees.
    #[must_use]
    pub fn new(config: RecoveryConfig, seed: u64, files: Vec<FileInfo>) -> Self {
        let files = Files::new(files);
        let done = Work::Done(Box::new(Ok(Recovered::empty())));
        let mut recovery = Self {
            config,
            seed,
            files,
            events: VecDeque::new(),
            newest_problem: None,
            cursor: None,
            bytes_read: 0,
            work: done,
        };
        if let Some(file) = recovery.files.misplaced.first() {
            let file = file.clone();
            recovery.fail(RecoveryError::Misplaced { file });
            return recovery;
        }
        for file in &recovery.files.leftovers {
            recovery.events.push_back(RecoveryEvent::Leftover { file: file.clone() });
        }
        if recovery.files.snapshots.is_empty() {
            recovery.begin_without_snapshot();
        } else {
            recovery.begin_snapshot(0);
        }
        recovery.go_on();
        recovery
    }

    /// The bytes asked for; fewer where the file ends.
    pub fn handle_read(&mut self, bytes: &[u8]) {
        let Some(cursor) = &mut self.cursor else { return };
        let length = cursor.request().length;
        let bytes = &bytes[..bytes.len().min(length)];
        cursor.offset += bytes.len() as u64;
        self.bytes_read += bytes.len() as u64;
        if bytes.len() < length {
            cursor.end = cursor.offset;
        }
        self.take(bytes);
        self.go_on();
    }

    /// The bytes asked for cannot be read.
    pub fn handle_read_error(&mut self, error: StorageError) {
        let Some(cursor) = &self.cursor else { return };
        match &self.work {
            Work::Load(loading) => {
                let index = loading.index;
                self.next_snapshot(index, SnapshotProblem::Unreadable(error));
            }
            Work::Replay(_) | Work::Done(_) => {
                let file = cursor.file.clone();
                self.fail(RecoveryError::Unreadable { file, error });
            }
        }
        self.go_on();
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<RecoveryEvent> {
        self.events.pop_front()
    }

    /// What to read next. Asked again it says the same until it was answered; `None` is the end.
    pub fn poll_read(&self) -> Option<ReadRequest> {
        self.cursor.as_ref().map(Cursor::request)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> RecoveryProgress {
        let rest = self.cursor.as_ref().map_or(0, |cursor| cursor.end - cursor.offset);
        let behind = match &self.work {
            Work::Load(loading) => {
                let first = self.files.first_log_for(loading.zxid.next());
                self.files.logs[first..].iter().map(|log| log.info.length).sum()
            }
            Work::Replay(replay) => replay.bytes_behind(&self.files),
            Work::Done(_) => 0,
        };
        let done = self.bytes_read;
        RecoveryProgress { done, total: done.saturating_add(rest).saturating_add(behind) }
    }

    /// The outcome, after [`Recovery::poll_read`] has returned `None`.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what can be done about it.
    ///
    /// # Panics
    ///
    /// When there is still something to read.
    pub fn finish(self) -> Result<Recovered, RecoveryError> {
        match self.work {
            Work::Done(outcome) => *outcome,
            Work::Load(_) | Work::Replay(_) => panic!("there is still something to read"),
        }
    }

    fn fail(&mut self, error: RecoveryError) {
        self.cursor = None;
        self.work = Work::Done(Box::new(Err(error)));
    }

    /// Goes on as far as there is nothing to be read.
    fn go_on(&mut self) {
        while self.cursor.as_ref().is_some_and(Cursor::is_at_end) {
            self.take(&[]);
        }
    }

    /// Takes the bytes before the cursor.
    fn take(&mut self, bytes: &[u8]) {
        let is_end = self.cursor.as_ref().is_none_or(Cursor::is_at_end);
        match &mut self.work {
            Work::Load(loading) => match loading.push(bytes, is_end) {
                Ok(false) => {}
                Ok(true) => self.finish_snapshot(),
                Err(problem) => {
                    let index = loading.index;
                    self.next_snapshot(index, problem);
                }
            },
            Work::Replay(replay) => {
                match replay.push(bytes, is_end, &self.files, &mut self.events) {
                    Ok(false) => {}
                    Ok(true) => self.next_part(),
                    Err(error) => self.fail(error),
                }
            }
            Work::Done(_) => self.cursor = None,
        }
    }

    fn begin_snapshot(&mut self, index: usize) {
        let snapshot = &self.files.snapshots[index];
        let (limit, tree) = (self.config.record_length_max, self.config.tree.clone());
        let loading = Loading::new(index, snapshot, limit, tree, self.seed);
        self.cursor = Some(Cursor::new(snapshot, 0));
        self.work = Work::Load(Box::new(loading));
    }

    /// The next older snapshot after one that cannot be used.
    fn next_snapshot(&mut self, index: usize, problem: SnapshotProblem) {
        let file = self.files.snapshots[index].info.file.clone();
        self.newest_problem.get_or_insert_with(|| problem.clone());
        self.events.push_back(RecoveryEvent::SnapshotUnusable { file, problem });
        if index + 1 < self.files.snapshots.len() {
            self.begin_snapshot(index + 1);
        } else if let Some(problem) = self.newest_problem.take() {
            let file = self.files.snapshots[0].info.file.clone();
            self.fail(RecoveryError::NoUsableSnapshot { file, problem });
        }
    }

    fn finish_snapshot(&mut self) {
        let done = Work::Done(Box::new(Ok(Recovered::empty())));
        let Work::Load(loading) = mem::replace(&mut self.work, done) else { return };
        let Named { zxid, info } = &self.files.snapshots[loading.index];
        let loaded = RecoveryEvent::SnapshotLoaded { file: info.file.clone(), zxid: *zxid };
        self.events.push_back(loaded);
        let limit = self.config.record_length_max;
        let replay = Replay::on_snapshot(*loading, limit, &self.files, &mut self.events);
        self.work = Work::Replay(Box::new(replay));
        self.next_part();
    }

    fn begin_without_snapshot(&mut self) {
        let tree = Tree::new(self.config.tree.clone(), &mut Rng::new(self.seed));
        let (limit, trust) = (self.config.record_length_max, self.config.trust_empty_snapshot);
        let replay = Replay::without_snapshot(tree, limit, trust, &self.files, &mut self.events);
        self.work = Work::Replay(Box::new(replay));
        self.next_part();
    }

    /// Turns to what is to be read next.
    fn next_part(&mut self) {
        let Work::Replay(replay) = &self.work else { return };
        self.cursor = replay.part(&self.files).map(|part| Cursor::new(part.log, part.offset));
        if self.cursor.is_none() {
            let done = Work::Done(Box::new(Ok(Recovered::empty())));
            if let Work::Replay(replay) = mem::replace(&mut self.work, done) {
                let outcome = self.conclude(*replay);
                self.work = Work::Done(Box::new(outcome));
            }
        }
    }

    /// Whether nothing is known to be missing behind the newest transaction, and one can follow.
    fn check_end(&self, replay: &Replay) -> Result<(), RecoveryError> {
        let reached = replay.applied();
        let newest = self.files.snapshots.first().filter(|newest| newest.zxid > reached);
        if let Some(Named { zxid: expected, info }) = newest {
            let (snapshot, expected) = (info.file.clone(), *expected);
            return Err(RecoveryError::EndsBeforeSnapshot { snapshot, expected, reached });
        }
        if let (Some(index), Some(expected)) = (replay.snapshot, replay.missing()) {
            let snapshot = self.files.snapshots[index].info.file.clone();
            return Err(RecoveryError::SnapshotAhead { snapshot, expected, reached });
        }
        if reached.next() == reached {
            return Err(RecoveryError::NoMoreTransactions { zxid: reached });
        }
        Ok(())
    }

    /// All was read.
    fn conclude(&mut self, mut replay: Replay) -> Result<Recovered, RecoveryError> {
        self.check_end(&replay)?;
        let applied = replay.applied();
        if replay.snapshot.is_none() && replay.is_without_records() {
            self.events.push_back(RecoveryEvent::Fresh);
        }
        let orphans = replay.tree.finish_recovery();
        if orphans > 0 {
            self.events.push_back(RecoveryEvent::OrphansRemoved { count: orphans });
        }
        let used = replay.snapshot;
        let snapshots = self.files.snapshots.iter().enumerate().rev().map(|(index, snapshot)| {
            let (zxid, file) = (snapshot.zxid, snapshot.info.file.clone());
            KnownSnapshot { zxid, file, is_valid: used == Some(index) }
        });
        let used_snapshot = used.map(|index| self.files.snapshots[index].info.file.clone());
        let logs = self.files.logs.iter().enumerate();
        let logs = logs.filter(|(index, _)| !replay.removed.contains(index));
        // Reading goes on to the newest one.
        let first_read = self.files.logs.len().saturating_sub(replay.logs_read);
        let logs_read = logs.clone().filter(|(index, _)| *index >= first_read);
        let logs_read = logs_read.map(|(_, log)| log.info.file.clone());
        let sources = used_snapshot.iter().cloned().chain(logs_read).collect();
        let summary = RecoverySummary {
            snapshot: used_snapshot,
            zxid: applied,
            logs_read: replay.logs_read,
            misfits: replay.misfits,
            digest_mismatches: replay.digests.mismatches(),
            orphans_removed: orphans,
        };
        let files = KnownFiles {
            snapshots: snapshots.collect(),
            logs: logs.map(|(_, log)| (log.zxid, log.info.file.clone())).collect(),
            sources,
            repairs: mem::take(&mut replay.repairs),
            leftovers: mem::take(&mut self.files.leftovers),
            is_reproducible: used.is_some() && orphans == 0,
            transactions_replayed: replay.transactions,
            bytes_replayed: replay.bytes,
            summary,
        };
        let (tree, newest_ms) = (Some(replay.tree), replay.newest_ms);
        Ok(Recovered { tree, newest_ms, files })
    }
}

impl Cursor {
    fn new(named: &Named, offset: u64) -> Self {
        let FileInfo { file, length } = &named.info;
        let chunk = match Compression::of_name(&file.name) {
            Compression::None => CHUNK,
            Compression::Gzip | Compression::Snappy => COMPRESSED_CHUNK,
        };
        Self { file: file.clone(), offset, end: (*length).max(offset), chunk }
    }

    const fn is_at_end(&self) -> bool {
        self.offset >= self.end
    }

    fn request(&self) -> ReadRequest {
        let length = (self.end - self.offset).min(self.chunk);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        ReadRequest { file: self.file.clone(), offset: self.offset, length }
    }
}
