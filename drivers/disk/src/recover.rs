//! Reading for a recovery.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use tracing::info;
use zookeeper_core::storage::{
    File, ReadRequest, Recovered, Recovery, RecoveryConfig, RecoveryEvent, StorageError,
};

use crate::{
    directories::{Directories, is_data},
    error::RecoverError,
    system::System,
    worker::storage_error,
};

/// How often a recovery says that it still goes on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(3);

/// Recovers what the directories hold.
pub(crate) fn recover(
    directories: &Directories,
    system: &dyn System,
    allow_empty: bool,
    config: RecoveryConfig,
    seed: u64,
    on_event: &mut dyn FnMut(RecoveryEvent),
) -> Result<Recovered, RecoverError> {
    let files = directories.list().map_err(|(path, source)| RecoverError::List { path, source })?;
    if !allow_empty && !files.iter().any(|info| is_data(&info.file.name)) {
        let path = directories.path(zookeeper_core::storage::Dir::Snapshot).into();
        return Err(RecoverError::Empty { path });
    }
    let mut recovery = Recovery::new(config, seed, files);
    let mut reader = Reader { directories, system, open: None, buffer: Vec::new() };
    let mut next_progress = Instant::now() + PROGRESS_INTERVAL;
    loop {
        while let Some(event) = recovery.poll_event() {
            on_event(event);
        }
        let Some(request) = recovery.poll_read() else { return Ok(recovery.finish()?) };
        if Instant::now() >= next_progress {
            next_progress = Instant::now() + PROGRESS_INTERVAL;
            info!(file = %request.file, megabytes_read = request.offset >> 20, "recovering");
        }
        match reader.read(&request) {
            Ok(bytes) => recovery.handle_read(bytes),
            Err(error) => recovery.handle_read_error(error),
        }
    }
}

/// Reads where it is told to, one file after the other.
#[derive(Debug)]
struct Reader<'a> {
    directories: &'a Directories,
    system: &'a dyn System,
    open: Option<(File, fs::File)>,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    /// The bytes asked for; fewer where the file ends.
    fn read(&mut self, request: &ReadRequest) -> Result<&[u8], StorageError> {
        let path = self.directories.file(&request.file);
        let failed = |source: io::Error| storage_error(&path, "read", &source);
        let handle = match self.open.take() {
            Some((file, handle)) if file == request.file => handle,
            _ => self.system.open_to_read(&path).map_err(failed)?,
        };
        // It only grows: what a shorter request leaves behind is not given to anybody.
        if self.buffer.len() < request.length {
            self.buffer.resize(request.length, 0);
        }
        let buffer = &mut self.buffer[..request.length];
        let count = read_all(self.system, &handle, buffer, request.offset).map_err(failed)?;
        self.open = Some((request.file.clone(), handle));
        Ok(&self.buffer[..count])
    }
}

/// Reads until the buffer is full or the file ends, however little the system gives at a time.
fn read_all(
    system: &dyn System,
    handle: &fs::File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match system.read_at(handle, &mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
