//! Watch events and modes.
//!
//! Behaviour: `org.apache.zookeeper.Watcher.Event` and `org.apache.zookeeper.AddWatchMode`.

use super::{
    codec::{Text, record},
    header::ReplyHeader,
};

record! {
    /// The record behind a notification's header.
    pub struct WatcherEvent<'a> {
        /// What happened, see [`EventKind`].
        pub kind: i32,
        /// The client's state; a server sends only [`WatcherEvent::SYNC_CONNECTED`].
        pub state: i32,
        /// Where it happened.
        pub path: Option<Text<'a>>,
    }
}

impl WatcherEvent<'_> {
    /// The only state a server sends.
    pub const SYNC_CONNECTED: i32 = 3;

    /// The length of a notification's body in bytes, headers included, for a path of `path_length`
    /// bytes.
    #[must_use]
    pub const fn notification_length(path_length: usize) -> usize {
        ReplyHeader::LENGTH + 12 + path_length
    }
}

/// What happened to a watched znode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::enum_variant_names, reason = "these are upstream's names, known to every user")]
pub enum EventKind {
    /// It came.
    NodeCreated,
    /// It went.
    NodeDeleted,
    /// Its data was set.
    NodeDataChanged,
    /// A child came or went.
    NodeChildrenChanged,
}

impl EventKind {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NodeCreated => 1,
            Self::NodeDeleted => 2,
            Self::NodeDataChanged => 3,
            Self::NodeChildrenChanged => 4,
        }
    }

    /// The kind with this number, if a server sends it.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::NodeCreated),
            2 => Some(Self::NodeDeleted),
            3 => Some(Self::NodeDataChanged),
            4 => Some(Self::NodeChildrenChanged),
            _ => None,
        }
    }
}

/// The modes of `addWatch`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddWatchMode {
    /// Data, existence and child list of one znode, until removed.
    Persistent,
    /// Creation, deletion and data of a znode and all below it, until removed.
    PersistentRecursive,
}

impl AddWatchMode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::PersistentRecursive => 1,
        }
    }

    /// The mode with this number.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}

/// Which watches `removeWatches` and `checkWatches` mean.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WatcherType {
    /// One-shot watches of the child list.
    Children,
    /// One-shot watches of data and existence.
    Data,
    /// Every watch.
    Any,
    /// Persistent watches.
    Persistent,
    /// Persistent recursive watches.
    PersistentRecursive,
}

impl WatcherType {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Children => 1,
            Self::Data => 2,
            Self::Any => 3,
            Self::Persistent => 4,
            Self::PersistentRecursive => 5,
        }
    }

    /// The type with this number.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Children),
            2 => Some(Self::Data),
            3 => Some(Self::Any),
            4 => Some(Self::Persistent),
            5 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}
