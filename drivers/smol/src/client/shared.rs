//! What clients, calls, watches and the driver share: the session behind one lock.
//!
//! The lock is held for one command, or for one turn of the driver: never across a system call
//! on a socket, and never while a waker is woken or dropped, which may run anything.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tracing::{debug, info, warn};
use zookeeper_common::Clock;
use zookeeper_core::{
    Instant, Rng,
    client::{
        Action, Chroot, CloseReason, ConnectionState, Error, Event, HostPort, KeeperState,
        Operation, Purpose, RequestError, RequestId, Session, SubmitError, SubmitOptions,
        WatcherId, operation::RemoveWatches,
    },
    wire::{self, AddWatchMode, Response, WatcherType},
};

use super::{
    call::{Call, Slot},
    requests::{Request, Requests},
    state::States,
    watch::{Watch, WatchCell, WatchUpdate},
};

/// The session and everybody who waits for it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    settings: Settings,
    inner: Mutex<Inner>,
}

/// What the driver is told beside the session's own configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Updates of one watch that wait for a reader.
    pub(crate) watch_updates_max: usize,
    /// How long closing may take.
    pub(crate) close_timeout: Duration,
}

pub(crate) struct Inner {
    pub(crate) session: Session,
    requests: Requests,
    watches: HashMap<WatcherId, Arc<WatchCell>>,
    /// A watch that was forgotten before it was set, as it is now.
    forgotten: Option<(WatcherId, Arc<WatchCell>)>,
    pub(crate) states: States,
    /// The driver's, while it does not know of anything to do.
    driver: Option<Waker>,
    close_deadline: Option<Instant>,
    /// Closing took too long.
    is_overdue: bool,
    /// The session panicked, and is not to be touched again.
    is_broken: bool,
    close_reason: Option<CloseReason>,
    /// Seeds the sessions that follow one that has expired, if any are to.
    renewal: Option<Rng>,
}

/// What is left to do when the lock is not held any more.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    pub(crate) actions: VecDeque<Action>,
    pub(crate) wakers: Vec<Waker>,
    /// There is a new session: connections of the old one mean nothing.
    pub(crate) is_renewed: bool,
}

