//! A disk behind a server: both lanes, each in its order, interleaved by a seed.

use std::{collections::VecDeque, mem, time::Duration};

use zookeeper_core::{
    Instant, Rng, SessionId, Ticket, Zxid,
    storage::{FileOp, Lane},
};

use super::{
    fault::{Fault, Plan},
    filesystem::Disk,
    marks::{Mark, Marks},
};
use crate::{
    generate::values::index,
    pair::{Done, Said, Store},
};

/// How a disk works.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    /// The longest an operation takes, if nothing slows it down.
    pub latency_max: Duration,
    /// Whether one sync may stand for several groups, acknowledged by the last ticket.
    pub shares_syncs: bool,
}

/// A disk, and the operations it is asked for.
#[derive(Debug)]
pub struct DiskStore {
    disk: Disk,
    lanes: [Queue; 2],
    pace: Pace,
    plan: Plan,
    rng: Rng,
    marks: Marks,
    told: Zxid,
    sessions: Vec<SessionId>,
    checkpoints: Option<Vec<Checkpoint>>,
}

/// The disk after one operation, and what clients were told until the next one.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The disk.
    pub disk: Disk,
    /// The operation, if there was one.
    pub op: Option<FileOp>,
    /// Whether it failed.
    pub is_failed: bool,
    /// The newest transaction that somebody knows of.
    pub told: Zxid,
    /// How many of [`DiskStore::sessions`] somebody knows of.
    pub sessions: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Ticket, FileOp)>,
    newest: Option<Ticket>,
    /// When the first one will be done.
    due: Instant,
    /// How many were executed.
    executed: usize,
    /// Whether a sync was put off: until then nothing is acknowledged.
    is_silent: bool,
}

impl DiskStore {
    /// A store on this disk.
    #[must_use]
    pub fn new(disk: Disk, pace: Pace, plan: Plan, seed: u64) -> Self {
        Self {
            disk,
            lanes: Default::default(),
            pace,
            plan,
            rng: Rng::new(seed),
            marks: Marks::default(),
            told: Zxid::ZERO,
            sessions: Vec::new(),
            checkpoints: None,
        }
    }

    /// Somebody was told of this in an earlier life.
    #[must_use]
    pub const fn told_before(mut self, zxid: Zxid) -> Self {
        self.told = zxid;
        self
    }

    /// Something goes wrong with the next operation of a lane.
    pub fn spoil_next(&mut self, lane: Lane, fault: Fault) {
        let number = self.lanes[slot(lane)].executed;
        self.plan.add(lane, number, fault);
    }

    /// Keeps the disk as it is after every operation.
    #[must_use]
    pub fn recording(mut self) -> Self {
        let (disk, told) = (self.disk.clone(), self.told);
        let first = Checkpoint { disk, op: None, is_failed: false, told, sessions: 0 };
        self.checkpoints = Some(vec![first]);
        self
    }

    /// The disk, to look at.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// What went wrong so far.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The newest transaction that somebody was told of.
    #[must_use]
    pub const fn told(&self) -> Zxid {
        self.told
    }

    /// The sessions that somebody was told of.
    #[must_use]
    pub fn sessions(&self) -> &[SessionId] {
        &self.sessions
    }

    /// How many operations of a lane were executed.
    #[must_use]
    pub const fn executed(&self, lane: Lane) -> usize {
        self.lanes[slot(lane)].executed
    }

    /// What was recorded: the first one is the disk before anything was done.
    #[must_use]
    pub fn checkpoints(&self) -> &[Checkpoint] {
        self.checkpoints.as_deref().unwrap_or_default()
    }

    /// Takes what was recorded.
    pub fn take_checkpoints(&mut self) -> Vec<Checkpoint> {
        self.checkpoints.as_mut().map(mem::take).unwrap_or_default()
    }

    /// When an operation that comes first now is done.
    fn due_after(&mut self, now: Instant, lane: Lane) -> Instant {
        let max = u64::try_from(self.pace.latency_max.as_micros()).unwrap_or(u64::MAX);
        let mut time = Duration::from_micros(self.rng.below(max.saturating_add(1)));
        if let Some(Fault::Slow(more)) = self.plan.fault(lane, self.lanes[slot(lane)].executed) {
            self.marks.add(Mark::Slow);
            time += more;
        }
        now + time
    }

