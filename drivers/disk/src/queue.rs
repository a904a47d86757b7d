//! The two ways between a server's loop and a lane's thread.

use std::{
    collections::VecDeque,
    fmt, mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use zookeeper_core::{Ticket, storage::FileOp};

use crate::lanes::Done;

/// Operations on their way to a lane. The core bounds how many there are.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    operations: VecDeque<(Ticket, FileOp)>,
    /// Whether the lane sleeps. Waking it costs a system call, so it is done only then.
    is_waiting: bool,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn push(&self, operations: impl IntoIterator<Item = (Ticket, FileOp)>) {
        self.change(|state| state.operations.extend(operations));
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    /// Takes everything that is queued, in exchange for an empty batch; waits until there is
    /// something. False is the end.
    pub(crate) fn take(&self, batch: &mut VecDeque<(Ticket, FileOp)>) -> bool {
        debug_assert!(batch.is_empty(), "what was taken before is forgotten");
        let mut state = lock(&self.state);
        loop {
            if !state.operations.is_empty() {
                mem::swap(&mut state.operations, batch);
                return true;
            }
            if state.is_closed {
                return false;
            }
            state.is_waiting = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let is_waiting = mem::take(&mut state.is_waiting);
        drop(state);
        if is_waiting {
            self.changed.notify_one();
        }
    }
}

/// What is done, on its way to the server's loop.
pub(crate) struct Completions {
    list: Mutex<VecDeque<Done>>,
    /// Whether the list has something: what the loop looks at in every turn.
    has_any: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Completions {
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (list, has_any) = (Mutex::default(), AtomicBool::new(false));
        Self { list, has_any, wake: Box::new(wake) }
    }

    /// Adds what is done, and wakes the loop unless it was woken for what came before.
    pub(crate) fn push(&self, done: Done) {
        let mut list = lock(&self.list);
        list.push_back(done);
        let is_woken = self.has_any.swap(true, Ordering::Release);
        drop(list);
        if !is_woken {
            (self.wake)();
        }
    }

    pub(crate) fn pop(&self) -> Option<Done> {
        if !self.has_any.load(Ordering::Acquire) {
            return None;
        }
        let mut list = lock(&self.list);
        let done = list.pop_front();
        self.has_any.store(!list.is_empty(), Ordering::Release);
        done
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("list", &self.list).finish_non_exhaustive()
    }
}

/// Nothing that panics happens under a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
