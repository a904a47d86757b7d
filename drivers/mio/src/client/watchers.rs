//! Watchers: what they are told, and who they are.
//!
//! Behaviour: `org.apache.zookeeper.Watcher`, `WatchedEvent`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zookeeper_core::client::{Chroot, KeeperState, WatchEvent, WatchedEvent, WatcherId};

use super::callbacks::guarded;

/// What a [`Watcher`] is told.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WatchUpdate {
    /// A watched znode changed, or a watch was removed.
    Event(WatchedEvent),
    /// The server is lost for now, and changes are not told. What comes next is either
    /// [`WatchUpdate::Restored`], with or without changes before it, or [`WatchUpdate::Lost`].
    Suspended,
    /// The watches are set again. One-shot watches have missed nothing; persistent ones may have:
    /// read again what depends on them.
    Restored,
    /// Watches will not fire: the session is over, or they could not be set again. This is the
    /// last update, unless the watcher has watches that could, or is used again.
    Lost,
    /// The session's state changed. Only the [default watcher](super::Client::register) is told
    /// so, and it is told of neither [`WatchUpdate::Suspended`] nor the session's end otherwise.
    State(KeeperState),
}

/// Somebody who watches: a function of one argument, or a type of one's own.
///
/// It runs on the client's callback thread, one call at a time, in the session's order. What it
/// throws is logged, and ends nothing.
pub trait Watcher: Send + 'static {
    /// Something happened.
    fn update(&mut self, update: WatchUpdate);
}

impl<F: FnMut(WatchUpdate) + Send + 'static> Watcher for F {
    fn update(&mut self, update: WatchUpdate) {
        self(update);
    }
}

/// A watcher with an identity: it may watch many znodes, and one by several watches, and is told of
/// each change once. Clones are the same watcher.
///
/// A function that is given where a handle is wanted becomes a watcher of its own.
#[derive(Clone)]
pub struct WatcherHandle(Arc<Hook<WatchUpdate>>);

impl WatcherHandle {
    /// A watcher that watches nothing yet.
    pub fn new(mut watcher: impl Watcher) -> Self {
        Self(Arc::new(Hook::new(Box::new(move |update| watcher.update(update)))))
    }

    /// One that does nothing until it is [replaced](Self::replace).
    pub(super) fn idle() -> Self {
        Self(Arc::new(Hook::new(Box::new(|_| ()))))
    }

    pub(super) fn replace(&self, mut watcher: impl Watcher) {
        self.0.replace(Box::new(move |update| watcher.update(update)));
    }

    /// Lets go of what the function owns.
    pub(super) fn release(&self) {
        let hook = Arc::clone(&self.0);
        guarded(Box::new(move || hook.replace(Box::new(|_| ()))));
    }

    pub(super) fn tell(&self, update: WatchUpdate) {
        self.0.call(update);
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<W: Watcher> From<W> for WatcherHandle {
    fn from(watcher: W) -> Self {
        Self::new(watcher)
    }
}

impl fmt::Debug for WatcherHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatcherHandle({:#x})", self.address())
    }
}

type Function<T> = Box<dyn FnMut(T) + Send>;

/// A function that may be replaced while it runs.
pub(super) struct Hook<T>(Mutex<HookState<T>>);

struct HookState<T> {
    /// None while it runs.
    function: Option<Function<T>>,
    generation: u64,
}

impl<T> Hook<T> {
    pub(super) const fn new(function: Function<T>) -> Self {
        Self(Mutex::new(HookState { function: Some(function), generation: 0 }))
    }

    pub(super) fn call(&self, value: T) {
        let mut state = self.lock();
        let generation = state.generation;
        let Some(function) = state.function.take() else { return };
        drop(state);
        // Puts it back even if it panics.
        let mut running = Running { hook: self, function: Some(function), generation };
        if let Some(function) = &mut running.function {
            function(value);
        }
    }

    fn replace(&self, function: Function<T>) {
        let mut state = self.lock();
        state.generation += 1;
        let old = state.function.replace(function);
        drop(state);
        // What it owns may do anything when it is dropped.
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, HookState<T>> {
        // No function runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Running<'a, T> {
    hook: &'a Hook<T>,
    function: Option<Function<T>>,
    generation: u64,
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        let mut state = self.hook.lock();
        if state.generation == self.generation {
            state.function = self.function.take();
        }
    }
}

/// A watcher and the root that its paths are below: together the identity that the session knows.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) watcher: WatcherHandle,
    pub(super) chroot: Chroot,
}

impl Target {
    /// What the watcher is told of an event.
    pub(super) fn update(&self, event: &WatchEvent<'_>) -> WatchUpdate {
        WatchUpdate::Event(WatchedEvent::new(event, &self.chroot))
    }
}

/// The session's names of watchers: of those that watch something, or are about to.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    targets: HashMap<WatcherId, Entry>,
    ids: HashMap<(usize, Chroot), WatcherId>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    /// Requests under way that may set a watch.
    pending: usize,
}

impl Watchers {
    /// The name of a watcher that is about to watch; `new_name` gives one to a newcomer.
    pub(super) fn begin(
        &mut self,
        target: Target,
        new_name: impl FnOnce() -> WatcherId,
    ) -> WatcherId {
        let key = (target.watcher.address(), target.chroot.clone());
        let id = *self.ids.entry(key).or_insert_with(new_name);
        self.targets.entry(id).or_insert_with(|| Entry { target, pending: 0 }).pending += 1;
        id
    }

    /// The request that a watcher waited for is over.
    pub(super) fn finish(&mut self, id: WatcherId) {
        if let Some(entry) = self.targets.get_mut(&id) {
            entry.pending -= 1;
        }
    }

    /// The name of a watcher, if it has one.
    pub(super) fn id(&self, target: &Target) -> Option<WatcherId> {
        self.ids.get(&(target.watcher.address(), target.chroot.clone())).copied()
    }

    pub(super) fn target(&self, id: WatcherId) -> Option<&Target> {
        Some(&self.targets.get(&id)?.target)
    }

    /// Forgets a watcher that watches nothing and is not about to. It is handed back, because what
    /// it owns is the application's.
    pub(super) fn forget(&mut self, id: WatcherId) -> Option<Target> {
        if self.targets.get(&id)?.pending > 0 {
            return None;
        }
        let target = self.targets.remove(&id)?.target;
        self.ids.remove(&(target.watcher.address(), target.chroot.clone()));
        Some(target)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) -> Vec<Target> {
        self.ids.clear();
        self.targets.drain().map(|(_, entry)| entry.target).collect()
    }
}
