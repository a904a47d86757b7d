//! The thread's loop: waits, and lets the shared loop work.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use mio::{Events, Waker};
use zookeeper_common::{EventLoop, Pause, RunError, Signal};

use crate::{
    poll::{MioPoll, readiness},
    token::Token,
};

/// Events taken from the system at a time.
const EVENTS_MAX: usize = 1_024;

/// What other threads tell the loop.
#[derive(Debug)]
pub(crate) struct Signals {
    waker: Waker,
    stop: AtomicBool,
}

impl Signals {
    pub(crate) const fn new(waker: Waker) -> Self {
        Self { waker, stop: AtomicBool::new(false) }
    }
}

impl Signal for Signals {
    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the server");
        }
    }
}

/// Runs until the server has stopped.
pub(crate) fn run(mut event_loop: EventLoop<MioPoll>, signals: &Signals) -> Result<(), RunError> {
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut first = 0;
    loop {
        let timeout = match event_loop.wait()? {
            Pause::None => Duration::ZERO,
            Pause::Until(at) => event_loop.duration_until(at),
            Pause::Ever => return Ok(()),
        };
        match event_loop.poll_mut().wait(&mut events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            Err(error) => return Err(RunError::Poll(error)),
        }
        event_loop.begin_turn();
        if signals.stop.load(Ordering::Acquire) {
            event_loop.stop();
        }
        // Nobody's event is always the first.
        first += 1;
        let start = first % events.iter().count().max(1);
        for event in events.iter().skip(start).chain(events.iter().take(start)) {
            if let Token::Socket(source) = Token::of(event.token()) {
                event_loop.notice(source, readiness(event));
            }
        }
        event_loop.work();
    }
}
