//! Stores: what one is to a world, and one that does what it is told at once, late, in groups, or
//! never.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Debug,
    io, mem,
    time::Duration,
};

use zookeeper_core::{
    Instant, SessionId, Ticket, Zxid,
    storage::{Dir, File, FileOp, Lane, StorageError},
};

use super::journal::{Journal, Record, read_records};

/// What executes the operations of a world's server.
pub trait Store: Debug {
    /// Takes an operation.
    fn submit(&mut self, now: Instant, lane: Lane, ticket: Ticket, op: FileOp);

    /// Does some of what is due; nothing is due any more when nothing was done.
    fn work(&mut self, now: Instant) -> Vec<Done>;

    /// When an operation will be done, if time alone decides.
    fn due(&self) -> Option<Instant>;

    /// Operations that are not done.
    fn waiting(&self) -> usize;

    /// From now on everything is done at once.
    fn hurry(&mut self);

    /// Forgets what was not done.
    fn stop(&mut self);

    /// A client is being told something that must survive a power cut.
    fn hear(&mut self, said: Said);

    /// The server takes everything up to `durable` for stable. Panics when it is not, if the store
    /// knows.
    fn check_durable(&self, durable: Zxid) {
        let _ = durable;
    }
}

/// Operations of a lane are done: all up to this ticket, or this one failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// The lane.
    pub lane: Lane,
    /// The ticket.
    pub ticket: Ticket,
    /// How it ended.
    pub result: Result<(), StorageError>,
}

/// What a client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// There is this transaction.
    Zxid(Zxid),
    /// There is this session.
    Session(SessionId),
}

/// When a store has done what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Acknowledge {
    /// In the same turn.
    #[default]
    AtOnce,
    /// Each operation after this time.
    Late(Duration),
    /// When this many operations wait, all of them by the newest ticket.
    InGroups(usize),
    /// When the test says so.
    ByHand,
}

/// A store in memory. It keeps no bytes, but knows which transactions are stable.
#[derive(Debug, Default)]
pub struct TestStore {
    acknowledge: Acknowledge,
    waiting: VecDeque<Waiting>,
    /// Of snapshots, which nobody waits for: done at once.
    snapshots: VecDeque<Waiting>,
    newest: BTreeMap<Lane, Ticket>,
    files: BTreeMap<File, Contents>,
    journal: Journal,
    appends: usize,
}

#[derive(Debug)]
struct Waiting {
    lane: Lane,
    ticket: Ticket,
    op: FileOp,
    due: Instant,
}

/// A file: what was written to it and how much of that would survive a power cut.
#[derive(Debug, Default)]
struct Contents {
    has_bytes: bool,
    /// Whether its name is stable.
    is_named: bool,
    unsynced: Vec<Record>,
    /// Synced under a name that is not stable.
    unnamed: Vec<Record>,
}

impl TestStore {
    /// A store that acknowledges like this.
    #[must_use]
    pub fn new(acknowledge: Acknowledge) -> Self {
        Self { acknowledge, ..Self::default() }
    }

