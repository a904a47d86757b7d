//! Makes znodes, many in one transaction.
//!
//! ```text
//!   lines ──► batch ──► what is there already? ──► one multi ──► ACLs of what was overwritten
//!                       (unless that is an error)
//! ```
//!
//! A batch is done as a whole or not at all, so that it can always be told how far this came.

use bytes::Bytes;
use clap::ValueEnum;
use zookeeper_core::{
    client::{Error, MultiError},
    wire::{Acl, ErrorCode},
};

use super::{
    super::{
        connection::{Answer, Change, Connection, NewNode},
        failure::{CommandError, answered},
        value::open_acl,
    },
    line::NodeLine,
};

/// How many znodes, and how many bytes of them, go in one transaction: far less than any server
/// takes in one frame.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 256 << 10;

/// What a znode takes in a request beside its path, its data and the texts of its ACL, roughly.
const OVERHEAD: usize = 64;

/// How often a batch is tried again when others create and delete the same znodes meanwhile.
const TRIES: u32 = 4;

/// What to do with a znode that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Existing {
    /// Stop.
    #[default]
    Fail,
    /// Leave it as it is.
    Skip,
    /// Give it the data and the ACL of the export.
    Overwrite,
}

/// When znodes get their ACLs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AclPolicy {
    /// When they are made.
    AtOnce,
    /// When all are made.
    Last,
    /// Not at all: they are open.
    Never,
}

/// How far an import came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) created: u64,
    pub(crate) overwritten: u64,
    pub(crate) skipped: u64,
    /// Up to which line everything is done.
    pub(crate) line: u64,
    /// How many znodes do not have their ACLs yet.
    pub(crate) open: u64,
}

/// Where an error is, by lines, and what it is.
pub(crate) type Place = (u64, u64, CommandError);

/// Makes znodes.
pub(crate) struct Importer<'a> {
    connection: &'a dyn Connection,
    existing: Existing,
    acl_policy: AclPolicy,
    is_dry: bool,
    batch: Vec<Entry>,
    batch_bytes: usize,
    late_acls: Vec<(u64, String, Vec<Acl>)>,
    progress: Progress,
}

/// A znode to be.
struct Entry {
    line: u64,
    /// Where it is to be.
    path: String,
    node: NodeLine,
}

/// What is to be done about one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Overwrite,
    Skip,
}

impl<'a> Importer<'a> {
    /// With nothing done yet.
    pub(crate) fn new(
        connection: &'a dyn Connection,
        existing: Existing,
        acl_policy: AclPolicy,
        is_dry: bool,
    ) -> Self {
        Self {
            connection,
            existing,
            acl_policy,
            is_dry,
            batch: Vec::new(),
            batch_bytes: 0,
            late_acls: Vec::new(),
            progress: Progress::default(),
        }
    }

    /// How far it came.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Takes a znode, which is to be at `path`; whether it is time for [`Importer::flush`].
    pub(crate) fn add(&mut self, line: u64, path: String, node: NodeLine) -> Result<bool, Place> {
        let refused = |reason: &str| Err((line, line, CommandError::Content(reason.into())));
        if self.connection.is_reserved(&path) {
            return refused("below /zookeeper everything is the server's own");
        }
        if self.acl_policy != AclPolicy::Never && node.has_hidden_acl() {
            return refused(
                "the hash of a digest in its ACL was hidden from the export, and nobody could \
                 use it; --no-acl makes it open to everybody",
            );
        }
        let acl: usize = node.acl.iter().map(|acl| acl.id.scheme.len() + acl.id.id.len()).sum();
        self.batch_bytes += OVERHEAD + path.len() + node.data.as_ref().map_or(0, Bytes::len) + acl;
        self.batch.push(Entry { line, path, node });
        Ok(self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES)
    }

