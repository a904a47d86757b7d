//! What the end of a log is: the end, the trace of a crash, or damage. The one judge of it.
//!
//! A crash may lose any part of what was appended and not synced. A disk writes sectors as a whole,
//! and what was lost reads as what was there before: nothing, or zeros.
//!
//! ```text
//!            │        sector        │        sector        │        sector        │
//!  records ──┬── damaged record ─────────────────────────────┬── … ── end of file
//!            X   0000000000000000000│                        └ maybe valid records
//!            └ a lost sector: the record's part of it is zero, and all behind that, too
//! ```
//!
//! So the tail is torn, and nothing of it was ever acknowledged, when the file ends inside the
//! record at X, or when a sector of it was lost. Upstream writes a record in several steps, over
//! zeros, so a process that ends leaves one of which everything from some byte on is zero, up to
//! the end of the file: its last byte, which never is zero, was not written. That is torn, too. It
//! is not torn, however it looks, when
//!
//! - valid records start inside of what the record claims to be, or the checksum is that of fewer
//!   bytes: then its length is wrong, and nothing was lost;
//! - the valid records that follow are further apart in time than those that were under way
//!   together.
//!
//! A disk may also lose a sector that it had synced. If only records of one moment follow, that
//! looks the same; so who cuts a tail with whole records in it keeps a copy.
//!
//! Anything else was written whole and has changed since.

use super::{
    log::{HEADER_LENGTH, RECORD_END, RECORD_OVERHEAD, encode_file_header},
    log_damage::LogDamageKind,
    log_reader::{PREFIX_LENGTH, split_prefix},
    record_search::RecordSearch,
};
use crate::{ids::Zxid, wire::TxnHeader};

/// The unit in which a disk writes, in bytes.
const SECTOR: usize = 512;

/// How far apart in time records can be that are on their way to the disk together, in milliseconds:
/// as long as storage hangs, while the server goes on logging. Clients that are not answered for
/// longer than this give up. Their number says nothing: thousands of clients may come in a moment.
const UNSYNCED_SPAN_MAX_MS: u64 = 10_000;

/// The upper half of a checksum is zero in any case, so its loss is none.
const ALWAYS_ZERO: u64 = 4;

/// What follows the last good record of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogTail {
    /// Where it starts, in bytes from the file's start.
    pub offset: u64,
    /// Its length in bytes, up to the end of the file.
    pub length: u64,
    /// What it is.
    pub state: TailState,
}

/// What the end of a log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TailState {
    /// The end: nothing, or zeros.
    Clean,
    /// A crash lost a part of it. It can be cut: it was never acknowledged, if the disk keeps what
    /// it has synced.
    Torn {
        /// How the log stops making sense.
        kind: LogDamageKind,
        /// Valid records behind what was lost. With the disk's promise they were never acknowledged
        /// either; since that cannot be seen, a copy is kept of what is cut.
        records_behind: u64,
    },
    /// It was damaged, and nothing valid follows.
    Corrupt {
        /// How the log stops making sense.
        kind: LogDamageKind,
        /// The length of payload that the record's checksum is right for, if its length is wrong.
        fitting_length: Option<u64>,
    },
    /// It was damaged, and valid records follow. Nobody can tell what is missing between.
    DamagedInside {
        /// How the log stops making sense.
        kind: LogDamageKind,
        /// As in [`TailState::Corrupt`].
        fitting_length: Option<u64>,
        /// Where the first valid record behind the damage starts, in bytes from the file's start.
        next_offset: u64,
        /// Its transaction.
        next_zxid: Zxid,
        /// How many valid records follow.
        records_behind: u64,
    },
}

/// Judges what follows the last good record of one log.
#[derive(Debug)]
pub struct TailCheck {
    offset: u64,
    kind: Option<LogDamageKind>,
    record_length_max: usize,
    /// The first bytes: the longest record there can be, and its last sector.
    head: Vec<u8>,
    length: u64,
    /// How many bytes there are up to the last one that is not zero.
    written: u64,
    search: RecordSearch,
}

impl TailCheck {
    /// A judge of a log whose good records end at `offset` with `last`: at the end as the reader
    /// sees it, or at damage.
    #[must_use]
    pub const fn new(
        record_length_max: usize,
        offset: u64,
        kind: Option<LogDamageKind>,
        last: Option<Zxid>,
    ) -> Self {
        Self {
            offset,
            kind,
            record_length_max,
            head: Vec::new(),
            length: 0,
            written: 0,
            search: RecordSearch::new(record_length_max, offset, last),
        }
    }

    /// The next bytes; the first ones are those at the offset.
    pub fn push(&mut self, bytes: &[u8]) {
        let wanted = self.record_length_max.saturating_add(RECORD_OVERHEAD + SECTOR);
        let wanted = wanted.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        if !is_zero(bytes)
            && let Some(last) = bytes.iter().rposition(|byte| *byte != 0)
        {
            self.written = self.length + last as u64 + 1;
        }
        self.length += bytes.len() as u64;
        self.search.push(bytes);
    }

