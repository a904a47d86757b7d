//! One lane: from operations to calls of the file system.

use std::{
    any::Any,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::warn;
use zookeeper_core::{
    Ticket,
    storage::{Dir, File, FileOp, Lane, StorageError},
};

use crate::{
    directories::Directories,
    lanes::Done,
    system::{System, write_all},
};

/// A snapshot is synced in steps of so many bytes, or the log's sync would have to wait for all of
/// it in the file system's journal.
const SYNC_LENGTH: u64 = 4 << 20;

/// Room is reserved anew when no more of it is left than this.
const RESERVE_LEFT: u64 = 4 << 10;

/// Reserved room is filled with zeros in steps of so many bytes, ahead of what is written. Room that
/// was never written makes every sync of data there one of the file system's own books, too, which
/// takes several times as long where others write as well.
const FILL_LENGTH: u64 = 1 << 20;

/// What executes one lane's operations.
#[derive(Debug)]
pub(crate) struct Worker {
    lane: Lane,
    directories: Directories,
    system: Arc<dyn System>,
    sync_warning: Duration,
    current: Option<Current>,
    /// The file that an operation failed on, and how: it cannot be trusted before it is made anew.
    failed: Option<(File, StorageError)>,
}

/// The file being written.
#[derive(Debug)]
struct Current {
    file: File,
    handle: fs::File,
    /// Where the next byte goes: behind what was appended, in front of what is reserved.
    position: u64,
    /// Bytes to reserve at a time; zero is none.
    reserve: u64,
    reserved_end: u64,
    /// Up to where the file was written, with data or zeros.
    filled_end: u64,
    /// Bytes appended since the last sync.
    unsynced: u64,
    /// Whether the next sync has to cover more than the content.
    is_changed: bool,
}

impl Worker {
    pub(crate) fn new(
        lane: Lane,
        directories: Directories,
        system: Arc<dyn System>,
        sync_warning: Duration,
    ) -> Self {
        Self { lane, directories, system, sync_warning, current: None, failed: None }
    }

    pub(crate) const fn lane(&self) -> Lane {
        self.lane
    }

    /// Executes a batch in order and answers it. False is the end of the lane.
    pub(crate) fn execute(
        &mut self,
        batch: &[(Ticket, FileOp)],
        answer: &mut impl FnMut(Done),
    ) -> bool {
        let lane = self.lane;
        let mut stored = None;
        for (index, (ticket, op)) in batch.iter().enumerate() {
            if is_covered(op, &batch[index + 1..]) {
                continue;
            }
            match self.run(op) {
                Ok(()) => stored = Some(*ticket),
                Err(error) => {
                    // Later successes must not answer for this one, nor it for those before.
                    if let Some(ticket) = stored.take().filter(|_| lane == Lane::Snapshot) {
                        answer(Done { lane, ticket, result: Ok(()) });
                    }
                    answer(Done { lane, ticket: *ticket, result: Err(error) });
                    if lane == Lane::Log {
                        return false;
                    }
                }
            }
        }
        if let Some(ticket) = stored {
            answer(Done { lane, ticket, result: Ok(()) });
        }
        true
    }

    fn run(&mut self, op: &FileOp) -> Result<(), StorageError> {
        let file = subject(op);
        if let (Some(file), Some((failed, error))) = (file, &self.failed)
            && failed == file
        {
            match op {
                FileOp::Create { .. } | FileOp::Remove { .. } => self.failed = None,
                _ => return Err(error.clone()),
            }
        }
        // Whatever a panic leaves half done is the file's, which nothing trusts from then on.
        let result = catch_unwind(AssertUnwindSafe(|| self.call(op)))
            .unwrap_or_else(|panic| Err(io::Error::other(format!("panic: {}", message(&*panic)))));
        result.map_err(|source| {
            let error = self.error(op, &source);
            if let Some(file) = file {
                self.close(file);
                self.failed = Some((file.clone(), error.clone()));
            }
            error
        })
    }

    fn call(&mut self, op: &FileOp) -> io::Result<()> {
        match op {
            FileOp::Create { file, reserve } => self.create(file, *reserve),
            FileOp::Append { file, bytes } => self.append(file, bytes),
            FileOp::Sync { file } => self.sync(file),
            FileOp::SyncDir { dir } => self.sync_dir(*dir),
            FileOp::Rename { from, to } => {
                self.close(from);
                let to = self.directories.path(from.dir).join(&**to);
                self.system.rename(&self.directories.file(from), &to)
            }
            FileOp::Remove { file } => {
                self.close(file);
                match self.system.remove(&self.directories.file(file)) {
                    // Somebody else cleans up here, too.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    result => result,
                }
            }
            FileOp::Truncate { file, length } => self.truncate(file, *length),
            // Operations are added as the core grows.
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "unknown operation")),
        }
    }

    fn create(&mut self, file: &File, reserve: u64) -> io::Result<()> {
        self.release();
        let handle = self.system.create(&self.directories.file(file))?;
        let current = self.current.insert(Current::new(file, handle, 0));
        current.reserve = reserve;
        current.prepare(0, &*self.system)
    }

    fn append(&mut self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let current = self.current.as_mut().filter(|current| current.file == *file);
        let current = current.ok_or_else(not_open)?;
        let length = bytes.len() as u64;
        current.prepare(length, &*self.system)?;
        current.fill(length, &*self.system)?;
        write_all(&*self.system, &current.handle, bytes, current.position)?;
        current.position += length;
        current.unsynced += length;
        if self.lane == Lane::Snapshot && current.unsynced >= SYNC_LENGTH {
            return self.sync(file);
        }
        Ok(())
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        let system = &*self.system;
        let path = || self.directories.file(file);
        let Some(current) = self.current.as_mut().filter(|current| current.file == *file) else {
            if self.lane == Lane::Snapshot {
                return Err(not_open());
            }
            // Written before this start, by a process that may not have synced it.
            let handle = system.open_to_read(&path())?;
            return timed(self.sync_warning, path, || system.sync_all(&handle));
        };
        let handle = &current.handle;
        if current.is_changed {
            timed(self.sync_warning, path, || system.sync_all(handle))?;
        } else {
            timed(self.sync_warning, path, || system.sync_data(handle))?;
        }
        current.is_changed = false;
        current.unsynced = 0;
        Ok(())
    }

    fn sync_dir(&self, dir: Dir) -> io::Result<()> {
        let path = self.directories.path(dir);
        timed(self.sync_warning, || path.to_path_buf(), || self.system.sync_dir(path))
    }

    fn truncate(&mut self, file: &File, length: u64) -> io::Result<()> {
        let handle = self.system.open_to_write(&self.directories.file(file))?;
        self.system.truncate(&handle, length)?;
        self.current = Some(Current::new(file, handle, length));
        Ok(())
    }

    /// Gives back what was reserved and not used of the file that was written, as nothing more will
    /// be: a log then has the length of its records.
    pub(crate) fn release(&mut self) {
        let Some(current) = self.current.take() else { return };
        if current.reserved_end <= current.position {
            return;
        }
        // The zeros do no harm, and a power cut may bring them back.
        if let Err(error) = self.system.truncate(&current.handle, current.position) {
            warn!(file = %current.file, %error, "cannot give back reserved room");
        }
    }

    /// Forgets the open file, if it is this one.
    fn close(&mut self, file: &File) {
        self.current.take_if(|current| current.file == *file);
    }

    /// What the core hears of a failure.
    fn error(&self, op: &FileOp, source: &io::Error) -> StorageError {
        let path = match op {
            FileOp::SyncDir { dir } => self.directories.path(*dir).to_path_buf(),
            _ => subject(op).map(|file| self.directories.file(file)).unwrap_or_default(),
        };
        storage_error(&path, op.name(), source)
    }
}

