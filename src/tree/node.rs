//! Znodes, and the table that finds them by path.
//!
//! A znode has a slot that stays the same for its life; parents, children and sessions name it by
//! that. Look-ups go by the bytes of the path, hashed once. The table is cut into shards, so that
//! growing moves one part of it and never all.
//!
//! Behaviour: `org.apache.zookeeper.server.DataNode` and `EphemeralType`.

use bytes::Bytes;
use hashbrown::HashTable;
use slab::Slab;

use crate::{
    hash::Keys,
    ids::{SessionId, Zxid},
    path,
    wire::{AclList, CreateMode, Stat},
};

/// A znode's slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// Whether its slot is one of these.
    pub(super) const fn is_in(self, slots: &std::ops::Range<u32>) -> bool {
        slots.start <= self.0 && self.0 < slots.end
    }
}

/// The root's slot.
pub(super) const ROOT: NodeId = NodeId(0);

/// What a znode belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// Nothing: it stays until deleted.
    Nobody,
    /// A session: it goes with it.
    Session(SessionId),
    /// Its children: it goes some time after the last.
    Container,
    /// A time to live, in milliseconds.
    Ttl(i64),
}

/// How TTL is marked in an owner, and which bits hold the time.
pub(super) const TTL_MARK: u64 = 0xff << 56;
const TTL_BITS: u64 = (1 << 40) - 1;

/// The longest time to live, in milliseconds.
pub(super) const TTL_MAX_MS: i64 = CreateMode::TTL_MAX_MS;
const _: () = assert!(TTL_MAX_MS == TTL_BITS.cast_signed());

impl Owner {
    /// The number that stands for it in snapshots and digests.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Nobody => 0,
            Self::Session(session) => session.0,
            Self::Container => i64::MIN,
            Self::Ttl(ttl_ms) => (TTL_MARK | (ttl_ms.cast_unsigned() & TTL_BITS)).cast_signed(),
        }
    }

    /// Whether it forbids children.
    pub(super) const fn is_session(self) -> bool {
        matches!(self, Self::Session(_))
    }
}

/// A znode.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) path: Box<str>,
    pub(super) parent: NodeId,
    pub(super) children: Vec<NodeId>,
    /// Its place among its parent's children.
    place: u32,
    /// Its place among its session's ephemerals.
    pub(super) ephemeral_place: u32,
    pub(super) data: Option<Bytes>,
    pub(super) acl: AclList,
    pub(super) owner: Owner,
    pub(super) czxid: Zxid,
    pub(super) mzxid: Zxid,
    pub(super) pzxid: Zxid,
    pub(super) ctime_ms: i64,
    pub(super) mtime_ms: i64,
    pub(super) version: i32,
    /// How many children were ever created; on the wire it also counts removals.
    pub(super) created_children: i32,
    pub(super) aversion: i32,
    /// The newest transaction that changed anything a reply shows of it.
    pub(super) touched: Zxid,
    /// Its part of the tree's digest.
    pub(super) digest: u32,
    /// The checksum of path and data, which its digest begins with.
    content: u32,
    /// How many znodes lie below it; slots have 32 bits, so it has no more.
    descendants: u32,
    /// The newest snapshot that has it, or needs it not: see [`Nodes::is_captured`].
    snapshot: u32,
    /// The hash of its path, so that neither growth nor removal hashes it again.
    hash: u64,
}

