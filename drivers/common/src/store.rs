//! What is stored, and where.

use std::{sync::Arc, time::Duration};

use tracing::{debug, info};
use zookeeper_core::{
    Instant, Ticket,
    server::{Durability, Recovered, Server},
    storage::{FileOp, Lane, RecoveryConfig},
};
use zookeeper_disk::{Disk, Lanes};

use crate::{Config, error::BindError, handle::Signal, log};

/// The lanes of a server, and until when they may take at its end.
#[derive(Debug)]
pub(crate) struct Store {
    lanes: Lanes,
    finish_timeout: Duration,
    /// Set when the server stops.
    deadline: Option<Instant>,
}

impl Store {
    /// Opens what `config` names and recovers it; tells the server's settings where it is. In
    /// memory there is nothing.
    pub(crate) fn open(
        config: &mut Config,
        seed: u64,
        signal: Arc<dyn Signal>,
    ) -> Result<(Option<Self>, Recovered), BindError> {
        let storage = match (&config.storage, &config.server.durability) {
            (None, Durability::InMemory) => return Ok((None, Recovered::empty())),
            (None, Durability::Logged(_)) => return Err(BindError::NoDirectory),
            (Some(_), Durability::InMemory) => return Err(BindError::NoDurability),
            (Some(storage), Durability::Logged(_)) => storage,
        };
        let disk = Disk::open(storage)?;
        let mut recovery = RecoveryConfig::default();
        recovery.tree = config.server.tree.clone();
        recovery.trust_empty_snapshot = storage.trust_empty_snapshot;
        info!(snapshots = %disk.snapshots().display(), logs = %disk.logs().display(), "recovering");
        let recovered = disk.recover(recovery, seed, &mut |event| log::recovery(&event))?;
        let about = &mut config.server.about;
        about.data_dir = disk.snapshots().to_string_lossy().into();
        about.data_log_dir = disk.logs().to_string_lossy().into();
        let finish_timeout = storage.finish_timeout;
        let lanes = disk.start(move || signal.wake()).map_err(BindError::Store)?;
        Ok((Some(Self { lanes, finish_timeout, deadline: None }), recovered))
    }

    /// Queues an operation.
    pub(crate) fn submit(&self, lane: Lane, ticket: Ticket, op: FileOp) {
        self.lanes.submit(lane, ticket, op);
    }

    /// Tells the server what is done.
    pub(crate) fn complete(&self, now: Instant, server: &mut Server) {
        while let Some(done) = self.lanes.poll() {
            match done.result {
                Ok(()) => server.handle_stored(now, done.lane, done.ticket),
                Err(error) => {
                    debug!(lane = ?done.lane, ticket = done.ticket.0, %error, "storing failed");
                    server.handle_storage_error(now, done.lane, done.ticket, error);
                }
            }
        }
    }

    /// The server stops: what it has begun may take a while.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.deadline = Some(now + self.finish_timeout);
    }

    /// Until when to wait for what is not stored yet; `None` if everything is.
    pub(crate) fn timeout(&self, server: &Server) -> Option<Instant> {
        if server.durable() == server.applied() { None } else { self.deadline }
    }

    /// Bytes in the directories of snapshots and of logs.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        self.lanes.sizes()
    }
}
