//! What a store is asked to do, and what it can say went wrong.

use std::{fmt, io};

use bytes::Bytes;
use thiserror::Error;

/// One of the two independent orders of operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// The transaction log: what replies wait for.
    Log,
    /// Snapshots: nobody waits for them.
    Snapshot,
}

/// A directory of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dir {
    /// `<dataLogDir>/version-2`.
    Log,
    /// `<dataDir>/version-2`.
    Snapshot,
}

/// A file of the store, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    /// Where it is.
    pub dir: Dir,
    /// Its name, without any directory.
    pub name: Box<str>,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.dir, self.name)
    }
}

/// One operation on the store. Operations of a lane are executed in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FileOp {
    /// Makes an empty file, or empties the one of that name.
    Create {
        /// The file.
        file: File,
        /// Bytes to reserve for it, where the file system can.
        reserve: u64,
    },
    /// Writes at the end.
    Append {
        /// The file.
        file: File,
        /// What to write.
        bytes: Bytes,
    },
    /// Makes everything appended so far survive a power cut.
    Sync {
        /// The file.
        file: File,
    },
    /// Makes the names in a directory survive a power cut.
    SyncDir {
        /// The directory.
        dir: Dir,
    },
    /// Gives a file another name in the same directory, replacing what has it.
    Rename {
        /// The file.
        from: File,
        /// Its new name.
        to: Box<str>,
    },
    /// Removes a file.
    Remove {
        /// The file.
        file: File,
    },
    /// Cuts a file.
    Truncate {
        /// The file.
        file: File,
        /// The length it keeps, in bytes.
        length: u64,
    },
}

impl FileOp {
    /// What the operation is called in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Append { .. } => "append",
            Self::Sync { .. } => "sync",
            Self::SyncDir { .. } => "sync directory",
            Self::Rename { .. } => "rename",
            Self::Remove { .. } => "remove",
            Self::Truncate { .. } => "truncate",
        }
    }
}

/// Why an operation failed, with everything an operator needs to find the place.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{operation} of {file} failed: {message}")]
pub struct StorageError {
    /// The file or directory, as the store knows it.
    pub file: Box<str>,
    /// [`FileOp::name`].
    pub operation: &'static str,
    /// What kind of failure.
    pub kind: io::ErrorKind,
    /// The system's own words.
    pub message: Box<str>,
}