impl Node {
    /// The stat as replies carry it.
    pub(super) fn stat(&self) -> Stat {
        let children = count(self.children.len());
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime_ms: self.ctime_ms,
            mtime_ms: self.mtime_ms,
            version: self.version,
            cversion: self.created_children.wrapping_mul(2).wrapping_sub(children),
            aversion: self.aversion,
            ephemeral_owner: match self.owner {
                Owner::Session(session) => session,
                Owner::Nobody | Owner::Container | Owner::Ttl(_) => SessionId::NONE,
            },
            data_length: count(self.data_length()),
            num_children: children,
            pzxid: self.pzxid,
        }
    }

    pub(super) fn data_length(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }

    /// The last component of a child's path.
    pub(super) fn child_name<'a>(&self, child: &'a Self) -> &'a str {
        // The root's path ends in the slash that others need between.
        let start = if self.path.len() == 1 { 1 } else { self.path.len() + 1 };
        &child.path[start..]
    }

    /// How many znodes lie below it, at any depth.
    pub(super) const fn descendants(&self) -> usize {
        self.descendants as usize
    }

    /// Brings the checksum of path and data up to date. It is kept, so that a child that comes or
    /// goes costs its parent no pass over the parent's data.
    pub(super) fn refresh_content(&mut self) {
        if !self.path.starts_with(RESERVED) {
            self.content = self.compute_content();
        }
    }

    fn compute_content(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        if self.path.len() > 1 {
            hasher.update(self.path.as_bytes());
        }
        hasher.update(self.data.as_deref().unwrap_or_default());
        hasher.finalize()
    }

    /// Its digest: a checksum of everything it holds. The one of path and data must be up to date.
    pub(super) fn compute_digest(&self) -> u32 {
        self.digest_from(self.content)
    }

    /// Its digest from nothing that is kept, to check what is kept.
    pub(super) fn recompute_digest(&self) -> u32 {
        self.digest_from(self.compute_content())
    }

    /// Behaviour: `org.apache.zookeeper.server.DigestCalculator`.
    fn digest_from(&self, content: u32) -> u32 {
        // Below the reserved path nothing counts: quota statistics change without transactions.
        if self.path.starts_with(RESERVED) {
            return 0;
        }
        let mut hasher = crc32fast::Hasher::new_with_initial(content);
        let mut stat = [0; 60];
        let longs = [self.czxid.0, self.mzxid.0, self.pzxid.0, self.ctime_ms, self.mtime_ms];
        for (chunk, value) in stat.chunks_exact_mut(8).zip(longs) {
            chunk.copy_from_slice(&value.to_be_bytes());
        }
        let ints = [self.version, self.created_children, self.aversion];
        for (chunk, value) in stat[40..52].chunks_exact_mut(4).zip(ints) {
            chunk.copy_from_slice(&value.to_be_bytes());
        }
        stat[52..].copy_from_slice(&self.owner.code().to_be_bytes());
        hasher.update(&stat);
        hasher.finalize()
    }
}

/// What lies below does not count for the digest; `/zookeeper` itself does.
const RESERVED: &str = "/zookeeper/";

/// A count as a stat shows it.
fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Parts of the table; each grows by itself.
const SHARDS: usize = 256;

/// All znodes.
#[derive(Debug)]
pub(super) struct Nodes {
    slots: Slab<Box<Node>>,
    shards: Vec<HashTable<NodeId>>,
    keys: Keys,
    /// Bytes of paths and data.
    bytes: u64,
    /// The number of the newest snapshot.
    snapshot: u32,
}

impl Nodes {
    /// An empty table; the first znode inserted is the root.
    pub(super) fn new(keys: Keys) -> Self {
        let shards = (0..SHARDS).map(|_| HashTable::new()).collect();
        Self { slots: Slab::new(), shards, keys, bytes: 0, snapshot: 0 }
    }

    /// The znode of a path; the empty path is the root, too.
    pub(super) fn find(&self, path: &[u8]) -> Option<NodeId> {
        if path.is_empty() {
            return Some(ROOT);
        }
        let hash = self.keys.hash(path);
        self.shards[shard(hash)].find(hash, |&id| self.get(id).path.as_bytes() == path).copied()
    }

    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.slots[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.slots[id.0 as usize]
    }

    /// Adds a znode below its parent; the root is its own parent.
    pub(super) fn insert(&mut self, mut node: Node) -> NodeId {
        self.bytes += (node.path.len() + node.data_length()) as u64;
        let hash = self.keys.hash(node.path.as_bytes());
        node.hash = hash;
        node.snapshot = self.snapshot;
        let parent = node.parent;
        if let Some(parent) = self.slots.get(parent.0 as usize) {
            node.place = u32::try_from(parent.children.len()).unwrap_or(u32::MAX);
        }
        let is_root = self.slots.is_empty();
        let id = NodeId(u32::try_from(self.slots.insert(Box::new(node))).unwrap_or(u32::MAX));
        if !is_root {
            self.get_mut(parent).children.push(id);
            self.count_descendants(parent, 1);
        }
        let slots = &self.slots;
        let hash_of = |&other: &NodeId| slots[other.0 as usize].hash;
        self.shards[shard(hash)].insert_unique(hash, id, hash_of);
        id
    }

