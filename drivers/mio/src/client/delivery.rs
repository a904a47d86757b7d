//! What the session tells, handed to those it concerns.

use std::{collections::VecDeque, sync::Arc};

use tracing::{debug, info, warn};
use zookeeper_core::client::{
    CloseReason, ConnectionState, Event, KeeperState, RequestError, RequestId, WatcherId,
};

use super::{
    call::Pending,
    callbacks::Callback,
    shared::Shared,
    watchers::{Target, WatchUpdate, Watchers},
};

/// Requests under way, and what is to run on the callback thread.
#[derive(Debug)]
pub(super) struct Delivery {
    shared: Arc<Shared>,
    in_flight: InFlight,
    pub(super) watchers: Watchers,
    pub(super) state: ConnectionState,
    /// In the session's order; not handed over yet.
    pub(super) callbacks: Outbox,
    /// Watchers that may watch nothing any more.
    pub(super) idle: Vec<WatcherId>,
    /// What can be seen of the session has changed.
    pub(super) is_news: bool,
    /// The session has told its last event.
    pub(super) closed: Option<CloseReason>,
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            in_flight: InFlight::default(),
            watchers: Watchers::default(),
            state: ConnectionState::Suspended,
            callbacks: Outbox::default(),
            idle: Vec::new(),
            is_news: false,
            closed: None,
        }
    }

    /// A request is under way.
    pub(super) fn begin(
        &mut self,
        id: RequestId,
        watcher: Option<WatcherId>,
        pending: Box<dyn Pending>,
    ) {
        self.in_flight.push(id, Entry { watcher, pending });
    }

    /// Hands one event to those it concerns.
    pub(super) fn handle(&mut self, event: Event<'_>) {
        match event {
            Event::Reply { id, result } => {
                let Some(Entry { watcher, pending }) = self.in_flight.remove(id) else {
                    debug_assert!(false, "a reply to nothing");
                    return;
                };
                if let Some(watcher) = watcher {
                    self.finish(watcher);
                }
                pending.complete(result.map(|reply| reply.response), &mut self.callbacks.0);
            }
            Event::Watch { watchers, event } => {
                for id in watchers {
                    if let Some(target) = self.watchers.target(id) {
                        let update = target.update(&event);
                        self.callbacks.tell(target, update);
                    }
                    self.idle.push(id);
                }
            }
            Event::StateChanged { state, watchers } => self.change(state, &watchers),
            Event::WatchesRestored { watchers } => {
                debug!(watchers = watchers.len(), "watches restored");
                self.tell(&watchers, &WatchUpdate::Restored);
            }
            Event::WatchesLost { watchers } => {
                info!(watchers = watchers.len(), "watches lost");
                self.tell(&watchers, &WatchUpdate::Lost);
                self.idle.extend(watchers);
            }
            Event::ConnectionClosed { host, purpose, reason, .. } => {
                debug!(%host, ?purpose, %reason, "connection closed");
            }
            Event::Warning(warning) => warn!(%warning, "odd server"),
            Event::Closed(reason) => self.close(reason),
            // Events are added as the session grows.
            other => debug!(event = ?other),
        }
    }

    /// A watcher's request is over.
    pub(super) fn finish(&mut self, watcher: WatcherId) {
        self.watchers.finish(watcher);
        self.idle.push(watcher);
    }

    /// Forgets a watcher that watches nothing.
    pub(super) fn forget(&mut self, watcher: WatcherId) {
        if let Some(target) = self.watchers.forget(watcher) {
            self.callbacks.release(target);
        }
    }

    fn change(&mut self, keeper_state: KeeperState, watchers: &[WatcherId]) {
        info!(state = ?keeper_state, "session");
        self.is_news = true;
        let default = self.shared.default_watcher.clone();
        self.callbacks.0.push(Box::new(move || default.tell(WatchUpdate::State(keeper_state))));
        let Some(state) = ConnectionState::of(keeper_state) else { return };
        self.enter(state);
        let update = match state {
            ConnectionState::Connected { .. } => return,
            ConnectionState::Suspended => WatchUpdate::Suspended,
            ConnectionState::Lost => WatchUpdate::Lost,
        };
        for &id in watchers {
            if let Some(target) = self.watchers.target(id)
                && !target.watcher.is(&self.shared.default_watcher)
            {
                self.callbacks.tell(target, update.clone());
            }
        }
    }

    fn enter(&mut self, state: ConnectionState) {
        if self.state != state {
            self.state = state;
            let shared = Arc::clone(&self.shared);
            self.callbacks.0.push(Box::new(move || shared.listeners.tell(state)));
        }
    }

    fn tell(&mut self, watchers: &[WatcherId], update: &WatchUpdate) {
        for &id in watchers {
            if let Some(target) = self.watchers.target(id) {
                self.callbacks.tell(target, update.clone());
            }
        }
    }

    /// The session's last word. Who was not told of its end by a state is told now.
    fn close(&mut self, reason: CloseReason) {
        info!(%reason, "session over");
        self.is_news = true;
        let is_told = self.state == ConnectionState::Lost;
        for target in self.watchers.clear() {
            if !is_told && !target.watcher.is(&self.shared.default_watcher) {
                self.callbacks.tell(&target, WatchUpdate::Lost);
            }
            self.callbacks.release(target);
        }
        if !is_told {
            let default = self.shared.default_watcher.clone();
            let update = WatchUpdate::State(KeeperState::Closed);
            self.callbacks.0.push(Box::new(move || default.tell(update)));
            self.enter(ConnectionState::Lost);
        }
        self.idle.clear();
        for Entry { pending, .. } in self.in_flight.drain() {
            debug_assert!(false, "every request completes before the session ends");
            let error = RequestError::Closed { maybe_executed: true };
            pending.complete(Err(error), &mut self.callbacks.0);
        }
        self.closed = Some(reason);
    }
}

/// What is to run on the callback thread.
#[derive(Default)]
pub(super) struct Outbox(pub(super) Vec<Callback>);

impl Outbox {
    fn tell(&mut self, target: &Target, update: WatchUpdate) {
        let watcher = target.watcher.clone();
        self.0.push(Box::new(move || watcher.tell(update)));
    }

    /// What a watcher owns is dropped where it ran.
    pub(super) fn release(&mut self, target: Target) {
        self.0.push(Box::new(move || drop(target)));
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({})", self.0.len())
    }
}

struct Entry {
    watcher: Option<WatcherId>,
    pending: Box<dyn Pending>,
}

/// Requests under way, in the order of their ids, which is nearly that of their replies.
#[derive(Default)]
struct InFlight(VecDeque<(RequestId, Option<Entry>)>);

impl InFlight {
    fn push(&mut self, id: RequestId, entry: Entry) {
        debug_assert!(self.0.back().is_none_or(|&(last, _)| last < id), "ids rise");
        self.0.push_back((id, Some(entry)));
    }

    fn remove(&mut self, id: RequestId) -> Option<Entry> {
        let index = if self.0.front().is_some_and(|&(first, _)| first == id) {
            0
        } else {
            self.0.binary_search_by_key(&id, |&(id, _)| id).ok()?
        };
        let entry = self.0.get_mut(index)?.1.take();
        while self.0.front().is_some_and(|(_, entry)| entry.is_none()) {
            self.0.pop_front();
        }
        entry
    }

    fn drain(&mut self) -> impl Iterator<Item = Entry> {
        self.0.drain(..).filter_map(|(_, entry)| entry)
    }
}

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InFlight({})", self.0.len())
    }
}
