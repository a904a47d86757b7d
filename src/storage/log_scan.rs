//! One log from its first byte to its last: every record, and what the rest is.

use super::{
    log_damage::LogDamageKind,
    log_reader::{LogItem, LogReader, LogRecord},
    tail_check::{LogTail, TailCheck},
};

/// What a scan finds next.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScanItem<'a> {
    /// More bytes are needed ([`LogScan::push`]), or word that there are none
    /// ([`LogScan::finish`]).
    NeedBytes,
    /// A record.
    Record(LogRecord<'a>),
    /// No more records.
    RecordsEnd {
        /// Where, in bytes from the file's start.
        offset: u64,
        /// Why, unless it is the end of the file or zeros.
        kind: Option<LogDamageKind>,
    },
    /// What follows the records, once the whole file was seen. The last item.
    Tail(LogTail),
}

/// Reads one log to its end, damaged or not.
#[derive(Debug)]
pub struct LogScan {
    record_length_max: usize,
    reader: LogReader,
    is_finished: bool,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// There may be records.
    Records,
    /// There are none; what was not read is still with the reader.
    Starts(Option<LogDamageKind>),
    Checked(Box<TailCheck>),
    Judged(LogTail),
}

impl LogScan {
    /// A scan from the start of a file, for records with a payload of up to this many bytes.
    #[must_use]
    pub const fn new(record_length_max: usize) -> Self {
        let reader = LogReader::new(record_length_max);
        Self { record_length_max, reader, is_finished: false, rest: Rest::Records }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.rest {
            Rest::Records | Rest::Starts(_) => self.reader.push(bytes),
            Rest::Checked(check) => check.push(bytes),
            Rest::Judged(_) => {}
        }
    }

    /// There are no more bytes: the file ends here.
    pub const fn finish(&mut self) {
        self.is_finished = true;
        self.reader.finish();
    }

    /// What comes next. After the tail it says the same again.
    #[expect(clippy::should_implement_trait, reason = "what it returns is lent")]
    pub fn next(&mut self) -> ScanItem<'_> {
        match std::mem::replace(&mut self.rest, Rest::Records) {
            Rest::Records => {
                let (offset, kind) = match self.reader.next() {
                    Ok(LogItem::NeedBytes) => return ScanItem::NeedBytes,
                    Ok(LogItem::Record(record)) => return ScanItem::Record(record),
                    Ok(LogItem::End { offset }) => (offset, None),
                    Err(damage) => (damage.offset, Some(damage.kind)),
                };
                self.rest = Rest::Starts(kind);
                ScanItem::RecordsEnd { offset, kind }
            }
            Rest::Starts(kind) => {
                let (offset, last) = (self.reader.offset(), self.reader.last_zxid());
                let mut check = TailCheck::new(self.record_length_max, offset, kind, last);
                check.push(self.reader.unread());
                self.reader = LogReader::new(self.record_length_max);
                self.check(Box::new(check))
            }
            Rest::Checked(check) => self.check(check),
            Rest::Judged(tail) => {
                self.rest = Rest::Judged(tail);
                ScanItem::Tail(tail)
            }
        }
    }

    fn check(&mut self, check: Box<TailCheck>) -> ScanItem<'_> {
        if !self.is_finished {
            self.rest = Rest::Checked(check);
            return ScanItem::NeedBytes;
        }
        let tail = check.finish();
        self.rest = Rest::Judged(tail);
        ScanItem::Tail(tail)
    }
}