    /// Removes a znode without children.
    pub(super) fn remove(&mut self, id: NodeId) -> Box<Node> {
        let node = self.slots.remove(id.0 as usize);
        debug_assert!(node.children.is_empty());
        self.bytes -= (node.path.len() + node.data_length()) as u64;
        let hash = node.hash;
        match self.shards[shard(hash)].find_entry(hash, |&other| other == id) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => debug_assert!(false, "every znode is in the table"),
        }
        let place = node.place as usize;
        let siblings = &mut self.get_mut(node.parent).children;
        siblings.swap_remove(place);
        shrink(siblings);
        if let Some(&moved) = siblings.get(place) {
            self.get_mut(moved).place = node.place;
        }
        self.count_descendants(node.parent, -1);
        node
    }

    /// Replaces a znode's data.
    pub(super) fn set_data(&mut self, id: NodeId, data: Option<Bytes>) {
        let node = &mut self.slots[id.0 as usize];
        self.bytes -= node.data_length() as u64;
        node.data = data;
        self.bytes += node.data_length() as u64;
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.slots
            .iter()
            .map(|(slot, node)| (NodeId(u32::try_from(slot).unwrap_or(u32::MAX)), &**node))
    }

    /// A znode and all below it, parents before their children.
    pub(super) fn subtree(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        let mut waiting = vec![id];
        std::iter::from_fn(move || {
            let id = waiting.pop()?;
            let node = self.get(id);
            waiting.extend(&node.children);
            Some((id, node))
        })
    }

    /// A new snapshot begins: it has no znode yet.
    pub(super) const fn begin_snapshot(&mut self) {
        self.snapshot = self.snapshot.wrapping_add(1);
    }

    /// Whether the newest snapshot has this znode, or needs it not because it came later.
    pub(super) fn is_captured(&self, id: NodeId) -> bool {
        self.get(id).snapshot == self.snapshot
    }

    /// The newest snapshot gets this znode.
    pub(super) fn capture(&mut self, id: NodeId) -> &Node {
        let snapshot = self.snapshot;
        let node = self.get_mut(id);
        node.snapshot = snapshot;
        node
    }

    /// More than any slot in use.
    pub(super) fn slot_bound(&self) -> u32 {
        u32::try_from(self.slots.capacity()).unwrap_or(u32::MAX)
    }

    /// The znode in a slot, if there is one.
    pub(super) fn in_slot(&self, slot: u32) -> Option<NodeId> {
        self.slots.contains(slot as usize).then_some(NodeId(slot))
    }

    /// Adds a change to the counts of a znode and all its ancestors.
    fn count_descendants(&mut self, mut id: NodeId, change: i32) {
        loop {
            let node = self.get_mut(id);
            node.descendants = node.descendants.wrapping_add_signed(change);
            if id == ROOT {
                return;
            }
            id = node.parent;
        }
    }

    pub(super) fn check_invariants(&self) {
        let mut bytes = 0;
        for (id, node) in self.iter() {
            assert_eq!(self.find(node.path.as_bytes()), Some(id), "{} is found", node.path);
            bytes += (node.path.len() + node.data_length()) as u64;
            for (place, &child) in node.children.iter().enumerate() {
                let child = self.get(child);
                assert_eq!(child.place as usize, place);
                assert_eq!(child.parent, id);
                assert_eq!(path::split(&child.path).map(|(parent, _)| parent), {
                    Some(if id == ROOT { "" } else { &*node.path })
                });
            }
            let below = node.children.iter().map(|&child| self.get(child).descendants + 1);
            assert_eq!(below.sum::<u32>(), node.descendants, "below {}", node.path);
            assert!(!node.owner.is_session() || node.children.is_empty());
        }
        assert_eq!(bytes, self.bytes);
        assert_eq!(self.shards.iter().map(HashTable::len).sum::<usize>(), self.slots.len());
        assert_eq!(self.subtree(ROOT).count(), self.slots.len(), "all hang together");
    }
}

impl Node {
    /// A znode as it is when it comes.
    pub(super) fn new(path: Box<str>, parent: NodeId, acl: AclList, owner: Owner) -> Self {
        Self {
            path,
            parent,
            children: Vec::new(),
            place: 0,
            ephemeral_place: 0,
            data: Some(Bytes::new()),
            acl,
            owner,
            czxid: Zxid::ZERO,
            mzxid: Zxid::ZERO,
            pzxid: Zxid::ZERO,
            ctime_ms: 0,
            mtime_ms: 0,
            version: 0,
            created_children: 0,
            aversion: 0,
            touched: Zxid::ZERO,
            digest: 0,
            content: 0,
            descendants: 0,
            snapshot: 0,
            hash: 0,
        }
    }
}

/// Gives memory back when a list has become much shorter than it was.
pub(super) fn shrink(list: &mut Vec<NodeId>) {
    if list.capacity() > 64 && list.len() < list.capacity() / 4 {
        list.shrink_to(list.capacity() / 2);
    }
}

/// The shard of a hash, by bits that its table does not use.
const fn shard(hash: u64) -> usize {
    (hash >> 48) as usize % SHARDS
}
