//! A store whose lanes go as far as the test lets them, and what it checks of every operation.

use std::{
    cell::{Ref, RefCell, RefMut},
    collections::{BTreeMap, VecDeque},
    io,
    rc::Rc,
};

use zookeeper_core::{
    Instant, Ticket,
    server::{Config, Durability, Event, Recovered},
    storage::{self, Dir, FileOp, Lane, StorageError},
};
use zookeeper_sim::pair::{ClientId, Done, Options, Said, Store, World, request};

/// The longest chunk: what is asked for, a piece of what waits, and one record of these tests.
const CHUNK_MAX: usize = (256 << 10) + (16 << 10) + (128 << 10);

/// Operations that a lane may do.
pub(crate) const ALL: usize = usize::MAX;

/// A handle on a store; the world has another.
#[derive(Clone, Debug)]
pub(crate) struct Lanes(Rc<RefCell<State>>);

/// Files by name, and operations on their way.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    log: Queue,
    snapshots: Queue,
    /// What was executed, in order.
    pub(crate) executed: Vec<String>,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<(Ticket, FileOp)>,
    newest: Option<Ticket>,
    /// How many more may be done.
    allowed: usize,
    /// How many are done before one fails.
    fails_behind: Option<usize>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let queue =
            || Queue { waiting: VecDeque::new(), newest: None, allowed: ALL, fails_behind: None };
        let (files, executed) = (BTreeMap::new(), Vec::new());
        Self(Rc::new(RefCell::new(State { files, log: queue(), snapshots: queue(), executed })))
    }

    pub(crate) fn state(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    fn state_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// From now on a lane may do so many operations.
    pub(crate) fn allow(&self, lane: Lane, count: usize) {
        self.state_mut().lane(lane).allowed = count;
    }

    /// After so many more operations of a lane one fails.
    pub(crate) fn fail_behind(&self, lane: Lane, count: usize) {
        self.state_mut().lane(lane).fails_behind = Some(count);
    }

    /// What waits in a lane, by name.
    pub(crate) fn waiting(&self, lane: Lane) -> Vec<&'static str> {
        self.state_mut().lane(lane).waiting.iter().map(|(_, op)| op.name()).collect()
    }

    /// Names that begin so, by their number.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let state = self.state();
        let mut names: Vec<_> =
            state.files.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        names.sort_by_key(|name| number(name));
        names
    }

    /// What was executed since the last call.
    pub(crate) fn take_executed(&self) -> Vec<String> {
        std::mem::take(&mut self.state_mut().executed)
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Log => &mut self.log,
            Lane::Snapshot => &mut self.snapshots,
        }
    }

    fn next(&mut self, lane: Lane) -> Option<Done> {
        let queue = self.lane(lane);
        if queue.allowed == 0 {
            return None;
        }
        let (ticket, op) = queue.waiting.pop_front()?;
        queue.allowed = if queue.allowed == ALL { ALL } else { queue.allowed - 1 };
        match &mut queue.fails_behind {
            Some(0) => {
                queue.fails_behind = None;
                return Some(Done { lane, ticket, result: Err(error(&op)) });
            }
            Some(count) => *count -= 1,
            None => {}
        }
        let result = self.execute(&op);
        Some(Done { lane, ticket, result })
    }

    fn execute(&mut self, op: &FileOp) -> Result<(), StorageError> {
        self.executed.push(describe(op));
        let missing = || StorageError { kind: io::ErrorKind::NotFound, ..error(op) };
        match op {
            FileOp::Create { file, .. } => {
                self.files.insert(file.to_string(), Vec::new());
                let temporaries = self.files.keys().filter(|name| name.starts_with("tmp."));
                assert!(temporaries.count() <= 1, "never two temporaries");
            }
            FileOp::Append { file, bytes } => {
                let contents = self.files.get_mut(&*file.name).ok_or_else(missing)?;
                contents.extend_from_slice(bytes);
            }
            FileOp::Rename { from, to } => {
                let contents = self.files.remove(&*from.name).ok_or_else(missing)?;
                self.files.insert(to.to_string(), contents);
            }
            FileOp::Remove { file } => {
                self.files.remove(&*file.name).ok_or_else(missing)?;
            }
            FileOp::Sync { file } => {
                self.files.get(&*file.name).ok_or_else(missing)?;
            }
            FileOp::SyncDir { .. } => {}
            _ => panic!("nobody asks for {op:?}"),
        }
        Ok(())
    }
}

