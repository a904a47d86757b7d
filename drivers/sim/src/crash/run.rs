//! A life, recorded: every operation of its store, and what somebody knew by then.

use std::time::Duration;

use zookeeper_core::{
    Instant, SessionId, Zxid,
    server::{Failure, Recovered},
    storage::Lane,
    tree::{self, Tree},
};

use super::{
    boot::recover,
    check::{Effort, Known, crashes, list, must_hold},
    history::History,
    life::{Credentials, Life, Settings},
};
use crate::disk::{Checkpoint, Crash, Disk, DiskStore, Image, Marks, Pace, Plan};

/// When the first life begins.
const START: Instant = Instant::from_millis(1_000_000);

/// Until a server is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// How a life is lived.
#[derive(Clone, Debug)]
pub struct Script {
    /// The server and its disk.
    pub settings: Settings,
    /// Decides where chance does.
    pub seed: u64,
    /// How the disk works.
    pub pace: Pace,
    /// What goes wrong with it.
    pub plan: Plan,
    /// Rounds of load.
    pub rounds: u64,
}

impl Script {
    /// Nothing goes wrong.
    #[must_use]
    pub fn new(seed: u64, rounds: u64) -> Self {
        let (settings, pace, plan) = (Settings::default(), Pace::default(), Plan::none());
        Self { settings, seed, pace, plan, rounds }
    }
}

/// A life, recorded.
#[derive(Debug)]
pub struct Run {
    script: Script,
    /// What the tree was after every transaction of this life and of those before it.
    history: History,
    checkpoints: Vec<Checkpoint>,
    sessions: Vec<SessionId>,
    /// Of those sessions that its clients were granted last.
    credentials: Vec<Credentials>,
    marks: Marks,
    requests: usize,
    /// Of the log lane, and of the other one.
    executed: [usize; 2],
    failure: Option<Failure>,
    end: Instant,
}

impl Run {
    /// A life that begins with an empty disk.
    ///
    /// # Panics
    ///
    /// When that is refused.
    #[must_use]
    pub fn first(script: Script) -> Self {
        let config = script.settings.server.tree.clone();
        let image = Image::default();
        let recovered = recover(&image, &config, script.seed).0.expect("a fresh store");
        let disk = Disk::new(script.settings.reserve);
        Self::live(script, START, recovered, disk, Zxid::ZERO, History::new(config), &[])
    }

    /// The life after this one, which ended behind an operation, over what was recovered from this
    /// disk. A disk that saw no power cut still has to write what it was not told to sync.
    #[must_use]
    pub fn next(&self, index: usize, script: Script, disk: Disk, recovered: Recovered) -> Self {
        let told = self.known(index).told;
        let zxid = recovered.tree().map_or(Zxid::ZERO, Tree::last_zxid);
        let history = self.history.until(zxid);
        Self::live(script, self.end + PAUSE, recovered, disk, told, history, &self.credentials)
    }

    fn live(
        script: Script,
        start: Instant,
        recovered: Recovered,
        disk: Disk,
        told: Zxid,
        mut history: History,
        credentials: &[Credentials],
    ) -> Self {
        let store = DiskStore::new(disk, script.pace, script.plan.clone(), script.seed);
        let store = store.told_before(told).recording();
        let mut life = Life::begin(&script.settings, script.seed, start, recovered, store);
        life.come_back_all(credentials);
        life.prepare();
        let mut seen = observe(&life, &mut history, 0);
        for round in 0..script.rounds {
            life.round(round);
            seen = observe(&life, &mut history, seen);
        }
        let (requests, end) = (life.requests(), life.world().now());
        let failure = life.failure().cloned();
        let credentials = life.credentials();
        let store = life.cut_power();
        let checkpoints = store.take_checkpoints();
        let executed = [Lane::Log, Lane::Snapshot].map(|lane| store.executed(lane));
        let (sessions, marks) = (store.sessions().to_vec(), store.marks().clone());
        Self {
            script,
            history,
            credentials,
            checkpoints,
            sessions,
            marks,
            requests,
            executed,
            failure,
            end,
        }
    }

    /// What the tree was after every transaction.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Every operation: the first one is none.
    #[must_use]
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// The last operation, and its number.
    ///
    /// # Panics
    ///
    /// Never: the first one is there from the beginning.
    #[must_use]
    pub fn last(&self) -> (usize, &Checkpoint) {
        let last = self.checkpoints.len() - 1;
        (last, &self.checkpoints[last])
    }

    /// How many operations of a lane were executed.
    #[must_use]
    pub const fn executed(&self, lane: Lane) -> usize {
        self.executed[lane as usize]
    }

    /// What went wrong with the disk.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Requests sent.
    #[must_use]
    pub const fn requests(&self) -> usize {
        self.requests
    }

    /// Why the server stopped, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The tree's settings.
    #[must_use]
    pub const fn config(&self) -> &tree::Config {
        &self.script.settings.server.tree
    }

    /// What is known until the operation behind this one.
    #[must_use]
    pub fn known(&self, index: usize) -> Known<'_> {
        let checkpoint = &self.checkpoints[index];
        Known { told: checkpoint.told, sessions: &self.sessions[..checkpoint.sessions] }
    }

    /// Lets the power go after an operation, in every way, and starts again. Returns how many
    /// starts that were.
    ///
    /// # Panics
    ///
    /// When a start does not find what somebody knows of, or finds what never was.
    pub fn crash_after(&self, index: usize, effort: Effort, marks: &mut Marks) -> usize {
        let checkpoint = &self.checkpoints[index];
        let seed = self.script.seed.wrapping_add(u64::try_from(index).unwrap_or(0));
        let crashes = crashes(checkpoint, seed, effort);
        for &crash in &crashes {
            self.crash_once(index, crash, marks);
        }
        crashes.len()
    }

    /// Lets the power go after an operation, in one way, and starts again.
    ///
    /// # Panics
    ///
    /// As [`Run::crash_after`].
    pub fn crash_once(
        &self,
        index: usize,
        crash: Crash,
        marks: &mut Marks,
    ) -> (Image, Zxid, Recovered) {
        let image = self.checkpoints[index].disk.crash(crash, marks);
        let context = (self.script.seed, index, &self.checkpoints[index].op, crash);
        let (zxid, recovered) =
            must_hold(&image, self.config(), &self.history, self.known(index), &context);
        (image, zxid, recovered)
    }

    /// The files after an operation, for messages.
    #[must_use]
    pub fn files(&self, index: usize) -> String {
        list(&self.checkpoints[index].disk.crash(Crash::KEPT, &mut Marks::default()))
    }
}

/// Replays what is new in the store. The tree that serves must be what that comes to.
fn observe(life: &Life, history: &mut History, seen: usize) -> usize {
    let checkpoints = life.world().store().checkpoints();
    checkpoints[seen..].iter().filter_map(|one| one.op.as_ref()).for_each(|op| history.note(op));
    let server = life.world().server();
    if server.applied() == server.durable()
        && let Err(difference) = history.compare(server.tree())
    {
        panic!("the tree that serves is another one {difference}");
    }
    checkpoints.len()
}