    /// Does a lane's next operation; says so unless a sync before it was put off.
    fn execute(&mut self, now: Instant, lane: Lane) -> Option<Done> {
        let (ticket, op) = self.lanes[slot(lane)].waiting.pop_front()?;
        let fault = self.plan.fault(lane, self.lanes[slot(lane)].executed);
        let puts_off = fault.is_none() && self.may_put_off(lane, &op) && self.rng.one_in(2);
        self.lanes[slot(lane)].executed += 1;
        let result = if puts_off {
            self.marks.add(Mark::SyncShared);
            Ok(())
        } else {
            self.disk.execute_with(&op, fault, &mut self.marks)
        };
        self.lanes[slot(lane)].due = self.due_after(now, lane);
        let queue = &mut self.lanes[slot(lane)];
        queue.is_silent |= puts_off;
        queue.is_silent &= puts_off || !matches!(op, FileOp::Sync { .. }) && result.is_ok();
        let is_silent = queue.is_silent;
        if let Some(checkpoints) = &mut self.checkpoints {
            let (disk, told, sessions) = (self.disk.clone(), self.told, self.sessions.len());
            let (op, is_failed) = (Some(op), result.is_err());
            checkpoints.push(Checkpoint { disk, op, is_failed, told, sessions });
        }
        (!is_silent).then_some(Done { lane, ticket, result })
    }

    /// Whether another sync of the same file follows behind one more append.
    fn may_put_off(&self, lane: Lane, op: &FileOp) -> bool {
        let FileOp::Sync { file: synced } = op else { return false };
        let mut next = self.lanes[slot(lane)].waiting.iter().map(|(_, op)| op);
        self.pace.shares_syncs
            && matches!(next.next(), Some(FileOp::Append { file, .. }) if file == synced)
            && matches!(next.next(), Some(FileOp::Sync { file }) if file == synced)
    }
}

impl Store for DiskStore {
    fn submit(&mut self, now: Instant, lane: Lane, ticket: Ticket, op: FileOp) {
        let queue = &mut self.lanes[slot(lane)];
        assert!(queue.newest < Some(ticket), "tickets of a lane rise");
        queue.newest = Some(ticket);
        queue.waiting.push_back((ticket, op));
        if queue.waiting.len() == 1 {
            self.lanes[slot(lane)].due = self.due_after(now, lane);
        }
    }

    fn work(&mut self, now: Instant) -> Vec<Done> {
        let is_due = |queue: &Queue| !queue.waiting.is_empty() && queue.due <= now;
        let mut lanes = vec![Lane::Log, Lane::Snapshot];
        lanes.retain(|&lane| is_due(&self.lanes[slot(lane)]));
        if lanes.is_empty() {
            return Vec::new();
        }
        let mut lane = lanes[index(&mut self.rng, lanes.len())];
        loop {
            if let Some(done) = self.execute(now, lane) {
                return vec![done];
            }
            // An operation without an answer: its lane is asked again, at once if it may.
            if !is_due(&self.lanes[slot(lane)]) {
                lane = if lane == Lane::Log { Lane::Snapshot } else { Lane::Log };
                if !is_due(&self.lanes[slot(lane)]) {
                    return Vec::new();
                }
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        let busy = self.lanes.iter().filter(|queue| !queue.waiting.is_empty());
        busy.map(|queue| queue.due).min()
    }

    fn waiting(&self) -> usize {
        self.lanes.iter().map(|queue| queue.waiting.len()).sum()
    }

    fn hurry(&mut self) {
        self.pace.latency_max = Duration::ZERO;
        for queue in &mut self.lanes {
            queue.due = Instant::ZERO;
        }
    }

    fn stop(&mut self) {
        for queue in &mut self.lanes {
            queue.waiting.clear();
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Zxid(zxid) => self.told = self.told.max(zxid),
            Said::Session(session) if self.sessions.contains(&session) => {}
            Said::Session(session) => self.sessions.push(session),
        }
        if let Some(last) = self.checkpoints.as_mut().and_then(|all| all.last_mut()) {
            (last.told, last.sessions) = (self.told, self.sessions.len());
        }
    }
}

const fn slot(lane: Lane) -> usize {
    match lane {
        Lane::Log => 0,
        Lane::Snapshot => 1,
    }
}