    /// What is stable.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Operations that are not done.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Commit groups that are not done.
    #[must_use]
    pub fn groups_waiting(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting.op, FileOp::Append { .. })).count()
    }

    /// Commit groups that came, done or not.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.appends
    }

    /// Changes when operations are done; those that wait for a time keep it.
    pub const fn set_acknowledge(&mut self, acknowledge: Acknowledge) {
        self.acknowledge = acknowledge;
    }

    /// Does the next `count` operations.
    pub(super) fn execute(&mut self, count: usize) -> Vec<Done> {
        let count = count.min(self.waiting.len());
        let mut done = BTreeMap::new();
        for waiting in self.waiting.drain(..count).collect::<Vec<_>>() {
            done.insert(waiting.lane, waiting.ticket);
            self.apply(waiting.op);
        }
        done.into_iter().map(|(lane, ticket)| Done { lane, ticket, result: Ok(()) }).collect()
    }

    /// Fails the next operation.
    pub(super) fn fail(&mut self) -> Option<Done> {
        let Waiting { lane, ticket, op, .. } = self.waiting.pop_front()?;
        let error = StorageError {
            file: "log".into(),
            operation: op.name(),
            kind: io::ErrorKind::StorageFull,
            message: "no space left".into(),
        };
        Some(Done { lane, ticket, result: Err(error) })
    }

    fn apply(&mut self, op: FileOp) {
        match op {
            FileOp::Append { file, .. } if file.dir == Dir::Snapshot => {}
            FileOp::Create { file, .. } => _ = self.files.insert(file, Contents::default()),
            FileOp::Append { file, bytes } => {
                let contents = self.files.get_mut(&file).expect("a file is made first");
                contents.unsynced.extend(read_records(&bytes, !contents.has_bytes));
                contents.has_bytes = true;
            }
            FileOp::Sync { file } => {
                let contents = self.files.get_mut(&file).expect("a file is made first");
                contents.unnamed.append(&mut contents.unsynced);
                if contents.is_named {
                    contents.unnamed.drain(..).for_each(|record| self.journal.record(record));
                }
            }
            FileOp::SyncDir { dir } => {
                for (_, contents) in self.files.iter_mut().filter(|(file, _)| file.dir == dir) {
                    contents.is_named = true;
                    contents.unnamed.drain(..).for_each(|record| self.journal.record(record));
                }
            }
            // Nothing of the log is moved or cut while a server runs.
            _ => {}
        }
    }
}

impl Store for TestStore {
    fn submit(&mut self, now: Instant, lane: Lane, ticket: Ticket, op: FileOp) {
        let before = self.newest.insert(lane, ticket);
        assert!(before < Some(ticket), "tickets of a lane rise");
        if lane == Lane::Snapshot {
            return self.snapshots.push_back(Waiting { lane, ticket, op, due: now });
        }
        self.appends += usize::from(matches!(op, FileOp::Append { .. }));
        let delay = match self.acknowledge {
            Acknowledge::Late(delay) => delay,
            _ => Duration::ZERO,
        };
        self.waiting.push_back(Waiting { lane, ticket, op, due: now + delay });
    }

    fn work(&mut self, now: Instant) -> Vec<Done> {
        if let Some(newest) = self.snapshots.back() {
            let done = Done { lane: newest.lane, ticket: newest.ticket, result: Ok(()) };
            for waiting in mem::take(&mut self.snapshots) {
                self.apply(waiting.op);
            }
            return vec![done];
        }
        let count = match self.acknowledge {
            Acknowledge::AtOnce => self.waiting.len(),
            Acknowledge::Late(_) => self.waiting.iter().take_while(|op| op.due <= now).count(),
            Acknowledge::InGroups(count) if self.waiting.len() >= count => self.waiting.len(),
            Acknowledge::InGroups(_) | Acknowledge::ByHand => 0,
        };
        let mut done = self.execute(count);
        if let Some(newest) = self.snapshots.back() {
            done.push(Done { lane: newest.lane, ticket: newest.ticket, result: Ok(()) });
        }
        for waiting in mem::take(&mut self.snapshots) {
            self.apply(waiting.op);
        }
        done
    }

    fn due(&self) -> Option<Instant> {
        let is_late = matches!(self.acknowledge, Acknowledge::Late(_));
        self.waiting.front().filter(|_| is_late).map(|waiting| waiting.due)
    }

    fn waiting(&self) -> usize {
        self.waiting()
    }

    fn hurry(&mut self) {
        self.acknowledge = Acknowledge::AtOnce;
    }

    fn stop(&mut self) {
        self.waiting.clear();
        self.snapshots.clear();
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Zxid(zxid) => {
                let newest = self.journal.newest();
                assert!(zxid <= newest, "{zxid:?} is told while {newest:?} is stable");
            }
            Said::Session(session) => {
                let is_stable = self.journal.has_created(session);
                assert!(is_stable, "session {session} is announced before it is stable");
            }
        }
    }

    fn check_durable(&self, durable: Zxid) {
        assert!(durable <= self.journal.newest(), "{durable:?} is stable");
    }
}
