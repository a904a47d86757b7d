//! A disk's file system: operations in, what a power cut leaves out.

use std::{collections::BTreeMap, io};

use zookeeper_core::{
    Rng,
    storage::{Dir, File, FileOp, StorageError},
};

use super::{
    contents::Contents,
    crash::Crash,
    fault::Fault,
    image::Image,
    marks::{Mark, Marks},
    names::{FileId, Listing, Names},
};

/// What a file system does when bytes are reserved for a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reserve {
    /// The file's length shows nothing of it.
    #[default]
    Hidden,
    /// The file ends with zeros.
    Zeros,
}

/// A disk with the two directories of a store. A clone shares the bytes.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    reserve: Reserve,
    log: Names,
    snapshot: Names,
    files: BTreeMap<FileId, Contents>,
    next_file: FileId,
    /// Whose contents changed last.
    last_written: Option<FileId>,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(reserve: Reserve) -> Self {
        Self { reserve, ..Self::default() }
    }

    /// A disk as a start finds it.
    #[must_use]
    pub fn from_image(image: &Image, reserve: Reserve) -> Self {
        let mut disk = Self::new(reserve);
        let mut listings = [Listing::new(), Listing::new()];
        for (file, bytes) in image.iter() {
            let id = disk.add(Contents::durable(bytes.clone()));
            listings[usize::from(file.dir == Dir::Snapshot)].insert(file.name.clone(), id);
        }
        let [log, snapshot] = listings;
        (disk.log, disk.snapshot) = (Names::durable(log), Names::durable(snapshot));
        disk
    }

    /// Does what it is told.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub fn execute(&mut self, op: &FileOp) -> Result<(), StorageError> {
        self.execute_with(op, None, &mut Marks::default())
    }

    /// Does what it is told, unless something goes wrong.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub fn execute_with(
        &mut self,
        op: &FileOp,
        fault: Option<Fault>,
        marks: &mut Marks,
    ) -> Result<(), StorageError> {
        match fault {
            None | Some(Fault::Slow(_)) => self.apply(op),
            Some(Fault::Fails(kind)) => {
                marks.add(Mark::Failed);
                Err(error(op, kind))
            }
            Some(Fault::FailsBehind { bytes: count, kind }) => {
                if let FileOp::Append { file, bytes } = op {
                    let bytes = bytes.slice(..count.min(bytes.len()));
                    self.apply(&FileOp::Append { file: file.clone(), bytes })?;
                    marks.add(Mark::WrittenInPart);
                }
                marks.add(Mark::Failed);
                Err(error(op, kind))
            }
            Some(Fault::SyncFails) => {
                self.drop_unsynced(op);
                marks.add(Mark::SyncFailed);
                Err(error(op, io::ErrorKind::Other))
            }
            Some(Fault::SyncLate) if is_sync(op) => {
                marks.add(Mark::SyncLate);
                Ok(())
            }
            Some(Fault::SyncDropped) if matches!(op, FileOp::Sync { .. }) => {
                self.drop_unsynced(op);
                marks.add(Mark::SyncDropped);
                Ok(())
            }
            Some(Fault::SyncLate | Fault::SyncDropped) => self.apply(op),
        }
    }

    /// What a start finds after a power cut now.
    pub fn crash(&self, crash: Crash, marks: &mut Marks) -> Image {
        let mut rng = Rng::new(crash.seed);
        let mut image = Image::default();
        let mut left = BTreeMap::new();
        for (dir, names) in [(Dir::Log, &self.log), (Dir::Snapshot, &self.snapshot)] {
            for (name, id) in names.after(crash.entries, &mut rng, marks) {
                let bytes = left.entry(id).or_insert_with(|| {
                    let is_last = self.last_written == Some(id);
                    self.files[&id].after(crash.data, is_last, &mut rng, marks)
                });
                image.insert_shared(File { dir, name }, bytes.clone());
            }
        }
        image
    }

    /// How many bytes the last write has, if it is not synced.
    #[must_use]
    pub fn last_write_length(&self) -> Option<usize> {
        Some(self.files.get(&self.last_written?)?.last_write()?.len())
    }

    /// What the process reads while there is no crash.
    #[must_use]
    pub fn bytes(&self, file: &File) -> Option<&[u8]> {
        Some(self.files[&self.names(file.dir).find(&file.name)?].live())
    }

    fn apply(&mut self, op: &FileOp) -> Result<(), StorageError> {
        let missing = || error(op, io::ErrorKind::NotFound);
        match op {
            FileOp::Create { file, reserve } => {
                let ahead = match self.reserve {
                    Reserve::Hidden => 0,
                    Reserve::Zeros => usize::try_from(*reserve).unwrap_or(0),
                };
                if let Some(id) = self.find(file) {
                    self.contents(id).empty(ahead);
                    self.last_written = Some(id);
                } else {
                    let id = self.add(Contents::new(ahead));
                    self.names_mut(file.dir).create(file.name.clone(), id);
                }
            }
            FileOp::Append { file, bytes } => {
                let id = self.find(file).ok_or_else(missing)?;
                self.contents(id).append(bytes);
                self.last_written = Some(id);
            }
            FileOp::Sync { file } => {
                let id = self.find(file).ok_or_else(missing)?;
                self.contents(id).sync();
            }
            FileOp::SyncDir { dir } => {
                self.names_mut(*dir).sync();
                self.forget_nameless();
            }
            FileOp::Rename { from, to } => {
                let is_there = self.names_mut(from.dir).rename(from.name.clone(), to.clone());
                is_there.then_some(()).ok_or_else(missing)?;
            }
            FileOp::Remove { file } => {
                let is_there = self.names_mut(file.dir).remove(file.name.clone());
                is_there.then_some(()).ok_or_else(missing)?;
            }
            FileOp::Truncate { file, length } => {
                let id = self.find(file).ok_or_else(missing)?;
                self.contents(id).truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                self.last_written = Some(id);
            }
            _ => panic!("an operation without a meaning here: {op:?}"),
        }
        Ok(())
    }

    fn drop_unsynced(&mut self, op: &FileOp) {
        if let FileOp::Sync { file } = op
            && let Some(id) = self.find(file)
        {
            self.contents(id).drop_unsynced();
        }
    }

    fn find(&self, file: &File) -> Option<FileId> {
        self.names(file.dir).find(&file.name)
    }

    fn contents(&mut self, id: FileId) -> &mut Contents {
        self.files.get_mut(&id).expect("what has a name is there")
    }

    const fn names(&self, dir: Dir) -> &Names {
        match dir {
            Dir::Log => &self.log,
            Dir::Snapshot => &self.snapshot,
        }
    }

    const fn names_mut(&mut self, dir: Dir) -> &mut Names {
        match dir {
            Dir::Log => &mut self.log,
            Dir::Snapshot => &mut self.snapshot,
        }
    }

    fn add(&mut self, contents: Contents) -> FileId {
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, contents);
        id
    }

    /// Files that no crash brings back.
    fn forget_nameless(&mut self) {
        let named: std::collections::BTreeSet<FileId> =
            self.log.files().chain(self.snapshot.files()).collect();
        self.files.retain(|id, _| named.contains(id));
    }
}

const fn is_sync(op: &FileOp) -> bool {
    matches!(op, FileOp::Sync { .. } | FileOp::SyncDir { .. })
}

/// The system's answer, as a driver passes it on.
fn error(op: &FileOp, kind: io::ErrorKind) -> StorageError {
    let file = match op {
        FileOp::Create { file, .. }
        | FileOp::Append { file, .. }
        | FileOp::Sync { file }
        | FileOp::Rename { from: file, .. }
        | FileOp::Remove { file }
        | FileOp::Truncate { file, .. } => file.to_string(),
        FileOp::SyncDir { dir } => format!("{dir:?}"),
        _ => format!("{op:?}"),
    };
    let message = kind.to_string().into();
    StorageError { file: file.into(), operation: op.name(), kind, message }
}
