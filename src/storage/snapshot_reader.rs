//! Reads one snapshot, however its bytes are cut up.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileSnap.deserialize` and
//! `org.apache.zookeeper.server.util.SerializeUtils.deserializeSnapshot`.

use std::{collections::BTreeMap, ops::Range, str, sync::Arc};

use bytes::Bytes;
use simd_adler32::Adler32;

use super::{
    compression::{Compression, Decompressor},
    log::DIGEST_VERSION,
    snapshot::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION},
    snapshot_damage::{SnapshotDamage, SnapshotDamageKind, SnapshotPart},
};
use crate::{
    ids::{SessionId, Zxid},
    tree::{StoredNode, StoredStat},
    wire::{Acl, AclList, Blob, DecodeError, Reader, Text, decode_acl, perms},
};

/// The index of the ACL that lets everyone do everything; it stands in no table.
const OPEN_ACL: i64 = -1;

/// What stands behind the last znode, and at the end of every seal.
const END: &[u8] = b"/";

/// What a snapshot says next.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotItem<'a> {
    /// More bytes are needed ([`SnapshotReader::push`]), or word that there are none
    /// ([`SnapshotReader::finish`]).
    NeedBytes,
    /// A session.
    Session {
        /// Its id.
        session: SessionId,
        /// Its time-out.
        timeout_ms: i32,
    },
    /// An entry of the table of ACLs. Znodes come with theirs.
    Acl {
        /// What znodes call it.
        index: i64,
        /// The ACL.
        list: AclList,
    },
    /// A znode, behind its parent. Whether it fits its parent is for the tree to say.
    Node(StoredNode<'a>),
    /// The tree's digest.
    Digest {
        /// The transaction after which it was taken; zero when there is none.
        zxid: Zxid,
        /// The digest; `None` where it is one of another algorithm.
        digest: Option<u64>,
    },
    /// The newest transaction when the snapshot was begun.
    LastZxid(Zxid),
    /// All was read, and every seal is right.
    End,
}

/// Reads the records of one snapshot in order.
///
/// ```text
///  file ─→ source ─→  │ read │ start .. the record at `offset` .. │ not looked at yet │
///                     └ summed: its bytes up to here are in the checksum
/// ```
///
/// Of the file it holds one record and what was pushed or decompressed behind it, never what a
/// length only announces. It keeps the table of ACLs.
#[derive(Debug)]
pub struct SnapshotReader {
    source: Decompressor,
    record_length_max: usize,
    buffer: Vec<u8>,
    start: usize,
    summed: usize,
    checksum: u32,
    /// Where `buffer[start..]` is in the decompressed snapshot.
    offset: u64,
    acls: BTreeMap<i64, AclList>,
    open: AclList,
    state: State,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    SessionCount,
    Sessions(i32),
    AclCount,
    Acls(i32),
    Nodes,
    /// The seal of a section.
    Seal(Section),
    /// Another section, or the end.
    Behind(Section),
    Digest,
    LastZxid,
    End,
    Damaged(SnapshotDamage),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Section {
    Nodes,
    Digest,
    LastZxid,
}

/// What was read, without what it borrows.
enum Step {
    Item(SnapshotItem<'static>),
    Node(Node),
    /// Nothing to tell.
    Continue,
}

/// A znode whose path is in the buffer.
struct Node {
    offset: u64,
    path: Range<usize>,
    data: Option<Bytes>,
    acl: AclList,
    stat: StoredStat,
}

/// Why a record was not read.
enum Stop {
    /// It takes at least this many bytes more.
    NeedBytes(usize),
    Damage(SnapshotDamageKind),
}

/// A checksum and the mark, in bytes.
const SEAL_LENGTH: usize = 13;

/// The newest transaction and its seal, in bytes.
const LAST_ZXID_LENGTH: usize = 8 + SEAL_LENGTH;

/// What may be looked at at a time, whatever the limit is, in bytes.
const LENGTH_MAX_LEAST: usize = 64;

impl SnapshotReader {
    /// A reader at the start of a file, for records of up to this many bytes.
    #[must_use]
    pub fn new(compression: Compression, record_length_max: usize) -> Self {
        Self {
            source: Decompressor::new(compression),
            record_length_max,
            buffer: Vec::new(),
            start: 0,
            summed: 0,
            checksum: Adler32::new().finish(),
            offset: 0,
            acls: BTreeMap::new(),
            open: Arc::new([Acl::new(perms::ALL, "world", "anyone")]),
            state: State::Header,
        }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.source.push(bytes);
    }

