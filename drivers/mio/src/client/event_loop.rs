//! The loop that drives a client's session, on a thread of its own.
//!
//! A turn is: wait; read; tell what happened; take what callers want; write all of it at once.

use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};
use tracing::{error, info};
use zookeeper_core::{
    Rng,
    client::{
        CloseReason, Config, ConnectionState, Credentials, RequestError, SubmitError,
        SubmitOptions, WatcherId,
    },
    wire::{Reader, Request, Response},
};

use super::{
    commands::{Command, Ending, Work},
    delivery::Delivery,
    resolver::Resolver,
    shared::Shared,
    steppable::{Steppable, Tokens},
    watchers::Target,
};

const TOKENS: Tokens = Tokens { session: Token(1), probe: Token(2) };
/// The token of the bell.
pub(super) const BELL: Token = Token(0);
/// Events taken from the system at a time: three tokens, and room for surprises.
const EVENTS_MAX: usize = 16;
/// Rounds of telling and sending before the sockets are looked at again.
const ROUNDS_MAX: usize = 8;
/// Reads allowed each time that something is due, while the callback queue is full: enough for the
/// longest reply of a usual server, and for the answer to a ping behind it.
const READS_WHILE_FULL: usize = 32;

/// How the loop is to behave, beyond the session's own settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How long the server may take to confirm the end of the session.
    pub(super) close_timeout: Duration,
    /// Whether an expired session is followed by a new one.
    pub(super) renews: bool,
}

#[derive(Debug)]
pub(super) struct EventLoop {
    poll: Poll,
    steppable: Steppable,
    delivery: Delivery,
    shared: Arc<Shared>,
    resolver: Resolver,
    settings: Settings,
    /// Seeds the sessions that follow the first.
    rng: Rng,
    /// Whether the callback thread keeps up.
    has_room: bool,
    reads_left: usize,
    ending: Option<Ending>,
    /// When the server is not waited for any more.
    end_by: Option<Instant>,
    /// Kept to be used again.
    batch: Vec<Command>,
}

impl EventLoop {
    pub(super) fn new(
        poll: Poll,
        shared: Arc<Shared>,
        resolver: Resolver,
        settings: Settings,
        config: Arc<Config>,
        credentials: Option<Credentials>,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(seed);
        let seed = rng.next_u64();
        let steppable = match credentials {
            Some(credentials) => Steppable::resume(config, TOKENS, seed, credentials),
            None => Steppable::new(config, TOKENS, seed),
        };
        shared.status.update(steppable.session(), ConnectionState::Suspended);
        Self {
            poll,
            steppable,
            delivery: Delivery::new(Arc::clone(&shared)),
            shared,
            resolver,
            settings,
            rng,
            has_room: true,
            reads_left: 0,
            ending: None,
            end_by: None,
            batch: Vec::new(),
        }
    }

