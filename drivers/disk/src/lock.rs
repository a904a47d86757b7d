//! One server for one directory.
//!
//! The lock ends with the process, however that ends; the file stays, and names the process that
//! had it last. Apache ZooKeeper does not look at files of this name.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::Path,
    process,
};

use crate::error::OpenError;

/// What the file is called.
const NAME: &str = "zookeeper.lock";

/// A locked directory.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Holds the lock as long as it is open.
    _file: File,
}

impl Lock {
    /// Locks a directory.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(NAME);
        let failed = |source| OpenError::System { operation: "lock", path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: directory.into(), pid: owner(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Without a name it is still a lock.
        let _ = sign(&mut file);
        Ok(Self { _file: file })
    }
}

/// The process that has the lock, if it has written it down.
fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes down who has the lock.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", process::id())
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
}
