//! What is stored, and where.

use std::{sync::Arc, time::Duration};

use tracing::{debug, info};
use zookeeper_core::{
    Instant, Ticket,
    server::{Durability, Recovered, Server},
    storage::{FileOp, Lane, RecoveryConfig},
    tree,
};
use zookeeper_disk::{Disk, Lanes};

use crate::{Config, error::BindError, handle::Signal, log};

/// The lanes of a server, and until when they may take at its end.
#[derive(Debug)]
pub(crate) struct Store {
    lanes: Lanes,
    /// What the server wants in this turn, before the lanes hear of it: one waking each is enough.
    log: Vec<(Ticket, FileOp)>,
    snapshot: Vec<(Ticket, FileOp)>,
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
        let mut recovery = recovery_config(&config.server.tree);
        recovery.trust_empty_snapshot = storage.trust_empty_snapshot;
        let recovered = disk.recover(recovery, seed, &mut |event| log::recovery(&event))?;
        let zxid = recovered.summary().zxid;
        let (sessions, transactions) =
            (recovered.session_count(), recovered.transactions_replayed());
        info!(%zxid, sessions, transactions, "recovered {}", disk.snapshots().display());
        let about = &mut config.server.about;
        about.data_dir = disk.snapshots().to_string_lossy().into();
        about.data_log_dir = disk.logs().to_string_lossy().into();
        let finish_timeout = storage.finish_timeout;
        let lanes = disk.start(move || signal.wake()).map_err(BindError::Store)?;
        let (log, snapshot) = (Vec::new(), Vec::new());
        Ok((Some(Self { lanes, log, snapshot, finish_timeout, deadline: None }), recovered))
    }

    /// Takes an operation down.
    pub(crate) fn add(&mut self, lane: Lane, ticket: Ticket, op: FileOp) {
        match lane {
            Lane::Log => self.log.push((ticket, op)),
            Lane::Snapshot => self.snapshot.push((ticket, op)),
        }
    }

    /// Hands over what was taken down.
    pub(crate) fn submit(&mut self) {
        for (lane, operations) in [(Lane::Log, &mut self.log), (Lane::Snapshot, &mut self.snapshot)]
        {
            if !operations.is_empty() {
                self.lanes.submit_all(lane, operations.drain(..));
            }
        }
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
        self.lanes.begin_finish();
        self.deadline = Some(now + self.finish_timeout);
    }

    /// Until when to wait, at the end, for what is not stored yet; `None` if everything is.
    pub(crate) fn timeout(&self, server: &Server) -> Option<Instant> {
        if server.durable() == server.applied() { None } else { self.deadline }
    }

    /// Bytes in the directories of snapshots and of logs.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        self.lanes.sizes()
    }
}

/// Settings of a recovery that takes whatever a server with these settings writes, and upstream's
/// default writes.
fn recovery_config(tree: &tree::Config) -> RecoveryConfig {
    let mut config = RecoveryConfig::default();
    let overhead = config.record_length_max - tree::Config::default().transaction_length_max;
    let length_max = tree.transaction_length_max.saturating_add(overhead);
    config.record_length_max = config.record_length_max.max(length_max);
    config.tree = tree.clone();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_can_be_read() {
        let default = RecoveryConfig::default().record_length_max;
        let mut tree = tree::Config::default();
        assert_eq!(recovery_config(&tree).record_length_max, default);
        tree.transaction_length_max *= 2;
        assert!(recovery_config(&tree).record_length_max > tree.transaction_length_max);
        tree.transaction_length_max = 1_000;
        assert_eq!(recovery_config(&tree).record_length_max, default);
    }
}
