//! Ctrl-C, as long work sees it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::failure::CommandError;

/// Whether somebody wants the running command to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks for it.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Forgets that it was asked for: the next command begins.
    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether it was asked for.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails if it was asked for.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        if self.is_set() { Err(CommandError::Interrupted) } else { Ok(()) }
    }

    /// The flag itself, for a signal handler.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
