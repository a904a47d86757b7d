//! The contents of one file: what is durable, what is live, and the changes in between.
//!
//! ```text
//!   durable ──unsynced changes──▶ live        durable.len() and live.len() differ freely
//!   0 ──── written ────▶ end ──── reserved zeros ────▶ live.len()        end ≤ live.len()
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use zookeeper_core::Rng;

use super::{
    crash::{Data, Rest},
    marks::{Mark, Marks},
};
use crate::generate::values::index;

/// What a disk writes as a whole.
pub(super) const SECTOR: usize = 512;

/// One file's contents. A clone shares the bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    durable: Arc<Vec<u8>>,
    live: Arc<Vec<u8>>,
    /// Where the next append goes.
    end: usize,
    /// Bytes by which the length grows ahead of what is written; zero is not at all.
    ahead: usize,
    unsynced: Vec<Change>,
    /// Sectors that the system takes for written and that never arrived.
    dropped: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Change {
    Write {
        offset: usize,
        bytes: Bytes,
    },
    /// The length changed: it was cut, or zeros were added.
    Length(usize),
}

impl Contents {
    /// A new file, whose length grows in steps of `ahead`.
    pub(super) fn new(ahead: usize) -> Self {
        let mut contents = Self::default();
        contents.empty(ahead);
        contents
    }

    /// A file as a start finds it.
    pub(super) fn durable(bytes: Arc<Vec<u8>>) -> Self {
        let (durable, end) = (bytes.clone(), bytes.len());
        Self { durable, live: bytes, end, ..Self::default() }
    }

    /// Makes the file empty.
    pub(super) fn empty(&mut self, ahead: usize) {
        self.ahead = ahead;
        if !self.live.is_empty() {
            self.truncate(0);
        }
        self.grow(0);
    }

    pub(super) fn append(&mut self, bytes: &Bytes) {
        let (offset, end) = (self.end, self.end + bytes.len());
        self.grow(end);
        let live = Arc::make_mut(&mut self.live);
        if live.len() < end {
            live.resize(end, 0);
        }
        live[offset..end].copy_from_slice(bytes);
        self.end = end;
        for sector in sectors(offset..end) {
            self.dropped.remove(&sector);
        }
        self.unsynced.push(Change::Write { offset, bytes: bytes.clone() });
    }

    pub(super) fn truncate(&mut self, length: usize) {
        Arc::make_mut(&mut self.live).resize(length, 0);
        self.end = length;
        self.unsynced.push(Change::Length(length));
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.arrived();
        self.unsynced.clear();
    }

    /// The system takes everything for written, and nothing of it arrives.
    pub(super) fn drop_unsynced(&mut self) {
        for change in self.unsynced.drain(..) {
            if let Change::Write { offset, bytes } = change {
                self.dropped.extend(sectors(offset..offset + bytes.len()));
            }
        }
    }

    /// How many bytes the last change wrote, if it is not synced.
    pub(super) fn last_write(&self) -> Option<Range<usize>> {
        match self.unsynced.last()? {
            Change::Write { offset, bytes } => Some(*offset..offset + bytes.len()),
            Change::Length(_) => None,
        }
    }

    pub(super) const fn live(&self) -> &Arc<Vec<u8>> {
        &self.live
    }

    /// What a crash leaves. `is_last` says whether this file has the disk's last write.
    pub(super) fn after(
        &self,
        data: Data,
        is_last: bool,
        rng: &mut Rng,
        marks: &mut Marks,
    ) -> Arc<Vec<u8>> {
        if self.unsynced.is_empty() {
            return self.durable.clone();
        }
        let last = self.last_write().filter(|_| is_last);
        match (data, last) {
            (Data::Lost, _) => self.durable.clone(),
            (Data::Random { torn }, _) => Arc::new(self.random(torn, rng, marks)),
            (Data::Prefix { bytes, rest }, Some(last)) => {
                let kept = last.start + bytes.min(last.len());
                self.without(&(kept..last.end), rest, marks)
            }
            (Data::Sectors(mask), Some(last)) => {
                let mut left = (*self.arrived()).clone();
                let touched = sectors(last.clone());
                for (bit, sector) in touched.enumerate() {
                    if mask >> bit.min(63) & 1 == 0 {
                        self.undo(&mut left, &portion(&last, sector));
                        marks.add(Mark::SectorLost);
                    }
                }
                Arc::new(left)
            }
            _ => self.arrived(),
        }
    }

    /// Everything that a sync writes.
    fn arrived(&self) -> Arc<Vec<u8>> {
        if self.dropped.is_empty() {
            return self.live.clone();
        }
        let mut arrived = (*self.live).clone();
        for sector in &self.dropped {
            let start = (sector * SECTOR).min(arrived.len());
            let end = (start + SECTOR).min(arrived.len());
            self.undo(&mut arrived, &(start..end));
        }
        Arc::new(arrived)
    }

