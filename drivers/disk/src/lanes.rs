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
    time::Duration,
};

use tracing::error;
use zookeeper_core::{
    Ticket,
    storage::{FileOp, Lane, StorageError},
};

use crate::{
    directories::Directories,
    lock::Lock,
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
///
/// Dropping it executes what is queued, ends the threads and unlocks the directories. When storage
/// hangs that goes on behind the caller's back after [`Config::finish_timeout`].
///
/// [`Config::finish_timeout`]: crate::Config::finish_timeout
#[derive(Debug)]
pub struct Lanes {
    log: Arc<Queue>,
    snapshot: Arc<Queue>,
    completions: Arc<Completions>,
    directories: Directories,
    /// Hears of the threads' end, by the end of what they hold.
    ended: Receiver<Infallible>,
    finish_timeout: Duration,
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
        let (end, ended) = channel();
        let lanes = Self {
            log: Arc::default(),
            snapshot: Arc::default(),
            completions: Arc::new(Completions::new(wake)),
            directories,
            ended,
            finish_timeout,
        };
        let locks = Arc::new(locks);
        for worker in workers {
            let (queue, name) = match worker.lane() {
                Lane::Log => (Arc::clone(&lanes.log), "zookeeper-log"),
                Lane::Snapshot => (Arc::clone(&lanes.snapshot), "zookeeper-snap"),
            };
            let completions = Arc::clone(&lanes.completions);
            let hold = Hold { _locks: Arc::clone(&locks), _end: end.clone() };
            let run = move || {
                run(worker, &queue, &completions);
                drop(hold);
            };
            thread::Builder::new().name(name.into()).spawn(run)?;
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

    /// Bytes in the directories of snapshots and of logs: a listing, for every few seconds.
    #[must_use]
    pub fn sizes(&self) -> (u64, u64) {
        self.directories.sizes()
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.log.close();
        self.snapshot.close();
        if self.ended.recv_timeout(self.finish_timeout) == Err(RecvTimeoutError::Timeout) {
            error!("storage hangs: its threads are left behind");
        }
    }
}

/// A lane's thread.
fn run(mut worker: Worker, queue: &Queue, completions: &Completions) {
    let mut batch = VecDeque::new();
    let mut has_failed = false;
    while queue.take(&mut batch) {
        if !has_failed {
            has_failed =
                !worker.execute(batch.make_contiguous(), &mut |done| completions.push(done));
        }
        batch.clear();
    }
    if !has_failed {
        worker.release();
    }
}

#[cfg(test)]
mod tests;
