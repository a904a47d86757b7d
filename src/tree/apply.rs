//! Transactions happen here, and nowhere else.
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.processTxn`.

use std::mem;

use bytes::Bytes;

use super::{
    Tree,
    fired::Fired,
    node::{Node, NodeId, Owner, ROOT},
    quota::{self, Track, Verdict},
};
use crate::{
    ids::Zxid,
    path,
    wire::{AclList, Blob, CreateKind, ErrorCode, EventKind, Stat, Txn, TxnHeader},
};

/// What a transaction came to; [`Tree::answer`] makes the reply of it, before the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It changed nothing: the reply says why.
    Failed(ErrorCode),
    /// Done; the reply has no record.
    Done,
    /// A version was right.
    Checked,
    /// A znode came.
    #[non_exhaustive]
    Created {
        /// Its path.
        path: Box<str>,
        /// Its stat, where the reply has one.
        stat: Option<Stat>,
    },
    /// A znode changed.
    Changed(Stat),
    /// Several of the others.
    Multi(Vec<Self>),
    /// The transaction does not fit the tree. One that was just prepared always does, so this is a
    /// bug in this crate, and the tree is not to be used any more.
    Inconsistent,
}

/// A transaction that does not fit.
struct Misfit;

impl Tree {
    /// Applies a transaction prepared from the tree as it is now. Adds what watchers are to be told
    /// to `fired`.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn<'_>, fired: &mut Fired) -> Outcome {
        debug_assert!(header.zxid > self.last_zxid, "zxids rise");
        self.last_zxid = header.zxid;
        match txn {
            Txn::Multi(txns) => {
                let has_failed = txns.iter().any(|txn| matches!(txn, Txn::Error(_)));
                if has_failed {
                    let outcome = |txn: &Txn<'_>| match txn {
                        Txn::Error(error) => Outcome::Failed(*error),
                        _ => Outcome::Failed(ErrorCode::OK),
                    };
                    return Outcome::Multi(txns.iter().map(outcome).collect());
                }
                let mut outcomes = Vec::with_capacity(txns.len());
                for txn in txns {
                    match self.apply_one(header, txn, fired) {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(Misfit) => return Outcome::Inconsistent,
                    }
                }
                Outcome::Multi(outcomes)
            }
            txn => self.apply_one(header, txn, fired).unwrap_or(Outcome::Inconsistent),
        }
    }

    fn apply_one(
        &mut self,
        header: &TxnHeader,
        txn: &Txn<'_>,
        fired: &mut Fired,
    ) -> Result<Outcome, Misfit> {
        match txn {
            Txn::CreateSession { timeout_ms } => {
                self.sessions.create(header.session, *timeout_ms);
                Ok(Outcome::Done)
            }
            Txn::CloseSession { paths } => {
                self.close_session(header, paths.as_deref(), fired)?;
                Ok(Outcome::Done)
            }
            Txn::Create { create2, path, data, acl, kind, parent_cversion } => {
                let owner = match kind {
                    CreateKind::Persistent => Owner::Nobody,
                    CreateKind::Ephemeral => Owner::Session(header.session),
                    CreateKind::Container => Owner::Container,
                    CreateKind::Ttl(ttl_ms) => Owner::Ttl(*ttl_ms),
                };
                let data = data.as_ref().map(own);
                let id = self.create(header, path, data, acl, owner, *parent_cversion, fired)?;
                let has_stat =
                    *create2 || matches!(kind, CreateKind::Container | CreateKind::Ttl(_));
                let stat = has_stat.then(|| self.nodes.get(id).stat());
                Ok(Outcome::Created { path: (&**path).into(), stat })
            }
            Txn::Delete { path, .. } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                self.delete(header.zxid, id, fired)?;
                Ok(Outcome::Done)
            }
            Txn::SetData { path, data, version } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                Ok(self.set_data(header, id, data.as_ref().map(own), *version, fired))
            }
            Txn::SetAcl { path, acl, version } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                let acl = self.acls.acquire(acl.clone());
                let node = self.nodes.get_mut(id);
                let old = mem::replace(&mut node.acl, acl);
                node.aversion = *version;
                node.touched = header.zxid;
                self.acls.release(&old);
                self.refresh_digest(id);
                Ok(Outcome::Changed(self.nodes.get(id).stat()))
            }
            Txn::Check { .. } => Ok(Outcome::Checked),
            Txn::Error(error) => Ok(Outcome::Failed(*error)),
            Txn::Multi(_) => Err(Misfit),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one transaction")]
    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<Bytes>,
        acl: &AclList,
        owner: Owner,
        parent_cversion: i32,
        fired: &mut Fired,
    ) -> Result<NodeId, Misfit> {
        let (parent_path, name) = path::split(path).ok_or(Misfit)?;
        let parent = self.nodes.find(parent_path.as_bytes()).ok_or(Misfit)?;
        if self.nodes.get(parent).owner.is_session() {
            return Err(Misfit);
        }
        let zxid = header.zxid;
        let acl = self.acls.acquire(acl.clone());
        let mut node = Node::new(path.into(), parent, acl, owner);
        node.data = data;
        node.czxid = zxid;
        node.mzxid = zxid;
        node.pzxid = zxid;
        node.touched = zxid;
        node.ctime_ms = header.time_ms;
        node.mtime_ms = header.time_ms;
        let length = node.data_length();
        let id = self.nodes.insert(node);
        match owner {
            Owner::Session(session) => {
                let place = self.sessions.add_ephemeral(session, id);
                self.nodes.get_mut(id).ephemeral_place = place;
            }
            Owner::Container | Owner::Ttl(_) => drop(self.removable.insert(id)),
            Owner::Nobody => {}
        }
        let parent_node = self.nodes.get_mut(parent);
        parent_node.created_children = parent_cversion;
        parent_node.pzxid = zxid;
        parent_node.touched = zxid;
        self.refresh_digest(id);
        self.refresh_digest(parent);
        if let Some(subject) = quota::subject(parent_path) {
            match name {
                quota::LIMITS => self.quotas.add(subject),
                quota::STATS => self.count_usage(subject),
                _ => {}
            }
        }
        self.update_usage(path, 1, signed(length));
        self.fire(EventKind::NodeCreated, id, fired);
        self.fire_children_changed(parent, fired);
        Ok(id)
    }

    fn delete(&mut self, zxid: Zxid, id: NodeId, fired: &mut Fired) -> Result<(), Misfit> {
        if id == ROOT || !self.nodes.get(id).children.is_empty() {
            return Err(Misfit);
        }
        self.fire_deleted(id, fired);
        let node = self.nodes.remove(id);
        self.digest = self.digest.wrapping_sub(u64::from(node.digest));
        self.newest_removal = zxid;
        match node.owner {
            Owner::Session(session) => {
                let moved = self.sessions.remove_ephemeral(session, node.ephemeral_place);
                if let Some(moved) = moved {
                    self.nodes.get_mut(moved).ephemeral_place = node.ephemeral_place;
                }
            }
            Owner::Container | Owner::Ttl(_) => drop(self.removable.remove(&id)),
            Owner::Nobody => {}
        }
        let parent = self.nodes.get_mut(node.parent);
        parent.pzxid = zxid;
        parent.touched = zxid;
        self.refresh_digest(node.parent);
        self.acls.release(&node.acl);
        let (parent_path, name) = path::split(&node.path).ok_or(Misfit)?;
        if name == quota::LIMITS
            && let Some(subject) = quota::subject(parent_path)
        {
            self.quotas.remove(subject);
        }
        self.update_usage(&node.path, -1, -signed(node.data_length()));
        self.fire_children_changed(node.parent, fired);
        Ok(())
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        id: NodeId,
        data: Option<Bytes>,
        version: i32,
        fired: &mut Fired,
    ) -> Outcome {
        let before = self.nodes.get(id).data_length();
        self.nodes.set_data(id, data);
        let node = self.nodes.get_mut(id);
        node.version = version;
        node.mzxid = header.zxid;
        node.mtime_ms = header.time_ms;
        node.touched = header.zxid;
        let change = signed(node.data_length()) - signed(before);
        // Before quota statistics, which may be about this very znode.
        let stat = node.stat();
        self.refresh_digest(id);
        if !self.quotas.is_empty() {
            let path = self.nodes.get(id).path.clone();
            self.update_usage(&path, 0, change);
        }
        self.fire(EventKind::NodeDataChanged, id, fired);
        Outcome::Changed(stat)
    }

    fn close_session(
        &mut self,
        header: &TxnHeader,
        paths: Option<&[Box<str>]>,
        fired: &mut Fired,
    ) -> Result<(), Misfit> {
        match paths {
            Some(paths) => {
                for path in paths {
                    let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                    self.delete(header.zxid, id, fired)?;
                }
            }
            None => {
                for id in self.sessions.ephemerals(header.session).to_vec() {
                    self.delete(header.zxid, id, fired)?;
                }
            }
        }
        self.sessions.remove(header.session);
        Ok(())
    }

    /// Brings a znode's part of the digest up to date.
    pub(super) fn refresh_digest(&mut self, id: NodeId) {
        if !self.config.digest {
            return;
        }
        let node = self.nodes.get_mut(id);
        let new = node.compute_digest();
        let old = mem::replace(&mut node.digest, new);
        self.digest = self.digest.wrapping_sub(u64::from(old)).wrapping_add(u64::from(new));
    }

    /// Counts what lies below a path whose statistics have just come, and writes it there.
    fn count_usage(&mut self, subject: &str) {
        let (mut count, mut bytes) = (0, 0);
        if let Some(id) = self.nodes.find(subject.as_bytes()) {
            for node in self.nodes.subtree(id) {
                count += 1;
                bytes += signed(node.data_length());
            }
        }
        self.write_usage(subject, Track { count, bytes, count_hard: -1, bytes_hard: -1 });
    }

    /// Adds a change to the statistics of the quota that covers a path. No transaction, no watch,
    /// no version: upstream has it so.
    fn update_usage(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(subject) = self.quotas.covering(path) else { return };
        let track = |name| {
            let id = self.nodes.find(quota::node_path(subject, name).as_bytes())?;
            Some(Track::parse(self.nodes.get(id).data.as_deref().unwrap_or_default()))
        };
        let Some(used) = track(quota::STATS) else { return };
        if let Some(limits) = track(quota::LIMITS)
            && quota::judge(limits, used, count, bytes) != Verdict::Fits
        {
            self.soft_quota_excesses += 1;
        }
        self.write_usage(subject, used.changed(count, bytes));
    }

    fn write_usage(&mut self, subject: &str, used: Track) {
        let path = quota::node_path(subject, quota::STATS);
        if let Some(id) = self.nodes.find(path.as_bytes()) {
            self.nodes.set_data(id, Some(used.to_string().into()));
            self.nodes.get_mut(id).touched = self.last_zxid;
        }
    }

    /// Tells those who watch a znode.
    fn fire(&mut self, kind: EventKind, id: NodeId, fired: &mut Fired) {
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_data(node.path.as_bytes(), &mut fired.watchers);
        fired.push(kind, &node.path, Some(&node.acl), start);
    }

    /// Tells those who watch a znode, its children included, that it goes.
    fn fire_deleted(&mut self, id: NodeId, fired: &mut Fired) {
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_data(node.path.as_bytes(), &mut fired.watchers);
        let told = fired.watchers[start..].to_vec();
        self.watches.trigger_child(node.path.as_bytes(), &told, &mut fired.watchers);
        fired.push(EventKind::NodeDeleted, &node.path, Some(&node.acl), start);
    }

    /// Tells those who watch the children of a znode.
    fn fire_children_changed(&mut self, id: NodeId, fired: &mut Fired) {
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_child(node.path.as_bytes(), &[], &mut fired.watchers);
        fired.push(EventKind::NodeChildrenChanged, &node.path, Some(&node.acl), start);
    }
}

/// Data to keep: copied to its exact size.
fn own(data: &Blob<'_>) -> Bytes {
    match data {
        Blob::Slice(bytes) => Bytes::copy_from_slice(bytes),
        Blob::Shared(bytes) => (*bytes).clone(),
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
