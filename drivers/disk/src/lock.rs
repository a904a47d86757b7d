//! One server for one directory.
//!
//! The lock ends with the process, however that ends; the file stays, and names the process that
//! had it last. Apache ZooKeeper does not look at files of this name.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::Path,
    process,
};

use crate::{error::OpenError, system::for_data};

/// What the file is called.
const NAME: &str = "zookeeper.lock";

/// How often to begin anew because somebody put another file in the place of the one at hand.
const ATTEMPTS: usize = 10;

/// A locked directory.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Holds the lock as long as it is open.
    _file: File,
}

/// How the file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// It is there.
    Write,
    /// It is there, and may only be read: enough for a lock, and not for a name in it.
    Read,
    /// It is not there.
    Create,
}

impl Lock {
    /// Locks a directory.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, OpenError> {
        Self::acquire_with(directory, &open)
    }

    /// As [`Lock::acquire`], with files from `open`.
    fn acquire_with(
        directory: &Path,
        open: &dyn Fn(&Path, Access) -> io::Result<File>,
    ) -> Result<Self, OpenError> {
        let path = directory.join(NAME);
        let failed = |source| OpenError::System { operation: "lock", path: path.clone(), source };
        for _ in 0..ATTEMPTS {
            let Some((mut file, access)) = find(directory, &path, open).map_err(failed)? else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::InUse { path: directory.into(), pid: owner(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // A file that was removed meanwhile keeps nobody out.
            if !is_named(&file, &path).map_err(failed)? {
                continue;
            }
            if access != Access::Read {
                // Without a name it is still a lock.
                let _ = sign(&mut file);
            }
            return Ok(Self { _file: file });
        }
        Err(failed(io::Error::other("somebody replaces it again and again")))
    }
}

/// Opens the file, or makes it; `None` if somebody else made it just now.
fn find(
    directory: &Path,
    path: &Path,
    open: &dyn Fn(&Path, Access) -> io::Result<File>,
) -> io::Result<Option<(File, Access)>> {
    match open(path, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Whatever reads the data may lock them, too.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            // What is wrong is that it cannot be written.
            let file = open(path, Access::Read).map_err(|_| error)?;
            return Ok(Some((file, Access::Read)));
        }
        result => return result.map(|file| Some((file, Access::Write))),
    }
    match open(path, Access::Create) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
        Ok(file) => {
            give_to_owner(&file, directory);
            Ok(Some((file, Access::Create)))
        }
    }
}

/// Opens the file, as far as the system lets this process.
fn open(path: &Path, access: Access) -> io::Result<File> {
    match access {
        Access::Read => File::open(path),
        Access::Write => OpenOptions::new().read(true).write(true).open(path),
        Access::Create => for_data().read(true).create_new(true).open(path),
    }
}

/// The superuser may look at the data of a server that is another user's: that one has to be able
/// to lock them afterwards. Others cannot give files away, and need not.
#[cfg(unix)]
fn give_to_owner(file: &File, directory: &Path) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    if let Ok(data) = fs::metadata(directory) {
        let _ = fchown(file, Some(data.uid()), Some(data.gid()));
    }
}