    /// Everything, but for these bytes at the end of the last write.
    fn without(&self, lost: &Range<usize>, rest: Rest, marks: &mut Marks) -> Arc<Vec<u8>> {
        let mut left = (*self.arrived()).clone();
        if lost.is_empty() {
            return Arc::new(left);
        }
        self.undo(&mut left, lost);
        if rest == Rest::Cut && left.len() == lost.end {
            left.truncate(lost.start.max(self.durable.len()));
            marks.add(Mark::LengthCut);
        } else {
            marks.add(Mark::ZerosVisible);
        }
        Arc::new(left)
    }

    /// Puts back what was there at the last sync.
    fn undo(&self, bytes: &mut [u8], range: &Range<usize>) {
        let old = range.start..range.end.min(self.durable.len());
        let old = self.durable.get(old).unwrap_or_default();
        let (first, rest) = bytes[range.clone()].split_at_mut(old.len());
        first.copy_from_slice(old);
        rest.fill(0);
    }

    /// Every sector arrives as of some moment since the last sync, and so does the length.
    fn random(&self, torn: bool, rng: &mut Rng, marks: &mut Marks) -> Vec<u8> {
        let mut fates = self.fates(torn, rng, marks);
        let mut left = (*self.durable).clone();
        let mut length = left.len();
        let mut lengths = vec![length];
        for change in &self.unsynced {
            match change {
                Change::Length(new) if *new < length && rng.one_in(2) => {
                    marks.add(Mark::TruncateLost);
                }
                Change::Length(new) => {
                    if *new < length {
                        lengths.clear();
                    }
                    length = *new;
                    left.resize(left.len().max(length), 0);
                    left[length..].fill(0);
                }
                Change::Write { offset, bytes } => {
                    let range = *offset..offset + bytes.len();
                    length = length.max(range.end);
                    left.resize(left.len().max(length), 0);
                    for sector in sectors(range.clone()) {
                        let portion = portion(&range, sector);
                        let part = &bytes[portion.start - offset..portion.end - offset];
                        let fate = fates.get_mut(&sector).expect("every sector has a fate");
                        let count = fate.arrives(part.len(), rng);
                        left[portion.start..][..count].copy_from_slice(&part[..count]);
                    }
                }
            }
            lengths.push(length);
        }
        for (&sector, _) in fates.iter().filter(|(_, fate)| fate.is_whole) {
            // With it goes what was taken for written before.
            let range = portion(&(0..self.live.len().min(left.len())), sector);
            left[range.clone()].copy_from_slice(&self.live[range]);
        }
        let chosen = lengths[index(rng, lengths.len())];
        if chosen < length {
            marks.add(Mark::LengthCut);
        }
        left.resize(chosen, 0);
        if chosen > self.durable.len() && left.ends_with(&[0]) {
            marks.add(Mark::ZerosVisible);
        }
        left
    }

    /// How much arrives of what was written to each sector.
    fn fates(&self, torn: bool, rng: &mut Rng, marks: &mut Marks) -> BTreeMap<usize, Fate> {
        let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
        for change in &self.unsynced {
            if let Change::Write { offset, bytes } = change {
                for sector in sectors(*offset..offset + bytes.len()) {
                    fates.entry(sector).or_default().whole_writes += 1;
                }
            }
        }
        for fate in fates.values_mut() {
            let written = fate.whole_writes;
            fate.whole_writes = index(rng, written + 1);
            fate.is_whole = fate.whole_writes == written;
            fate.is_torn = !fate.is_whole && torn && rng.one_in(3);
            match fate.whole_writes {
                _ if fate.is_whole => {}
                _ if fate.is_torn => marks.add(Mark::SectorTorn),
                0 => marks.add(Mark::SectorLost),
                _ => marks.add(Mark::SectorOlder),
            }
        }
        fates
    }

    /// Lets the length grow to hold `end` bytes and some ahead of them.
    fn grow(&mut self, end: usize) {
        if self.ahead > 0 && self.live.len() <= end {
            let length = (end / self.ahead + 1) * self.ahead;
            Arc::make_mut(&mut self.live).resize(length, 0);
            self.unsynced.push(Change::Length(length));
        }
    }
}

/// What arrives of the writes to one sector: the first ones, and maybe a part of the next.
#[derive(Default)]
struct Fate {
    whole_writes: usize,
    is_torn: bool,
    /// Whether all of them arrive.
    is_whole: bool,
}

impl Fate {
    /// How much of the next write of `length` bytes arrives.
    fn arrives(&mut self, length: usize, rng: &mut Rng) -> usize {
        if let Some(left) = self.whole_writes.checked_sub(1) {
            self.whole_writes = left;
            return length;
        }
        if std::mem::take(&mut self.is_torn) { index(rng, length) } else { 0 }
    }
}

/// The sectors that a range of bytes touches.
fn sectors(range: Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / SECTOR..range.end.div_ceil(SECTOR) }
}

/// The part of a range of bytes that is in a sector.
fn portion(range: &Range<usize>, sector: usize) -> Range<usize> {
    range.start.max(sector * SECTOR)..range.end.min((sector + 1) * SECTOR)
}