    /// There are no more bytes: the file ends here.
    pub const fn finish(&mut self) {
        self.source.finish();
    }

    /// The next record. After the end, and after damage, it says the same again.
    ///
    /// # Errors
    ///
    /// Where the snapshot stops making sense, and why.
    #[expect(clippy::should_implement_trait, reason = "what it returns is lent")]
    pub fn next(&mut self) -> Result<SnapshotItem<'_>, SnapshotDamage> {
        let node = loop {
            if let State::Damaged(damage) = self.state {
                return Err(damage);
            }
            let stop = match self.step() {
                Ok(Step::Continue) => continue,
                Ok(Step::Item(item)) => return Ok(item),
                Ok(Step::Node(node)) => break node,
                Err(stop) => stop,
            };
            let filled = match stop {
                Stop::NeedBytes(wanted) => self.fill(wanted),
                Stop::Damage(kind) => Err(kind),
            };
            match filled {
                Ok(true) => {}
                Ok(false) => return Ok(SnapshotItem::NeedBytes),
                Err(kind) => return Err(self.damaged(self.offset, kind)),
            }
        };
        let Node { offset, path, data, acl, stat } = node;
        match str::from_utf8(&self.buffer[path]) {
            Ok(path) => Ok(SnapshotItem::Node(StoredNode { path, data, acl, stat })),
            Err(_) => {
                let (part, error) = (SnapshotPart::Node, DecodeError::InvalidText);
                let kind = SnapshotDamageKind::Undecodable { part, error };
                let damage = SnapshotDamage { offset, kind };
                self.state = State::Damaged(damage);
                Err(damage)
            }
        }
    }

    /// Where the next record starts, in bytes from the start of the decompressed snapshot.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Decompressed bytes held, those of the newest record included.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len()
    }

    const fn damaged(&mut self, offset: u64, kind: SnapshotDamageKind) -> SnapshotDamage {
        let damage = SnapshotDamage { offset, kind };
        self.state = State::Damaged(damage);
        damage
    }

    /// Gets at least this many bytes more. Returns whether to go on; if not, they must be pushed
    /// first.
    fn fill(&mut self, wanted: usize) -> Result<bool, SnapshotDamageKind> {
        let part = self.state.part();
        let length = (self.buffer.len() - self.start).saturating_add(wanted);
        if length > self.record_length_max.max(LENGTH_MAX_LEAST) {
            let (length, max) = (length as u64, self.record_length_max as u64);
            return Err(SnapshotDamageKind::TooLong { part, length, max });
        }
        self.sum();
        self.buffer.drain(..self.start);
        (self.start, self.summed) = (0, 0);
        while self.buffer.len() < length {
            let is_more = self.source.next(&mut self.buffer);
            if !is_more.map_err(SnapshotDamageKind::Compression)? {
                return match self.state {
                    _ if !self.source.is_over() => Ok(false),
                    State::Behind(_) => Ok(true),
                    _ => Err(SnapshotDamageKind::Cut { part }),
                };
            }
        }
        Ok(true)
    }

    /// Brings the checksum up to date with what was read.
    fn sum(&mut self) {
        let mut adler = Adler32::from_checksum(self.checksum);
        adler.write(&self.buffer[self.summed..self.start]);
        self.checksum = adler.finish();
        self.summed = self.start;
    }

