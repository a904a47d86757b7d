//! The future that does a session's work: it owns the sockets and the timer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_io::Timer;
use zookeeper_core::{
    Instant,
    client::{Action, CloseReason},
};

use super::{
    link::{Link, LinkEvent},
    resolve::{self, Lookups},
    shared::{Inner, Shared, Todo},
};

/// Bytes read at a time.
const INPUT_MAX: usize = 64 * 1024;

/// Turns before other tasks have theirs.
const TURNS_MAX: usize = 16;

/// Times in one turn that the session may move its deadline to a time that has passed.
const TIMEOUTS_MAX: usize = 16;

/// Does the work of a [`Client`](super::Client): nothing is sent or received unless it is polled.
///
/// It is ready when the session is over for good: closed, detached, expired, or refused. Dropping
/// it before closes the sockets at once and leaves the session to time out on the server; what is
/// under way fails then.
#[must_use = "a client does nothing unless its driver is polled"]
pub struct Driver {
    shared: Arc<Shared>,
    /// One for the session, and one for a probe; more only while old ones end.
    links: Vec<Link>,
    /// Where the next look for an event begins, so that no link is always first.
    first: usize,
    buffer: Box<[u8]>,
    timer: Timer,
    /// When the timer fires: at the session's deadline or before.
    armed: Option<Instant>,
    lookups: Lookups,
    todo: Todo,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            links: Vec::new(),
            first: 0,
            buffer: vec![0; INPUT_MAX].into(),
            timer: Timer::never(),
            armed: None,
            lookups: Lookups::default(),
            todo: Todo::default(),
        }
    }

    /// What happened on some link.
    fn poll_links(&mut self, cx: &mut Context<'_>) -> Option<(usize, LinkEvent)> {
        let count = self.links.len();
        for index in (self.first..count).chain(0..self.first.min(count)) {
            if let Some(event) = self.links[index].poll(cx, &mut self.buffer) {
                self.first = index + 1;
                return Some((index, event));
            }
        }
        None
    }

    /// Tells the session what happened, and does what it wants.
    fn turn(&mut self, cx: &Context<'_>, event: Option<(usize, LinkEvent)>) -> Turn {
        let shared = Arc::clone(&self.shared);
        let mut inner = shared.lock();
        let now = shared.clock.now();
        let old_waker = inner.set_driver(cx.waker());
        if let Some((index, event)) = event {
            let conn = self.links[index].conn;
            match event {
                LinkEvent::Connected(peer) => inner.session.handle_connected(now, conn, peer),
                LinkEvent::Input(count) => {
                    inner.session.handle_input(now, conn, &self.buffer[..count]);
                }
                LinkEvent::Ended(cause) => inner.session.handle_eof(now, conn, cause),
            }
        }
        let mut timeouts = 0;
        loop {
            inner.drain(now, &mut self.todo);
            self.perform();
            let mut took_some = false;
            for link in &mut self.links {
                took_some |= link.take_output(&mut inner.session);
            }
            let is_due = inner.poll_timeout().is_some_and(|deadline| deadline <= now);
            if is_due && timeouts < TIMEOUTS_MAX {
                timeouts += 1;
                inner.handle_timeout(now);
            } else if !took_some {
                break;
            }
        }
        for link in &mut self.links {
            link.set_wants_read(inner.session.wants_read(link.conn));
        }
        let deadline = inner.poll_timeout();
        let turn = Turn::of(&inner);
        drop(inner);
        drop(old_waker);
        self.todo.wakers.drain(..).for_each(std::task::Waker::wake);
        self.arm(deadline);
        turn
    }

    /// Does what the session wants done.
    fn perform(&mut self) {
        if std::mem::take(&mut self.todo.is_renewed) {
            self.links.clear();
        }
        while let Some(action) = self.todo.actions.pop_front() {
            match action {
                Action::Connect { conn, host, deadline, .. } => {
                    let deadline = self.shared.clock.system_time(deadline);
                    let attempt = resolve::connect(host, deadline, self.lookups.clone());
                    self.links.push(Link::new(conn, attempt));
                }
                Action::Transmit(conn) => {
                    if let Some(link) = self.links.iter_mut().find(|link| link.conn == conn) {
                        link.notice_output();
                    }
                }
                Action::Close(conn) => self.links.retain(|link| link.conn != conn),
                // Whether a link is read from is looked up at the end of the turn.
                _ => {}
            }
        }
    }

    /// Has the timer fire at the deadline at the latest. A later deadline does not move it, for a
    /// busy session moves its deadlines with every request.
    fn arm(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            self.timer.set_at(self.shared.clock.system_time(deadline));
        }
    }
}

/// How a turn ended.
#[derive(Debug)]
enum Turn {
    /// The session goes on.
    Alive,
    /// It is over.
    Over(CloseReason),
}

impl Turn {
    fn of(inner: &Inner) -> Self {
        inner.close_reason().map_or(Self::Alive, Self::Over)
    }
}

impl Future for Driver {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = &mut *self;
        for turn in 0..TURNS_MAX {
            let event = this.poll_links(cx);
            let has_fired = Pin::new(&mut this.timer).poll(cx).is_ready();
            if has_fired {
                this.armed = None;
            }
            let has_room = this.links.iter().any(Link::has_room);
            if turn > 0 && event.is_none() && !has_fired && !has_room {
                return Poll::Pending;
            }
            if let Turn::Over(reason) = this.turn(cx, event) {
                this.links.clear();
                return Poll::Ready(reason);
            }
            for link in &mut this.links {
                link.flush(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.links.clear();
        let mut todo = Todo::default();
        self.shared.command(|inner, now| inner.abandon(now, &mut todo));
        todo.wakers.drain(..).for_each(std::task::Waker::wake);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("shared", &self.shared)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}