    /// The file ends here: what its tail is.
    #[must_use]
    pub fn finish(mut self) -> LogTail {
        self.search.finish();
        LogTail { offset: self.offset, length: self.length, state: self.judge() }
    }

    fn judge(&self) -> TailState {
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.written == 0 => return TailState::Clean,
            None => LogDamageKind::Hole,
        };
        let (end, fitting_length) = (self.claimed_end(&kind), self.fitting_length());
        let (first, records_behind) = (self.search.first(), self.search.count());
        let is_cut = match kind {
            LogDamageKind::HeaderCut { .. } | LogDamageKind::RecordCut { .. } => true,
            LogDamageKind::Hole
            | LogDamageKind::Length { found: 0 }
            | LogDamageKind::Checksum { .. }
            | LogDamageKind::RecordEnd { .. } => {
                self.has_lost_sector(end) || self.is_written_in_part(end)
            }
            LogDamageKind::Magic { .. } | LogDamageKind::Version { .. } => {
                self.is_written_in_part(end)
            }
            _ => false,
        };
        let is_length_right =
            fitting_length.is_none() && first.is_none_or(|(offset, _)| offset >= end);
        let were_under_way = self.search.span_ms() <= UNSYNCED_SPAN_MAX_MS;
        if is_cut && is_length_right && were_under_way {
            return TailState::Torn { kind, records_behind };
        }
        match first {
            None => TailState::Corrupt { kind, fitting_length },
            Some((next_offset, next_zxid)) => TailState::DamagedInside {
                kind,
                fitting_length,
                next_offset,
                next_zxid,
                records_behind,
            },
        }
    }

    /// Where the damaged record, or header, claims to end.
    fn claimed_end(&self, kind: &LogDamageKind) -> u64 {
        let length = match kind {
            _ if self.offset < HEADER_LENGTH as u64 => HEADER_LENGTH as u64,
            LogDamageKind::RecordCut { expected, .. } => *expected,
            LogDamageKind::Checksum { .. } | LogDamageKind::RecordEnd { .. } => {
                let length = self.prefix().map_or(0, |(_, length)| length);
                RECORD_OVERHEAD as u64 + u64::try_from(length).unwrap_or(0)
            }
            _ => PREFIX_LENGTH as u64,
        };
        self.offset + length
    }

    fn prefix(&self) -> Option<(i64, i32)> {
        self.head.first_chunk().map(split_prefix)
    }

    /// Whether it begins as a record, or as the header, and everything from its last byte on is
    /// zero.
    fn is_written_in_part(&self, end: u64) -> bool {
        let begins_well = if self.offset < HEADER_LENGTH as u64 {
            let mut header = Vec::new();
            encode_file_header(&mut header);
            let count =
                usize::try_from(self.written).map_or(header.len(), |to| to.min(header.len()));
            self.head.starts_with(&header[..count])
        } else {
            self.prefix().is_some_and(|(checksum, _)| u32::try_from(checksum).is_ok())
        };
        begins_well && self.offset + self.written < end
    }

    /// Whether a sector in which the record has a part is zero from there on.
    fn has_lost_sector(&self, end: u64) -> bool {
        let mut start = self.offset;
        while start < end {
            let sector_end = (start / SECTOR as u64 + 1) * SECTOR as u64;
            let [from, to] = [start, sector_end].map(|at| {
                usize::try_from(at - self.offset)
                    .map_or(self.head.len(), |at| at.min(self.head.len()))
            });
            let part = &self.head[from..to];
            let is_evidence = start > self.offset || part.len() as u64 > ALWAYS_ZERO;
            if is_evidence && !part.is_empty() && is_zero(part) {
                return true;
            }
            start = sector_end;
        }
        false
    }

    /// The length of payload that the checksum is right for, when the record gives another one.
    fn fitting_length(&self) -> Option<u64> {
        let (checksum, length) = self.prefix().filter(|_| self.offset >= HEADER_LENGTH as u64)?;
        let checksum = u32::try_from(checksum).ok()?;
        let length = usize::try_from(length).unwrap_or(0);
        let (mut low, mut high) = (1_u32, 0_u32);
        let payload = &self.head[PREFIX_LENGTH..];
        for (count, byte) in payload.iter().enumerate().take(self.record_length_max + 1) {
            if count >= TxnHeader::LENGTH
                && count != length
                && *byte == RECORD_END
                && high << 16 | low == checksum
            {
                return Some(count as u64);
            }
            low = (low + u32::from(*byte)) % ADLER_MODULUS;
            high = (high + low) % ADLER_MODULUS;
        }
        None
    }
}

/// Of Adler-32; here its value at every byte is looked at, so no vector instruction helps.
const ADLER_MODULUS: u32 = 65_521;

/// What zeros are compared with: that is one call to what compares memory fastest.
const ZEROS: [u8; 4096] = [0; 4096];

/// Whether there are only zeros.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|bytes| *bytes == ZEROS[..bytes.len()])
}