impl Current {
    fn new(file: &File, handle: fs::File, position: u64) -> Self {
        Self {
            file: file.clone(),
            handle,
            position,
            reserve: 0,
            reserved_end: position,
            filled_end: position,
            unsynced: 0,
            is_changed: true,
        }
    }

    /// Reserves room for `length` more bytes, unless there is enough. It only saves time: where it
    /// cannot be had the file grows with what is written, until that cannot be had either.
    fn prepare(&mut self, length: u64, system: &dyn System) -> io::Result<()> {
        let needed = self.position.saturating_add(length).saturating_add(RESERVE_LEFT);
        if self.reserve == 0 || needed <= self.reserved_end {
            return Ok(());
        }
        let Some(end) = needed.checked_next_multiple_of(self.reserve) else { return Ok(()) };
        match system.reserve(&self.handle, self.reserved_end, end - self.reserved_end) {
            Ok(true) => self.reserved_end = end,
            Ok(false) => self.reserve = 0,
            Err(error) if is_lack_of_room(&error) => {
                warn!(file = %self.file, bytes = self.reserve, %error, "cannot reserve room");
                self.reserve = 0;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Fills reserved room behind the `length` bytes to come, if those reach unfilled room.
    fn fill(&mut self, length: u64, system: &dyn System) -> io::Result<()> {
        let end = self.position.saturating_add(length);
        if end <= self.filled_end {
            return Ok(());
        }
        self.filled_end = end.saturating_add(FILL_LENGTH).min(self.reserved_end).max(end);
        if end < self.filled_end {
            system.fill(&self.handle, end, self.filled_end - end)?;
        }
        Ok(())
    }
}

/// Whether what follows in the batch makes this operation needless: a sync of the same file with
/// nothing in between but what is appended to it.
fn is_covered(op: &FileOp, rest: &[(Ticket, FileOp)]) -> bool {
    let FileOp::Sync { file } = op else { return false };
    let is_append = |op: &FileOp| matches!(op, FileOp::Append { file: other, .. } if other == file);
    let next = rest.iter().map(|(_, op)| op).find(|op| !is_append(op));
    next == Some(op)
}

/// The file that an operation is about.
const fn subject(op: &FileOp) -> Option<&File> {
    match op {
        FileOp::Create { file, .. }
        | FileOp::Append { file, .. }
        | FileOp::Sync { file }
        | FileOp::Rename { from: file, .. }
        | FileOp::Remove { file }
        | FileOp::Truncate { file, .. } => Some(file),
        _ => None,
    }
}

/// Calls a sync, and says so if it took long: that is what every write had to wait for.
fn timed(
    limit: Duration,
    path: impl FnOnce() -> std::path::PathBuf,
    sync: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let start = Instant::now();
    sync()?;
    let elapsed = start.elapsed();
    if elapsed > limit {
        let path = path();
        warn!(path = %path.display(), ?elapsed, "sync took long, and writes wait for it");
    }
    Ok(())
}

/// A failure as the core takes it.
pub(crate) fn storage_error(
    path: &Path,
    operation: &'static str,
    source: &io::Error,
) -> StorageError {
    StorageError {
        file: path.to_string_lossy().into(),
        operation,
        kind: source.kind(),
        message: source.to_string().into(),
    }
}

fn is_lack_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

fn not_open() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not the file being written")
}

#[cfg(test)]
mod tests;
