//! What keeps a server from its data.

use std::{io, path::PathBuf};

use thiserror::Error;
use zookeeper_core::storage::{RecoveryError, SnapshotProblem};

/// Why directories cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A directory is not there and may not be made.
    #[error(
        "{}: there is no such directory; make it, or let it be made with datadir.autocreate=true",
        path.display()
    )]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// Something else has the directory's name.
    #[error(
        "{}: is not a directory; name another directory, or move this out of the way",
        path.display()
    )]
    NotADirectory {
        /// What has the name.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot {operation} {}: {source}{}", path.display(), hint_at(source))]
    System {
        /// What was asked for.
        operation: &'static str,
        /// Of what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A server uses the directory already.
    #[error(
        "{}: another server{} keeps its data there; stop it, or name another directory",
        path.display(),
        process(*pid)
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The server's process, as far as it can be told.
        pid: Option<u32>,
    },
    /// Files are in the directory of the other kind.
    #[error(
        "{}: {kind} belong into {}, and {file} is one; the directories may be exchanged, or were \
         one before: move these files there",
        path.display(),
        belongs.display()
    )]
    Misplaced {
        /// The directory.
        path: PathBuf,
        /// Where the files belong.
        belongs: PathBuf,
        /// What they are.
        kind: &'static str,
        /// One of them.
        file: String,
    },
    /// Files lie where no server of this format puts them.
    #[error("{}: {file} is not in a directory \"version-2\", so it is of a foreign format, or in \
             the wrong place; {remedy}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the files.
        file: String,
        /// What can be done about it.
        remedy: String,
    },
}

/// Why a store cannot be recovered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// It cannot be listed.
    #[error("cannot list {}: {source}{}", path.display(), hint_at(source))]
    List {
        /// The directory, or the file that cannot be looked at.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is nothing, and there should be something.
    #[error(
        "{}: there are no data, and with db.autocreate=false a server does not begin without any; \
         see that the directory is the right one, or begin with db.autocreate=true",
        path.display()
    )]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// What will be taken from a file could not be kept.
    #[error(
        "cannot keep what is damaged in {}: {source}{}; nothing is cut before that is kept: see \
         that the directory can be written to",
        path.display(),
        hint(source.kind())
    )]
    Keep {
        /// The copy, or what it is made from.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// What is there cannot be trusted.
    #[error("{}: {source}{}", path.display(), recovery_hint(source))]
    Recovery {
        /// The directory of snapshots.
        path: PathBuf,
        /// What is wrong with which file.
        source: RecoveryError,
    },
}

impl OpenError {
    /// What kind of failure.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Missing { .. } => io::ErrorKind::NotFound,
            Self::NotADirectory { .. } => io::ErrorKind::NotADirectory,
            Self::System { source, .. } => source.kind(),
            Self::InUse { .. } => io::ErrorKind::ResourceBusy,
            Self::Misplaced { .. } | Self::Foreign { .. } => io::ErrorKind::InvalidData,
        }
    }
}

impl RecoverError {
    /// What kind of failure.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::List { source, .. } | Self::Keep { source, .. } => source.kind(),
            Self::Empty { .. } => io::ErrorKind::NotFound,
            Self::Recovery { .. } => io::ErrorKind::InvalidData,
        }
    }
}

/// What can be done about what the system says.
fn hint_at(error: &io::Error) -> &'static str {
    if is_lack_of_locks(error) {
        return "; the file system has no locks: name a directory on a local disk, or see that the \
                lock service of the network's file system runs";
    }
    hint(error.kind())
}

#[cfg(unix)]
fn is_lack_of_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

#[cfg(not(unix))]
const fn is_lack_of_locks(_error: &io::Error) -> bool {
    false
}

/// What can be done about a file that could not be read; what is in one, its error tells itself.
fn recovery_hint(error: &RecoveryError) -> &'static str {
    match error {
        RecoveryError::Unreadable { error, .. }
        | RecoveryError::NoUsableSnapshot { problem: SnapshotProblem::Unreadable(error), .. } => {
            hint(error.kind)
        }
        _ => "",
    }
}

fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => {
            "; the user that runs the server must own the data directories and everything in them"
        }
        io::ErrorKind::ReadOnlyFilesystem => "; the file system has to be mounted for writing",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room",
        _ => "",
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
