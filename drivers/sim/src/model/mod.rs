//! A naive data tree: what a standalone server must answer, without a thought for speed.
//!
//! It is written from the protocol's description alone and shares no code with the real tree, so
//! that a fault would have to be made twice to go unseen. Children, ephemerals and quotas are found
//! by looking through everything; a multi is tried on a copy.

mod operation;
mod permissions;
mod quota;
mod reads;
mod reply;
mod watches;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use zookeeper_core::{
    SessionId, Zxid,
    wire::{Op, Stat},
};

use self::watches::Watches;
pub use self::{
    operation::{Entry, Operation},
    reply::{Acl, Body, Reply},
};

/// A scheme and an id.
pub type Identity = (String, String);

/// Settings, as the server has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Whether there are TTL znodes.
    pub extended_types: bool,
    /// Whether hard quotas refuse.
    pub enforce_quota: bool,
    /// Whether ACLs are not looked at.
    pub skip_acl: bool,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The session.
    pub session: i64,
    /// Who is told of its watches.
    pub watcher: u64,
    /// The connection's identities.
    pub identities: Vec<Identity>,
}

/// What some watchers are told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Event {
    /// The code of its kind.
    pub kind: i32,
    /// Where.
    pub path: String,
    /// Who.
    pub watchers: BTreeSet<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Persistent,
    Ephemeral(i64),
    Container,
    Ttl(i64),
}

#[derive(Clone, Debug)]
struct Node {
    data: Option<Vec<u8>>,
    acl: Acl,
    kind: Kind,
    czxid: i64,
    mzxid: i64,
    pzxid: i64,
    ctime_ms: i64,
    mtime_ms: i64,
    version: i32,
    aversion: i32,
    /// Children ever created.
    created: i32,
}

/// The tree, its watches and what is left to tell.
#[derive(Clone, Debug)]
pub struct Model {
    settings: Settings,
    nodes: BTreeMap<String, Node>,
    watches: Watches,
    /// The identities of everybody who may watch.
    known: BTreeMap<u64, Vec<Identity>>,
    events: Vec<Event>,
    zxid: i64,
    time_ms: i64,
    /// In a multi: the tree before it, which quotas are judged by.
    before: Option<Box<Self>>,
}

