//! What a session tells, and what it asks its driver to do.

use super::{
    HostPort,
    failure::{CloseReason, LostReason, RequestError, Warning},
};
use crate::{
    ids::{ConnId, Zxid},
    time::Instant,
    wire::{EventKind, Response},
};

/// Names one submitted request; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// Names one watcher: whoever wants to be told. One may watch many paths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WatcherId(pub u64);

/// What happened, in one order for everything.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub enum Event<'a> {
    /// A request is complete. Every accepted one completes exactly once.
    Reply {
        /// The request.
        id: RequestId,
        /// Its outcome.
        result: Result<Reply<'a>, RequestError>,
    },
    /// A watched znode changed, or watches were removed.
    Watch {
        /// Who watched, each once, in rising order.
        watchers: Vec<WatcherId>,
        /// What happened.
        event: WatchEvent<'a>,
    },
    /// The session's state changed; never twice the same in a row.
    StateChanged {
        /// To this.
        state: KeeperState,
        /// Everybody who watches something, in rising order: upstream tells each of them.
        watchers: Vec<WatcherId>,
    },
    /// After a reconnect all watches are set again. What one-shot watches missed came before this;
    /// persistent ones may have missed changes.
    WatchesRestored {
        /// Everybody who watches something, in rising order.
        watchers: Vec<WatcherId>,
    },
    /// These watchers lost watches without being told of a change; those whose
    /// [`Session::is_watching`](super::Session::is_watching) is true hold others.
    WatchesLost {
        /// Who, in rising order.
        watchers: Vec<WatcherId>,
    },
    /// A connection ended: exactly once for each [`Action::Connect`].
    ConnectionClosed {
        /// The connection.
        conn: ConnId,
        /// Where to.
        host: HostPort,
        /// What it was for.
        purpose: Purpose,
        /// Why.
        reason: LostReason,
    },
    /// Something odd that changed nothing.
    Warning(Warning),
    /// The session is over, and this is the last event.
    Closed(CloseReason),
}

/// A successful reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// The newest transaction that the server had applied; for a write, its own.
    pub zxid: Zxid,
    /// The record, lent from the connection's buffer.
    pub response: Response<'a>,
}

/// What happened to a watched path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchEvent<'a> {
    /// What.
    pub kind: WatchEventKind,
    /// The znode, as the server names it.
    pub path: &'a str,
    /// The transaction that did it; -1 where the server does not say.
    pub zxid: Zxid,
    /// The session's state that upstream attaches.
    pub state: KeeperState,
}

/// The kinds of watch events.
///
/// Behaviour: `org.apache.zookeeper.Watcher.Event.EventType`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WatchEventKind {
    /// The znode came.
    NodeCreated,
    /// It went.
    NodeDeleted,
    /// Its data was set.
    NodeDataChanged,
    /// A child came or went.
    NodeChildrenChanged,
    /// A watch of data or existence was removed on request.
    DataWatchRemoved,
    /// A watch of the child list was removed on request.
    ChildWatchRemoved,
    /// A persistent watch was removed on request.
    PersistentWatchRemoved,
}

impl WatchEventKind {
    /// Whether the event is the end of watches rather than a change.
    #[must_use]
    pub const fn is_removal(self) -> bool {
        matches!(
            self,
            Self::DataWatchRemoved | Self::ChildWatchRemoved | Self::PersistentWatchRemoved
        )
    }
}

impl From<EventKind> for WatchEventKind {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::NodeCreated => Self::NodeCreated,
            EventKind::NodeDeleted => Self::NodeDeleted,
            EventKind::NodeDataChanged => Self::NodeDataChanged,
            EventKind::NodeChildrenChanged => Self::NodeChildrenChanged,
        }
    }
}

/// What watchers are told of the session.
///
/// Behaviour: `org.apache.zookeeper.Watcher.Event.KeeperState`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeeperState {
    /// No server is reached.
    Disconnected,
    /// A server is.
    SyncConnected,
    /// The credentials were refused; the session is over.
    AuthFailed,
    /// A read-only server is reached.
    ConnectedReadOnly,
    /// The SASL exchange succeeded.
    SaslAuthenticated,
    /// The session is over: its ephemerals are gone or will be.
    Expired,
    /// The session was closed here.
    Closed,
}

/// Where a session stands.
///
/// Behaviour: `org.apache.zookeeper.ZooKeeper.States`, without its states that cannot be observed;
/// `Connecting` begins when a connection is lost, not when the next attempt does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It looks for a server.
    Connecting,
    /// It has one.
    Connected {
        /// Which is read-only.
        read_only: bool,
    },
    /// It was closed here.
    Closed,
    /// It is over on the server.
    Expired,
    /// Its credentials were refused.
    AuthFailed,
}

impl State {
    /// Whether the session can still be used.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Connecting | Self::Connected { .. })
    }
}

/// What a driver has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[must_use]
pub enum Action {
    /// Find the address of `host` and connect to it, until the deadline at the latest; then
    /// `handle_connected`, or `handle_eof` with what went wrong. The machine gives up at the
    /// deadline by itself, with [`Action::Close`].
    Connect {
        /// The connection's name from now on.
        conn: ConnId,
        /// Where to.
        host: HostPort,
        /// What for.
        purpose: Purpose,
        /// When the attempt ends.
        deadline: Instant,
    },
    /// There are bytes to send: see `poll_transmit`.
    Transmit(ConnId),
    /// `wants_read` has turned true.
    Read(ConnId),
    /// Close the socket, or give up the attempt.
    Close(ConnId),
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// The session.
    Session,
    /// To ask a server whether it is writable.
    Probe,
}
