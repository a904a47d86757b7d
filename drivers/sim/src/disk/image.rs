//! The files that a start finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use zookeeper_core::storage::{File, FileInfo, ReadRequest, StorageError};

/// The files that a start finds. A clone shares their bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Image {
    files: BTreeMap<File, Arc<Vec<u8>>>,
    /// Files that cannot be read.
    broken: BTreeSet<File>,
}

impl Image {
    /// Every file and its length.
    #[must_use]
    pub fn files(&self) -> Vec<FileInfo> {
        let info = |(file, bytes): (&File, &Arc<Vec<u8>>)| FileInfo {
            file: file.clone(),
            length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        };
        self.files.iter().map(info).collect()
    }

    /// A file's bytes.
    #[must_use]
    pub fn bytes(&self, file: &File) -> Option<&[u8]> {
        Some(self.files.get(file)?)
    }

    /// The bytes asked for; fewer where the file ends, or is not there.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read(&self, request: &ReadRequest) -> Result<&[u8], StorageError> {
        if self.broken.contains(&request.file) {
            return Err(StorageError {
                file: request.file.to_string().into(),
                operation: "read",
                kind: io::ErrorKind::Other,
                message: "input/output error".into(),
            });
        }
        let bytes = self.bytes(&request.file).unwrap_or_default();
        let start = usize::try_from(request.offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(request.length).min(bytes.len());
        Ok(&bytes[start..end])
    }

    /// Lets every read of a file fail.
    pub fn break_file(&mut self, file: File) {
        self.broken.insert(file);
    }

    /// Puts a file there, or something else into one.
    pub fn insert(&mut self, file: File, bytes: Vec<u8>) {
        self.insert_shared(file, Arc::new(bytes));
    }

    /// Takes a file away.
    pub fn remove(&mut self, file: &File) -> bool {
        self.files.remove(file).is_some()
    }

    /// Lets one bit of a file change. False when the file is shorter.
    pub fn flip_bit(&mut self, file: &File, bit: usize) -> bool {
        let Some(bytes) = self.files.get_mut(file).filter(|bytes| bit / 8 < bytes.len()) else {
            return false;
        };
        Arc::make_mut(bytes)[bit / 8] ^= 1 << (bit % 8);
        true
    }

    pub(super) fn insert_shared(&mut self, file: File, bytes: Arc<Vec<u8>>) {
        self.files.insert(file, bytes);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&File, &Arc<Vec<u8>>)> {
        self.files.iter()
    }
}
