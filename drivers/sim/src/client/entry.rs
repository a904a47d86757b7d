//! Everything a session says and does, as small owned values, one line each.

use std::{fmt, time::Duration};

use zookeeper_core::{
    Zxid,
    client::{
        CloseReason, Event, KeeperState, LostReason, Purpose, RequestError, RequestId, Warning,
        WatchEventKind, WatcherId,
    },
};

use super::{link::Attempt, sent::Sent};
use crate::pair::Body;

/// Something that happened, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The time since the session's beginning.
    pub at: Duration,
    /// What happened.
    pub what: What,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The session wants a connection.
    Connect {
        /// The attempt's name.
        attempt: Attempt,
        /// Where to: host and port.
        host: String,
        /// What for.
        purpose: Purpose,
        /// When the attempt ends, since the session's beginning.
        deadline: Duration,
    },
    /// The session has sent something.
    Sent {
        /// On this connection.
        attempt: Attempt,
        /// This.
        sent: Sent,
    },
    /// The session has told something.
    Seen(Seen),
}

/// An event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// A request is complete.
    Reply(RequestId, Result<(Zxid, Body), RequestError>),
    /// A watched path changed, or watches of it were removed.
    Watch {
        /// Who is told.
        watchers: Vec<WatcherId>,
        /// What happened.
        kind: WatchEventKind,
        /// Where.
        path: String,
        /// The zxid of the notification.
        zxid: Zxid,
        /// The state that comes with it.
        state: KeeperState,
    },
    /// The state changed.
    State(KeeperState, Vec<WatcherId>),
    /// Watches are set again.
    Restored(Vec<WatcherId>),
    /// Watches will not fire any more.
    Lost(Vec<WatcherId>),
    /// A connection ended.
    Ended {
        /// Which.
        attempt: Attempt,
        /// Why.
        reason: LostReason,
    },
    /// Something odd.
    Warning(Warning),
    /// The session is over.
    Closed(CloseReason),
}

impl Seen {
    /// An event as an owned value.
    pub(super) fn new(event: Event<'_>, attempt: impl FnOnce() -> Attempt) -> Self {
        match event {
            Event::Reply { id, result } => {
                let owned = |reply: zookeeper_core::client::Reply<'_>| {
                    (reply.zxid, Body::from(reply.response))
                };
                Self::Reply(id, result.map(owned))
            }
            Event::Watch { watchers, event } => Self::Watch {
                watchers,
                kind: event.kind,
                path: event.path.to_owned(),
                zxid: event.zxid,
                state: event.state,
            },
            Event::StateChanged { state, watchers } => Self::State(state, watchers),
            Event::WatchesRestored { watchers } => Self::Restored(watchers),
            Event::WatchesLost { watchers } => Self::Lost(watchers),
            Event::ConnectionClosed { reason, .. } => Self::Ended { attempt: attempt(), reason },
            Event::Warning(warning) => Self::Warning(warning),
            Event::Closed(reason) => Self::Closed(reason),
            _ => panic!("an event nobody knows: {event:?}"),
        }
    }
}

impl fmt::Display for Entry {
    /// The time in milliseconds, and what happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.as_millis(), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { attempt, host, purpose: Purpose::Session, .. } => {
                write!(f, "#{} connect {host}", attempt.0)
            }
            Self::Connect { attempt, host, .. } => write!(f, "#{} probe {host}", attempt.0),
            Self::Sent { attempt, sent } => write!(f, "#{} > {sent}", attempt.0),
            Self::Seen(seen) => seen.fmt(f),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(id, Ok((zxid, body))) => {
                write!(f, "reply {} ok {zxid}", id.0)?;
                brief(f, body)
            }
            Self::Reply(id, Err(error)) => write!(f, "reply {} failed: {error}", id.0),
            Self::Watch { watchers, kind, path, zxid, state } => {
                write!(f, "watch {kind:?} {path} {zxid}")?;
                if *state != KeeperState::SyncConnected {
                    write!(f, " {state:?}")?;
                }
                list(f, watchers)
            }
            Self::State(state, watchers) => {
                write!(f, "state {state:?}")?;
                list(f, watchers)
            }
            Self::Restored(watchers) => {
                f.write_str("restored")?;
                list(f, watchers)
            }
            Self::Lost(watchers) => {
                f.write_str("lost")?;
                list(f, watchers)
            }
            Self::Ended { attempt, reason } => write!(f, "#{} ended: {reason}", attempt.0),
            Self::Warning(warning) => write!(f, "warning: {warning}"),
            Self::Closed(reason) => write!(f, "closed: {reason}"),
        }
    }
}

/// Watchers, if there are some.
fn list(f: &mut fmt::Formatter<'_>, watchers: &[WatcherId]) -> fmt::Result {
    if watchers.is_empty() {
        return Ok(());
    }
    let watchers: Vec<_> = watchers.iter().map(|watcher| format!("w{}", watcher.0)).collect();
    write!(f, " to {}", watchers.join(" "))
}

fn brief(f: &mut fmt::Formatter<'_>, body: &Body) -> fmt::Result {
    match body {
        Body::Empty => Ok(()),
        Body::Path(path) => write!(f, " {path}"),
        Body::Created(path, _) => write!(f, " {path} and stat"),
        Body::Stat(_) => f.write_str(" stat"),
        Body::Data(Some(data), _) => {
            write!(f, " '{}'", String::from_utf8_lossy(data))
        }
        Body::Data(None, _) => f.write_str(" null"),
        Body::Names(names) | Body::Children(names, _) => write!(f, " [{}]", names.join(", ")),
        body => write!(f, " {body:?}"),
    }
}
