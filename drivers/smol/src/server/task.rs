//! The server as one future.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_io::Timer;
use zookeeper_common::{EventLoop, Pause, Readiness, RunError};
use zookeeper_core::Instant;

use super::{
    poll::AsyncPoll,
    wakeups::{About, Wakeup, Wakeups},
};

/// The task that owns the machine and all sockets. A poll is one turn: what it costs is bounded,
/// and whoever runs it gets to run others in between.
#[derive(Debug)]
pub(crate) struct Task {
    event_loop: EventLoop<AsyncPoll>,
    wakeups: Arc<Wakeups>,
    /// Wake-ups of this turn; kept for its memory.
    queue: Vec<Arc<Wakeup>>,
    alarm: Alarm,
}

/// A timer that wakes the task.
#[derive(Debug)]
struct Alarm {
    timer: Timer,
    waker: Waker,
    /// When it goes off, unless it has.
    at: Option<Instant>,
}

impl Task {
    pub(crate) fn new(event_loop: EventLoop<AsyncPoll>, wakeups: Arc<Wakeups>) -> Self {
        let waker = wakeups.waker(About::Timer);
        let alarm = Alarm { timer: Timer::never(), waker, at: None };
        Self { event_loop, wakeups, queue: Vec::new(), alarm }
    }

    fn turn(&mut self, waker: &Waker) -> Result<Pause, RunError> {
        let is_stop = self.wakeups.take(&mut self.queue, waker);
        self.event_loop.begin_turn();
        if is_stop {
            self.event_loop.stop();
        }
        for wakeup in self.queue.drain(..) {
            match wakeup.accept() {
                About::Socket(source) => self.event_loop.notice(source, READY),
                About::Timer => self.alarm.at = None,
            }
        }
        self.event_loop.work();
        self.event_loop.wait()
    }
}

/// The reactor does not say for what a socket is ready: the next call on it does.
const READY: Readiness =
    Readiness { is_readable: true, is_writable: true, is_read_closed: false, is_broken: false };

impl Future for Task {
    type Output = Result<(), RunError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.turn(context.waker()) {
            Ok(Pause::None) => context.waker().wake_by_ref(),
            Ok(Pause::Until(at)) => this.alarm.set(at, &this.event_loop),
            Ok(Pause::Ever) => return Poll::Ready(Ok(())),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Pending
    }
}

impl Alarm {
    /// Goes off at `at`, or earlier: moving it costs more than a turn in which nothing is due.
    fn set(&mut self, at: Instant, event_loop: &EventLoop<AsyncPoll>) {
        if self.at.is_some_and(|set| set <= at) {
            return;
        }
        self.at = Some(at);
        self.timer.set_at(event_loop.system_time(at));
        let mut context = Context::from_waker(&self.waker);
        if Pin::new(&mut self.timer).poll(&mut context).is_ready() {
            self.waker.wake_by_ref();
        }
    }
}
