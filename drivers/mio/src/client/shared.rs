//! What a client's handles, its loop and its callback thread share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zookeeper_core::client::ConnectionState;

use super::{
    callbacks::{Callbacks, guarded},
    commands::{Bell, Commands},
    state::Status,
    watchers::{Hook, WatcherHandle},
};
use zookeeper_common::Clock;

/// What a client's handles, its loop and its callback thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bell: Arc<Bell>,
    pub(super) clock: Clock,
    pub(super) commands: Commands,
    pub(super) callbacks: Callbacks,
    pub(super) status: Status,
    pub(super) default_watcher: WatcherHandle,
    pub(super) listeners: Listeners,
}

impl Shared {
    pub(super) fn new(bell: Arc<Bell>, callbacks_max: usize) -> Self {
        Self {
            commands: Commands::new(Arc::clone(&bell)),
            callbacks: Callbacks::new(callbacks_max, Arc::clone(&bell)),
            bell,
            clock: Clock::start(),
            status: Status::new(),
            default_watcher: WatcherHandle::idle(),
            listeners: Listeners::default(),
        }
    }
}

impl Shared {
    /// The callback thread. Functions that will not be called any more are let go where they ran:
    /// one that owns a client would keep itself.
    pub(super) fn work(&self) {
        self.callbacks.work();
        self.default_watcher.release();
        self.listeners.clear();
    }
}

/// Names a function that hears of the session's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId(u64);

/// Functions that hear of the session's state.
#[derive(Default)]
pub(super) struct Listeners(Mutex<ListenerList>);

#[derive(Default)]
struct ListenerList {
    next: u64,
    hooks: Vec<(ListenerId, Arc<Hook<ConnectionState>>)>,
}

impl Listeners {
    pub(super) fn add(&self, listener: impl FnMut(ConnectionState) + Send + 'static) -> ListenerId {
        let mut list = self.lock();
        let id = ListenerId(list.next);
        list.next += 1;
        list.hooks.push((id, Arc::new(Hook::new(Box::new(listener)))));
        id
    }

    /// Whether it was there.
    pub(super) fn remove(&self, id: ListenerId) -> bool {
        let mut list = self.lock();
        let index = list.hooks.iter().position(|&(other, _)| other == id);
        let removed = index.map(|index| list.hooks.remove(index));
        drop(list);
        // What it owns may do anything when it is dropped.
        removed.is_some()
    }

    fn clear(&self) {
        for (_, hook) in std::mem::take(&mut self.lock().hooks) {
            guarded(Box::new(move || drop(hook)));
        }
    }

    /// Tells those that are there now, the oldest first.
    pub(super) fn tell(&self, state: ConnectionState) {
        let hooks: Vec<_> = self.lock().hooks.iter().map(|(_, hook)| Arc::clone(hook)).collect();
        for hook in hooks {
            guarded(Box::new(move || hook.call(state)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, ListenerList> {
        // No listener runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listeners({})", self.lock().hooks.len())
    }
}
