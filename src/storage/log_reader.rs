//! Reads one log, however its bytes are cut up.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnLog.FileTxnIterator`, except that
//! nothing that is damaged counts as the end.

use simd_adler32::adler32;

use super::{
    log::{DIGEST_VERSION, HEADER_LENGTH, LOG_MAGIC, LOG_VERSION, RECORD_END, RECORD_OVERHEAD},
    log_damage::{LogDamage, LogDamageKind},
};
use crate::{
    ids::Zxid,
    limits::FRAME_LENGTH_MAX,
    wire::{DecodeError, Op, Reader, Txn, TxnHeader},
};

/// Checksum and length, in bytes.
pub(super) const PREFIX_LENGTH: usize = RECORD_OVERHEAD - 1;

/// The default of the longest payload of a record, in bytes.
///
/// A record holds a request that grew: ACLs were expanded, versions and paths added. Upstream lets
/// it become twice as long as a request may be (`jute.maxbuffer.extrasize`).
pub const RECORD_LENGTH_MAX: usize = 2 * FRAME_LENGTH_MAX + TxnHeader::LENGTH + Txn::DIGEST_LENGTH;

/// What a log says next.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogItem<'a> {
    /// More bytes are needed ([`LogReader::push`]), or word that there are none
    /// ([`LogReader::finish`]).
    NeedBytes,
    /// A record.
    Record(LogRecord<'a>),
    /// The records end here: at the end of the file, or at zeros. Whether nothing but zeros follows
    /// was not looked at: [`TailCheck`](super::TailCheck) does.
    End {
        /// Where, in bytes from the file's start.
        offset: u64,
    },
}

/// A record of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRecord<'a> {
    /// Where it starts, in bytes from the file's start.
    pub offset: u64,
    /// Its length in the file, in bytes.
    pub length: u64,
    /// Who, where in the order, and when.
    pub header: TxnHeader,
    /// What it does.
    pub txn: Txn<'a>,
    /// The tree's digest after it; `None` where there is none, or one of another algorithm.
    pub digest: Option<u64>,
}

/// Reads the records of one log in order.
///
/// ```text
///  buffer:  │ read │ start .. the record at `offset` .. │ not looked at yet │
/// ```
///
/// It holds one record and what was pushed behind it, never what a length only announces.
#[derive(Debug)]
pub struct LogReader {
    record_length_max: usize,
    buffer: Vec<u8>,
    start: usize,
    /// Where `buffer[start..]` is in the file.
    offset: u64,
    is_finished: bool,
    last: Option<Zxid>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Records,
    Ended,
    Damaged(LogDamageKind),
}

/// What is at the front of the buffer.
enum Front {
    Incomplete,
    End,
    /// A record with a payload of this many bytes.
    Whole(usize),
}

impl LogReader {
    /// A reader at the start of a file, for records with a payload of up to this many bytes.
    #[must_use]
    pub const fn new(record_length_max: usize) -> Self {
        Self {
            record_length_max,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            is_finished: false,
            last: None,
            state: State::Header,
        }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// There are no more bytes: the file ends here.
    pub const fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The next record. After the end, and after damage, it says the same again.
    ///
    /// # Errors
    ///
    /// Where the log stops making sense, and why.
    #[expect(clippy::should_implement_trait, reason = "what it returns is lent")]
    pub fn next(&mut self) -> Result<LogItem<'_>, LogDamage> {
        let front = match self.state {
            State::Header => self.header().and_then(|front| front.map_or_else(|| self.front(), Ok)),
            State::Records => self.front(),
            State::Ended => Ok(Front::End),
            State::Damaged(kind) => Err(kind),
        };
        match front {
            Ok(Front::Incomplete) => Ok(LogItem::NeedBytes),
            Ok(Front::End) => {
                self.state = State::Ended;
                Ok(LogItem::End { offset: self.offset })
            }
            Ok(Front::Whole(length)) => self.record(length),
            Err(kind) => Err(self.damaged(kind)),
        }
    }

    /// The zxid of the newest record read.
    #[must_use]
    pub const fn last_zxid(&self) -> Option<Zxid> {
        self.last
    }

