//! Recovers stores that are in memory.

use zookeeper_core::storage::{
    Dir, File, FileOp, Recovered, Recovery, RecoveryConfig, RecoveryError, RecoveryEvent,
};

use crate::disk::Image;

/// Reads of one recovery; what takes more does not end.
const READS_MAX: usize = 100_000;

/// Recovers what a store holds; also says what was told on the way.
///
/// # Panics
///
/// When the recovery breaks its contract.
pub fn recover(
    image: &Image,
    config: &RecoveryConfig,
    seed: u64,
) -> (Result<Recovered, RecoveryError>, Vec<RecoveryEvent>) {
    let mut recovery = Recovery::new(config.clone(), seed, image.files());
    let mut events = Vec::new();
    let mut reads = 0;
    loop {
        events.extend(std::iter::from_fn(|| recovery.poll_event()));
        let Some(request) = recovery.poll_read() else { break };
        assert_eq!(recovery.poll_read().as_ref(), Some(&request), "it repeats");
        assert!(request.length > 0, "there is something to read");
        reads += 1;
        assert!(reads < READS_MAX, "a recovery ends");
        let before = recovery.progress();
        match image.read(&request) {
            Ok(bytes) => recovery.handle_read(bytes),
            Err(error) => recovery.handle_read_error(error),
        }
        let after = recovery.progress();
        assert!(after.done >= before.done && after.done <= after.total, "{after:?}");
    }
    (recovery.finish(), events)
}

/// The store once a server has done what the recovery found to be done.
#[must_use]
pub fn repaired(image: &Image, recovered: &Recovered) -> Image {
    let mut image = image.clone();
    for op in recovered.repairs() {
        match op {
            FileOp::Truncate { file, length } => {
                let mut bytes = image.bytes(file).unwrap_or_default().to_vec();
                bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                image.insert(file.clone(), bytes);
            }
            FileOp::Remove { file } => _ = image.remove(file),
            // Everything here is stable.
            _ => {}
        }
    }
    for file in recovered.leftovers() {
        image.remove(file);
    }
    image
}

/// A file by its name: logs are in the directory of logs.
#[must_use]
pub fn file(name: &str) -> File {
    let dir = if name.starts_with("log.") { Dir::Log } else { Dir::Snapshot };
    File { dir, name: name.into() }
}

/// A store of these files.
#[must_use]
pub fn image<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Image {
    let mut image = Image::default();
    for (name, bytes) in files {
        image.insert(file(name), bytes.to_vec());
    }
    image
}
