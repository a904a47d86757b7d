//! A start: recovery over the files that a crash left.

use zookeeper_core::{
    server::Recovered,
    storage::{RecoveryConfig, RecoveryError, RecoveryEvent},
    tree,
};

use crate::{disk::Image, store};

/// Recovers from these files.
///
/// # Errors
///
/// Why it cannot.
///
/// # Panics
///
/// When the recovery breaks its contract.
pub fn recover(
    image: &Image,
    config: &tree::Config,
    seed: u64,
) -> (Result<Recovered, RecoveryError>, Vec<RecoveryEvent>) {
    let mut settings = RecoveryConfig::default();
    settings.tree = config.clone();
    store::recover(image, &settings, seed)
}