    /// Makes what was taken.
    pub(crate) fn flush(&mut self) -> Result<(), Place> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let Some(last) = batch.last() else { return Ok(()) };
        let mut result = self.apply(&batch);
        for _ in 1..TRIES {
            match result {
                Err((.., error)) if self.is_race(&error) => result = self.apply(&batch),
                _ => break,
            }
        }
        result?;
        self.progress.line = last.line;
        Ok(())
    }

    /// Sets the ACLs that were left for the end, whatever end it is.
    pub(crate) fn close(&mut self) -> Result<(), Place> {
        let late = std::mem::take(&mut self.late_acls);
        for chunk in late.chunks(BATCH) {
            let acls: Vec<_> = chunk.iter().map(|(_, path, acl)| (&**path, &acl[..])).collect();
            let lines = chunk.iter().map(|(line, ..)| *line);
            self.set_acls(lines, &acls)?;
            self.progress.open -= u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    fn apply(&mut self, batch: &[Entry]) -> Result<(), Place> {
        let steps = self.steps(batch)?;
        let with = |step: Step| {
            batch.iter().zip(&steps).filter(move |(_, of)| **of == step).map(|(entry, _)| entry)
        };
        if !self.is_dry {
            self.change(batch, &steps)?;
            if self.acl_policy == AclPolicy::AtOnce {
                let acls: Vec<_> = with(Step::Overwrite).map(Entry::acl).collect();
                self.set_acls(with(Step::Overwrite).map(|entry| entry.line), &acls)?;
            }
        }
        if self.acl_policy == AclPolicy::Last && !self.is_dry {
            let is_closed = |step, acl: &[Acl]| step == Step::Overwrite || acl != open_acl();
            let late = batch.iter().zip(&steps).filter(|(_, step)| **step != Step::Skip);
            let late = late.filter(|(entry, step)| is_closed(**step, &entry.node.acl));
            self.late_acls.extend(
                late.map(|(entry, _)| (entry.line, entry.path.clone(), entry.node.acl.clone())),
            );
            self.progress.open = u64::try_from(self.late_acls.len()).unwrap_or(u64::MAX);
        }
        let count = |step| u64::try_from(with(step).count()).unwrap_or(u64::MAX);
        self.progress.created += count(Step::Create);
        self.progress.overwritten += count(Step::Overwrite);
        self.progress.skipped += count(Step::Skip);
        Ok(())
    }

    /// What is to be done with each, by what is there already.
    fn steps(&self, batch: &[Entry]) -> Result<Vec<Step>, Place> {
        let is_asked = |entry: &&Entry| {
            // Nobody can create the root, so that it stands in nobody's way.
            self.is_dry || self.existing != Existing::Fail || entry.path == "/"
        };
        let asked: Vec<&str> = batch.iter().filter(is_asked).map(|entry| &*entry.path).collect();
        let stats = if asked.is_empty() { Vec::new() } else { self.connection.stats(&asked) };
        let mut stats = stats.into_iter();
        let step = |entry: &Entry| {
            let stat = if is_asked(&entry) { stats.next() } else { None };
            match stat.transpose().map_err(|error| entry.failed(error))?.flatten() {
                None => Ok(Step::Create),
                Some(_) => match self.existing {
                    Existing::Fail if entry.path == "/" => Ok(Step::Skip),
                    Existing::Fail => Err(entry.failed(answered(ErrorCode::NODE_EXISTS))),
                    Existing::Skip => Ok(Step::Skip),
                    Existing::Overwrite => Ok(Step::Overwrite),
                },
            }
        };
        batch.iter().map(step).collect()
    }

    /// All changes but those of ACLs, or none.
    fn change(&self, batch: &[Entry], steps: &[Step]) -> Result<(), Place> {
        let (mut changes, mut entries) = (Vec::new(), Vec::new());
        for (entry, step) in batch.iter().zip(steps) {
            let (path, data) = (entry.path.clone(), entry.node.data.clone());
            changes.push(match step {
                Step::Skip => continue,
                Step::Overwrite => Change::Set { path, data, version: None },
                Step::Create => {
                    let (mode, ttl) = entry.node.kind.mode();
                    let acl = match self.acl_policy {
                        AclPolicy::AtOnce => entry.node.acl.clone(),
                        AclPolicy::Last | AclPolicy::Never => open_acl(),
                    };
                    Change::Create(NewNode { path, data, mode, acl, ttl, with_stat: false })
                }
            });
            entries.push(entry);
        }
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        match self.send(&changes) {
            Ok(()) => Ok(()),
            Err(Error::Multi(failed)) => {
                let MultiError { index, code, .. } = *failed;
                Err(entries.get(index).unwrap_or(first).failed(answered(code)))
            }
            Err(error) if entries.len() == 1 => Err(first.failed(error)),
            Err(error) => {
                Err((first.line, last.line, CommandError::Operation { path: None, error }))
            }
        }
    }

    /// One alone may be as large as a frame, and leaves no room for a transaction around it.
    fn send(&self, changes: &[Change]) -> Answer<()> {
        match changes {
            [Change::Create(node)] => self.connection.create(node).map(drop),
            [Change::Set { path, data, version }] => {
                self.connection.set_data(path, data.as_ref(), *version).map(drop)
            }
            changes => self.connection.multi(changes).map(drop),
        }
    }

    fn set_acls(
        &self,
        lines: impl Iterator<Item = u64>,
        acls: &[(&str, &[Acl])],
    ) -> Result<(), Place> {
        if acls.is_empty() {
            return Ok(());
        }
        let answers = self.connection.set_acls(acls);
        for ((line, (path, _)), answer) in lines.zip(acls).zip(answers) {
            answer.map_err(|error| failed(line, path, error))?;
        }
        Ok(())
    }

    /// Whether somebody else made or removed what was seen before.
    fn is_race(&self, error: &CommandError) -> bool {
        match error.code() {
            Some(ErrorCode::NODE_EXISTS) => self.existing != Existing::Fail,
            Some(ErrorCode::NO_NODE) => self.existing == Existing::Overwrite,
            _ => false,
        }
    }
}

impl Entry {
    fn acl(&self) -> (&str, &[Acl]) {
        (&self.path, &self.node.acl)
    }

    fn failed(&self, error: Error) -> Place {
        failed(self.line, &self.path, error)
    }
}

fn failed(line: u64, path: &str, error: Error) -> Place {
    (line, line, CommandError::Operation { path: Some(path.into()), error })
}