    /// Where the next record starts, or where the records ended, in bytes from the file's start.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes pushed and not read, from [`LogReader::offset`] on.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    const fn damaged(&mut self, kind: LogDamageKind) -> LogDamage {
        self.state = State::Damaged(kind);
        LogDamage { offset: self.offset, kind }
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads the file's header. The log ends there when it has none, as a crash right after a file
    /// was made leaves it.
    fn header(&mut self) -> Result<Option<Front>, LogDamageKind> {
        let bytes = &self.buffer[self.start..];
        let bytes = &bytes[..bytes.len().min(HEADER_LENGTH)];
        let is_whole = bytes.len() == HEADER_LENGTH;
        if !is_whole && !self.is_finished {
            return Ok(Some(Front::Incomplete));
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Some(Front::End));
        }
        // Those that are not there are taken for right.
        let [mut magic, mut version] = [LOG_MAGIC.to_be_bytes(), LOG_VERSION.to_be_bytes()];
        magic.iter_mut().chain(&mut version).zip(bytes).for_each(|(to, byte)| *to = *byte);
        let [magic, version] = [magic, version].map(i32::from_be_bytes);
        if magic != LOG_MAGIC {
            return Err(LogDamageKind::Magic { found: magic });
        }
        if version != LOG_VERSION {
            return Err(LogDamageKind::Version { found: version });
        }
        if !is_whole {
            return Err(LogDamageKind::HeaderCut { present: bytes.len() as u64 });
        }
        self.advance(HEADER_LENGTH);
        self.state = State::Records;
        Ok(None)
    }

    /// Checks what is at the front of the buffer, the transaction itself excepted.
    fn front(&self) -> Result<Front, LogDamageKind> {
        let bytes = self.unread();
        let present = bytes.len() as u64;
        let Some(prefix) = bytes.first_chunk::<PREFIX_LENGTH>() else {
            return match self.is_finished {
                false => Ok(Front::Incomplete),
                true if bytes.iter().all(|byte| *byte == 0) => Ok(Front::End),
                true => Err(LogDamageKind::RecordCut { expected: RECORD_OVERHEAD as u64, present }),
            };
        };
        let (expected, found) = split_prefix(prefix);
        let length = match usize::try_from(found) {
            Ok(0) if expected == 0 => return Ok(Front::End),
            Ok(0) | Err(_) => return Err(LogDamageKind::Length { found }),
            Ok(length) => length,
        };
        if length > self.record_length_max {
            let max = self.record_length_max as u64;
            return Err(LogDamageKind::TooLong { length: length as u64, max });
        }
        let Some(record) = bytes.get(PREFIX_LENGTH..=PREFIX_LENGTH + length) else {
            let expected = (RECORD_OVERHEAD + length) as u64;
            return match self.is_finished {
                true => Err(LogDamageKind::RecordCut { expected, present }),
                false => Ok(Front::Incomplete),
            };
        };
        let found = i64::from(adler32(&&record[..length]));
        if found != expected {
            return Err(LogDamageKind::Checksum { expected, found });
        }
        if record[length] != RECORD_END {
            return Err(LogDamageKind::RecordEnd { found: record[length] });
        }
        Ok(Front::Whole(length))
    }

    fn record(&mut self, length: usize) -> Result<LogItem<'_>, LogDamage> {
        let payload = self.start + PREFIX_LENGTH..self.start + PREFIX_LENGTH + length;
        let offset = self.offset;
        let (header, op) = match TxnHeader::decode(&mut Reader::new(&self.buffer[payload.clone()]))
        {
            Ok(header) => header,
            Err(error) => return Err(self.damaged(LogDamageKind::Transaction(error))),
        };
        if let Some(last) = self.last
            && header.zxid <= last
        {
            return Err(self.damaged(LogDamageKind::Order { last, found: header.zxid }));
        }
        match decode_payload(op, &self.buffer[payload][TxnHeader::LENGTH..]) {
            Ok((txn, digest)) => {
                let length = RECORD_OVERHEAD + length;
                self.start += length;
                self.offset += length as u64;
                self.last = Some(header.zxid);
                let length = length as u64;
                Ok(LogItem::Record(LogRecord { offset, length, header, txn, digest }))
            }
            Err(error) => {
                self.state = State::Damaged(LogDamageKind::Transaction(error));
                Err(LogDamage { offset, kind: LogDamageKind::Transaction(error) })
            }
        }
    }
}

/// The checksum and the length that a record starts with.
pub(super) fn split_prefix(prefix: &[u8; PREFIX_LENGTH]) -> (i64, i32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *prefix;
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]), i32::from_be_bytes([i, j, k, l]))
}

/// What follows a transaction's header: the body, and the digest if there is one.
pub(super) fn decode_payload(op: Op, bytes: &[u8]) -> Result<(Txn<'_>, Option<u64>), DecodeError> {
    if op == Op::Check {
        return Err(DecodeError::MisplacedOperation(op.code()));
    }
    // Where `closeSessionTxn.enabled` is off there is a digest and no body. It is no list of two
    // paths either: these 12 bytes would have to be two empty ones.
    if op == Op::CloseSession
        && let Some(digest) = decode_digest(bytes)
        && bytes.len() == Txn::DIGEST_LENGTH
    {
        return Ok((Txn::CloseSession { paths: None }, Some(digest)));
    }
    let mut reader = Reader::new(bytes);
    let txn = Txn::decode_body(op, &mut reader)?;
    Ok((txn, decode_digest(reader.rest())))
}

/// A digest of the one algorithm there is; anything else is ignored, as upstream does.
fn decode_digest(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    let version: i32 = reader.read().ok()?;
    let digest = reader.read().ok()?;
    (version == DIGEST_VERSION).then_some(digest)
}
