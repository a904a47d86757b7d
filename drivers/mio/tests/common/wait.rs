//! Waiting for what happens elsewhere: until it does, or a test fails.

use std::{
    fmt::Debug,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use super::DEADLINE;

/// Waits for something that nobody announces.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// What callbacks say, in their order.
pub(crate) struct Heard<T>(Receiver<T>);

/// A channel to hear callbacks by.
pub(crate) fn listen<T>() -> (Sender<T>, Heard<T>) {
    let (sender, receiver) = mpsc::channel();
    (sender, Heard(receiver))
}

/// Says something to whoever still listens.
pub(crate) fn say<T>(said: &Sender<T>, what: T) {
    // A test that is over does not listen.
    let _ = said.send(what);
}

impl<T: Debug> Heard<T> {
    /// The next that is said.
    pub(crate) fn next(&self) -> T {
        self.0.recv_timeout(DEADLINE).expect("something is said")
    }

    /// Waits until this is said; whatever comes before is dropped.
    pub(crate) fn skip_to(&self, wanted: &T)
    where
        T: PartialEq,
    {
        while self.next() != *wanted {}
    }

    /// Nothing more is said, and nobody is left to say anything.
    pub(crate) fn end(&self) {
        match self.0.recv_timeout(DEADLINE) {
            Err(RecvTimeoutError::Disconnected) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Waits until nobody is left to say anything.
    pub(crate) fn rest(&self) {
        loop {
            match self.0.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("somebody is left"),
            }
        }
    }

    /// What was said so far.
    pub(crate) fn so_far(&self) -> Vec<T> {
        self.0.try_iter().collect()
    }
}

/// A gate that holds callbacks up until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().expect("no panic").0 = true;
        self.0.1.notify_all();
    }

    /// Passes once the gate is open.
    pub(crate) fn pass(&self) {
        let mut state = self.0.0.lock().expect("no panic");
        state.1 += 1;
        self.0.1.notify_all();
        while !state.0 {
            let (next, timeout) = self.0.1.wait_timeout(state, DEADLINE).expect("no panic");
            assert!(!timeout.timed_out(), "nobody opens the gate");
            state = next;
        }
    }

    /// Waits until so many stand before the gate, or have passed it.
    pub(crate) fn wait_for(&self, count: usize) {
        let state = self.0.0.lock().expect("no panic");
        let wait = self.0.1.wait_timeout_while(state, DEADLINE, |state| state.1 < count);
        assert!(!wait.expect("no panic").1.timed_out(), "nobody comes to the gate");
    }
}
