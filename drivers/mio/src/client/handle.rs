//! A client as its application holds it: its life, its state, and how calls get to the loop.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::{error, warn};
use zookeeper_core::{
    PathError, SessionId,
    client::{
        Chroot, CloseReason, ConnectString, ConnectStringError, Credentials, Error, Operation,
        operation,
    },
    wire::{Encode as _, Op},
};

use super::{
    ClientBuilder, ConnectError, ConnectionState, ListenerId, Watcher, WatcherHandle,
    call::{Call, Later, Pending, Sink, Slot},
    callbacks::Callback,
    commands::{Command, Ending, Work},
    event_loop::EventLoop,
    shared::Shared,
    watchers::Target,
};

/// A session with ZooKeeper. Clones share it.
///
/// - Calls block until the server has answered. While there is no connection they wait for one, and
///   fail when the next attempt to connect does. [`RequestError`](super::RequestError) says whether
///   the server may have executed the request nevertheless, and [`Client::retry`] repeats what is
///   safe to repeat.
/// - Paths are below the [chroot](Client::chroot).
/// - The last clone that is dropped ends the session on the server and waits for that, within
///   [`ClientBuilder::close_timeout`]; not if it is dropped by a callback. A callback that owns a
///   clone keeps the session open: let it own a [`WeakClient`].
///
/// ```no_run
/// use zookeeper_mio::{Client, client::{CreateMode, WatchUpdate}};
///
/// let client = Client::connect("localhost:2181/app")?;
/// client.create("/leader", "me", CreateMode::Ephemeral)?;
/// let watcher = |update: WatchUpdate| println!("{update:?}");
/// let (leader, _watch) = client.get_data_and_watch("/leader", watcher)?;
/// println!("{:?} since {}", leader.data, leader.stat.ctime_ms);
/// client.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    life: Arc<Life>,
    pub(super) view: View,
}

impl Client {
    /// Settings of a client of these servers, as `host:port,host:port/chroot`.
    ///
    /// # Errors
    ///
    /// What is wrong with the connect string.
    pub fn builder(servers: &str) -> Result<ClientBuilder, ConnectStringError> {
        Ok(ClientBuilder::new(servers.parse::<ConnectString>()?))
    }

    /// A client with the usual settings, connected.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], above all when there is no server in time.
    pub fn connect(servers: &str) -> Result<Self, ConnectError> {
        Self::builder(servers)?.connect()
    }

