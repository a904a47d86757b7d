//! A snapshot from front to back.

use std::path::Path;

use zookeeper_core::storage::{Compression, SnapshotDamage, SnapshotItem, SnapshotReader};

use super::{failure::OfflineError, source::Source};

/// How a snapshot came to its end.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    /// The file, as it was named.
    pub(super) file: String,
    /// Its length in bytes.
    pub(super) length: u64,
    /// How long it is when it is decompressed, as far as it was read.
    pub(super) plain_length: u64,
    /// What is wrong with it.
    pub(super) damage: Option<SnapshotDamage>,
}

/// Reads a snapshot up to its end, or to damage; tells every item but the end, and where it ends in
/// the decompressed snapshot.
pub(super) fn scan(
    path: &Path,
    record_length_max: usize,
    quiet: bool,
    mut on_item: impl FnMut(SnapshotItem<'_>) -> Result<(), OfflineError>,
) -> Result<Scanned, OfflineError> {
    let mut source = Source::open(path, quiet)?;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let mut reader = SnapshotReader::new(Compression::of_name(&name), record_length_max);
    let damage = loop {
        match reader.next() {
            Ok(SnapshotItem::NeedBytes) => {
                let bytes = source.read()?;
                if bytes.is_empty() { reader.finish() } else { reader.push(bytes) }
            }
            Ok(SnapshotItem::End) => break None,
            Ok(item) => on_item(item)?,
            Err(damage) => break Some(damage),
        }
    };
    let (file, length) = (source.name().to_owned(), source.length());
    Ok(Scanned { file, length, plain_length: reader.offset(), damage })
}

/// The root's path is empty in snapshots.
pub(super) fn shown_path(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
