//! The writer of the transaction log: the order of operations that lets a reply be trusted.
//!
//! ```text
//!  repairs │ create, append, sync, sync directory │ append, sync │ append, sync │ create, …
//!          └ a file's first group ────────────────┘              │ after a roll └
//! ```
//!
//! A group is appended and synced; the first group of a file also makes the file, and syncs the
//! directory that names it, before it counts as stored. A file that was written before this start
//! is never written again. A roll may come while groups are on their way: the lane keeps the order,
//! so the old file is synced before anything of the new one is acknowledged. Where groups are not
//! synced, a file still is at its end: a power cut takes the end of the log, never its middle.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnLog`.

use std::collections::VecDeque;

use super::{
    Config, log,
    operation::{Dir, File, FileOp},
};
use crate::ids::{Ticket, Zxid};

/// Turns groups of records into operations of the log lane.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// The file being written, and its length; none before the first record and after a roll.
    file: Option<(File, u64)>,
    /// The files there are, oldest first, each with its first transaction.
    files: Vec<(Zxid, File)>,
    /// Bytes reserved for a new file.
    reserve: u64,
    /// The length at which a file is followed by the next one.
    length_max: u64,
    /// Whether a group waits until it would survive a power cut.
    syncs: bool,
    /// Files that got as long as they may.
    files_filled: u64,
    /// Bytes of records written.
    bytes: u64,
    next_ticket: Ticket,
    operations: VecDeque<(Ticket, FileOp)>,
}

impl LogWriter {
    /// A writer beside the files there are. Before anything is written come the `preparations`; they
    /// are done when the ticket returned is acknowledged.
    pub(crate) fn new(
        config: &Config,
        files: Vec<(Zxid, File)>,
        preparations: Vec<FileOp>,
    ) -> (Self, Option<Ticket>) {
        let mut writer = Self {
            file: None,
            files,
            reserve: config.reserve,
            length_max: config.log_length_max.unwrap_or(u64::MAX),
            syncs: config.sync,
            files_filled: 0,
            bytes: 0,
            next_ticket: Ticket(1),
            operations: VecDeque::new(),
        };
        let prepared = preparations.into_iter().map(|one| writer.queue(one)).last();
        (writer, prepared)
    }

    /// Queues a group of whole records that starts at `first`. The group is stored when the ticket
    /// returned is acknowledged.
    pub(crate) fn write(&mut self, first: Zxid, records: Vec<u8>) -> Ticket {
        let count = records.len() as u64;
        self.bytes += count;
        let (file, bytes, is_new) = match &mut self.file {
            Some((file, length)) => {
                *length += count;
                (file.clone(), records, false)
            }
            None => {
                let file = self.make(first);
                let mut bytes = Vec::new();
                log::encode_file_header(&mut bytes);
                bytes.extend_from_slice(&records);
                self.file = Some((file.clone(), bytes.len() as u64));
                (file, bytes, true)
            }
        };
        let mut ticket = self.queue(FileOp::Append { file: file.clone(), bytes: bytes.into() });
        if self.syncs {
            ticket = self.queue(FileOp::Sync { file });
            if is_new {
                ticket = self.queue(FileOp::SyncDir { dir: Dir::Log });
            }
        }
        if self.file.as_ref().is_some_and(|(_, length)| *length >= self.length_max) {
            self.roll();
            self.files_filled += 1;
        }
        ticket
    }

    /// The next record begins another file.
    pub(crate) fn roll(&mut self) {
        // No group waits for this; the next file does, or there could be a gap before it.
        if let Some((file, _)) = self.file.take()
            && !self.syncs
        {
            self.queue(FileOp::Sync { file });
            self.queue(FileOp::SyncDir { dir: Dir::Log });
        }
    }

    /// The next operation for the log lane.
    pub(crate) fn poll(&mut self) -> Option<(Ticket, FileOp)> {
        self.operations.pop_front()
    }

    /// The files there are, oldest first, each with its first transaction.
    pub(crate) fn files(&self) -> &[(Zxid, File)] {
        &self.files
    }

    /// These files are going to be removed.
    pub(crate) fn forget(&mut self, removed: &[File]) {
        self.files.retain(|(_, file)| !removed.contains(file));
    }

    /// Files that got as long as they may, since the start.
    pub(crate) const fn files_filled(&self) -> u64 {
        self.files_filled
    }

