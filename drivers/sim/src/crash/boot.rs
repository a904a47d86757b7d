//! A start: recovery over the files that a crash left.

use zookeeper_core::{
    server::Recovered,
    storage::{Recovery, RecoveryConfig, RecoveryError, RecoveryEvent},
    tree,
};

use crate::disk::Image;

/// More reads than any recovery takes.
const READS_MAX: usize = 1_000_000;

/// Recovers from these files.
///
/// # Errors
///
/// Why it cannot.
///
/// # Panics
///
/// When it asks for bytes without end.
pub fn recover(
    image: &Image,
    config: &tree::Config,
    seed: u64,
) -> (Result<Recovered, RecoveryError>, Vec<RecoveryEvent>) {
    let mut settings = RecoveryConfig::default();
    settings.tree = config.clone();
    let mut recovery = Recovery::new(settings, seed, image.files());
    let mut reads = 0;
    while let Some(request) = recovery.poll_read() {
        reads += 1;
        assert!(reads < READS_MAX, "a recovery ends");
        match image.read(&request) {
            Ok(bytes) => recovery.handle_read(bytes),
            Err(error) => recovery.handle_read_error(error),
        }
    }
    let events = std::iter::from_fn(|| recovery.poll_event()).collect();
    (recovery.finish(), events)
}