    /// Runs until the session is over.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.work();
            if self.delivery.closed.is_some() && !self.renew() {
                return;
            }
            let timeout = self.fall_asleep();
            let result = self.poll.poll(&mut events, timeout);
            self.shared.bell.wake_up();
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                Err(error) => {
                    error!(%error, "cannot wait for events");
                    self.steppable.detach();
                    self.deliver();
                    return;
                }
            }
            for event in &events {
                self.steppable.handle_event(event);
            }
            for (conn, addresses) in self.resolver.answers() {
                self.steppable.handle_resolved(conn, addresses);
            }
            self.receive();
        }
    }

    /// Tells and sends until there is nothing more to do, or the sockets have waited long enough.
    fn work(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.deliver();
            self.take_commands();
            self.steppable.send(self.poll.registry());
            while let Some(wanted) = self.steppable.poll_resolve() {
                if let Some((conn, addresses)) = self.resolver.resolve(wanted) {
                    self.steppable.handle_resolved(conn, addresses);
                }
            }
            if !self.steppable.is_pending() || self.delivery.closed.is_some() {
                return;
            }
        }
    }

    /// Whatever is left undone between this and the waiting wakes the loop. Returns how long it may
    /// sleep.
    fn fall_asleep(&mut self) -> Option<Duration> {
        self.shared.bell.fall_asleep();
        let is_told_to_end = self.shared.commands.ending() > self.ending;
        self.has_room = self.flush();
        let is_news = is_told_to_end
            || self.resolver.has_answers()
            || (self.has_room && !self.shared.commands.is_empty());
        if is_news {
            return Some(Duration::ZERO);
        }
        let end = self.end_by.map(|at| at.saturating_duration_since(Instant::now()));
        self.set_reading();
        [self.steppable.timeout(), end].into_iter().flatten().min()
    }

    fn receive(&mut self) {
        if !self.has_room && self.steppable.is_due() {
            self.reads_left = READS_WHILE_FULL;
        }
        self.set_reading();
        self.reads_left = self.reads_left.saturating_sub(1);
        self.steppable.receive(self.poll.registry());
    }

    /// While the callback thread does not keep up only so much is read as keeps the session alive.
    fn set_reading(&mut self) {
        self.steppable.set_reading(self.has_room || self.reads_left > 0);
    }

    /// Tells everything that happened to those it concerns.
    fn deliver(&mut self) {
        while let Some(event) = self.steppable.poll_event() {
            self.delivery.handle(event);
            if mem::take(&mut self.delivery.is_news) {
                self.publish();
            }
        }
        // Not before everything is told: the session is ahead of its events.
        for watcher in mem::take(&mut self.delivery.idle) {
            if !self.steppable.session().is_watching(watcher) {
                self.delivery.forget(watcher);
            }
        }
        self.has_room = self.flush();
    }

    /// Hands over to the callback thread. Whether there is room for more: at the end there always
    /// is, because nothing more will come.
    fn flush(&mut self) -> bool {
        self.shared.callbacks.append(&mut self.delivery.callbacks.0) || self.ending.is_some()
    }

    fn publish(&self) {
        self.shared.status.update(self.steppable.session(), self.delivery.state);
    }

    fn take_commands(&mut self) {
        let ending = self.shared.commands.ending();
        if self.has_room || ending.is_some() {
            let mut batch = mem::take(&mut self.batch);
            self.shared.commands.take(&mut batch);
            for command in batch.drain(..) {
                self.submit(command);
            }
            self.batch = batch;
        }
        if ending > self.ending {
            match ending {
                Some(Ending::Close) => {
                    self.steppable.close();
                    self.end_by = Instant::now().checked_add(self.settings.close_timeout);
                }
                Some(Ending::Detach) => self.steppable.detach(),
                None => {}
            }
            self.ending = ending;
        }
        if self.end_by.is_some_and(|at| at <= Instant::now()) {
            info!("the server does not confirm the end of the session");
            self.end_by = None;
            self.steppable.detach();
        }
    }

    fn submit(&mut self, command: Command) {
        let Command { work, pending } = command;
        let (watcher, result) = match work {
            Work::Request { op, record, watcher, timeout } => {
                let watcher = watcher.map(|target| self.begin_watch(target));
                let result = match Request::decode(op, &mut Reader::new(&record)) {
                    Ok(request) => {
                        self.steppable.submit(&request, SubmitOptions { watcher, timeout })
                    }
                    // What was encoded here can be decoded here.
                    Err(_) => Err(SubmitError::NotARequest(op)),
                };
                (watcher, result)
            }
            Work::RemoveWatches { watcher: Some(target), .. }
                if self.delivery.watchers.id(&target).is_none() =>
            {
                // Callers' things are let go where callbacks run.
                self.delivery.callbacks.release(target);
                let error = Err(RequestError::NoWatcher);
                return pending.complete(error, &mut self.delivery.callbacks.0);
            }
            Work::RemoveWatches { path, watcher, kind, local } => {
                let watcher = watcher.map(|target| self.begin_watch(target));
                (watcher, self.steppable.remove_watches(&path, watcher, kind, local))
            }
            Work::AddAuth { scheme, credentials } => {
                (None, self.steppable.add_auth(&scheme, &credentials.0))
            }
            Work::UpdateHosts(hosts) => {
                self.steppable.update_hosts(hosts);
                return pending.complete(Ok(Response::Empty), &mut self.delivery.callbacks.0);
            }
        };
        match result {
            Ok(id) => self.delivery.begin(id, watcher, pending),
            Err(error) => {
                if let Some(watcher) = watcher {
                    self.delivery.finish(watcher);
                }
                pending.refuse(error, &mut self.delivery.callbacks.0);
            }
        }
    }

    fn begin_watch(&mut self, target: Target) -> WatcherId {
        self.delivery.watchers.begin(target, || self.steppable.new_watcher())
    }

    /// A new session in place of one that expired, if that is wanted.
    fn renew(&mut self) -> bool {
        let is_expired = self.delivery.closed.as_ref().is_some_and(CloseReason::is_expiry);
        if !is_expired || !self.settings.renews || self.shared.commands.ending().is_some() {
            return false;
        }
        info!("a new session follows");
        self.delivery.closed = None;
        self.steppable.renew(self.rng.next_u64());
        self.publish();
        true
    }
}

impl Drop for EventLoop {
    /// Nobody waits for a loop that has ended, however it did.
    fn drop(&mut self) {
        let reason = self.delivery.closed.take().unwrap_or(CloseReason::Detached);
        let error = reason.submit_error();
        for Command { work, pending } in self.shared.commands.close(error) {
            pending.refuse(error, &mut self.delivery.callbacks.0);
            self.delivery.callbacks.0.push(Box::new(move || drop(work)));
        }
        self.flush();
        self.shared.callbacks.close();
        self.shared.status.close(reason);
    }
}
