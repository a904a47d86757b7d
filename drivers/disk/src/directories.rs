//! The two directories of a store: made if need be, and checked before anything is read.
//!
//! Behaviour: the constructor of `org.apache.zookeeper.server.persistence.FileTxnSnapLog`.

use std::{
    fs, io,
    path::{Path, PathBuf, absolute},
    sync::Arc,
};

use tracing::{debug, warn};
use zookeeper_core::storage::{Dir, File, FileInfo};

use crate::{
    Config,
    error::OpenError,
    system::{System, create_directory, sync_directory},
};

/// The directory in the one that is configured, by the version of the formats.
const VERSION: &str = "version-2";

/// What the names of logs and of snapshots begin with.
const LOG: &str = "log";
const SNAPSHOT: &str = "snapshot";

/// Files that only members of an ensemble have; the first lies beside `version-2`.
const MEMBER: [&str; 3] = ["myid", "version-2/currentEpoch", "version-2/acceptedEpoch"];

/// The directories that have the files.
#[derive(Clone, Debug)]
pub(crate) struct Directories {
    snapshots: Arc<Path>,
    /// The same one, unless logs have one of their own.
    logs: Arc<Path>,
}

impl Directories {
    /// Makes what may be made, and refuses what is in doubt.
    pub(crate) fn open(config: &Config, calls: &dyn System) -> Result<Self, OpenError> {
        let snapshots = prepare(&config.data_dir, config.create, calls)?;
        let logs = match &config.log_dir {
            None => Arc::clone(&snapshots),
            Some(log_dir) => {
                let logs = prepare(log_dir, config.create, calls)?;
                let real = |path: &Path| path.canonicalize().map_err(system("find", path));
                if real(&logs)? == real(&snapshots)? { Arc::clone(&snapshots) } else { logs }
            }
        };
        let directories = Self { snapshots, logs };
        directories.check_kinds()?;
        warn_of_an_ensemble(&config.data_dir);
        Ok(directories)
    }

    /// The path of a directory.
    pub(crate) fn path(&self, dir: Dir) -> &Path {
        match dir {
            Dir::Snapshot => &self.snapshots,
            Dir::Log => &self.logs,
        }
    }

    /// The path of a file.
    pub(crate) fn file(&self, file: &File) -> PathBuf {
        self.path(file.dir).join(&*file.name)
    }

    /// Whether logs and snapshots share one directory.
    pub(crate) fn are_one(&self) -> bool {
        Arc::ptr_eq(&self.snapshots, &self.logs)
    }

    /// Every file there is. The error names what could not be looked at.
    pub(crate) fn list(&self) -> Result<Vec<FileInfo>, (PathBuf, io::Error)> {
        let mut files = Vec::new();
        for (name, length) in entries(&self.snapshots)? {
            let dir = if self.are_one() && is_named(&name, LOG) { Dir::Log } else { Dir::Snapshot };
            files.push(FileInfo { file: File { dir, name: name.into() }, length });
        }
        if !self.are_one() {
            let of_log = |(name, length): (String, u64)| FileInfo {
                file: File { dir: Dir::Log, name: name.into() },
                length,
            };
            files.extend(entries(&self.logs)?.into_iter().map(of_log));
        }
        Ok(files)
    }

    /// Bytes in the directories of snapshots and of logs, as far as can be told: a listing.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let snapshots = size(&self.snapshots);
        (snapshots, if self.are_one() { snapshots } else { size(&self.logs) })
    }

    /// Each kind has its directory, or the server would begin without half of its data.
    fn check_kinds(&self) -> Result<(), OpenError> {
        if self.are_one() {
            return Ok(());
        }
        for (path, belongs, prefix, kind) in [
            (&self.logs, &self.snapshots, SNAPSHOT, "snapshots"),
            (&self.snapshots, &self.logs, LOG, "logs"),
        ] {
            if let Some(file) = find(path, prefix)? {
                let (path, belongs) = (path.to_path_buf(), belongs.to_path_buf());
                return Err(OpenError::Misplaced { path, belongs, kind, file });
            }
        }
        Ok(())
    }
}

/// Whether this is the name of a log or of a snapshot, as upstream tells them.
pub(crate) fn is_data(name: &str) -> bool {
    is_named(name, LOG) || is_named(name, SNAPSHOT)
}

/// Whether a name has this beginning and a transaction's number behind it; what follows is free.
fn is_named(name: &str, prefix: &str) -> bool {
    let mut parts = name.split('.');
    parts.next() == Some(prefix)
        && parts.next().is_some_and(|zxid| u64::from_str_radix(zxid, 16).is_ok())
}

/// Makes `version-2` in a directory, and the directory.
fn prepare(directory: &Path, create: bool, calls: &dyn System) -> Result<Arc<Path>, OpenError> {
    let directory = absolute(directory).map_err(system("find", directory))?;
    let version = directory.join(VERSION);
    if !is_directory(&directory)? {
        make(&directory, create)?;
    } else if !is_directory(&version)? {
        refuse_foreign(&directory)?;
    }
    if !is_directory(&version)? {
        make(&version, create)?;
    }
    // Whoever made them, a power cut must not take what is stored there with their names.
    for holder in [Some(&*directory), directory.parent()].into_iter().flatten() {
        keep_names(holder, calls)?;
    }
    Ok(version.into())
}