#[cfg(not(unix))]
fn give_to_owner(_file: &File, _directory: &Path) {}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let of_file = file.metadata()?;
    match fs::metadata(path) {
        Ok(data) => Ok((data.dev(), data.ino()) == (of_file.dev(), of_file.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_named(_file: &File, path: &Path) -> io::Result<bool> {
    fs::exists(path)
}

/// The process that has the lock, if it has written it down.
fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes down who has the lock. No name is better than another's, or half of one.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    let name = format!("{}\n", process::id());
    let result = file.write_all(name.as_bytes());
    if result.is_err() {
        file.set_len(0)?;
    }
    result
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_at_a_time_and_the_other_hears_who_it_is() {
        let directory = tempfile::tempdir().expect("room");
        let path = directory.path().join(NAME);
        fs::write(&path, "what a process wrote that is long gone").expect("room");
        let lock = Lock::acquire(directory.path()).expect("nobody has it");
        let error = Lock::acquire(directory.path()).expect_err("it is taken");
        let OpenError::InUse { pid, .. } = &error else { panic!("{error}") };
        assert_eq!(*pid, Some(process::id()));
        assert!(error.to_string().contains(&format!("(process {})", process::id())), "{error}");
        // Who fails to lock it does not take it from the other either.
        Lock::acquire(directory.path()).expect_err("it is still taken");
        drop(lock);
        drop(Lock::acquire(directory.path()).expect("it is free again"));
    }

    #[test]
    fn a_lock_that_names_nobody_is_still_one() {
        let directory = tempfile::tempdir().expect("room");
        let path = directory.path().join(NAME);
        let _lock = Lock::acquire(directory.path()).expect("nobody has it");
        fs::write(&path, "").expect("room");
        let error = Lock::acquire(directory.path()).expect_err("it is taken");
        assert!(matches!(error, OpenError::InUse { pid: None, .. }), "{error}");
        assert!(!error.to_string().contains("process"), "{error}");
    }

    #[test]
    fn what_cannot_be_locked_is_named() {
        let directory = tempfile::tempdir().expect("room");
        fs::create_dir(directory.path().join(NAME)).expect("room");
        let error = Lock::acquire(directory.path()).expect_err("it is a directory");
        assert!(error.to_string().contains(NAME), "{error}");
    }

    /// A directory with an unlocked file in it that names nobody.
    fn with_file() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("room");
        fs::write(directory.path().join(NAME), "").expect("room");
        directory
    }

    #[test]
    fn a_file_that_may_only_be_read_can_be_locked() {
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
            let directory = with_file();
            let read_only = |path: &Path, access| match access {
                Access::Read => open(path, access),
                _ => Err(kind.into()),
            };
            let lock = Lock::acquire_with(directory.path(), &read_only).expect("it is free");
            assert_eq!(fs::read(directory.path().join(NAME)).expect("it is there"), b"");
            Lock::acquire(directory.path()).expect_err("it is locked");
            Lock::acquire_with(directory.path(), &read_only).expect_err("it is locked");
            drop(lock);
            drop(Lock::acquire(directory.path()).expect("it is free"));
            let refuse = |_: &Path, access| match access {
                Access::Read => Err(io::ErrorKind::NotFound.into()),
                _ => Err(kind.into()),
            };
            let error = Lock::acquire_with(directory.path(), &refuse).expect_err("it may not");
            assert!(matches!(&error, OpenError::System { source, .. } if source.kind() == kind));
        }
    }

    #[test]
    fn who_is_slower_at_making_the_file_takes_the_other_one() {
        let directory = tempfile::tempdir().expect("room");
        let slow = |path: &Path, access| {
            if access == Access::Create && !path.exists() {
                drop(open(path, access)?);
            }
            open(path, access)
        };
        let _lock = Lock::acquire_with(directory.path(), &slow).expect("it is free");
        let error = Lock::acquire(directory.path()).expect_err("it is taken");
        assert!(error.to_string().contains(&process::id().to_string()), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_replaced_is_no_lock() {
        let directory = with_file();
        let replaced = std::cell::Cell::new(0);
        let replace = |times: usize| {
            let replaced = &replaced;
            replaced.set(0);
            move |path: &Path, access| {
                let file = open(path, access)?;
                if replaced.get() < times {
                    replaced.set(replaced.get() + 1);
                    fs::remove_file(path)?;
                    if replaced.get() > 1 {
                        fs::write(path, "")?;
                    }
                }
                Ok(file)
            }
        };
        let lock = Lock::acquire_with(directory.path(), &replace(3)).expect("it is free");
        assert_eq!(replaced.get(), 3);
        let error = Lock::acquire(directory.path()).expect_err("it is taken");
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        drop(lock);
        let error = Lock::acquire_with(directory.path(), &replace(usize::MAX));
        let error = error.expect_err("there is never one").to_string();
        assert!(error.contains("again and again"), "{error}");
        assert_eq!(replaced.get(), ATTEMPTS);
    }

    /// Only the superuser can see the difference: everybody else makes files of its own.
    #[cfg(unix)]
    #[test]
    fn the_file_is_the_directorys_owners_and_not_for_everybody() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let directory = tempfile::tempdir().expect("room");
        let _ = chown(directory.path(), Some(4_321), Some(4_322));
        let _lock = Lock::acquire(directory.path()).expect("it is free");
        let owner = fs::metadata(directory.path()).expect("it is there");
        let data = fs::metadata(directory.path().join(NAME)).expect("it is there");
        assert_eq!(data.uid(), owner.uid());
        assert_eq!(data.mode() & 0o137, 0, "{:o}", data.mode());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_without_locks_comes_with_a_remedy() {
        let source = rustix::io::Errno::NOLCK.into();
        let error = OpenError::System { operation: "lock", path: NAME.into(), source }.to_string();
        assert!(error.contains("no locks") && error.contains("on a local disk"), "{error}");
    }

    #[test]
    fn a_name_is_whole_or_is_not_there() {
        let directory = with_file();
        let path = directory.path().join(NAME);
        fs::write(&path, "123456789 is long").expect("room");
        sign(&mut open(&path, Access::Write).expect("it is there")).expect("room");
        let name = fs::read_to_string(&path).expect("it is there");
        assert_eq!(name, format!("{}\n", process::id()));
    }
}
