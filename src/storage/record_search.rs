//! Looks for valid records where nobody says where they start.

use simd_adler32::adler32;

use super::{
    log::{RECORD_END, RECORD_OVERHEAD},
    log_reader::{PREFIX_LENGTH, split_prefix},
    tail_check::is_zero,
};
use crate::{
    ids::Zxid,
    wire::{Op, Reader, TxnHeader},
};

/// Bytes to check per byte that came. Data may look like the start of a record at every byte; the
/// work stays in proportion.
const CHECKED_PER_BYTE: u64 = 64;

/// Looks for records behind damage: their checksums are right, and they are newer than the next
/// transaction, which is the damaged one.
#[derive(Debug)]
pub(super) struct RecordSearch {
    record_length_max: usize,
    /// Only newer ones count.
    after: Zxid,
    buffer: Vec<u8>,
    start: usize,
    /// Where `buffer[start..]` is in the file.
    offset: u64,
    /// Where the damage starts; records start behind.
    damaged: u64,
    /// Bytes of candidates that may be checked.
    budget: u64,
    is_finished: bool,
    first: Option<(u64, Zxid)>,
    count: u64,
    /// The earliest and the latest time that they give, in milliseconds of Unix time.
    times_ms: Option<(i64, i64)>,
}

enum Candidate {
    No,
    Unknown,
    Valid { length: usize, zxid: Zxid, time_ms: i64 },
}

impl RecordSearch {
    /// A search in the bytes behind the first one, which is at `offset`.
    pub(super) const fn new(record_length_max: usize, offset: u64, last: Option<Zxid>) -> Self {
        Self {
            record_length_max,
            after: match last {
                Some(last) => last.next(),
                None => Zxid::ZERO,
            },
            buffer: Vec::new(),
            start: 0,
            offset,
            damaged: offset,
            budget: record_length_max as u64,
            is_finished: false,
            first: None,
            count: 0,
            times_ms: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
        self.budget += CHECKED_PER_BYTE * bytes.len() as u64;
        self.search();
    }

    pub(super) fn finish(&mut self) {
        self.is_finished = true;
        self.search();
    }

    /// Where the first valid record starts, and its transaction.
    pub(super) const fn first(&self) -> Option<(u64, Zxid)> {
        self.first
    }

    /// How many valid records there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// How far apart in time they are, in milliseconds. The clock may have been set back.
    pub(super) fn span_ms(&self) -> u64 {
        self.times_ms.map_or(0, |(earliest, latest)| latest.abs_diff(earliest))
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    fn search(&mut self) {
        if self.offset == self.damaged && !self.buffer.is_empty() {
            self.advance(1);
        }
        loop {
            self.skip_zeros();
            match self.candidate() {
                Candidate::Unknown => return,
                Candidate::No => self.advance(1),
                Candidate::Valid { length, zxid, time_ms } => {
                    self.first.get_or_insert((self.offset, zxid));
                    self.count += 1;
                    let (earliest, latest) = self.times_ms.unwrap_or((time_ms, time_ms));
                    self.times_ms = Some((earliest.min(time_ms), latest.max(time_ms)));
                    self.after = zxid;
                    self.advance(length);
                }
            }
        }
    }

    /// Goes on to where a record can start: before its length, which is not zero.
    fn skip_zeros(&mut self) {
        let bytes = &self.buffer[self.start..];
        if bytes.first_chunk::<PREFIX_LENGTH>().is_none_or(|prefix| !is_zero(prefix)) {
            return;
        }
        let zeros = bytes.chunks(4096).take_while(|chunk| is_zero(chunk)).map(<[u8]>::len).sum();
        let rest = bytes[zeros..].iter().take_while(|byte| **byte == 0).count();
        self.advance((zeros + rest).saturating_sub(PREFIX_LENGTH - 1));
    }

    fn candidate(&mut self) -> Candidate {
        let bytes = &self.buffer[self.start..];
        let unknown = if self.is_finished && bytes.len() > RECORD_OVERHEAD {
            Candidate::No
        } else {
            Candidate::Unknown
        };
        let Some(prefix) = bytes.first_chunk::<PREFIX_LENGTH>() else { return Candidate::Unknown };
        let (checksum, length) = split_prefix(prefix);
        let (Ok(checksum), Ok(length)) = (u32::try_from(checksum), usize::try_from(length)) else {
            return Candidate::No;
        };
        if length < TxnHeader::LENGTH || length > self.record_length_max {
            return Candidate::No;
        }
        let payload = &bytes[PREFIX_LENGTH..];
        if payload.len() < TxnHeader::LENGTH {
            return unknown;
        }
        let header = match TxnHeader::decode(&mut Reader::new(payload)) {
            Ok((header, op)) if is_logged(op) && header.zxid > self.after => header,
            _ => return Candidate::No,
        };
        match payload.get(length) {
            None => return unknown,
            Some(&RECORD_END) => {}
            Some(_) => return Candidate::No,
        }
        // What cannot be checked any more counts: better no repair than a wrong one.
        if let Some(budget) = self.budget.checked_sub(length as u64) {
            self.budget = budget;
            if adler32(&&payload[..length]) != checksum {
                return Candidate::No;
            }
        }
        let TxnHeader { zxid, time_ms, .. } = header;
        Candidate::Valid { length: RECORD_OVERHEAD + length, zxid, time_ms }
    }
}

/// Whether logs hold such transactions.
const fn is_logged(op: Op) -> bool {
    matches!(
        op,
        Op::CreateSession
            | Op::CloseSession
            | Op::Create
            | Op::Create2
            | Op::CreateContainer
            | Op::CreateTtl
            | Op::Delete
            | Op::DeleteContainer
            | Op::SetData
            | Op::Reconfig
            | Op::SetAcl
            | Op::Multi
            | Op::Error
    )
}