impl Store for Lanes {
    fn submit(&mut self, _now: Instant, lane: Lane, ticket: Ticket, op: FileOp) {
        let mut state = self.state_mut();
        let queue = state.lane(lane);
        assert!(queue.newest < Some(ticket), "tickets of a lane rise");
        queue.newest = Some(ticket);
        if let (Lane::Snapshot, FileOp::Append { bytes, .. }) = (lane, &op) {
            let is_chunk = |(_, op): &(Ticket, FileOp)| matches!(op, FileOp::Append { .. });
            assert!(!queue.waiting.iter().any(is_chunk), "one chunk is on its way at a time");
            assert!(bytes.len() <= CHUNK_MAX && !bytes.is_empty(), "{} bytes", bytes.len());
        }
        queue.waiting.push_back((ticket, op));
    }

    fn work(&mut self, _now: Instant) -> Vec<Done> {
        let mut state = self.state_mut();
        let done = state.next(Lane::Log).or_else(|| state.next(Lane::Snapshot));
        done.into_iter().collect()
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn waiting(&self) -> usize {
        self.state().log.waiting.len() + self.state().snapshots.waiting.len()
    }

    fn hurry(&mut self) {
        self.allow(Lane::Log, ALL);
        self.allow(Lane::Snapshot, ALL);
    }

    fn stop(&mut self) {
        self.state_mut().log.waiting.clear();
        self.state_mut().snapshots.waiting.clear();
    }

    fn hear(&mut self, _said: Said) {}
}

/// A world with a log on such a store, whose settings `set` has changed, and one client.
pub(crate) fn world(
    set: impl FnOnce(&mut storage::Config, &mut Config),
) -> (World<Lanes>, Lanes, ClientId) {
    let (mut world, lanes) = fresh(set, ALL);
    let client = world.start();
    (world, lanes, client)
}

/// The same without anybody, whose snapshot lane may do `allowed` operations.
pub(crate) fn fresh(
    set: impl FnOnce(&mut storage::Config, &mut Config),
    allowed: usize,
) -> (World<Lanes>, Lanes) {
    let mut options = Options::default();
    let mut storage = storage::Config::default();
    storage.reserve = 0;
    set(&mut storage, &mut options.config);
    options.config.durability = Durability::Logged(storage);
    let lanes = Lanes::new();
    lanes.allow(Lane::Snapshot, allowed);
    let world = World::with_store(options, Recovered::empty(), lanes.clone());
    (world, lanes)
}

/// Znodes with names of their own.
pub(crate) fn create_some(world: &mut World<Lanes>, client: ClientId, count: usize) {
    for _ in 0..count {
        let path = format!("/n{}", world.server().applied().0);
        world.call(client, &request::create(&path, b"data")).ok();
    }
}

/// Znodes that come to more than a chunk.
pub(crate) fn create_large(world: &mut World<Lanes>, client: ClientId) {
    for number in 0..6 {
        let path = format!("/large{number}");
        world.call(client, &request::create(&path, &vec![b'x'; 100 << 10])).ok();
    }
}

/// The transactions that snapshots were begun at, and those that they were stored at.
pub(crate) fn snapshots_of(events: &[Event]) -> (Vec<i64>, Vec<i64>) {
    let begun = events.iter().filter_map(|event| match event {
        Event::SnapshotStarted { zxid, .. } => Some(zxid.0),
        _ => None,
    });
    let stored = events.iter().filter_map(|event| match event {
        Event::SnapshotStored { zxid, .. } => Some(zxid.0),
        _ => None,
    });
    (begun.collect(), stored.collect())
}

/// The number in a file's name.
pub(crate) fn number(name: &str) -> i64 {
    let (_, number) = name.rsplit_once('.').expect("a number behind a dot");
    i64::from_str_radix(number, 16).expect("a number")
}

fn describe(op: &FileOp) -> String {
    match op {
        FileOp::Create { file, .. }
        | FileOp::Append { file, .. }
        | FileOp::Sync { file }
        | FileOp::Remove { file } => format!("{} {file}", op.name()),
        FileOp::Rename { to, .. } => format!("rename {to}"),
        FileOp::SyncDir { dir: Dir::Log } => "sync logs".into(),
        FileOp::SyncDir { dir: Dir::Snapshot } => "sync snapshots".into(),
        _ => op.name().into(),
    }
}

fn error(op: &FileOp) -> StorageError {
    let (file, message) = ("file".into(), "no space left".into());
    StorageError { file, operation: op.name(), kind: io::ErrorKind::StorageFull, message }
}
