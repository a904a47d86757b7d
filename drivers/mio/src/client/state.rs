//! What a client shows of its session, and who waits for it to change.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use zookeeper_core::{
    SessionId,
    client::{CloseReason, ConnectionState, Credentials, Session},
};

/// What the loop has told last.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) state: ConnectionState,
    pub(super) session: SessionId,
    pub(super) credentials: Option<Credentials>,
    pub(super) negotiated_timeout: Option<Duration>,
    pub(super) peer: Option<std::net::SocketAddr>,
    /// Why there is no session any more, and will be none.
    pub(super) closed: Option<CloseReason>,
}

/// The snapshot, and those who wait for another one.
#[derive(Debug)]
pub(super) struct Status {
    snapshot: Mutex<Snapshot>,
    changed: Condvar,
}

impl Status {
    pub(super) fn new() -> Self {
        let snapshot = Snapshot {
            state: ConnectionState::Suspended,
            session: SessionId::NONE,
            credentials: None,
            negotiated_timeout: None,
            peer: None,
            closed: None,
        };
        Self { snapshot: Mutex::new(snapshot), changed: Condvar::new() }
    }

    pub(super) fn look(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Takes the session's facts down; the three-level state is given, because it follows events.
    pub(super) fn update(&self, session: &Session, state: ConnectionState) {
        let mut snapshot = self.lock();
        snapshot.state = state;
        snapshot.session = session.session_id();
        snapshot.credentials = session.credentials();
        snapshot.negotiated_timeout = session.negotiated_timeout();
        snapshot.peer = session.peer().filter(|_| state.is_connected());
        drop(snapshot);
        self.changed.notify_all();
    }

    /// There is no session any more, and there will be none. The first reason stands.
    pub(super) fn close(&self, reason: CloseReason) {
        let mut snapshot = self.lock();
        snapshot.state = ConnectionState::Lost;
        snapshot.peer = None;
        snapshot.closed.get_or_insert(reason);
        drop(snapshot);
        self.changed.notify_all();
    }

    /// Waits until `is_enough` is content with what there is, or the time is up.
    pub(super) fn wait(
        &self,
        until: Option<Instant>,
        is_enough: impl Fn(&Snapshot) -> bool,
    ) -> Option<Snapshot> {
        let mut snapshot = self.lock();
        loop {
            if is_enough(&snapshot) {
                return Some(snapshot.clone());
            }
            snapshot = match until {
                None => self.changed.wait(snapshot).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = self.changed.wait_timeout(snapshot, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        // Nothing in it is half done when something panics.
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