impl Shared {
    pub(crate) fn new(
        clock: Clock,
        session: Session,
        renewal: Option<Rng>,
        settings: Settings,
    ) -> Arc<Self> {
        let inner = Inner {
            session,
            requests: Requests::default(),
            watches: HashMap::new(),
            forgotten: None,
            states: States::new(),
            driver: None,
            close_deadline: None,
            is_overdue: false,
            is_broken: false,
            close_reason: None,
            renewal,
        };
        Arc::new(Self { clock, settings, inner: Mutex::new(inner) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock is a bug in the session, which the next command meets again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command, and wakes the driver if it does not know of something to do already.
    pub(crate) fn command<R>(&self, run: impl FnOnce(&mut Inner, Instant) -> R) -> R {
        let (result, driver) = {
            let mut inner = self.lock();
            let now = self.clock.now();
            let result = run(&mut inner, now);
            (result, inner.driver.take())
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Submits an operation.
    pub(crate) fn submit<O: Operation>(
        &self,
        operation: &O,
        chroot: &Chroot,
        timeout: Option<Duration>,
    ) -> Call<O::Output> {
        if let Some(output) = operation.without_request() {
            return Call::settled(Ok(output));
        }
        let slot = Slot::new(O::output, chroot.clone());
        let submitted = operation.with_request(chroot, |request| {
            let options = options(None, timeout);
            self.command(|inner, now| {
                let id = inner.open_session()?.submit(now, request, options)?;
                inner.requests.insert(id, Request { slot: slot.clone(), watch: None });
                Ok::<(), SubmitError>(())
            })
        });
        match submitted {
            Ok(Ok(())) => Call::submitted(slot),
            Ok(Err(error)) => Call::refused(error),
            Err(error) => Call::refused(error),
        }
    }

    /// Submits an operation that sets a watch.
    pub(crate) fn submit_watch<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
        chroot: &Chroot,
        timeout: Option<Duration>,
    ) -> (Call<O::Output>, Option<Watch>) {
        let slot = Slot::new(O::output, chroot.clone());
        let submitted = operation.with_request(chroot, |request| {
            let (path, kind) =
                watched(request).ok_or_else(|| SubmitError::NotWatchable(request.op()))?;
            let max = self.settings.watch_updates_max;
            let cell = WatchCell::new(path, kind, chroot.clone(), max);
            self.command(|inner, now| {
                let session = inner.open_session()?;
                let watcher = session.new_watcher();
                let id = session.submit(now, request, options(Some(watcher), timeout))?;
                let watch = Some((watcher, Arc::clone(&cell)));
                inner.requests.insert(id, Request { slot: slot.clone(), watch });
                inner.watches.insert(watcher, Arc::clone(&cell));
                Ok::<_, SubmitError>(Watch::new(Arc::clone(self), cell, watcher))
            })
        });
        match submitted {
            Ok(Ok(watch)) => (Call::submitted(slot), Some(watch)),
            Ok(Err(error)) => (Call::refused(error), None),
            Err(error) => (Call::refused(error), None),
        }
    }

    /// Takes on an identity.
    pub(crate) fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Call<()> {
        self.submit_other(|inner, now| {
            Ok(inner.open_session()?.add_auth(now, scheme, credentials)?)
        })
    }

    /// Replaces the list of servers, which is not empty. Whether the session moves at once.
    pub(crate) fn update_hosts(&self, hosts: Vec<HostPort>) -> bool {
        self.command(|inner, now| {
            inner.open_session().is_ok_and(|session| session.update_hosts(now, hosts))
        })
    }

    /// Removes everybody's watches of a path that the server knows.
    pub(crate) fn remove_watches(&self, path: &str, kind: WatcherType, local: bool) -> Call<()> {
        self.submit_other(|inner, now| {
            Ok(inner.open_session()?.remove_watches(now, path, None, kind, local)?)
        })
    }

    /// Removes one watch. Nothing more is told by it.
    pub(crate) fn remove_watch(&self, cell: &Arc<WatchCell>, id: WatcherId) -> Call<()> {
        self.submit_other(|inner, now| {
            if !inner.forget(cell, id) {
                return Err(RequestError::NoWatcher.into());
            }
            let session = inner.open_session()?;
            let removal = session.remove_watches(now, &cell.path, Some(id), cell.kind, true);
            if removal.is_err() {
                // It is gone all the same.
                session.forget_watch(now, &cell.path, id, cell.kind);
            }
            Ok(removal?)
        })
    }

    /// Forgets a watch that nobody reads any more.
    pub(crate) fn forget_watch(&self, cell: &Arc<WatchCell>, id: WatcherId) {
        self.command(|inner, now| {
            if inner.forget(cell, id) {
                inner.session.forget_watch(now, &cell.path, id, cell.kind);
            }
        });
    }

    /// Ends the session, gracefully while time allows.
    pub(crate) fn close(&self) {
        let timeout = self.settings.close_timeout;
        self.command(|inner, now| {
            inner.renewal = None;
            if let Ok(session) = inner.open_session() {
                session.close(now);
                inner.close_deadline.get_or_insert(now + timeout);
            }
        });
    }

    fn submit_other(
        &self,
        submit: impl FnOnce(&mut Inner, Instant) -> Result<RequestId, Error>,
    ) -> Call<()> {
        let slot = Slot::new(without_record, Chroot::none());
        let submitted = self.command(|inner, now| {
            let id = submit(inner, now)?;
            inner.requests.insert(id, Request { slot: slot.clone(), watch: None });
            Ok(())
        });
        match submitted {
            Ok(()) => Call::submitted(slot),
            Err(error) => Call::settled(Err(error)),
        }
    }
}

/// What a reply to `addAuth` and to the removal of watches means.
fn without_record(_: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
    RemoveWatches::output(result)
}

fn options(watcher: Option<WatcherId>, timeout: Option<Duration>) -> SubmitOptions {
    SubmitOptions { watcher, timeout }
}

/// The path that a request watches, and how.
fn watched(request: &wire::Request<'_>) -> Option<(Box<str>, WatcherType)> {
    use wire::Request as R;
    let (path, kind) = match request {
        R::GetData(read) | R::Exists(read) => (read.path, WatcherType::Data),
        R::GetChildren(read) | R::GetChildren2(read) => (read.path, WatcherType::Children),
        R::AddWatch(watch) => match AddWatchMode::from_code(watch.mode)? {
            AddWatchMode::Persistent => (watch.path, WatcherType::Persistent),
            AddWatchMode::PersistentRecursive => (watch.path, WatcherType::PersistentRecursive),
        },
        _ => return None,
    };
    Some((path?.to_str().ok()?.into(), kind))
}

impl Inner {
    /// Why the session ended for good, if it did.
    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason.clone()
    }

    /// When the driver has to do something of itself.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.session.poll_timeout(), self.close_deadline].into_iter().flatten().min()
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.close_deadline.is_some_and(|deadline| deadline <= now) {
            self.close_deadline = None;
            self.is_overdue = true;
            self.detach(now);
        } else {
            self.session.handle_timeout(now);
        }
    }

    /// Ends here, but not on the server. There will be no new session.
    pub(crate) fn detach(&mut self, now: Instant) {
        self.renewal = None;
        if let Ok(session) = self.open_session() {
            session.detach(now);
        }
    }

    /// Nobody does the session's work any more.
    pub(crate) fn abandon(&mut self, now: Instant, todo: &mut Todo) {
        self.renewal = None;
        // A driver that is dropped because the session panicked must not panic again.
        self.is_broken = std::thread::panicking();
        if !self.is_broken {
            self.detach(now);
            self.drain(now, todo);
        }
        self.end(now, CloseReason::Detached, todo);
    }

    /// The session, if it takes requests at all.
    fn open_session(&mut self) -> Result<&mut Session, SubmitError> {
        if self.is_broken { Err(SubmitError::Closed) } else { Ok(&mut self.session) }
    }

    /// Has the driver woken by the next command. The waker before is handed back, to be dropped
    /// when the lock is not held.
    pub(crate) fn set_driver(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.driver {
            Some(driver) if driver.will_wake(waker) => None,
            _ => self.driver.replace(waker.clone()),
        }
    }

    /// Passes on what the session tells, and collects what it wants done.
    pub(crate) fn drain(&mut self, now: Instant, todo: &mut Todo) {
        loop {
            let mut is_idle = true;
            while let Some(closed) = self.pass_event(todo) {
                is_idle = false;
                if let Some((id, cell)) = self.forgotten.take() {
                    self.session.forget_watch(now, &cell.path, id, cell.kind);
                }
                if let Some(reason) = closed {
                    self.end(now, reason, todo);
                }
            }
            while let Some(action) = self.session.poll_action() {
                is_idle = false;
                todo.actions.push_back(action);
            }
            if is_idle {
                return;
            }
        }
    }

    /// Passes on the session's next event; `None` if there is none. The reason is that of the last
    /// one.
    fn pass_event(&mut self, todo: &mut Todo) -> Option<Option<CloseReason>> {
        match self.session.poll_event()? {
            Event::Reply { id, result } => {
                if let Some(Request { slot, watch }) = self.requests.remove(id) {
                    todo.wakers.extend(slot.complete(result.map(|reply| reply.response)));
                    // Only now is there a watch to forget.
                    self.forgotten = watch.filter(|(id, _)| !self.watches.contains_key(id));
                }
            }
            Event::Watch { watchers, event } => {
                for watcher in watchers {
                    if let Entry::Occupied(entry) = self.watches.entry(watcher)
                        && entry.get().tell(&event, &mut todo.wakers)
                    {
                        entry.remove();
                    }
                }
            }
            Event::StateChanged { state, watchers } => {
                debug!(?state, "session");
                if let Some(state) = ConnectionState::of(state) {
                    self.states.change(state, &mut todo.wakers);
                }
                if state == KeeperState::Disconnected {
                    self.tell_state(&watchers, &WatchUpdate::Suspended, todo);
                }
            }
            Event::WatchesRestored { watchers } => {
                self.tell_state(&watchers, &WatchUpdate::Restored, todo);
            }
            Event::WatchesLost { watchers } => {
                for watcher in watchers {
                    if let Some(cell) = self.watches.remove(&watcher) {
                        cell.lose(&mut todo.wakers);
                    }
                }
            }
            Event::ConnectionClosed { conn, host, purpose, reason } => match purpose {
                Purpose::Session => info!(%conn, %host, %reason, "connection closed"),
                Purpose::Probe => debug!(%conn, %host, %reason, "probe ended"),
            },
            Event::Warning(warning) => warn!(%warning, "odd server"),
            Event::Closed(reason) => return Some(Some(reason)),
            // Events are added as the session grows.
            other => debug!(event = ?other),
        }
        Some(None)
    }

    fn tell_state(&self, watchers: &[WatcherId], update: &WatchUpdate, todo: &mut Todo) {
        for cell in watchers.iter().filter_map(|watcher| self.watches.get(watcher)) {
            cell.tell_state(update.clone(), &mut todo.wakers);
        }
    }

    /// The session is over. Either there is a new one now, or never again.
    pub(crate) fn end(&mut self, now: Instant, reason: CloseReason, todo: &mut Todo) {
        if self.close_reason.is_some() {
            return;
        }
        info!(%reason, session = %self.session.session_id(), "session ended");
        // The session has completed all of them; nobody is to wait for ever if it had not.
        for Request { slot, .. } in self.requests.drain() {
            let failure = RequestError::SessionExpired { maybe_executed: true };
            todo.wakers.extend(slot.complete(Err(failure)));
        }
        for (_, cell) in self.watches.drain() {
            cell.lose(&mut todo.wakers);
        }
        self.states.change(ConnectionState::Lost, &mut todo.wakers);
        match &mut self.renewal {
            Some(seeds) if reason.is_expiry() => {
                self.session = self.session.successor(now, seeds.next_u64());
                todo.actions.clear();
                todo.is_renewed = true;
            }
            _ => {
                // A close that took too long was given up by detaching.
                let given_up = CloseReason::Closed { confirmed: false };
                self.close_reason = Some(if self.is_overdue { given_up } else { reason });
                self.states.wake(&mut todo.wakers);
            }
        }
    }

    /// Whether this was a watch of the present session, which is forgotten now.
    fn forget(&mut self, cell: &Arc<WatchCell>, id: WatcherId) -> bool {
        match self.watches.entry(id) {
            Entry::Occupied(entry) if Arc::ptr_eq(entry.get(), cell) => {
                entry.remove();
                true
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("session", &self.session.session_id())
            .field("state", &self.states.current())
            .field("requests", &self.requests.len())
            .field("watches", &self.watches.len())
            .finish_non_exhaustive()
    }
}
