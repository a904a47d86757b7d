//! What commands ask of a session, and what it answers.
//!
//! Commands know this trait only, so that their tests bring answers of their own.

use std::time::Duration;

use bytes::Bytes;
use zookeeper_core::{
    Zxid,
    client::{
        Error, WatchEventKind,
        operation::{Created, TransactionResult},
    },
    wire::{Acl, AddWatchMode, CreateMode, ErrorCode, Id, Stat, WatcherType},
};

/// A session, by blocking calls. Paths are the client's: below the chroot.
pub(crate) trait Connection {
    /// Whether a server is reached now.
    fn is_connected(&self) -> bool;
    /// Creates a znode.
    fn create(&self, node: &NewNode) -> Answer<Created>;
    /// Deletes a znode that has no children.
    fn delete(&self, path: &str, version: Option<i32>) -> Answer<()>;
    /// The stat, if the znode exists. The watch, as all below, is of the one-shot kind.
    fn exists(&self, path: &str, watch: bool) -> Answer<Option<Stat>>;
    /// The data.
    fn data(&self, path: &str, watch: bool) -> Answer<(Bytes, Stat)>;
    /// Replaces the data.
    fn set_data(&self, path: &str, data: Option<&Bytes>, version: Option<i32>) -> Answer<Stat>;
    /// The ACL.
    fn acl(&self, path: &str) -> Answer<(Vec<Acl>, Stat)>;
    /// Replaces the ACL.
    fn set_acl(&self, path: &str, acl: &[Acl], version: Option<i32>) -> Answer<Stat>;
    /// The names of the children.
    fn children(&self, path: &str, watch: bool) -> Answer<(Vec<String>, Stat)>;
    /// The names of the children of several znodes, each by itself, in one request.
    fn children_of(&self, paths: &[&str]) -> Answer<Vec<Result<Vec<String>, ErrorCode>>>;
    /// All that there is to know of several znodes, each by itself, in one round trip. One that
    /// went and came back meanwhile counts as gone.
    fn nodes(&self, paths: &[&str]) -> Vec<Answer<Node>>;
    /// The stats of several znodes, where they exist, in one round trip.
    fn stats(&self, paths: &[&str]) -> Vec<Answer<Option<Stat>>>;
    /// Replaces the ACLs of several znodes, each by itself, in one round trip.
    fn set_acls(&self, acls: &[(&str, &[Acl])]) -> Vec<Answer<Stat>>;
    /// Whether a path is below `/zookeeper`, where servers keep what is their own.
    fn is_reserved(&self, path: &str) -> bool;
    /// How many znodes are below one.
    fn count(&self, path: &str) -> Answer<u32>;
    /// Waits until the server has caught up.
    fn sync(&self, path: &str) -> Answer<()>;
    /// The session's own ephemeral znodes.
    fn ephemerals(&self, prefix: &str) -> Answer<Vec<String>>;
    /// The ensemble's configuration.
    fn config(&self, watch: bool) -> Answer<(Bytes, Stat)>;
    /// The session's identities.
    fn identities(&self) -> Answer<Vec<Id>>;
    /// Takes on an identity.
    fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Answer<()>;
    /// All of these changes, or none.
    fn multi(&self, changes: &[Change]) -> Answer<Vec<TransactionResult>>;
    /// Watches until told otherwise.
    fn add_watch(&self, path: &str, mode: AddWatchMode) -> Answer<()>;
    /// Ends watches; `local` ends them here even if the server cannot be asked.
    fn remove_watches(&self, path: &str, kind: WatcherType, local: bool) -> Answer<()>;
}

/// What comes of a request.
pub(crate) type Answer<T> = Result<T, Error>;

/// A znode as it was read: its ACL behind its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) data: Option<Bytes>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) stat: Stat,
}

/// A znode to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewNode {
    pub(crate) path: String,
    /// `None` is no data at all, which is not the same as no bytes.
    pub(crate) data: Option<Bytes>,
    pub(crate) mode: CreateMode,
    pub(crate) acl: Vec<Acl>,
    pub(crate) ttl: Option<Duration>,
    /// Whether the answer is to hold the stat, which servers from before 3.5 do not know.
    pub(crate) with_stat: bool,
}

/// One part of a multi.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Create(NewNode),
    Set { path: String, data: Option<Bytes>, version: Option<i32> },
    Delete { path: String, version: Option<i32> },
    Check { path: String, version: Option<i32> },
}

impl Change {
    /// The operation's name and its path.
    pub(crate) fn name(&self) -> (&'static str, &str) {
        match self {
            Self::Create(node) => ("create", &node.path),
            Self::Set { path, .. } => ("set", path),
            Self::Delete { path, .. } => ("delete", path),
            Self::Check { path, .. } => ("check", path),
        }
    }
}

/// What a session tells by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// Something watched changed.
    Event { kind: WatchEventKind, path: String, zxid: Zxid },
    /// The session's state changed.
    State(Reach),
    /// After a reconnect watches are set again. Those that last may have missed changes.
    Restored,
    /// Watches are gone without having fired.
    WatchesLost,
    /// So many more notices could not be shown.
    Missed(u64),
}

/// How far the servers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    Connected {
        read_only: bool,
    },
    /// No server is reached; the session may live on.
    Suspended,
    /// The session is over.
    Lost,
}

impl Reach {
    /// The name that upstream has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connected { read_only: false } => "SyncConnected",
            Self::Connected { read_only: true } => "ConnectedReadOnly",
            Self::Suspended => "Disconnected",
            Self::Lost => "Expired",
        }
    }
}
