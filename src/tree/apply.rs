//! Transactions happen here, and nowhere else.
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.processTxn`.

use std::mem;

use bytes::Bytes;

use super::{
    Tree,
    fired::Fired,
    node::{Node, NodeId, Owner, ROOT},
    quota, signed,
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
pub(super) struct Misfit;

/// How a transaction is applied.
#[derive(Debug)]
pub(super) struct Step<'s> {
    pub(super) header: &'s TxnHeader,
    /// Where its events go; `None` when it comes from a log, which may lag behind the tree.
    pub(super) fired: Option<&'s mut Fired>,
}

impl Step<'_> {
    const fn is_replay(&self) -> bool {
        self.fired.is_none()
    }
}

/// A znode to come.
struct New<'a> {
    path: &'a str,
    data: Option<Bytes>,
    acl: &'a AclList,
    owner: Owner,
    parent_cversion: i32,
}

impl Tree {
    /// Applies a transaction prepared from the tree as it is now. Adds what watchers are to be told
    /// to `fired`.
    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn<'_>, fired: &mut Fired) -> Outcome {
        if header.zxid <= self.last_zxid {
            return Outcome::Inconsistent;
        }
        self.last_zxid = header.zxid;
        let outcome = self.apply_whole(&mut Step { header, fired: Some(fired) }, txn);
        self.digests.record(header.zxid, self.digest());
        outcome
    }

    fn apply_whole(&mut self, step: &mut Step<'_>, txn: &Txn<'_>) -> Outcome {
        match txn {
            Txn::Multi(txns) if txns.iter().any(is_error) => {
                let outcome = |txn: &Txn<'_>| match txn {
                    Txn::Error(error) => Outcome::Failed(*error),
                    _ => Outcome::Failed(ErrorCode::OK),
                };
                Outcome::Multi(txns.iter().map(outcome).collect())
            }
            Txn::Multi(txns) => {
                let mut outcomes = Vec::with_capacity(txns.len());
                for txn in txns {
                    match self.apply_one(step, txn) {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(Misfit) => return Outcome::Inconsistent,
                    }
                }
                Outcome::Multi(outcomes)
            }
            Txn::Check { .. } => Outcome::Inconsistent,
            txn => self.apply_one(step, txn).unwrap_or(Outcome::Inconsistent),
        }
    }

    pub(super) fn apply_one(
        &mut self,
        step: &mut Step<'_>,
        txn: &Txn<'_>,
    ) -> Result<Outcome, Misfit> {
        let session = step.header.session;
        match txn {
            Txn::CreateSession { timeout_ms } => {
                if !step.is_replay() && self.sessions.is_known(session) {
                    return Err(Misfit);
                }
                self.preserve_session(session);
                self.sessions.create(session, *timeout_ms);
                Ok(Outcome::Done)
            }
            Txn::CloseSession { paths } => {
                self.close_session(step, paths.as_deref())?;
                Ok(Outcome::Done)
            }
            Txn::Create { create2, path, data, acl, kind, parent_cversion } => {
                let owner = match kind {
                    CreateKind::Persistent => Owner::Nobody,
                    CreateKind::Ephemeral => Owner::Session(session),
                    CreateKind::Container => Owner::Container,
                    CreateKind::Ttl(ttl_ms) => Owner::Ttl(*ttl_ms),
                };
                let (data, parent_cversion) = (data.as_ref().map(own), *parent_cversion);
                let new = New { path, data, acl, owner, parent_cversion };
                let id = self.create(step, new, *create2)?;
                let has_stat =
                    *create2 || matches!(kind, CreateKind::Container | CreateKind::Ttl(_));
                let stat = has_stat.then(|| self.nodes.get(id).stat());
                Ok(Outcome::Created { path: (&**path).into(), stat })
            }
            Txn::Delete { path, .. } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                self.delete(step, id)?;
                Ok(Outcome::Done)
            }
            Txn::SetData { path, data, version } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                Ok(self.set_data(step, id, data.as_ref().map(own), *version))
            }
            Txn::SetAcl { path, acl, version } => {
                let id = self.nodes.find(path.as_bytes()).ok_or(Misfit)?;
                self.set_acl(step.header.zxid, id, acl);
                self.nodes.get_mut(id).aversion = *version;
                self.refresh_digest(id);
                Ok(Outcome::Changed(self.nodes.get(id).stat()))
            }
            Txn::Check { .. } => Ok(Outcome::Checked),
            Txn::Error(error) => Ok(Outcome::Failed(*error)),
            Txn::Multi(_) => Err(Misfit),
        }
    }

    fn create(
        &mut self,
        step: &mut Step<'_>,
        new: New<'_>,
        is_create2: bool,
    ) -> Result<NodeId, Misfit> {
        let (parent_path, name) = path::split(new.path).ok_or(Misfit)?;
        let parent = self.nodes.find(parent_path.as_bytes()).ok_or(Misfit)?;
        if self.nodes.get(parent).owner.is_session() {
            return Err(Misfit);
        }
        if let Some(id) = self.nodes.find(new.path.as_bytes()) {
            // A log that lags behind: only the oldest form of create leaves traces.
            if step.is_replay()
                && !is_create2
                && matches!(new.owner, Owner::Nobody | Owner::Session(_))
            {
                self.count_child(step, parent, new.parent_cversion)?;
                self.set_acl(step.header.zxid, id, new.acl);
            }
            return Err(Misfit);
        }
        if let Owner::Session(session) = new.owner
            && !step.is_replay()
            && !self.sessions.is_known(session)
        {
            return Err(Misfit);
        }
        self.count_child(step, parent, new.parent_cversion)?;
        let TxnHeader { zxid, time_ms, .. } = *step.header;
        let acl = self.acls.acquire(new.acl.clone());
        let mut node = Node::new(new.path.into(), parent, acl, Owner::Nobody);
        node.data = new.data;
        (node.czxid, node.mzxid, node.pzxid, node.touched) = (zxid, zxid, zxid, zxid);
        (node.ctime_ms, node.mtime_ms) = (time_ms, time_ms);
        let length = node.data_length();
        let id = self.nodes.insert(node);
        self.give_to(id, new.owner);
        self.refresh_content_digest(id);
        if let Some(subject) = quota::subject(parent_path) {
            match name {
                quota::LIMITS => self.quotas.add(subject),
                quota::STATS => self.count_usage(subject),
                _ => {}
            }
        }
        self.update_usage(new.path, 1, signed(length));
        self.fire(EventKind::NodeCreated, id, step);
        self.fire_children_changed(parent, step);
        Ok(id)
    }

    /// Counts a child that comes. A log that lags behind its snapshot never counts backwards;
    /// "behind" is told by difference, so that the count may wrap.
    fn count_child(
        &mut self,
        step: &Step<'_>,
        parent: NodeId,
        parent_cversion: i32,
    ) -> Result<(), Misfit> {
        let node = self.nodes.get(parent);
        let mut next = node.created_children.wrapping_add(1);
        if step.is_replay() {
            // The oldest logs say -1 for the next one.
            let count = if parent_cversion == -1 { next } else { parent_cversion };
            if count.wrapping_sub(node.created_children) <= 0 {
                return Ok(());
            }
            next = count;
        } else if parent_cversion != next {
            return Err(Misfit);
        }
        self.preserve(parent);
        let node = self.nodes.get_mut(parent);
        node.created_children = next;
        node.pzxid = step.header.zxid;
        node.touched = step.header.zxid;
        self.refresh_digest(parent);
        Ok(())
    }

    pub(super) fn delete(&mut self, step: &mut Step<'_>, id: NodeId) -> Result<(), Misfit> {
        if id == ROOT {
            return Err(Misfit);
        }
        if !self.nodes.get(id).children.is_empty() {
            if !step.is_replay() {
                return Err(Misfit);
            }
            // The children are those of a later znode of this path, which the log makes again.
            let below: Vec<_> = self.nodes.subtree(id).skip(1).map(|(below, _)| below).collect();
            for below in below.into_iter().rev() {
                self.delete(step, below)?;
            }
        }
        let zxid = step.header.zxid;
        // Its parent, which changes too, with it.
        self.preserve(id);
        self.fire_deleted(id, step);
        self.disown(id);
        let node = self.nodes.remove(id);
        self.digest = self.digest.wrapping_sub(u64::from(node.digest));
        self.newest_removal = zxid;
        let parent = self.nodes.get_mut(node.parent);
        parent.touched = zxid;
        if zxid > parent.pzxid {
            parent.pzxid = zxid;
            self.refresh_digest(node.parent);
        }
        self.release_acl(&node.acl);
        let (parent_path, name) = path::split(&node.path).ok_or(Misfit)?;
        if name == quota::LIMITS
            && let Some(subject) = quota::subject(parent_path)
        {
            self.quotas.remove(subject);
        }
        self.update_usage(&node.path, -1, -signed(node.data_length()));
        self.fire_children_changed(node.parent, step);
        Ok(())
    }

    fn set_data(
        &mut self,
        step: &mut Step<'_>,
        id: NodeId,
        data: Option<Bytes>,
        version: i32,
    ) -> Outcome {
        self.preserve(id);
        let before = self.nodes.get(id).data_length();
        self.nodes.set_data(id, data);
        let node = self.nodes.get_mut(id);
        node.version = version;
        node.mzxid = step.header.zxid;
        node.mtime_ms = step.header.time_ms;
        node.touched = step.header.zxid;
        let change = signed(node.data_length()) - signed(before);
        // Before quota statistics, which may be about this very znode.
        let stat = node.stat();
        self.refresh_content_digest(id);
        if !self.quotas.is_empty() {
            let path = self.nodes.get(id).path.clone();
            self.update_usage(&path, 0, change);
        }
        self.fire(EventKind::NodeDataChanged, id, step);
        Outcome::Changed(stat)
    }

    fn set_acl(&mut self, zxid: Zxid, id: NodeId, acl: &AclList) {
        self.preserve(id);
        let acl = self.acls.acquire(acl.clone());
        let node = self.nodes.get_mut(id);
        let old = mem::replace(&mut node.acl, acl);
        node.touched = zxid;
        self.release_acl(&old);
    }

    /// Ends a session: the ephemerals listed go first, then whatever else the session has.
    fn close_session(
        &mut self,
        step: &mut Step<'_>,
        paths: Option<&[Box<str>]>,
    ) -> Result<(), Misfit> {
        let session = step.header.session;
        for path in paths.unwrap_or_default() {
            match self.nodes.find(path.as_bytes()) {
                Some(id)
                    if step.is_replay() || self.nodes.get(id).owner == Owner::Session(session) =>
                {
                    self.delete(step, id)?;
                }
                None if step.is_replay() => {}
                _ => return Err(Misfit),
            }
        }
        let rest = self.sessions.ephemerals(session).to_vec();
        if paths.is_some() && !rest.is_empty() && !step.is_replay() {
            return Err(Misfit);
        }
        for id in rest {
            self.delete(step, id)?;
        }
        self.preserve_session(session);
        self.sessions.remove(session);
        Ok(())
    }

    /// Brings a znode's part of the digest up to date after its stat changed.
    pub(super) fn refresh_digest(&mut self, id: NodeId) {
        if !self.config.digest {
            return;
        }
        let node = self.nodes.get_mut(id);
        let new = node.compute_digest();
        let old = mem::replace(&mut node.digest, new);
        self.digest = self.digest.wrapping_sub(u64::from(old)).wrapping_add(u64::from(new));
    }

    /// Brings a znode's part of the digest up to date after its data changed.
    pub(super) fn refresh_content_digest(&mut self, id: NodeId) {
        if self.config.digest {
            self.nodes.get_mut(id).refresh_content();
            self.refresh_digest(id);
        }
    }

    /// Tells those who watch a znode.
    fn fire(&mut self, kind: EventKind, id: NodeId, step: &mut Step<'_>) {
        let Some(fired) = &mut step.fired else { return };
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_data(node.path.as_bytes(), &mut fired.watchers);
        fired.push(kind, &node.path, Some(&node.acl), start);
    }

    /// Tells those who watch a znode, its children included, that it goes.
    fn fire_deleted(&mut self, id: NodeId, step: &mut Step<'_>) {
        let Some(fired) = &mut step.fired else { return };
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_deleted(node.path.as_bytes(), &mut fired.watchers);
        fired.push(EventKind::NodeDeleted, &node.path, Some(&node.acl), start);
    }

    /// Tells those who watch the children of a znode.
    fn fire_children_changed(&mut self, id: NodeId, step: &mut Step<'_>) {
        let Some(fired) = &mut step.fired else { return };
        let node = self.nodes.get(id);
        let start = fired.watchers.len();
        self.watches.trigger_child(node.path.as_bytes(), &mut fired.watchers);
        fired.push(EventKind::NodeChildrenChanged, &node.path, Some(&node.acl), start);
    }
}

pub(super) const fn is_error(txn: &Txn<'_>) -> bool {
    matches!(txn, Txn::Error(_))
}

/// Data to keep: copied to its exact size.
fn own(data: &Blob<'_>) -> Bytes {
    match data {
        Blob::Slice(bytes) => Bytes::copy_from_slice(bytes),
        Blob::Shared(bytes) => (*bytes).clone(),
    }
}
