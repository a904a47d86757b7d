//! The lanes: two threads that execute what the server asks for.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::error;
use zookeeper_core::{
    Ticket,
    storage::{FileOp, Lane, StorageError},
};

use crate::{
    directories::Directories,
    lock::Lock,
    meter::Meter,
    queue::{Completions, Queue},
    worker::Worker,
};

/// What a lane has done.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// The lane.
    pub lane: Lane,
    /// The operation; if it went well, so did all before it that were not named in a failure.
    pub ticket: Ticket,
    /// What became of it.
    pub result: Result<(), StorageError>,
}

/// Two threads that execute file operations, each lane's in the order given.
///
/// - The log lane takes what is queued at once. Several syncs of one file, with nothing between them
///   but what is appended to it, become one, and the last ticket answers for all.
/// - A failure in the log lane is reported once, and the lane executes nothing any more: nobody may
///   be told that something is stored behind what is not. A sync is never tried again, because the
///   system may have thrown away what it could not write.
/// - A failure in the snapshot lane is reported, and so is every later operation on that file, until
///   it is made anew; others go on.
/// - A panic is a failure like any other. A thread never ends without a word, or a server would wait
///   for it for ever.
///
/// Dropping it executes what is queued, ends the threads and unlocks the directories. When storage
/// hangs that goes on behind the caller's back after [`Config::finish_timeout`], counted from
/// [`Lanes::begin_finish`] if that was called.
///
/// [`Config::finish_timeout`]: crate::Config::finish_timeout
#[derive(Debug)]
pub struct Lanes {
    log: Arc<Queue>,
    snapshot: Arc<Queue>,
    completions: Arc<Completions>,
    meter: Arc<Meter>,
    /// Hears of the threads' end, by the end of what they hold.
    ended: Receiver<Infallible>,
    finish_timeout: Duration,
    /// Until when the end may take, once it has begun.
    deadline: Option<Instant>,
}

/// What a thread holds to its end.
#[derive(Debug)]
struct Hold {
    /// What a thread may still write to is locked. Freed first, so that whoever has waited for the
    /// end finds the directories free.
    _locks: Arc<Vec<Lock>>,
    _end: Sender<Infallible>,
}

impl Lanes {
    /// Starts the threads. `wake` is called, from one of them, when there is something to poll that
    /// was not there before.
    pub(crate) fn start(
        directories: Directories,
        locks: Vec<Lock>,
        workers: [Worker; 2],
        finish_timeout: Duration,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_with(directories, locks, workers, finish_timeout, wake, &spawn)
    }

    /// As [`Lanes::start`], with threads from `spawn`.
    fn start_with(
        directories: Directories,
        locks: Vec<Lock>,
        workers: [Worker; 2],
        finish_timeout: Duration,
        wake: impl Fn() + Send + Sync + 'static,
        spawn: &dyn Fn(&'static str, Box<dyn FnOnce() + Send>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let (end, ended) = channel();
        let lanes = Self {
            log: Arc::default(),
            snapshot: Arc::default(),
            completions: Arc::new(Completions::new(wake)),
            meter: Arc::new(Meter::new(directories)),
            ended,
            finish_timeout,
            deadline: None,
        };
        let locks = Arc::new(locks);
        for worker in workers {
            let (queue, name) = match worker.lane() {
                Lane::Log => (Arc::clone(&lanes.log), "zookeeper-log"),
                Lane::Snapshot => (Arc::clone(&lanes.snapshot), "zookeeper-snap"),
            };
            let (completions, meter) = (Arc::clone(&lanes.completions), Arc::clone(&lanes.meter));
            let hold = Hold { _locks: Arc::clone(&locks), _end: end.clone() };
            let run = move || {
                // Whoever hears of the end finds the directories free, however it comes.
                let _hold = hold;
                run(worker, &queue, &completions, &meter);
            };
            if let Err(error) = spawn(name, Box::new(run)) {
                // Nobody is to wait for an end that this would hold up.
                drop(end);
                return Err(error);
            }
        }
        Ok(lanes)
    }

    /// Queues an operation.
    pub fn submit(&self, lane: Lane, ticket: Ticket, op: FileOp) {
        self.submit_all(lane, [(ticket, op)]);
    }

    /// Queues several operations at once: the lane is woken when all of them are there, and answers
    /// them together.
    pub fn submit_all(&self, lane: Lane, operations: impl IntoIterator<Item = (Ticket, FileOp)>) {
        match lane {
            Lane::Log => self.log.push(operations),
            Lane::Snapshot => self.snapshot.push(operations),
        }
    }

    /// What is done; costs next to nothing when nothing is.
    pub fn poll(&self) -> Option<Done> {
        self.completions.pop()
    }

    /// Bytes in the directories of snapshots and of logs, as the lanes saw them a few seconds ago:
    /// nothing is listed here.
    #[must_use]
    pub fn sizes(&self) -> (u64, u64) {
        self.meter.sizes()
    }

    /// The end is near: what is queued still counts, and [`Config::finish_timeout`] begins, so that
    /// who waits for the last operations and then drops this does not wait for it twice.
    ///
    /// [`Config::finish_timeout`]: crate::Config::finish_timeout
    pub fn begin_finish(&mut self) {
        self.deadline.get_or_insert_with(|| Instant::now() + self.finish_timeout);
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.log.close();
        self.snapshot.close();
        let left = self.deadline.map_or(self.finish_timeout, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        if self.ended.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            error!("storage hangs: its threads are left behind");
        }
    }
}

/// Starts a thread that nobody joins.
fn spawn(name: &'static str, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// Speaks for a thread that ends by a panic where no operation is to blame.
struct Guard<'a> {
    lane: Lane,
    /// The last operation it has taken.
    ticket: Ticket,
    completions: &'a Completions,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = StorageError {
                file: "the data directories".into(),
                operation: "care",
                kind: io::ErrorKind::Other,
                message: "the thread that writes there panicked".into(),
            };
            let (lane, ticket) = (self.lane, self.ticket);
            self.completions.push(Done { lane, ticket, result: Err(error) });
        }
    }
}

/// A lane's thread.
fn run(mut worker: Worker, queue: &Queue, completions: &Completions, meter: &Meter) {
    let mut batch = VecDeque::new();
    let mut has_failed = false;
    let mut guard = Guard { lane: worker.lane(), ticket: Ticket(0), completions };
    let mut measured = Instant::now();
    while queue.take(&mut batch) {
        if !has_failed {
            let batch = &*batch.make_contiguous();
            guard.ticket = batch.last().map_or(guard.ticket, |(ticket, _)| *ticket);
            has_failed = !worker.execute(batch, &mut |done| completions.push(done));
            if Meter::is_due(measured, batch) {
                meter.measure();
                measured = Instant::now();
            }
        }
        batch.clear();
    }
    if !has_failed {
        worker.release();
    }
}

#[cfg(test)]
mod tests;