    pub(super) fn start(
        shared: Arc<Shared>,
        event_loop: EventLoop,
        chroot: Chroot,
        close_timeout: Duration,
    ) -> io::Result<Self> {
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.into()).spawn(work)
        };
        let callback_thread = {
            let shared = Arc::clone(&shared);
            spawn("zookeeper-callbacks", Box::new(move || shared.work()))?
        };
        // If there is no second thread, the loop's end is the end of the first.
        let loop_thread = spawn("zookeeper-client", Box::new(|| event_loop.run()))?;
        let threads = Threads { event_loop: loop_thread, callbacks: callback_thread };
        let view = View { shared: Arc::clone(&shared), chroot, timeout: None };
        let life = Life { shared, close_timeout, threads: Mutex::new(Some(threads)) };
        Ok(Self { life: Arc::new(life), view })
    }

    /// Waits until a server is reached.
    ///
    /// # Errors
    ///
    /// [`ConnectError::TimedOut`] or [`ConnectError::Closed`].
    pub fn wait_connected(&self, timeout: Duration) -> Result<(), ConnectError> {
        let _lifted = self.view.shared.callbacks.lift();
        let until = Instant::now().checked_add(timeout);
        let is_enough = |snapshot: &super::state::Snapshot| {
            snapshot.state.is_connected() || snapshot.closed.is_some()
        };
        match self.view.shared.status.wait(until, is_enough) {
            None => Err(ConnectError::TimedOut(timeout)),
            Some(snapshot) => snapshot.closed.map_or(Ok(()), |why| Err(ConnectError::Closed(why))),
        }
    }

    /// The same session seen from a znode of this client's tree. The znode need not exist.
    ///
    /// # Errors
    ///
    /// What is wrong with the path.
    pub fn chroot(&self, path: &str) -> Result<Self, PathError> {
        let mut client = self.clone();
        client.view.chroot = self.view.chroot.join(&Chroot::new(path)?);
        Ok(client)
    }

    /// The root of this client's paths.
    #[must_use]
    pub const fn root(&self) -> &Chroot {
        &self.view.chroot
    }

    /// The same session with another time limit for each request.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let mut client = self.clone();
        client.view.timeout = Some(timeout);
        client
    }

    /// A handle that does not keep the session open.
    #[must_use]
    pub fn downgrade(&self) -> WeakClient {
        WeakClient { life: Arc::downgrade(&self.life), view: self.view.clone() }
    }

    /// What the session comes to at present. It is not behind any callback.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.view.shared.status.look().state
    }

    /// Runs `listener` on the callback thread each time that the state changes, beginning with the
    /// next change.
    pub fn on_state(&self, listener: impl FnMut(ConnectionState) + Send + 'static) -> ListenerId {
        self.view.shared.listeners.add(listener)
    }

    /// Ends what [`Client::on_state`] began; whether it was not ended before.
    pub fn remove_listener(&self, listener: ListenerId) -> bool {
        self.view.shared.listeners.remove(listener)
    }

    /// Replaces the default watcher, which is told of every change of the session's state, and of
    /// the watches that are set in its [name](Client::default_watcher).
    pub fn register(&self, watcher: impl Watcher) {
        self.view.shared.default_watcher.replace(watcher);
    }

    /// The default watcher, whoever it is when something happens.
    #[must_use]
    pub fn default_watcher(&self) -> WatcherHandle {
        self.view.shared.default_watcher.clone()
    }

    /// What it takes to resume the session elsewhere; `None` before there is one. Whoever knows it
    /// can act as this client.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        self.view.shared.status.look().credentials
    }

    /// The session's id; [`SessionId::NONE`] before there is one.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.view.shared.status.look().session
    }

    /// The session time-out that the server granted; `None` before it did.
    #[must_use]
    pub fn negotiated_timeout(&self) -> Option<Duration> {
        self.view.shared.status.look().negotiated_timeout
    }

    /// The server that the client is connected to.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.view.shared.status.look().peer
    }

    /// Why the session is over for good, if it is.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.view.shared.status.look().closed
    }

    /// Ends the session on the server, behind everything given so far, and waits for that, within
    /// [`ClientBuilder::close_timeout`]. Requests given from now on are refused. Returns how the
    /// session has ended, which may have been earlier.
    pub fn close(&self) -> CloseReason {
        self.end(Ending::Close)
    }

    /// Ends here and leaves the session to the server, where it lives on until it times out or is
    /// [resumed](ClientBuilder::resume) with what is returned.
    pub fn detach(&self) -> Option<Credentials> {
        match self.end(Ending::Detach) {
            CloseReason::Detached => self.credentials(),
            _ => None,
        }
    }

    fn end(&self, ending: Ending) -> CloseReason {
        let _lifted = self.view.shared.callbacks.lift();
        self.view.shared.commands.end(ending);
        let snapshot = self.view.shared.status.wait(None, |snapshot| snapshot.closed.is_some());
        // It was waited for.
        snapshot.and_then(|snapshot| snapshot.closed).unwrap_or(CloseReason::Detached)
    }
}

/// A client that does not keep its session open.
#[derive(Clone, Debug)]
pub struct WeakClient {
    life: Weak<Life>,
    view: View,
}

impl WeakClient {
    /// The client, if its session was not ended by the last of its clones.
    #[must_use]
    pub fn upgrade(&self) -> Option<Client> {
        Some(Client { life: self.life.upgrade()?, view: self.view.clone() })
    }
}

/// A root and a time limit for what is asked of a session; it does not keep it open.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) shared: Arc<Shared>,
    pub(super) chroot: Chroot,
    pub(super) timeout: Option<Duration>,
}

impl View {
    /// Asks and waits for the answer.
    pub(super) fn call<O: Operation>(
        &self,
        operation: &O,
        watcher: Option<WatcherHandle>,
    ) -> Result<O::Output, Error> {
        let _lifted = self.shared.callbacks.lift();
        let (slot, filler) = Slot::new();
        self.ask(operation, watcher, filler);
        slot.wait()
    }

