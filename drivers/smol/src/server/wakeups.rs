//! From the reactor's many wakers to the one task that owns all sockets.
//!
//! ```text
//! reactor --wake--> Wakeup { about } --+
//! reactor --wake--> Wakeup { about } --+--> Wakeups { queue } --wake--> the task
//! Handle  --stop-----------------------+
//! ```
//!
//! A [`Wakeup`] stands in the queue at most once, so the queue is never longer than there are
//! sockets; and the task is woken once for all that come before it looks.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use zookeeper_common::{Signal, Source};

/// What is ready, and the task that wants to know.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    queue: Vec<Arc<Wakeup>>,
    /// The task, while it sleeps.
    task: Option<Waker>,
    is_stop: bool,
    /// Nobody will ever look again.
    is_over: bool,
}

/// What a wake-up is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    /// A socket.
    Socket(Source),
    /// The timer.
    Timer,
}

/// One socket's waker.
#[derive(Debug)]
pub(crate) struct Wakeup {
    about: About,
    is_queued: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl Wakeups {
    /// A waker that tells what it is about.
    pub(crate) fn waker(self: &Arc<Self>, about: About) -> Waker {
        let is_queued = AtomicBool::new(false);
        Waker::from(Arc::new(Wakeup { about, is_queued, wakeups: Arc::clone(self) }))
    }

    /// Takes everything that is ready, in exchange for an empty queue. Whatever comes later wakes
    /// `task`. Returns whether to stop.
    pub(crate) fn take(&self, queue: &mut Vec<Arc<Wakeup>>, task: &Waker) -> bool {
        debug_assert!(queue.is_empty(), "what was taken before is forgotten");
        let (old, is_stop) = {
            let mut state = self.lock();
            mem::swap(&mut state.queue, queue);
            let is_known = state.task.as_ref().is_some_and(|known| known.will_wake(task));
            // Wakers are foreign code: none is dropped under the lock.
            let old = if is_known { None } else { state.task.replace(task.clone()) };
            (old, state.is_stop)
        };
        drop(old);
        is_stop
    }

    /// Nobody will look again: breaks the circle of queue and entries.
    pub(crate) fn end(&self) {
        let (queue, task) = {
            let mut state = self.lock();
            state.is_over = true;
            (mem::take(&mut state.queue), state.task.take())
        };
        drop((queue, task));
    }

    #[cfg(test)]
    pub(crate) fn has_any(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// Changes the state, and wakes the task.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let task = {
            let mut state = self.lock();
            if state.is_over {
                return;
            }
            change(&mut state);
            state.task.take()
        };
        // Whoever wakes may run the task at once: not under the lock.
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Nothing that panics happens under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signal for Wakeups {
    fn stop(&self) {
        self.change(|state| state.is_stop = true);
    }

    fn wake(&self) {
        self.change(|_| {});
    }
}

impl Wakeup {
    /// What it is about. From now on it can be queued again.
    pub(crate) fn accept(&self) -> About {
        self.is_queued.store(false, Ordering::SeqCst);
        self.about
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        if self.is_queued.swap(true, Ordering::SeqCst) {
            return;
        }
        let wakeups = Arc::clone(&self.wakeups);
        wakeups.change(|state| state.queue.push(self));
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Arc::clone(self).wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn many_wake_ups_wake_the_task_once_and_stand_in_the_queue_once() {
        let wakeups = Arc::new(Wakeups::default());
        let task = Arc::new(Task::default());
        let task_waker = Waker::from(Arc::clone(&task));
        let (timer, socket) = (About::Timer, About::Socket(Source::Listener(1)));
        let wakers = [timer, socket].map(|about| wakeups.waker(about));
        let mut queue = Vec::new();
        for round in 1..=3 {
            assert!(!wakeups.take(&mut queue, &task_waker));
            assert!(queue.is_empty());
            for _ in 0..5 {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
            assert_eq!(task.0.load(Ordering::SeqCst), round);
            assert!(!wakeups.take(&mut queue, &task_waker));
            let about: Vec<About> = queue.drain(..).map(|wakeup| wakeup.accept()).collect();
            assert_eq!(about, [timer, socket]);
        }
    }

    #[test]
    fn the_newest_waker_of_the_task_counts() {
        let wakeups = Arc::new(Wakeups::default());
        let tasks = [(); 2].map(|()| Arc::new(Task::default()));
        for task in &tasks {
            wakeups.take(&mut Vec::new(), &Waker::from(Arc::clone(task)));
        }
        wakeups.waker(About::Timer).wake();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }

    #[test]
    fn a_stop_wakes_and_stays() {
        let wakeups = Arc::new(Wakeups::default());
        let task = Arc::new(Task::default());
        // Before the task first looks, too.
        wakeups.stop();
        assert!(wakeups.take(&mut Vec::new(), &Waker::from(Arc::clone(&task))));
        wakeups.stop();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
        assert!(wakeups.take(&mut Vec::new(), Waker::noop()));
    }

    #[test]
    fn nothing_is_kept_after_the_end() {
        let wakeups = Arc::new(Wakeups::default());
        let waker = wakeups.waker(About::Timer);
        let late = wakeups.waker(About::Timer);
        waker.wake_by_ref();
        wakeups.end();
        late.wake_by_ref();
        drop((waker, late));
        assert_eq!(Arc::strong_count(&wakeups), 1);
    }
}