/// Makes the names in a directory survive a power cut. That cannot be done everywhere a server may
/// have its data, and where nothing can be written there is nothing to be lost.
fn keep_names(directory: &Path, calls: &dyn System) -> Result<(), OpenError> {
    match calls.sync_dir(directory) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            debug!(directory = %directory.display(), %error, "cannot sync the directory");
            Ok(())
        }
        result => result.map_err(system("sync", directory)),
    }
}

/// Whether there is a directory. It is an error if there is something else.
fn is_directory(path: &Path) -> Result<bool, OpenError> {
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => Ok(true),
        Ok(_) => Err(OpenError::NotADirectory { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(OpenError::NotADirectory { path: nearest(path).into() })
        }
        Err(error) => Err(system("look at", path)(error)),
    }
}

/// The file that stands where a path needs a directory.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(path)
}

/// Makes a directory and those above it, so that they survive a power cut.
fn make(path: &Path, create: bool) -> Result<(), OpenError> {
    if !create {
        return Err(OpenError::Missing { path: path.into() });
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    if !is_directory(parent)? {
        make(parent, create)?;
    }
    match create_directory(path) {
        // Somebody else was faster; the lock tells who may use it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result.map_err(system("make the directory", path))?,
    }
    sync_directory(parent).map_err(system("sync", parent))
}

/// Data that lie beside the place where they belong are not passed over.
fn refuse_foreign(directory: &Path) -> Result<(), OpenError> {
    let file = match find(directory, LOG)? {
        Some(file) => Some(file),
        None => find(directory, SNAPSHOT)?,
    };
    let Some(file) = file else { return Ok(()) };
    let remedy = match directory.parent() {
        Some(parent) if directory.ends_with(VERSION) => {
            format!("name the directory above it: {}", parent.display())
        }
        _ => format!(
            "if these files were taken out of such a directory, move them back into {}",
            directory.join(VERSION).display()
        ),
    };
    Err(OpenError::Foreign { path: directory.into(), file, remedy })
}

/// A file of a kind, in a directory.
fn find(directory: &Path, prefix: &str) -> Result<Option<String>, OpenError> {
    let listed = entries(directory).map_err(|(path, error)| system("list", &path)(error))?;
    Ok(listed.into_iter().map(|(name, _)| name).find(|name| is_named(name, prefix)))
}

/// Names and lengths of the files in a directory, sorted. A name that is not UTF-8 is nobody's here.
fn entries(directory: &Path) -> Result<Vec<(String, u64)>, (PathBuf, io::Error)> {
    let failed = |error| (directory.to_path_buf(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match fs::metadata(entry.path()) {
            Ok(data) if data.is_file() => files.push((name, data.len())),
            Ok(_) => {}
            // Removed meanwhile, or a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((entry.path(), error)),
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Bytes in a directory; zero if it cannot be listed.
fn size(directory: &Path) -> u64 {
    entries(directory).map_or(0, |files| files.iter().map(|(_, length)| length).sum())
}

/// One server goes on where several were: the others would not hear of it.
fn warn_of_an_ensemble(data_dir: &Path) {
    let Some(file) = MEMBER.iter().find(|file| data_dir.join(file).exists()) else { return };
    warn!(
        directory = %data_dir.display(), file,
        "these are data of a member of an ensemble; they are served, but do not let the ensemble \
         use this directory again"
    );
}

fn system(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::System { operation, path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::faults::{Fault, Faulty};

    #[test]
    fn names_that_others_made_are_synced_too() {
        let (data, logs) = (TempDir::new().expect("room"), TempDir::new().expect("room"));
        let mut config = Config::new(data.path());
        let faulty = Faulty::default();
        for (log_dir, syncs) in [(None, 2), (Some(logs.path().into()), 4)] {
            config.log_dir = log_dir;
            for _ in 0..2 {
                Directories::open(&config, &faulty).expect("room");
                assert_eq!(faulty.calls(), vec!["sync_dir"; syncs]);
            }
        }
    }

    #[test]
    fn a_sync_that_is_not_permitted_is_not_needed_and_one_that_fails_is() {
        let dir = TempDir::new().expect("room");
        let faulty = Faulty::default();
        for skip in 0..2 {
            for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
                faulty.plan_after(skip, "sync_dir", Fault::Error(kind));
                Directories::open(&Config::new(dir.path()), &faulty).expect("it is usable");
            }
            // EIO.
            faulty.plan_after(skip, "sync_dir", Fault::Errno(5));
            let error = Directories::open(&Config::new(dir.path()), &faulty).expect_err("EIO");
            assert!(error.to_string().starts_with("cannot sync "), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn directories_are_not_for_everybody() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = TempDir::new().expect("room");
        let data = dir.path().join("data");
        let directories = Directories::open(&Config::new(&data), &Faulty::default());
        let version = directories.expect("room").path(Dir::Log).to_path_buf();
        for path in [data, version] {
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o027, 0, "{}: {mode:o}", path.display());
        }
    }
}
