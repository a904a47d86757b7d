//! The entries of one directory: which are durable, which are live, and the changes in between.

use std::{collections::BTreeMap, mem};

use zookeeper_core::Rng;

use super::{
    crash::Entries,
    marks::{Mark, Marks},
};

/// A file, whatever it is called.
pub(super) type FileId = u64;

/// Files by name.
pub(super) type Listing = BTreeMap<Box<str>, FileId>;

/// One directory's entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    durable: Listing,
    live: Listing,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Create { name: Box<str>, file: FileId },
    Rename { from: Box<str>, to: Box<str>, file: FileId },
    Remove { name: Box<str> },
}

impl Names {
    /// A directory as a start finds it.
    pub(super) fn durable(names: Listing) -> Self {
        Self { durable: names.clone(), live: names, unsynced: Vec::new() }
    }

    pub(super) fn find(&self, name: &str) -> Option<FileId> {
        self.live.get(name).copied()
    }

    pub(super) fn create(&mut self, name: Box<str>, file: FileId) {
        self.change(Change::Create { name, file });
    }

    /// Whether there was such a file.
    pub(super) fn rename(&mut self, from: Box<str>, to: Box<str>) -> bool {
        let Some(file) = self.find(&from) else { return false };
        self.change(Change::Rename { from, to, file });
        true
    }

    /// Whether there was such a file.
    pub(super) fn remove(&mut self, name: Box<str>) -> bool {
        let is_there = self.live.contains_key(&name);
        if is_there {
            self.change(Change::Remove { name });
        }
        is_there
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.live.clone();
        self.unsynced.clear();
    }

    /// Every file that has a name, had one when it was last synced, or may have one after a crash.
    pub(super) fn files(&self) -> impl Iterator<Item = FileId> {
        let unsynced = self.unsynced.iter().filter_map(|change| match change {
            Change::Create { file, .. } | Change::Rename { file, .. } => Some(*file),
            Change::Remove { .. } => None,
        });
        self.durable.values().chain(self.live.values()).copied().chain(unsynced)
    }

    /// What a crash leaves.
    pub(super) fn after(&self, entries: Entries, rng: &mut Rng, marks: &mut Marks) -> Listing {
        match entries {
            Entries::Lost => self.durable.clone(),
            Entries::Kept => self.live.clone(),
            Entries::Random => {
                let mut left = self.durable.clone();
                for change in &self.unsynced {
                    if rng.one_in(2) {
                        marks.add(change.loss());
                    } else {
                        change.apply(&mut left);
                    }
                }
                left
            }
        }
    }

    fn change(&mut self, change: Change) {
        let mut live = mem::take(&mut self.live);
        change.apply(&mut live);
        self.live = live;
        self.unsynced.push(change);
    }
}

impl Change {
    /// The file of a rename has its new name even if its creation was lost: entries are separate.
    fn apply(&self, listing: &mut Listing) {
        match self {
            Self::Create { name, file } => drop(listing.insert(name.clone(), *file)),
            Self::Rename { from, to, file } => {
                listing.remove(from);
                listing.insert(to.clone(), *file);
            }
            Self::Remove { name } => drop(listing.remove(name)),
        }
    }

    const fn loss(&self) -> Mark {
        match self {
            Self::Create { .. } => Mark::CreateLost,
            Self::Rename { .. } => Mark::RenameLost,
            Self::Remove { .. } => Mark::RemoveLost,
        }
    }
}
