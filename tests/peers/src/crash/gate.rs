//! When writers write.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What the writers of one round share with whoever kills the server.
#[derive(Debug)]
pub(super) struct Gate {
    is_open: AtomicBool,
    acknowledged: AtomicU64,
    wanted: u64,
    reached: SyncSender<()>,
}

impl Gate {
    /// A round, and what tells when so many requests were acknowledged.
    pub(super) fn new(wanted: u64) -> (Self, Receiver<()>) {
        let (reached, receiver) = sync_channel(1);
        let is_open = AtomicBool::new(true);
        (Self { is_open, acknowledged: AtomicU64::new(0), wanted, reached }, receiver)
    }

    /// Whether to go on.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// Ends the round.
    pub(super) fn close(&self) {
        self.is_open.store(false, Relaxed);
    }

    /// A request was acknowledged.
    pub(super) fn acknowledge(&self) {
        if self.acknowledged.fetch_add(1, Relaxed) + 1 == self.wanted {
            // The other side may have gone on already.
            let _ = self.reached.try_send(());
        }
    }

    /// How many requests were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }
}
