//! Settings of the directories.

use std::{path::PathBuf, time::Duration};

/// Settings of a [`Disk`](crate::Disk). The default is upstream's.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `dataDir`: the directory whose `version-2` has the snapshots.
    pub data_dir: PathBuf,
    /// `dataLogDir`: the directory whose `version-2` has the logs; `None` is the same one.
    pub log_dir: Option<PathBuf>,
    /// `datadir.autocreate`: whether directories that are not there are made.
    pub create: bool,
    /// `db.autocreate`: whether a server may begin with directories that hold no data.
    pub create_database: bool,
    /// `snapshot.trust.empty`: whether logs without any snapshot are taken for the whole history.
    pub trust_empty_snapshot: bool,
    /// `fsync.warningthresholdms`: a sync that takes longer is named in the log.
    pub sync_warning: Duration,
    /// How long the end waits for storage that hangs.
    pub finish_timeout: Duration,
}

impl Config {
    /// Settings of a directory for everything.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            log_dir: None,
            create: true,
            create_database: true,
            trust_empty_snapshot: false,
            sync_warning: Duration::from_secs(1),
            finish_timeout: Duration::from_secs(30),
        }
    }
}
