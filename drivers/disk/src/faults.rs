//! The system with failures in it.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Mutex, mpsc::Receiver},
};

use crate::system::{Real, System};

/// Takes down every call, and spoils those that were chosen.
#[derive(Debug, Default)]
pub(crate) struct Faulty {
    calls: Mutex<Vec<&'static str>>,
    plan: Mutex<Vec<Planned>>,
}

#[derive(Debug)]
struct Planned {
    call: &'static str,
    /// Calls of that name that come first, and are well.
    skip: usize,
    fault: Fault,
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It fails, and does nothing.
    Error(io::ErrorKind),
    /// It fails with the system's own number.
    Errno(i32),
    /// It writes or reads no more than this.
    Short(usize),
    /// The file system has no such thing.
    Missing,
    /// It panics.
    Panic,
    /// It begins when the other end of the channel goes.
    Hang(Receiver<()>),
}

impl Faulty {
    /// Spoils the first call of this name that is still to come.
    pub(crate) fn plan(&self, call: &'static str, fault: Fault) {
        self.plan_after(0, call, fault);
    }

    /// Spoils a later one.
    pub(crate) fn plan_after(&self, skip: usize, call: &'static str, fault: Fault) {
        self.plan.lock().expect("no panic").push(Planned { call, skip, fault });
    }

    /// The calls since this was last asked.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().expect("no panic"))
    }

    /// What is to become of a call.
    fn fault(&self, call: &'static str) -> io::Result<Option<Fault>> {
        self.calls.lock().expect("no panic").push(call);
        let mut plan = self.plan.lock().expect("no panic");
        let Some(index) = plan.iter().position(|planned| planned.call == call) else {
            return Ok(None);
        };
        if plan[index].skip > 0 {
            plan[index].skip -= 1;
            return Ok(None);
        }
        let fault = plan.remove(index).fault;
        drop(plan);
        match fault {
            Fault::Error(kind) => Err(kind.into()),
            Fault::Errno(number) => Err(io::Error::from_raw_os_error(number)),
            Fault::Panic => panic!("a call that panics"),
            Fault::Hang(gate) => {
                // Nothing is ever sent.
                let _ = gate.recv();
                Ok(None)
            }
            fault => Ok(Some(fault)),
        }
    }
}

impl System for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.fault("create")?;
        Real.create(path)
    }

    fn open_to_write(&self, path: &Path) -> io::Result<File> {
        self.fault("open_to_write")?;
        Real.open_to_write(path)
    }

    fn open_to_read(&self, path: &Path) -> io::Result<File> {
        self.fault("open_to_read")?;
        Real.open_to_read(path)
    }

    fn reserve(&self, file: &File, offset: u64, length: u64) -> io::Result<bool> {
        match self.fault("reserve")? {
            Some(Fault::Missing) => Ok(false),
            _ => Real.reserve(file, offset, length),
        }
    }

    fn fill(&self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        self.fault("fill")?;
        Real.fill(file, offset, length)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.fault("write_at")? {
            Some(Fault::Short(length)) => Real.write_at(file, &bytes[..length], offset),
            _ => Real.write_at(file, bytes, offset),
        }
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.fault("read_at")? {
            Some(Fault::Short(length)) => Real.read_at(file, &mut buffer[..length], offset),
            _ => Real.read_at(file, buffer, offset),
        }
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.fault("sync_data")?;
        Real.sync_data(file)
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.fault("sync_all")?;
        Real.sync_all(file)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fault("sync_dir")?;
        Real.sync_dir(path)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.fault("truncate")?;
        Real.truncate(file, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fault("rename")?;
        Real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fault("remove")?;
        Real.remove(path)
    }
}