    /// Asks; the answer goes to `sink`.
    pub(super) fn ask<O: Operation, S: Sink<O::Output> + 'static>(
        &self,
        operation: &O,
        watcher: Option<WatcherHandle>,
        sink: S,
    ) {
        if let Some(output) = operation.without_request() {
            return self.answer(Ok(output), sink);
        }
        let encoded =
            operation.with_request(&self.chroot, |request| (request.op(), request.to_vec()));
        let (op, record): (Op, Vec<u8>) = match encoded {
            Ok(encoded) => encoded,
            Err(error) => return self.answer(Err(error.into()), sink),
        };
        let watcher = watcher.map(|watcher| self.target(watcher));
        let work = Work::Request { op, record, watcher, timeout: self.timeout };
        let call = Call::new(O::output, self.chroot.clone(), sink);
        self.push(work, Box::new(call));
    }

    /// Asks for the end of watches and waits for the answer.
    pub(super) fn remove_watches(
        &self,
        request: &operation::RemoveWatches<'_>,
        watcher: Option<WatcherHandle>,
    ) -> Result<(), Error> {
        let _lifted = self.shared.callbacks.lift();
        let path = request.with_path(&self.chroot, str::to_owned)?;
        let watcher = watcher.map(|watcher| self.target(watcher));
        let work = Work::RemoveWatches { path, watcher, kind: request.kind, local: request.local };
        self.call_session(work, |_, result| operation::RemoveWatches::output(result))
    }

    /// Has the session do something that is no operation, and waits for it.
    pub(super) fn call_session(
        &self,
        work: Work,
        output: super::call::Output<()>,
    ) -> Result<(), Error> {
        let _lifted = self.shared.callbacks.lift();
        let (slot, filler) = Slot::new();
        self.push(work, Box::new(Call::new(output, self.chroot.clone(), filler)));
        slot.wait()
    }

    /// An answer that needs no server.
    fn answer<T>(&self, result: Result<T, Error>, sink: impl Sink<T>) {
        let mut callbacks = Vec::new();
        sink.put(result, &mut callbacks);
        self.run(callbacks);
    }

    fn push(&self, work: Work, pending: Box<dyn Pending>) {
        // A callback that finds the queue full makes room for itself.
        let _lifted = self.shared.callbacks.lift();
        if let Err((command, error)) = self.shared.commands.push(Command { work, pending }) {
            let mut callbacks = Vec::new();
            command.pending.refuse(error, &mut callbacks);
            self.run(callbacks);
        }
    }

    fn run(&self, callbacks: Vec<Callback>) {
        for callback in callbacks {
            self.shared.callbacks.run(callback);
        }
    }

    fn target(&self, watcher: WatcherHandle) -> Target {
        Target { watcher, chroot: self.chroot.clone() }
    }
}

impl Client {
    /// Does an operation and waits for its outcome. Every other blocking call is this one.
    ///
    /// # Errors
    ///
    /// Why the operation did not succeed; whether the server may have executed it nevertheless
    /// says [`Error::maybe_executed`].
    pub fn call<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        self.view.call(operation, None)
    }

    /// Does an operation; its outcome is given to `callback`, exactly once, on the callback thread.
    /// If the session is over already, and its threads with it, the callback runs here and now.
    ///
    /// It does not wait for the server; but it waits while 8,192 requests wait for the loop.
    pub fn submit<O: Operation>(
        &self,
        operation: &O,
        callback: impl FnOnce(Result<O::Output, Error>) + Send + 'static,
    ) {
        self.view.ask(operation, None, Later(callback));
    }
}

/// What all clones of a client keep alive together.
#[derive(Debug)]
struct Life {
    shared: Arc<Shared>,
    close_timeout: Duration,
    threads: Mutex<Option<Threads>>,
}

#[derive(Debug)]
struct Threads {
    event_loop: JoinHandle<()>,
    callbacks: JoinHandle<()>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.commands.end(Ending::Close);
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { event_loop, callbacks }) = threads else { return };
        let current = thread::current().id();
        if current == event_loop.thread().id() || current == callbacks.thread().id() {
            // They end by themselves.
            return;
        }
        // The loop ends within the same time by itself.
        if event_loop.join().is_err() {
            error!("the client's loop panicked");
        }
        let until = Instant::now().checked_add(self.close_timeout);
        let is_over = until.is_none_or(|until| self.shared.callbacks.wait(until));
        if !is_over {
            warn!("a callback still runs after the end of its client");
        } else if callbacks.join().is_err() {
            error!("the callback thread panicked");
        }
    }
}
