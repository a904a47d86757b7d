//! The directories, open and locked.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use zookeeper_core::storage::{
    Dir, File, FileInfo, Lane, Recovered, RecoveryConfig, RecoveryEvent,
};

use crate::{
    Config, Lanes, OpenError, RecoverError, aside,
    directories::Directories,
    lock::Lock,
    recover,
    system::{Real, System},
    worker::Worker,
};

/// The directories of one server, open and locked.
#[derive(Debug)]
pub struct Disk {
    config: Config,
    directories: Directories,
    system: Arc<dyn System>,
    locks: Vec<Lock>,
}

impl Disk {
    /// Makes the directories that are not there, checks those that are, and locks them.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when they cannot be used, or must not be.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        Self::open_with(config, Arc::new(Real))
    }

    pub(crate) fn open_with(config: &Config, system: Arc<dyn System>) -> Result<Self, OpenError> {
        let directories = Directories::open(config, &*system)?;
        let mut locks = vec![Lock::acquire(directories.path(Dir::Snapshot))?];
        if !directories.are_one() {
            locks.push(Lock::acquire(directories.path(Dir::Log))?);
        }
        Ok(Self { config: config.clone(), directories, system, locks })
    }

    /// Every file there is, as a recovery is told of them.
    ///
    /// # Errors
    ///
    /// [`RecoverError::List`] when a directory, or a file in it, cannot be looked at.
    pub fn files(&self) -> Result<Vec<FileInfo>, RecoverError> {
        self.directories.list().map_err(|(path, source)| RecoverError::List { path, source })
    }

    /// Where a file is.
    #[must_use]
    pub fn path(&self, file: &File) -> PathBuf {
        self.directories.file(file)
    }

    /// Reads what is there. What should be heard of is told on the way; what takes long says so in
    /// the log.
    ///
    /// # Errors
    ///
    /// [`RecoverError`] when it is not certain what the data are.
    pub fn recover(
        &self,
        config: RecoveryConfig,
        seed: u64,
        on_event: &mut dyn FnMut(RecoveryEvent),
    ) -> Result<Recovered, RecoverError> {
        let allow_empty = self.config.create_database;
        recover::recover(&self.directories, &*self.system, allow_empty, config, seed, on_event)
    }

    /// Copies these bytes of a file into the folder `damaged` beside it, where no server looks.
    /// Gives the copy's path; the copy survives a power cut.
    ///
    /// [`Disk::recover`] does so by itself with the end of a log that will be cut, if whole records
    /// are in it.
    ///
    /// # Errors
    ///
    /// [`RecoverError::Keep`]; the file is as it was.
    pub fn keep(&self, file: &File, bytes: Range<u64>) -> Result<PathBuf, RecoverError> {
        aside::copy(&*self.system, &self.path(file), bytes)
    }

    /// Moves a file into that folder. Gives its new path.
    ///
    /// # Errors
    ///
    /// [`RecoverError::Keep`]; the file is in one of both places.
    pub fn set_aside(&self, file: &File) -> Result<PathBuf, RecoverError> {
        aside::take(&*self.system, &self.path(file))
    }

    /// Starts the lanes. `wake` is called, from one of their threads, when there is something to
    /// [`Lanes::poll`].
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(self, wake: impl Fn() + Send + Sync + 'static) -> io::Result<Lanes> {
        let worker = |lane| {
            let (directories, system) = (self.directories.clone(), Arc::clone(&self.system));
            Worker::new(lane, directories, system, self.config.sync_warning)
        };
        let workers = [Lane::Log, Lane::Snapshot].map(worker);
        Lanes::start(self.directories, self.locks, workers, self.config.finish_timeout, wake)
    }

    /// The `version-2` with the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> &Path {
        self.directories.path(Dir::Snapshot)
    }

    /// The `version-2` with the logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        self.directories.path(Dir::Log)
    }
}
