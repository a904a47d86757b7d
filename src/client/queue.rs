//! Events that wait to be polled, and how they are lent.

use std::collections::VecDeque;

use super::{
    CloseReason, Event, HostPort, KeeperState, LostReason, Purpose, Reply, RequestError, RequestId,
    Warning, WatchEvent, WatchEventKind, WatcherId,
};
use crate::{
    ids::{ConnId, Zxid},
    wire::Response,
};

/// An event that borrows nothing.
#[derive(Debug)]
pub(super) enum Queued {
    /// A request is complete; a reply has no record.
    Reply {
        id: RequestId,
        result: Result<Zxid, RequestError>,
    },
    /// Watches of a path were removed on request.
    Removed {
        watchers: Vec<WatcherId>,
        kind: WatchEventKind,
        path: Box<str>,
        state: KeeperState,
    },
    State {
        state: KeeperState,
        watchers: Vec<WatcherId>,
    },
    Restored {
        watchers: Vec<WatcherId>,
    },
    Lost {
        watchers: Vec<WatcherId>,
    },
    Connection {
        conn: ConnId,
        host: HostPort,
        purpose: Purpose,
        reason: LostReason,
    },
    Warning(Warning),
    Closed(CloseReason),
}

/// The events that wait, and the path that the one polled last borrows.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<Queued>,
    lent_path: Box<str>,
}

impl Queue {
    pub(super) fn push(&mut self, event: Queued) {
        self.events.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The next event.
    pub(super) fn pop(&mut self) -> Option<Event<'_>> {
        Some(match self.events.pop_front()? {
            Queued::Reply { id, result } => {
                let reply = |zxid| Reply { zxid, response: Response::Empty };
                Event::Reply { id, result: result.map(reply) }
            }
            Queued::Removed { watchers, kind, path, state } => {
                self.lent_path = path;
                let event = WatchEvent { kind, path: &self.lent_path, zxid: Zxid(-1), state };
                Event::Watch { watchers, event }
            }
            Queued::State { state, watchers } => Event::StateChanged { state, watchers },
            Queued::Restored { watchers } => Event::WatchesRestored { watchers },
            Queued::Lost { watchers } => Event::WatchesLost { watchers },
            Queued::Connection { conn, host, purpose, reason } => {
                Event::ConnectionClosed { conn, host, purpose, reason }
            }
            Queued::Warning(warning) => Event::Warning(warning),
            Queued::Closed(reason) => Event::Closed(reason),
        })
    }
}
