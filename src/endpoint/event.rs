//! What an endpoint tells its backend and its driver, and what the backend answers.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use super::error::CloseReason;
use crate::{
    ids::{ConnId, RequestId, SessionId, Zxid},
    wire::{
        Command, Encode, ErrorCode, EventKind, Id, LENGTH_BYTES, PASSWORD_LENGTH, ReplyHeader,
        Request, Response, Sink, WatcherEvent, Xid,
    },
};

/// The life cycle of connections and sessions.
#[must_use]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client asks for a session. It is not read from until
    /// [`accept_session`](super::Endpoint::accept_session) or
    /// [`refuse_session`](super::Endpoint::refuse_session).
    Connect {
        /// Its connection.
        conn: ConnId,
        /// What it asks for.
        request: Connect,
    },
    /// A session's client was silent for too long; its requests are dropped from now on.
    /// [`end_session`](super::Endpoint::end_session) is due.
    Expired {
        /// The session.
        session: SessionId,
    },
    /// A four-letter command that the backend has to answer.
    Command {
        /// Its connection.
        conn: ConnId,
        /// The command; it is in the whitelist.
        command: Command,
    },
    /// A connection ended. Nothing more is heard of it.
    ConnectionClosed {
        /// The connection.
        conn: ConnId,
        /// The session it belonged to.
        session: Option<SessionId>,
        /// Why.
        reason: CloseReason,
    },
}

/// What a client asks for in its handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// The session to resume, or [`SessionId::NONE`] for a new one.
    pub session: SessionId,
    /// Its password, of any length.
    pub password: Box<[u8]>,
    /// The newest zxid the client has seen.
    pub last_zxid_seen: Zxid,
    /// The time-out it will get.
    pub timeout: Duration,
    /// Whether a read-only server would do.
    pub read_only: bool,
}

impl fmt::Debug for Connect {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("session", &self.session)
            .field("last_zxid_seen", &self.last_zxid_seen)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A session granted to a connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The session.
    pub session: SessionId,
    /// Its password.
    pub password: [u8; PASSWORD_LENGTH],
    /// Its time-out from now on.
    pub timeout: Duration,
    /// Whether the server is read-only.
    pub read_only: bool,
    /// The answer leaves when this is durable.
    pub hold: Zxid,
}

impl fmt::Debug for Grant {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("session", &self.session)
            .field("timeout", &self.timeout)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// A session not granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such session, or the password is not its own: the answer is all zeros.
    Expired {
        /// The answer leaves when this is durable.
        hold: Zxid,
    },
    /// The client has seen what this server has not; the connection closes without an answer.
    ClientAhead,
    /// Not now; the connection closes without an answer.
    Busy,
}

/// A request, lent: it borrows from the connection's input.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// What the reply has to name.
    pub id: RequestId,
    /// The client's number for it.
    pub xid: Xid,
    /// Who asks.
    pub caller: Caller<'a>,
    /// What for.
    pub request: Request<'a>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The session.
    pub session: SessionId,
    /// The connection's identities.
    pub identities: &'a Arc<[Id]>,
}

/// The answer to one request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// A transaction's own zxid. `None` is a read: its header then shows the newest durable
    /// transaction it may depend on.
    pub zxid: Option<Zxid>,
    /// Why it failed, if it did.
    pub error: ErrorCode,
    /// The record; [`Response::Empty`] for none.
    pub body: Response<'a>,
    /// The reply leaves when this is durable.
    pub hold: Zxid,
}

/// A watch event, encoded once for all its watchers.
#[derive(Clone, Debug)]
pub struct Notification {
    pub(super) frame: Bytes,
    pub(super) hold: Zxid,
}

impl Notification {
    /// The event that `kind` happened to `path`; it leaves when `hold` is durable.
    #[must_use]
    pub fn new(zxid: Zxid, kind: EventKind, path: &str, hold: Zxid) -> Self {
        let length = WatcherEvent::notification_length(path.len());
        let mut frame = Vec::with_capacity(LENGTH_BYTES + length);
        frame.put(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        ReplyHeader { xid: Xid::NOTIFICATION, zxid, error: ErrorCode::OK }.encode(&mut frame);
        let event = WatcherEvent {
            kind: kind.code(),
            state: WatcherEvent::SYNC_CONNECTED,
            path: Some(path.into()),
        };
        event.encode(&mut frame);
        Self { frame: frame.into(), hold }
    }
}

/// Something for the driver to do.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Write what [`poll_transmit`](super::Endpoint::poll_transmit) lends.
    Transmit(ConnId),
    /// [`wants_read`](super::Endpoint::wants_read) turned true: read without waiting for an edge.
    Read(ConnId),
    /// Close the socket; the id means nothing any more.
    Close(ConnId),
}