    /// Bytes of records written since the start.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn make(&mut self, first: Zxid) -> File {
        let file = File { dir: Dir::Log, name: format!("log.{:x}", first.0).into() };
        self.queue(FileOp::Create { file: file.clone(), reserve: self.reserve });
        // One of the same name held no record: the recovery would have gone past it.
        self.files.retain(|(_, other)| *other != file);
        self.files.push((first, file.clone()));
        file
    }

    fn queue(&mut self, operation: FileOp) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = Ticket(ticket.0 + 1);
        self.operations.push_back((ticket, operation));
        ticket
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.files.is_sorted(), "files begin in order");
        if let Some((file, length)) = &self.file {
            assert_eq!(self.files.last().map(|(_, newest)| newest), Some(file));
            assert!(*length < self.length_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(set: impl FnOnce(&mut Config)) -> LogWriter {
        let mut config = Config { reserve: 0, ..Config::default() };
        set(&mut config);
        LogWriter::new(&config, Vec::new(), Vec::new()).0
    }

    /// What comes out, as "operation file", and the newest ticket of it.
    fn drain(writer: &mut LogWriter) -> (Vec<String>, Option<Ticket>) {
        let mut newest = None;
        let named = |operation: &FileOp| match operation {
            FileOp::Create { file, .. } | FileOp::Append { file, .. } | FileOp::Sync { file } => {
                format!("{} {file}", operation.name())
            }
            _ => operation.name().to_owned(),
        };
        let operations = std::iter::from_fn(|| writer.poll())
            .map(|(ticket, operation)| {
                assert!(newest < Some(ticket), "tickets rise");
                newest = Some(ticket);
                named(&operation)
            })
            .collect();
        writer.check_invariants();
        (operations, newest)
    }

    #[test]
    fn the_first_group_is_stored_once_its_file_has_a_durable_name() {
        let mut writer = writer(|_| {});
        let first = writer.write(Zxid(0x1f), b"one".to_vec());
        let (operations, newest) = drain(&mut writer);
        let expected = ["create log.1f", "append log.1f", "sync log.1f", "sync directory"];
        assert_eq!((&operations[..], newest), (&expected.map(String::from)[..], Some(first)));

        let second = writer.write(Zxid(0x20), b"two".to_vec());
        let (operations, newest) = drain(&mut writer);
        assert_eq!(
            (operations, newest),
            (vec!["append log.1f".into(), "sync log.1f".into()], Some(second))
        );
        assert_eq!((writer.bytes(), writer.files_filled()), (6, 0));
    }

    #[test]
    fn a_roll_makes_another_file_and_the_old_one_is_synced_before() {
        let mut writer = writer(|_| {});
        writer.write(Zxid(1), b"one".to_vec());
        writer.roll();
        writer.write(Zxid(2), b"two".to_vec());
        let (operations, _) = drain(&mut writer);
        let place = |wanted: &str| operations.iter().position(|operation| operation == wanted);
        assert!(place("sync log.1") < place("create log.2"));
        assert_eq!(operations.last().map(String::as_str), Some("sync directory"));
        let names: Vec<_> = writer.files().iter().map(|(_, file)| &*file.name).collect();
        assert_eq!(names, ["log.1", "log.2"]);
        writer.roll();
        writer.roll();
        assert_eq!(drain(&mut writer).0, [] as [&str; 0], "a file is made for a record only");
    }

    #[test]
    fn a_file_that_is_long_enough_is_followed_by_the_next() {
        let mut writer = writer(|config| config.log_length_max = Some(16 + 6));
        for zxid in 1..=5 {
            writer.write(Zxid(zxid), b"abc".to_vec());
            drain(&mut writer);
        }
        let firsts: Vec<_> = writer.files().iter().map(|(first, _)| first.0).collect();
        assert_eq!(firsts, [1, 3, 5]);
        assert_eq!(writer.files_filled(), 2);
    }

    #[test]
    fn without_sync_a_group_is_stored_once_it_is_appended() {
        let mut writer = writer(|config| config.sync = false);
        let first = writer.write(Zxid(1), b"one".to_vec());
        let (operations, newest) = drain(&mut writer);
        assert_eq!(operations, ["create log.1", "append log.1"]);
        assert_eq!(newest, Some(first));
    }

    #[test]
    fn without_sync_a_file_is_synced_before_the_next_is_made_and_its_last_group_does_not_wait() {
        let end = ["sync log.1", "sync directory"];
        let next = ["create log.2", "append log.2"];
        // By its length.
        let mut full = writer(|config| (config.sync, config.log_length_max) = (false, Some(17)));
        let first = full.write(Zxid(1), b"one".to_vec());
        let (operations, newest) = drain(&mut full);
        assert_eq!(operations, [&["create log.1", "append log.1"][..], &end].concat());
        assert_eq!(newest, Some(Ticket(first.0 + 2)), "the group is stored before");
        full.write(Zxid(2), b"two".to_vec());
        assert_eq!(drain(&mut full).0[..2], next);
        // For a snapshot; and once.
        let mut rolled = writer(|config| config.sync = false);
        rolled.write(Zxid(1), b"one".to_vec());
        drain(&mut rolled);
        rolled.roll();
        rolled.roll();
        rolled.write(Zxid(2), b"two".to_vec());
        assert_eq!(drain(&mut rolled).0, [&end[..], &next].concat());
    }

    #[test]
    fn preparations_come_before_the_first_record() {
        let file = File { dir: Dir::Log, name: "log.1".into() };
        let repairs = vec![
            FileOp::Truncate { file: file.clone(), length: 99 },
            FileOp::Sync { file: file.clone() },
        ];
        let files = vec![(Zxid(1), file.clone())];
        let (mut writer, prepared) = LogWriter::new(&Config::default(), files, repairs);
        assert_eq!(prepared, Some(Ticket(2)));
        writer.write(Zxid(9), b"one".to_vec());
        let (operations, _) = drain(&mut writer);
        assert_eq!(operations[..3], ["truncate", "sync log.1", "create log.9"]);
        writer.forget(&[file]);
        assert_eq!(writer.files().len(), 1);
    }
}
