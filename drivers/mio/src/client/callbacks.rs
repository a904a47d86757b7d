//! The one thread that runs an application's callbacks, and the queue before it.
//!
//! ```text
//!   loop ──► [ notice, completion, state, … ] ──► callback thread ──► watchers, callbacks
//!            full: the loop stops polling events of the session, which stops reading
//! ```
//!
//! While a callback itself waits for an answer the bound is lifted, since the answer stands behind
//! everything that came before it.
//!
//! Behaviour: `org.apache.zookeeper.ClientCnxn.EventThread`.

use std::{
    collections::VecDeque,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::Instant,
};

use tracing::error;

use super::commands::Bell;

/// Something to run on the callback thread.
pub(super) type Callback = Box<dyn FnOnce() + Send>;

/// The queue before the callback thread.
#[derive(Debug)]
pub(super) struct Callbacks {
    state: Mutex<State>,
    arrived: Condvar,
    ended: Condvar,
    max: usize,
    thread: OnceLock<ThreadId>,
    bell: Arc<Bell>,
    /// The loop waits for room.
    is_gated: AtomicBool,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Callback>,
    /// Callbacks that wait for an answer: one, or none.
    waiting: usize,
    /// Nothing comes any more.
    is_closed: bool,
    /// The thread has run everything.
    is_over: bool,
}

impl Callbacks {
    pub(super) fn new(max: usize, bell: Arc<Bell>) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            ended: Condvar::new(),
            max: max.max(1),
            thread: OnceLock::new(),
            bell,
            is_gated: AtomicBool::new(false),
        }
    }

    /// Hands over what the loop has collected; whether there is room for more. If not, the bell is
    /// rung when there is.
    pub(super) fn append(&self, callbacks: &mut Vec<Callback>) -> bool {
        let mut state = self.lock();
        if !callbacks.is_empty() {
            state.queue.extend(callbacks.drain(..));
            self.arrived.notify_one();
        }
        let has_room = state.waiting > 0 || state.queue.len() < self.max;
        self.is_gated.store(!has_room, Ordering::Relaxed);
        has_room
    }

    /// Runs it behind what is there; here and now if the thread has run its last.
    pub(super) fn run(&self, callback: Callback) {
        let mut state = self.lock();
        if state.is_over {
            drop(state);
            guarded(callback);
        } else {
            state.queue.push_back(callback);
            self.arrived.notify_one();
        }
    }

    /// Nothing comes any more: the thread ends when it has run everything.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Whether this is the callback thread.
    pub(super) fn is_current(&self) -> bool {
        self.thread.get().is_some_and(|&thread| thread == thread::current().id())
    }

    /// To be held by a callback while it waits for an answer; `None` on other threads.
    pub(super) fn lift(&self) -> Option<Lifted<'_>> {
        if !self.is_current() {
            return None;
        }
        self.lock().waiting += 1;
        self.open_gate();
        Some(Lifted(self))
    }

    /// Waits until the thread has run everything; whether it has before the time is up.
    pub(super) fn wait(&self, until: Instant) -> bool {
        let mut state = self.lock();
        while !state.is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The thread.
    pub(super) fn work(&self) {
        self.thread.get_or_init(|| thread::current().id());
        while let Some(callback) = self.next() {
            guarded(callback);
        }
        self.ended.notify_all();
    }

    fn next(&self) -> Option<Callback> {
        let mut state = self.lock();
        loop {
            if let Some(callback) = state.queue.pop_front() {
                let has_room = state.queue.len() <= self.max / 2;
                drop(state);
                if has_room {
                    self.open_gate();
                }
                return Some(callback);
            }
            if state.is_closed {
                // From here on nothing is queued that nobody would run.
                state.is_over = true;
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open_gate(&self) {
        if self.is_gated.swap(false, Ordering::Relaxed) {
            self.bell.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No callback runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds the bound up.
#[derive(Debug)]
pub(super) struct Lifted<'a>(&'a Callbacks);

impl Drop for Lifted<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

/// Runs a callback. What it throws ends here.
pub(super) fn guarded(callback: Callback) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(callback)) {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        error!(message, "a callback panicked");
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("queue", &self.queue.len())
            .field("waiting", &self.waiting)
            .field("is_closed", &self.is_closed)
            .field("is_over", &self.is_over)
            .finish()
    }
}
