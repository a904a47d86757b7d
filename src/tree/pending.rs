//! What the operations of one multi have done so far, on top of a tree that does not change.
//!
//! Behaviour: the `outstandingChanges` of `org.apache.zookeeper.server.PrepRequestProcessor`.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Tree,
    node::{Node, Owner},
};
use crate::{
    path,
    wire::{AclList, CreateKind, Txn},
};

/// What decisions need to know of a znode.
#[derive(Clone, Debug)]
pub(super) struct Facts<'t> {
    pub(super) acl: Cow<'t, AclList>,
    pub(super) owner_is_session: bool,
    pub(super) version: i32,
    pub(super) aversion: i32,
    pub(super) created_children: i32,
    pub(super) children: usize,
    pub(super) data_length: usize,
}

/// Looks through the changes of a multi at the tree behind them.
#[derive(Debug)]
pub(super) struct View<'t> {
    pub(super) tree: &'t Tree,
    /// By path: a znode that differs from the tree's, or `None` where it is gone.
    changed: BTreeMap<String, Option<Facts<'t>>>,
}

impl<'t> View<'t> {
    /// The tree as it is.
    pub(super) const fn new(tree: &'t Tree) -> Self {
        Self { tree, changed: BTreeMap::new() }
    }

    /// The znode of a path.
    pub(super) fn find(&self, path: &str) -> Option<Facts<'t>> {
        if !self.changed.is_empty() {
            let key = if path.is_empty() { "/" } else { path };
            if let Some(changed) = self.changed.get(key) {
                return changed.clone();
            }
        }
        self.tree.nodes.find(path.as_bytes()).map(|id| Facts::of(self.tree.nodes.get(id)))
    }

    /// Takes note of a prepared operation.
    pub(super) fn record(&mut self, txn: &Txn<'_>) {
        match txn {
            Txn::Create { path, data, acl, kind, parent_cversion, .. } => {
                self.change_parent(path, |parent| {
                    parent.created_children = *parent_cversion;
                    parent.children += 1;
                });
                let facts = Facts {
                    acl: Cow::Owned(acl.clone()),
                    owner_is_session: *kind == CreateKind::Ephemeral,
                    version: 0,
                    aversion: 0,
                    created_children: 0,
                    children: 0,
                    data_length: data.as_ref().map_or(0, |data| data.len()),
                };
                self.changed.insert(path.to_string(), Some(facts));
            }
            Txn::Delete { path, .. } => {
                self.change_parent(path, |parent| parent.children -= 1);
                self.changed.insert(path.to_string(), None);
            }
            Txn::SetData { path, data, version } => {
                let length = data.as_ref().map_or(0, |data| data.len());
                self.change(path, |facts| {
                    facts.version = *version;
                    facts.data_length = length;
                });
            }
            Txn::SetAcl { path, acl, version } => self.change(path, |facts| {
                facts.acl = Cow::Owned(acl.clone());
                facts.aversion = *version;
            }),
            Txn::Check { .. }
            | Txn::CreateSession { .. }
            | Txn::CloseSession { .. }
            | Txn::Multi(_)
            | Txn::Error(_) => {}
        }
    }

    fn change_parent(&mut self, path: &str, change: impl FnOnce(&mut Facts<'t>)) {
        if let Some((parent, _)) = path::split(path) {
            self.change(parent, change);
        }
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Facts<'t>)) {
        let key = if path.is_empty() { "/" } else { path };
        if let Some(mut facts) = self.find(key) {
            change(&mut facts);
            self.changed.insert(key.to_owned(), Some(facts));
        }
    }
}

impl<'t> Facts<'t> {
    fn of(node: &'t Node) -> Self {
        Self {
            acl: Cow::Borrowed(&node.acl),
            owner_is_session: matches!(node.owner, Owner::Session(_)),
            version: node.version,
            aversion: node.aversion,
            created_children: node.created_children,
            children: node.children.len(),
            data_length: node.data_length(),
        }
    }
}
