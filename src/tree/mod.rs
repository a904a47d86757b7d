//! The data tree: znodes, sessions, ACLs, quotas, watches.
//!
//! A write is prepared into one transaction without changing anything, and applied: [`Tree::apply`]
//! is the only way the tree changes. A read answers at once. Both answers borrow from the tree.
//!
//! | what | where |
//! |---|---|
//! | znodes and the way to them | `node.rs` |
//! | checks of writes, in upstream's order | `prepare.rs`; inside a multi through `pending.rs` |
//! | changes, their events, the digest | `apply.rs`; quota statistics `usage.rs` |
//! | the same from a log | `recovery.rs`; from a snapshot `restore.rs` |
//! | a snapshot, while changes go on | `snapshot.rs`; its records `record.rs` |
//! | reads and watch bookkeeping | `read.rs` |
//! | who may do what | `acl.rs` |
//! | watches | `watches.rs`; what they yield `fired.rs` |
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree`.

mod acl;
mod acl_table;
mod answer;
mod apply;
mod digests;
mod fired;
mod node;
mod pending;
mod prepare;
mod quota;
mod read;
mod record;
mod recovery;
mod removal;
mod restore;
mod sessions;
mod snapshot;
mod usage;
mod watches;

pub use answer::Answer;
pub use apply::Outcome;
pub use digests::Digests;
pub use fired::{Change, Fired};
pub(crate) use record::{encode_listed_acl, encode_node, encode_session};
pub use removal::RemovalCursor;
pub use restore::{RestoreError, StoredNode, StoredStat};
pub use sessions::{SessionView, Sessions};
pub use snapshot::SnapshotMark;
pub use watches::{WatchMode, WatchRefused, WatchSummary, Watcher, Watches};

use self::{
    acl_table::AclTable,
    node::{Node, NodeId, Nodes, Owner, ROOT},
    quota::Quotas,
    snapshot::Capture,
};
use crate::{
    hash::Keys,
    ids::{SessionId, Zxid},
    limits::FRAME_LENGTH_MAX,
    rng::Rng,
    wire::{Acl, AclList, Id},
};

/// Settings of a [`Tree`]. The default is upstream's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `extendedTypesEnabled`: whether clients may create znodes with a time to live. Those of
    /// snapshots and logs live and end as such in any case.
    pub extended_types: bool,
    /// `emulate353TTLNodes`: whether snapshots may mark TTL znodes as 3.5.3 did; only with
    /// `extended_types`.
    pub emulate_353_ttl: bool,
    /// `enforceQuota`: whether hard limits refuse a write.
    pub enforce_quota: bool,
    /// `skipACL`: whether everyone may do everything.
    pub skip_acl: bool,
    /// `digest.enabled`: whether the tree's digest is kept.
    pub digest: bool,
    /// `closeSessionTxn.enabled`: whether the end of a session lists its ephemerals.
    pub close_session_paths: bool,
    /// The longest transaction, in bytes as logged, with its digest; what is longer is refused.
    pub transaction_length_max: usize,
    /// `reconfigEnabled`, which decides on the error that a standalone server answers with.
    pub reconfig_enabled: bool,
    /// Whether the scheme `digest` is known.
    pub digest_enabled: bool,
    /// What a `multiRead` may come to, in bytes, roughly: its few bytes may ask for one large znode
    /// thousands of times.
    pub multi_read_length_max: usize,
    /// Watches that one connection may have; a persistent one counts twice.
    pub watches_per_connection_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            extended_types: false,
            emulate_353_ttl: false,
            enforce_quota: false,
            skip_acl: false,
            digest: true,
            close_session_paths: true,
            transaction_length_max: 2 * FRAME_LENGTH_MAX,
            reconfig_enabled: false,
            digest_enabled: true,
            multi_read_length_max: 64 << 20,
            watches_per_connection_max: 1_000_000,
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The session.
    pub session: SessionId,
    /// The connection, as watches know it.
    pub watcher: Watcher,
    /// The connection's identities.
    pub identities: &'a [Id],
}

/// The data tree of one server.
#[derive(Debug)]
pub struct Tree {
    config: Config,
    nodes: Nodes,
    sessions: Sessions,
    acls: AclTable,
    quotas: Quotas,
    watches: Watches,
    /// Containers and TTL znodes, for their clean-up.
    removable: std::collections::BTreeSet<NodeId>,
    last_zxid: Zxid,
    /// The newest transaction that removed a znode.
    newest_removal: Zxid,
    digest: u64,
    digests: Digests,
    /// Writes that took a quota over its soft limit.
    soft_quota_excesses: u64,
    /// The snapshot being written.
    capture: Option<Box<Capture>>,
}

impl Tree {
    /// A fresh tree: the root and what belongs to the server.
    #[must_use]
    pub fn new(config: Config, rng: &mut Rng) -> Self {
        let keys = Keys::new(rng);
        let mut tree = Self {
            nodes: Nodes::new(keys.clone()),
            sessions: Sessions::new(&keys),
            acls: AclTable::new(&keys),
            quotas: Quotas::new(&keys),
            watches: Watches::new(rng, config.watches_per_connection_max),
            removable: std::collections::BTreeSet::new(),
            last_zxid: Zxid::ZERO,
            newest_removal: Zxid::ZERO,
            digest: 0,
            digests: Digests::default(),
            soft_quota_excesses: 0,
            capture: None,
            config,
        };
        let root = tree.plant("/", ROOT, acl::open());
        let system = tree.plant("/zookeeper", root, acl::open());
        tree.plant("/zookeeper/quota", system, acl::open());
        let config = tree.plant("/zookeeper/config", system, acl::read_only());
        // As upstream makes them.
        tree.nodes.get_mut(config).aversion = -1;
        let all: Vec<_> = tree.nodes.iter().map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| tree.refresh_content_digest(id));
        tree
    }

    /// Forgets all watches of a connection. Its memory is freed by [`Tree::clean`].
    pub fn retire_watcher(&mut self, watcher: Watcher) {
        self.watches.retire(watcher);
    }

    /// Frees up to `budget` watches of connections that are gone. Returns whether more are left.
    pub fn clean(&mut self, budget: usize) -> bool {
        self.watches.clean(budget)
    }

    /// Whether the list lets somebody with these identities do this.
    #[must_use]
    pub fn allows(&self, acl: &[Acl], permission: i32, identities: &[Id]) -> bool {
        self.config.skip_acl || acl::permits(acl, permission, identities)
    }

    /// The newest transaction applied.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// A checksum of everything in the tree, where it is kept; equal for equal trees.
    #[must_use]
    pub const fn digest(&self) -> Option<u64> {
        if self.config.digest { Some(self.digest) } else { None }
    }

    /// Its history.
    #[must_use]
    pub const fn digests(&self) -> &Digests {
        &self.digests
    }

    /// How many znodes there are; like upstream, the root counts twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len() + 1
    }

    /// How many of them are ephemeral.
    #[must_use]
    pub const fn ephemeral_count(&self) -> usize {
        self.sessions.ephemeral_count()
    }

    /// Bytes of paths and data.
    #[must_use]
    pub const fn approximate_data_size(&self) -> u64 {
        self.nodes.bytes()
    }

    /// Writes that took a quota over its soft limit.
    #[must_use]
    pub const fn soft_quota_excesses(&self) -> u64 {
        self.soft_quota_excesses
    }

    /// The sessions.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The watches.
    #[must_use]
    pub const fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The paths of a session's ephemeral znodes.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.sessions.ephemerals(session).iter().map(|&id| &*self.nodes.get(id).path)
    }

    /// Checks everything that must always hold: for tests, fuzzing and simulation.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        self.nodes.check_invariants();
        self.sessions.check_invariants(&self.nodes);
        self.watches.check_invariants();
        self.acls.check_invariants(self.nodes.iter().map(|(_, node)| &node.acl));
        if let Some(capture) = &self.capture {
            capture.check_invariants(&self.nodes, &self.sessions, &self.acls);
        }
        let mut digest = 0_u64;
        for (id, node) in self.nodes.iter() {
            let is_removable = matches!(node.owner, Owner::Container | Owner::Ttl(_));
            assert_eq!(self.removable.contains(&id), is_removable);
            if self.config.digest {
                assert_eq!(node.digest, node.recompute_digest(), "{}", node.path);
                digest = digest.wrapping_add(u64::from(node.digest));
            }
        }
        assert_eq!(digest, self.digest);
        for subject in self.quotas.iter() {
            let limits = quota::node_path(subject, quota::LIMITS);
            assert!(self.nodes.find(limits.as_bytes()).is_some(), "{limits} is there");
        }
    }

    /// Adds one of the znodes a fresh tree has.
    fn plant(&mut self, path: &str, parent: NodeId, acl: AclList) -> NodeId {
        let acl = self.acls.acquire(acl);
        self.nodes.insert(Node::new(path.into(), parent, acl, Owner::Nobody))
    }
}

/// A length as a term of a difference.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_tree_is_that_of_apache() {
        let tree = Tree::new(Config::default(), &mut Rng::new(1));
        tree.check_invariants();
        assert_eq!(tree.node_count(), 5);
        assert_eq!(tree.approximate_data_size(), 44);
        assert_eq!(tree.digest(), Some(1_371_985_504));
        assert_eq!(tree.ephemeral_count(), 0);
        let stat = |path: &str| tree.nodes.get(tree.nodes.find(path.as_bytes()).unwrap()).stat();
        assert_eq!((stat("/").cversion, stat("/").num_children), (-1, 1));
        assert_eq!((stat("/zookeeper").cversion, stat("/zookeeper").num_children), (-2, 2));
        assert_eq!(stat("/zookeeper/config").aversion, -1);
        assert_eq!(stat("/zookeeper/quota").cversion, 0);
    }
}
