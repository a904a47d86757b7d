//! Reading for a recovery.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use tracing::info;
use zookeeper_core::storage::{
    Dir, File, ReadRequest, Recovered, Recovery, RecoveryConfig, RecoveryEvent, StorageError,
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
    let place = || directories.path(Dir::Snapshot).to_path_buf();
    if !allow_empty && !files.iter().any(|info| is_data(&info.file.name)) {
        return Err(RecoverError::Empty { path: place() });
    }
    let mut recovery = Recovery::new(config, seed, files);
    let mut reader = Reader { directories, system, open: None, buffer: Vec::new() };
    let mut next_progress = Instant::now() + PROGRESS_INTERVAL;
    loop {
        while let Some(event) = recovery.poll_event() {
            on_event(event);
        }
        let Some(request) = recovery.poll_read() else {
            let failed = |source| RecoverError::Recovery { path: place(), source };
            return recovery.finish().map_err(failed);
        };
        if Instant::now() >= next_progress {
            next_progress = Instant::now() + PROGRESS_INTERVAL;
            let progress = recovery.progress();
            let (done, total) = (progress.done >> 20, progress.total >> 20);
            info!(file = %request.file, "recovering: {done} of {total} MiB");
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

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use tempfile::TempDir;
    use zookeeper_core::{
        SessionId, Zxid,
        storage::{RecoveryError, encode_file_header, encode_record},
        wire::{Txn, TxnHeader},
    };

    use super::*;
    use crate::{
        Config, Disk,
        faults::{Fault, Faulty},
    };

    /// Input and output error.
    const EIO: i32 = 5;

    /// A log with the creation of so many sessions.
    fn write_log(dir: &Path, count: i64) {
        let mut content = Vec::new();
        encode_file_header(&mut content);
        for zxid in 1..=count {
            let session = SessionId(zxid);
            let header = TxnHeader { session, cxid: 0, zxid: Zxid(zxid), time_ms: 1_000 };
            encode_record(&mut content, &header, &Txn::CreateSession { timeout_ms: 5 }, None);
        }
        content.resize(content.len() + 4_096, 0);
        fs::create_dir_all(dir.join("version-2")).expect("room");
        fs::write(dir.join("version-2/log.1"), content).expect("room");
    }

    /// Recovers with these failures. Gives the number of sessions, or what is wrong.
    fn recover(dir: &Path, faults: Vec<(&'static str, Fault)>) -> Result<usize, RecoverError> {
        let system = Arc::new(Faulty::default());
        for (call, fault) in faults {
            system.plan(call, fault);
        }
        let disk = Disk::open_with(&Config::new(dir), system).expect("room");
        let recovered = disk.recover(RecoveryConfig::default(), 1, &mut |_| {})?;
        Ok(recovered.session_count())
    }

    #[test]
    fn short_reads_and_interruptions_change_nothing() {
        let dir = TempDir::new().expect("room");
        write_log(dir.path(), 20);
        assert_eq!(recover(dir.path(), Vec::new()).expect("a good log"), 20);
        let faults = vec![
            ("read_at", Fault::Short(7)),
            ("read_at", Fault::Error(io::ErrorKind::Interrupted)),
            ("read_at", Fault::Short(100)),
        ];
        assert_eq!(recover(dir.path(), faults).expect("a good log"), 20);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_no_end_of_it() {
        let dir = TempDir::new().expect("room");
        write_log(dir.path(), 20);
        for (call, fault, text) in [
            ("read_at", Fault::Errno(EIO), "os error 5"),
            ("open_to_read", Fault::Error(io::ErrorKind::PermissionDenied), "permission denied"),
        ] {
            let error = recover(dir.path(), vec![(call, fault)]).expect_err("it is unreadable");
            let RecoverError::Recovery { source, .. } = &error else { panic!("{error}") };
            assert!(matches!(source, RecoveryError::Unreadable { .. }), "{error}");
            let message = error.to_string();
            let expected = format!("{}: read of ", dir.path().join("version-2").display());
            assert!(message.starts_with(&expected), "{message}");
            assert!(message.contains("version-2/log.1 failed: "), "{message}");
            assert!(message.contains(text), "{message}");
            let has_remedy =
                message.ends_with("must own the data directories and everything in them");
            assert_eq!(has_remedy, call == "open_to_read", "{message}");
        }
    }

    #[test]
    fn a_snapshot_that_must_not_be_read_comes_with_a_remedy() {
        let dir = TempDir::new().expect("room");
        write_log(dir.path(), 20);
        fs::write(dir.path().join("version-2/snapshot.5"), [7; 100]).expect("room");
        // It is looked at more than once.
        let fault = || ("open_to_read", Fault::Error(io::ErrorKind::PermissionDenied));
        let faults = vec![fault(), fault(), fault()];
        let error = recover(dir.path(), faults).expect_err("it is unreadable");
        let message = error.to_string();
        assert!(message.contains("snapshot.5") && message.contains("must own"), "{message}");
    }

    #[test]
    fn a_directory_that_must_not_be_read_comes_with_a_remedy() {
        let (path, source) = ("data/version-2".into(), io::ErrorKind::PermissionDenied.into());
        let message = RecoverError::List { path, source }.to_string();
        assert!(message.starts_with("cannot list data/version-2: "), "{message}");
        assert!(message.contains("must own the data directories"), "{message}");
    }

    #[test]
    fn nothing_is_something_only_where_it_may_be() {
        let dir = TempDir::new().expect("room");
        assert_eq!(recover(dir.path(), Vec::new()).expect("a new store"), 0);
        let mut config = Config::new(dir.path());
        config.create_database = false;
        let disk = Disk::open(&config).expect("room");
        let result = disk.recover(RecoveryConfig::default(), 1, &mut |_| {});
        let error = result.expect_err("there is nothing");
        assert!(error.to_string().contains("db.autocreate=true"), "{error}");
        write_log(dir.path(), 3);
        let result = disk.recover(RecoveryConfig::default(), 1, &mut |_| {});
        assert_eq!(result.expect("a good log").session_count(), 3);
    }
}