    /// Reads what `decode` reads, if it is there as a whole.
    fn read<T>(
        &mut self,
        decode: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, Stop> {
        let bytes = &self.buffer[self.start..];
        let mut reader = Reader::new(bytes);
        match decode(&mut reader) {
            Ok(value) => {
                let count = bytes.len() - reader.rest().len();
                self.start += count;
                self.offset += count as u64;
                Ok(value)
            }
            Err(DecodeError::Truncated(missing)) => Err(Stop::NeedBytes(missing)),
            Err(error) => {
                let part = self.state.part();
                Err(Stop::Damage(SnapshotDamageKind::Undecodable { part, error }))
            }
        }
    }

    fn step(&mut self) -> Result<Step, Stop> {
        let (state, step) = match self.state {
            State::Header => {
                self.header()?;
                (State::SessionCount, Step::Continue)
            }
            State::SessionCount => {
                (State::Sessions(self.read(|reader| reader.read())?), Step::Continue)
            }
            State::Sessions(count @ 1..) => {
                let (session, timeout_ms) =
                    self.read(|reader| Ok((reader.read()?, reader.read()?)))?;
                let session = SessionId(session);
                let item = SnapshotItem::Session { session, timeout_ms };
                (State::Sessions(count - 1), Step::Item(item))
            }
            State::Sessions(_) => (State::AclCount, Step::Continue),
            State::AclCount => (State::Acls(self.read(|reader| reader.read())?), Step::Continue),
            State::Acls(count @ 1..) => {
                let (index, list) =
                    self.read(|reader| Ok((reader.read()?, decode_acl(reader)?)))?;
                self.acls.insert(index, list.clone());
                (State::Acls(count - 1), Step::Item(SnapshotItem::Acl { index, list }))
            }
            State::Acls(_) => (State::Nodes, Step::Continue),
            State::Nodes => match self.node()? {
                Some(node) => (State::Nodes, Step::Node(node)),
                None => (State::Seal(Section::Nodes), Step::Continue),
            },
            State::Seal(section) => {
                self.seal()?;
                (State::Behind(section), Step::Continue)
            }
            State::Behind(section) => (self.next_section(section)?, Step::Continue),
            State::Digest => {
                let item = self.read(decode_digest)?;
                (State::Seal(Section::Digest), Step::Item(item))
            }
            State::LastZxid => {
                let zxid = Zxid(self.read(|reader| reader.read())?);
                (State::Seal(Section::LastZxid), Step::Item(SnapshotItem::LastZxid(zxid)))
            }
            State::End | State::Damaged(_) => (self.state, Step::Item(SnapshotItem::End)),
        };
        self.state = state;
        Ok(step)
    }

    fn header(&mut self) -> Result<(), Stop> {
        let offset = self.offset;
        let (magic, version, _database): (i32, i32, i64) =
            self.read(|reader| Ok((reader.read()?, reader.read()?, reader.read()?)))?;
        let kind = match (magic, version) {
            (SNAPSHOT_MAGIC, SNAPSHOT_VERSION) => return Ok(()),
            (SNAPSHOT_MAGIC, found) => SnapshotDamageKind::Version { found },
            (found, _) => SnapshotDamageKind::Magic { found },
        };
        self.start = 0;
        self.offset = offset;
        Err(Stop::Damage(kind))
    }

    /// Reads a znode; there is none at the mark behind the last one.
    fn node(&mut self) -> Result<Option<Node>, Stop> {
        let (offset, start) = (self.offset, self.start);
        let node = self.read(|reader| {
            let path: Text<'_> = reader.read()?;
            if path.as_bytes() == END {
                return Ok(None);
            }
            let data: Option<Blob<'_>> = reader.read()?;
            let (index, stat) = (reader.read::<i64>()?, decode_stat(reader)?);
            let data = data.map(|data| Bytes::copy_from_slice(&data));
            Ok(Some((path.as_bytes().len(), data, index, stat)))
        })?;
        let Some((length, data, index, stat)) = node else { return Ok(None) };
        let acl = match self.acls.get(&index) {
            Some(acl) => acl.clone(),
            None if index == OPEN_ACL => self.open.clone(),
            None => {
                self.start = start;
                self.offset = offset;
                return Err(Stop::Damage(SnapshotDamageKind::UnknownAcl { index }));
            }
        };
        let path = start + size_of::<i32>();
        Ok(Some(Node { offset, path: path..path + length, data, acl, stat }))
    }

    fn seal(&mut self) -> Result<(), Stop> {
        let seal = self.buffer[self.start..].first_chunk::<SEAL_LENGTH>();
        let Some(&[a, b, c, d, e, f, g, h, ref end @ ..]) = seal else {
            return Err(Stop::NeedBytes(SEAL_LENGTH - (self.buffer.len() - self.start)));
        };
        let (expected, is_end) =
            (i64::from_be_bytes([a, b, c, d, e, f, g, h]), *end == [0, 0, 0, 1, b'/']);
        self.sum();
        let found = i64::from(self.checksum);
        if found != expected {
            return Err(Stop::Damage(SnapshotDamageKind::Seal { expected, found }));
        }
        if !is_end {
            return Err(Stop::Damage(SnapshotDamageKind::SealEnd));
        }
        self.start += SEAL_LENGTH;
        self.offset += SEAL_LENGTH as u64;
        Ok(())
    }

    /// What follows a section. Later versions may have more of them, which nobody needs.
    fn next_section(&self, section: Section) -> Result<State, Stop> {
        let length = self.buffer.len() - self.start;
        let is_over = self.source.is_over();
        match section {
            Section::LastZxid => Ok(State::End),
            Section::Nodes | Section::Digest if length == 0 && is_over => Ok(State::End),
            // Where no digest is kept its section may be left out: its length alone tells.
            Section::Nodes if length == LAST_ZXID_LENGTH && is_over => Ok(State::LastZxid),
            Section::Nodes if length > LAST_ZXID_LENGTH || is_over => Ok(State::Digest),
            Section::Nodes => Err(Stop::NeedBytes(LAST_ZXID_LENGTH + 1 - length)),
            Section::Digest if length > 0 => Ok(State::LastZxid),
            Section::Digest => Err(Stop::NeedBytes(1)),
        }
    }
}

impl State {
    const fn part(self) -> SnapshotPart {
        match self {
            Self::Header => SnapshotPart::Header,
            Self::SessionCount | Self::Sessions(_) => SnapshotPart::Session,
            Self::AclCount | Self::Acls(_) => SnapshotPart::Acl,
            Self::Nodes => SnapshotPart::Node,
            Self::Digest => SnapshotPart::Digest,
            Self::LastZxid => SnapshotPart::LastZxid,
            Self::Seal(_) | Self::Behind(_) | Self::End | Self::Damaged(_) => SnapshotPart::Seal,
        }
    }
}

fn decode_stat(reader: &mut Reader<'_>) -> Result<StoredStat, DecodeError> {
    let [czxid, mzxid] = [Zxid(reader.read()?), Zxid(reader.read()?)];
    Ok(StoredStat {
        czxid,
        mzxid,
        ctime_ms: reader.read()?,
        mtime_ms: reader.read()?,
        version: reader.read()?,
        cversion: reader.read()?,
        aversion: reader.read()?,
        owner: reader.read()?,
        pzxid: Zxid(reader.read()?),
    })
}

/// Before its second version a digest was written as text.
fn decode_digest(reader: &mut Reader<'_>) -> Result<SnapshotItem<'static>, DecodeError> {
    let (zxid, version) = (Zxid(reader.read()?), reader.read::<i32>()?);
    if version < DIGEST_VERSION {
        reader.read::<Option<Text<'_>>>()?;
        return Ok(SnapshotItem::Digest { zxid, digest: None });
    }
    let digest = reader.read()?;
    let digest = (version == DIGEST_VERSION).then_some(digest);
    Ok(SnapshotItem::Digest { zxid, digest })
}
