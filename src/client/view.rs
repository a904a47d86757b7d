//! What an application has to know, in its own terms: three states, and paths below its chroot.

use super::{Chroot, KeeperState, WatchEvent, WatchEventKind, operation::GetConfig};
use crate::ids::Zxid;

/// A session as those see it who hold locks: three states.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectionState {
    /// A server is reached, and the session is alive.
    Connected {
        /// The server is read-only: writes fail until a writable one is found.
        read_only: bool,
    },
    /// No server is reached. The session may or may not be alive on the server: who holds a lock
    /// by an ephemeral znode should stop, but not give it up. It is also the state before the
    /// first connection.
    Suspended,
    /// The session is over: expired, refused, closed or detached. Its ephemeral znodes are gone or
    /// will be, and its watches will not fire.
    Lost,
}

impl ConnectionState {
    /// Whether a server is reached.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// What an event of the session comes to; `None` where it changes nothing.
    #[must_use]
    pub const fn of(state: KeeperState) -> Option<Self> {
        Some(match state {
            KeeperState::SyncConnected => Self::Connected { read_only: false },
            KeeperState::ConnectedReadOnly => Self::Connected { read_only: true },
            KeeperState::Disconnected => Self::Suspended,
            KeeperState::SaslAuthenticated => return None,
            KeeperState::AuthFailed | KeeperState::Expired | KeeperState::Closed => Self::Lost,
        })
    }
}

/// A change of a watched znode, for keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WatchedEvent {
    /// What happened.
    pub kind: WatchEventKind,
    /// To which znode, as the client names it. `/zookeeper/config` has no other name.
    pub path: String,
    /// The transaction that did it; -1 where the server does not say.
    pub zxid: Zxid,
}

impl WatchedEvent {
    /// The event as a client below `chroot` knows it. The path of a znode outside the chroot, which
    /// no watch of such a client can be on, stays as it is.
    #[must_use]
    pub fn new(event: &WatchEvent<'_>, chroot: &Chroot) -> Self {
        let path = if event.path == GetConfig::PATH {
            event.path
        } else {
            chroot.strip(event.path).unwrap_or(event.path)
        };
        Self { kind: event.kind, path: path.to_owned(), zxid: event.zxid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_clients() {
        let chroot = Chroot::new("/app").unwrap();
        for (path, expected) in [
            ("/app/a", "/a"),
            ("/app", "/"),
            ("/apple", "/apple"),
            ("/zookeeper/config", "/zookeeper/config"),
        ] {
            let event = WatchEvent {
                kind: WatchEventKind::NodeCreated,
                path,
                zxid: Zxid(7),
                state: KeeperState::SyncConnected,
            };
            assert_eq!(WatchedEvent::new(&event, &chroot).path, expected);
        }
    }

    #[test]
    fn three_states() {
        let of = ConnectionState::of;
        assert!(of(KeeperState::ConnectedReadOnly).is_some_and(ConnectionState::is_connected));
        assert_eq!(of(KeeperState::Disconnected), Some(ConnectionState::Suspended));
        assert_eq!(of(KeeperState::Expired), Some(ConnectionState::Lost));
        assert_eq!(of(KeeperState::SaslAuthenticated), None);
    }
}