impl Model {
    /// The tree of a fresh server.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut model = Self {
            settings,
            nodes: BTreeMap::new(),
            watches: Watches::default(),
            known: BTreeMap::new(),
            events: Vec::new(),
            zxid: 0,
            time_ms: 0,
            before: None,
        };
        for (path, perms, aversion) in [
            ("/", 31, 0),
            ("/zookeeper", 31, 0),
            ("/zookeeper/quota", 31, 0),
            ("/zookeeper/config", 1, -1),
        ] {
            let acl = vec![(perms, "world".to_owned(), "anyone".to_owned())];
            let mut node = model.node(Some(Vec::new()), acl, Kind::Persistent);
            node.aversion = aversion;
            model.nodes.insert(path.to_owned(), node);
        }
        model
    }

    /// A watcher and the identities by which its events are filtered.
    pub fn introduce(&mut self, watcher: u64, identities: &[Identity]) {
        self.known.insert(watcher, identities.to_vec());
    }

    /// The watcher's connection has closed.
    pub fn forget(&mut self, watcher: u64) {
        self.watches.forget(watcher);
        self.known.remove(&watcher);
    }

    /// Serves a request. `zxid` is the write's own, or of the newest write; events pile up until
    /// [`Model::take_events`].
    pub fn serve(
        &mut self,
        caller: &Caller,
        operation: &Operation,
        zxid: i64,
        time_ms: i64,
    ) -> Reply {
        (self.zxid, self.time_ms) = (zxid, time_ms);
        if operation.op() == Op::Multi || operation.op() == Op::MultiRead {
            return self.multi(caller, operation);
        }
        let result = if operation.op().is_write() {
            self.write(caller, operation)
        } else {
            self.read(caller, operation)
        };
        match result {
            Ok(body) => Reply::ok(body),
            Err(error) => Reply::failed(error),
        }
    }

    /// Ends a session: its ephemerals go.
    pub fn close_session(&mut self, session: i64, zxid: i64, time_ms: i64) {
        (self.zxid, self.time_ms) = (zxid, time_ms);
        for path in self.ephemerals(session) {
            self.remove(&path);
        }
    }

    /// The containers and TTL znodes that are to be removed.
    #[must_use]
    pub fn outlived(&self, now_ms: i64, never_used_ms: i64) -> BTreeSet<String> {
        let is_outlived = |path: &str, node: &Node| {
            let age_ms = now_ms - node.mtime_ms;
            self.children(path).is_empty()
                && match node.kind {
                    Kind::Container if node.created > 0 => true,
                    Kind::Container => never_used_ms > 0 && age_ms > never_used_ms,
                    Kind::Ttl(ttl_ms) => age_ms > ttl_ms,
                    Kind::Persistent | Kind::Ephemeral(_) => false,
                }
        };
        let outlived = self.nodes.iter().filter(|(path, node)| is_outlived(path, node));
        outlived.map(|(path, _)| path.clone()).collect()
    }

    /// Removes one of them, if it may still go.
    pub fn remove_outlived(&mut self, path: &str, zxid: i64, time_ms: i64) {
        (self.zxid, self.time_ms) = (zxid, time_ms);
        if self.nodes.contains_key(path) && self.children(path).is_empty() {
            self.remove(path);
        }
    }

    /// What has happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// How many znodes there are, the root counted twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len() + 1
    }

    /// How many of them are ephemeral.
    #[must_use]
    pub fn ephemeral_count(&self) -> usize {
        self.nodes.values().filter(|node| matches!(node.kind, Kind::Ephemeral(_))).count()
    }

    /// Bytes of paths and data.
    #[must_use]
    pub fn data_size(&self) -> usize {
        let size =
            |(path, node): (&String, &Node)| path.len() + node.data.as_ref().map_or(0, Vec::len);
        self.nodes.iter().map(size).sum()
    }

    /// Watches in both tables.
    #[must_use]
    pub fn watch_count(&self) -> usize {
        self.watches.count()
    }

    /// Every path there is.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    const fn node(&self, data: Option<Vec<u8>>, acl: Acl, kind: Kind) -> Node {
        Node {
            data,
            acl,
            kind,
            czxid: self.zxid,
            mzxid: self.zxid,
            pzxid: self.zxid,
            ctime_ms: self.time_ms,
            mtime_ms: self.time_ms,
            version: 0,
            aversion: 0,
            created: 0,
        }
    }

    /// The znode of a path; the empty path is the root.
    fn find(&self, path: &str) -> Result<&Node, i32> {
        self.nodes.get(if path.is_empty() { "/" } else { path }).ok_or(-101)
    }

    fn check(&self, acl: &Acl, wanted: i32, caller: &Caller) -> Result<(), i32> {
        let is_permitted = permissions::permits(acl, wanted, &caller.identities);
        if self.settings.skip_acl || is_permitted { Ok(()) } else { Err(-102) }
    }

    /// The names of a znode's children.
    fn children(&self, path: &str) -> Vec<String> {
        let paths = self.nodes.keys().filter(|other| *other != "/");
        let pairs = paths.filter_map(|other| other.rsplit_once('/'));
        let parent = path.strip_suffix('/').unwrap_or(path);
        pairs.filter(|pair| pair.0 == parent).map(|pair| pair.1.to_owned()).collect()
    }

    fn ephemerals(&self, session: i64) -> Vec<String> {
        let own = self.nodes.iter().filter(|(_, node)| node.kind == Kind::Ephemeral(session));
        own.map(|(path, _)| path.clone()).collect()
    }

    fn stat(&self, path: &str) -> Result<Stat, i32> {
        let node = self.find(path)?;
        let children = i32::try_from(self.children(path).len()).expect("few children");
        Ok(Stat {
            czxid: Zxid(node.czxid),
            mzxid: Zxid(node.mzxid),
            ctime_ms: node.ctime_ms,
            mtime_ms: node.mtime_ms,
            version: node.version,
            cversion: node.created * 2 - children,
            aversion: node.aversion,
            ephemeral_owner: match node.kind {
                Kind::Ephemeral(session) => SessionId(session),
                _ => SessionId(0),
            },
            data_length: i32::try_from(node.data.as_ref().map_or(0, Vec::len)).expect("short data"),
            num_children: children,
            pzxid: Zxid(node.pzxid),
        })
    }

    /// Tells everybody whom a change reaches and who may READ by `acl`.
    fn fire(&mut self, kind: i32, path: &str, acl: &Acl, data: bool, child: bool) {
        let mut watchers = self.watches.trigger(path, data, child);
        watchers.retain(|watcher| {
            self.settings.skip_acl || permissions::permits(acl, 1, &self.known[watcher])
        });
        if !watchers.is_empty() {
            self.events.push(Event { kind, path: path.to_owned(), watchers });
        }
    }
}
