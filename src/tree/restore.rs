//! The tree as snapshots hold it: znode by znode, out and in again.
//!
//! Into a fresh tree go first the sessions and znodes of a snapshot and its zxid, then the log
//! ([`Tree::replay`]), then [`Tree::finish_recovery`].
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.serializeNodes` and `deserialize`,
//! `EphemeralType` and `EphemeralTypeEmulate353`.

use std::mem;

use bytes::Bytes;
use thiserror::Error;

use super::{
    Config, Tree,
    node::{Node, NodeId, Owner, ROOT, TTL_MARK, TTL_MAX_MS},
};
use crate::{
    ids::{SessionId, Zxid},
    path,
    wire::{AclList, CreateKind},
};

/// A znode as a snapshot holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredNode<'a> {
    /// Its path; the root's is empty.
    pub path: &'a str,
    /// Its data.
    pub data: Option<Bytes>,
    /// Its ACL.
    pub acl: AclList,
    /// The rest.
    pub stat: StoredStat,
}

/// A stat as a snapshot holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoredStat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// The transaction that last changed the child list.
    pub pzxid: Zxid,
    /// Creation, in milliseconds of Unix time.
    pub ctime_ms: i64,
    /// Last change of data, in milliseconds of Unix time.
    pub mtime_ms: i64,
    /// Changes of data.
    pub version: i32,
    /// Children ever created.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// Whom it belongs to: zero, a session, or what marks a container or a TTL znode.
    pub owner: i64,
}

impl StoredStat {
    /// What becomes of the znode by itself, as a tree with these settings reads its owner.
    #[must_use]
    pub fn kind(&self, config: &Config) -> CreateKind {
        match Owner::of_code(self.owner, config) {
            Owner::Nobody => CreateKind::Persistent,
            Owner::Session(_) => CreateKind::Ephemeral,
            Owner::Container => CreateKind::Container,
            Owner::Ttl(ttl_ms) => CreateKind::Ttl(ttl_ms),
        }
    }
}

/// Why a znode of a snapshot cannot be put into the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A snapshot holds parents before their children.
    #[error("znode without its parent")]
    NoParent,
    /// An ephemeral znode has no children.
    #[error("znode below an ephemeral one")]
    ParentIsEphemeral,
    /// A name no znode can have.
    #[error("illegal path")]
    IllegalPath,
}

impl Tree {
    /// Every znode, parents before their children.
    pub fn stored_nodes(&self) -> impl Iterator<Item = StoredNode<'_>> {
        self.nodes.subtree(ROOT).map(|(_, node)| StoredNode {
            path: node.stored_path(),
            data: node.data.clone(),
            acl: node.acl.clone(),
            stat: node.stored_stat(),
        })
    }

    /// Puts a znode from a snapshot into its place. One that is there already, as the root is,
    /// becomes the one given.
    ///
    /// # Errors
    ///
    /// What is wrong with the snapshot; the tree is as before.
    pub fn restore_node(&mut self, stored: StoredNode<'_>) -> Result<(), RestoreError> {
        debug_assert!(self.capture.is_none(), "a tree is not restored while it is written");
        let StoredNode { path, data, acl, stat } = stored;
        let owner = Owner::of_code(stat.owner, &self.config);
        let id = match self.nodes.find(path.as_bytes()) {
            Some(id) if owner.is_session() && !self.nodes.get(id).children.is_empty() => {
                return Err(RestoreError::ParentIsEphemeral);
            }
            Some(id) => id,
            None => self.insert_restored(path, &acl)?,
        };
        self.disown(id);
        self.nodes.set_data(id, data);
        let acl = self.acls.acquire(acl);
        let node = self.nodes.get_mut(id);
        let old = mem::replace(&mut node.acl, acl);
        (node.czxid, node.mzxid, node.pzxid) = (stat.czxid, stat.mzxid, stat.pzxid);
        (node.ctime_ms, node.mtime_ms) = (stat.ctime_ms, stat.mtime_ms);
        (node.version, node.aversion) = (stat.version, stat.aversion);
        node.created_children = stat.cversion;
        self.acls.release(&old);
        self.give_to(id, owner);
        self.refresh_content_digest(id);
        Ok(())
    }

    /// Makes a session of a snapshot known.
    pub fn restore_session(&mut self, session: SessionId, timeout_ms: i32) {
        self.sessions.create(session, timeout_ms);
    }

    /// Says which transaction was the newest when the snapshot was taken.
    pub fn restore_zxid(&mut self, zxid: Zxid) {
        self.last_zxid = zxid;
    }

    fn insert_restored(&mut self, path: &str, acl: &AclList) -> Result<NodeId, RestoreError> {
        let (parent, _) = path::split(path).ok_or(RestoreError::IllegalPath)?;
        path::validate(path).map_err(|_| RestoreError::IllegalPath)?;
        let parent = self.nodes.find(parent.as_bytes()).ok_or(RestoreError::NoParent)?;
        if self.nodes.get(parent).owner.is_session() {
            return Err(RestoreError::ParentIsEphemeral);
        }
        let acl = self.acls.acquire(acl.clone());
        Ok(self.nodes.insert(Node::new(path.into(), parent, acl, Owner::Nobody)))
    }

    /// Lets a znode belong to `owner`; it must belong to nobody.
    pub(super) fn give_to(&mut self, id: NodeId, owner: Owner) {
        self.nodes.get_mut(id).owner = owner;
        match owner {
            Owner::Session(session) => {
                let place = self.sessions.add_ephemeral(session, id);
                self.nodes.get_mut(id).ephemeral_place = place;
            }
            Owner::Container | Owner::Ttl(_) => drop(self.removable.insert(id)),
            Owner::Nobody => {}
        }
    }

    /// Takes a znode from its owner.
    pub(super) fn disown(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(id);
        let place = node.ephemeral_place;
        match mem::replace(&mut node.owner, Owner::Nobody) {
            Owner::Session(session) => {
                if let Some(moved) = self.sessions.remove_ephemeral(session, place) {
                    self.nodes.get_mut(moved).ephemeral_place = place;
                }
            }
            Owner::Container | Owner::Ttl(_) => drop(self.removable.remove(&id)),
            Owner::Nobody => {}
        }
    }
}

impl Node {
    /// Its path as snapshots have it.
    pub(super) fn stored_path(&self) -> &str {
        if self.path.len() == 1 { "" } else { &self.path }
    }

    pub(super) fn stored_stat(&self) -> StoredStat {
        StoredStat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            pzxid: self.pzxid,
            ctime_ms: self.ctime_ms,
            mtime_ms: self.mtime_ms,
            version: self.version,
            cversion: self.created_children,
            aversion: self.aversion,
            owner: self.owner.code(),
        }
    }
}

/// What 3.5.3 left for the time to live.
const TTL_BITS_353: i64 = 0x0fff_ffff_ffff_ffff;

impl Owner {
    /// The owner that this number stands for.
    ///
    /// A TTL znode is one whatever the settings: they decide only about what clients may create.
    /// Upstream without `extendedTypesEnabled` takes the mark for a session that is not there, and
    /// such znodes are removed as its ephemerals; whoever starts with other settings than the
    /// server before would lose data for good. Ids of sessions begin with the number of their
    /// server, so only member 255 of an ensemble can have made such a one.
    ///
    /// Upstream gives up at an extended type that it does not know; here that is a session. And
    /// where it emulates 3.5.3 it reads its own TTL marks by those rules, too, and such znodes stay
    /// for millennia; here they keep their meaning.
    fn of_code(code: i64, config: &Config) -> Self {
        let mark = TTL_MARK.cast_signed();
        match code {
            0 => Self::Nobody,
            i64::MIN => Self::Container,
            _ if code & !TTL_MAX_MS == mark => Self::Ttl(code & TTL_MAX_MS),
            _ if config.extended_types && config.emulate_353_ttl && code < 0 => {
                Self::Ttl(code & TTL_BITS_353)
            }
            _ => Self::Session(SessionId(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extended_types: bool, emulate_353_ttl: bool) -> Config {
        Config { extended_types, emulate_353_ttl, ..Config::default() }
    }

    #[test]
    fn owners_survive_their_code() {
        for owner in [
            Owner::Nobody,
            Owner::Session(SessionId(0x0100_0000_0caa_6200)),
            Owner::Session(SessionId(-2)),
            Owner::Container,
            Owner::Ttl(1),
            Owner::Ttl(TTL_MAX_MS),
        ] {
            assert_eq!(Owner::of_code(owner.code(), &config(true, false)), owner);
        }
        assert_eq!(Owner::Ttl(5).code().to_be_bytes(), [0xff, 0, 0, 0, 0, 0, 0, 5]);
        let kind = |owner: Owner| {
            StoredStat { owner: owner.code(), ..StoredStat::default() }.kind(&config(true, false))
        };
        assert_eq!(kind(Owner::Ttl(5)), CreateKind::Ttl(5));
        assert_eq!(kind(Owner::Session(SessionId(7))), CreateKind::Ephemeral);
    }

    #[test]
    fn ttl_marks_are_read_whatever_the_settings() {
        for settings in [(false, false), (false, true), (true, false), (true, true)] {
            let config = config(settings.0, settings.1);
            for ttl_ms in [1, 5, TTL_MAX_MS] {
                let owner = Owner::Ttl(ttl_ms);
                assert_eq!(Owner::of_code(owner.code(), &config), owner, "{settings:?}");
            }
            assert_eq!(Owner::of_code(i64::MIN, &config), Owner::Container);
        }
        // Of other extended types nothing is known.
        let unknown = Owner::Ttl(5).code() | 1 << 40;
        let session = Owner::Session(SessionId(unknown));
        assert_eq!(Owner::of_code(unknown, &config(true, false)), session);
    }

    #[test]
    fn the_marks_of_3_5_3_need_both_settings() {
        let code = i64::MIN | 5;
        for settings in [(false, false), (false, true), (true, false)] {
            let owner = Owner::of_code(code, &config(settings.0, settings.1));
            assert_eq!(owner, Owner::Session(SessionId(code)), "{settings:?}");
        }
    }

    #[test]
    fn emulation_reads_the_marks_of_3_5_3() {
        let on = config(true, true);
        assert_eq!(Owner::of_code(i64::MIN | 5, &on), Owner::Ttl(5));
        assert_eq!(Owner::of_code(i64::MIN, &on), Owner::Container);
        assert_eq!(Owner::of_code(Owner::Ttl(5).code(), &on), Owner::Ttl(5));
        assert_eq!(Owner::of_code(7, &on), Owner::Session(SessionId(7)));
    }
}
