//! The writer of the transaction log: the order of operations that lets a reply be trusted.
//!
//! A group is appended and synced; the first group of a file also makes the file, and syncs the
//! directory that names it, before it counts as stored.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    log,
    operation::{Dir, File, FileOp},
};
use crate::ids::{Ticket, Zxid};

/// Turns groups of records into operations of the log lane.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// The file being written; none before the first record.
    file: Option<File>,
    /// Bytes reserved for a new file.
    reserve: u64,
    next_ticket: Ticket,
    operations: VecDeque<(Ticket, FileOp)>,
}

impl LogWriter {
    pub(crate) const fn new(reserve: u64) -> Self {
        Self { file: None, reserve, next_ticket: Ticket(1), operations: VecDeque::new() }
    }

    /// Queues a group of whole records that starts at `first`. The group is stored when the ticket
    /// returned is acknowledged.
    pub(crate) fn write(&mut self, first: Zxid, records: Vec<u8>) -> Ticket {
        let (file, bytes, is_new) = match self.file.clone() {
            Some(file) => (file, records, false),
            None => {
                let name = format!("log.{:x}", first.0).into();
                let file = File { dir: Dir::Log, name };
                self.file = Some(file.clone());
                self.queue(FileOp::Create { file: file.clone(), reserve: self.reserve });
                let mut bytes = Vec::new();
                log::encode_file_header(&mut bytes);
                bytes.extend_from_slice(&records);
                (file, bytes, true)
            }
        };
        self.queue(FileOp::Append { file: file.clone(), bytes: Bytes::from(bytes) });
        let synced = self.queue(FileOp::Sync { file });
        if is_new { self.queue(FileOp::SyncDir { dir: Dir::Log }) } else { synced }
    }

    pub(crate) fn poll(&mut self) -> Option<(Ticket, FileOp)> {
        self.operations.pop_front()
    }

    fn queue(&mut self, operation: FileOp) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = Ticket(ticket.0 + 1);
        self.operations.push_back((ticket, operation));
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_is_stored_once_its_file_has_a_durable_name() {
        let mut writer = LogWriter::new(0);
        let first = writer.write(Zxid(0x1f), b"one".to_vec());
        let operations: Vec<_> = std::iter::from_fn(|| writer.poll()).collect();
        let names: Vec<_> = operations.iter().map(|(_, operation)| operation.name()).collect();
        assert_eq!(names, ["create", "append", "sync", "sync directory"]);
        assert_eq!(operations.last().map(|(ticket, _)| *ticket), Some(first));
        let FileOp::Create { file, .. } = &operations[0].1 else { panic!("not a create") };
        assert_eq!(&*file.name, "log.1f");

        let second = writer.write(Zxid(0x20), b"two".to_vec());
        let operations: Vec<_> = std::iter::from_fn(|| writer.poll()).collect();
        assert_eq!(operations.len(), 2);
        assert_eq!(operations[1].0, second);
        assert!(second > first);
    }
}
