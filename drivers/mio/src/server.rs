//! A server on sockets: the public surface.

use std::{
    io,
    net::SocketAddr,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use mio::{Poll, Waker};

use crate::{
    Config,
    accept::Listener,
    error::{BindError, RunError},
    event_loop::EventLoop,
    listen::listen,
    token::Source,
};

/// A server that listens, and serves once it [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    event_loop: EventLoop,
    addresses: Vec<SocketAddr>,
    handle: Handle,
}

impl Server {
    /// Listens on every address of `config`. Clients can connect from now on; they are answered
    /// when the server runs.
    ///
    /// # Errors
    ///
    /// [`BindError`] when there is no address, or one of them is not to be had.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        if config.listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        let poll = Poll::new().map_err(BindError::Poll)?;
        let mut listeners = Vec::with_capacity(config.listen.len());
        for (index, &address) in config.listen.iter().enumerate() {
            let listener = listen(address, config.backlog)
                .and_then(|socket| Listener::new(socket, index, poll.registry()))
                .map_err(|source| BindError::Listen { address, source })?;
            listeners.push(listener);
        }
        let waker = Waker::new(poll.registry(), Source::Waker.token()).map_err(BindError::Poll)?;
        let signals = Arc::new(Signals { waker, stop: AtomicBool::new(false) });
        let addresses = listeners.iter().map(Listener::address).collect();
        let handle = Handle { signals: Arc::clone(&signals) };
        Ok(Self { event_loop: EventLoop::new(config, poll, listeners, signals), addresses, handle })
    }

    /// Listens and runs on a thread of its own, until the returned value is stopped or dropped.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`]'s, or the system gives no thread.
    pub fn spawn(config: Config) -> io::Result<Running> {
        let server = Self::bind(config)?;
        let (addresses, handle) = (server.addresses.clone(), server.handle());
        let thread = thread::Builder::new().name("zookeeper".into()).spawn(|| server.run())?;
        Ok(Running { addresses, handle, thread: Some(thread) })
    }

    /// The first address it listens on, with the port that was found.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Every address it listens on, in the order of the configuration.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What stops it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::shutdown`].
    ///
    /// # Errors
    ///
    /// [`RunError`] when the server ends for another reason.
    pub fn run(self) -> Result<(), RunError> {
        self.event_loop.run()
    }
}

/// Stops a server, from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    signals: Arc<Signals>,
}

impl Handle {
    /// Asks the server to stop: it takes no new connections, writes what it has promised, closes
    /// what is open and then returns from [`Server::run`]. Harmless when repeated.
    pub fn shutdown(&self) {
        self.signals.stop.store(true, Ordering::Release);
        if let Err(error) = self.signals.waker.wake() {
            tracing::error!(%error, "cannot wake the server");
        }
    }
}

/// What other threads tell the loop.
#[derive(Debug)]
pub(crate) struct Signals {
    waker: Waker,
    stop: AtomicBool,
}

impl Signals {
    pub(crate) fn is_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// A server on a thread of its own; dropping it stops the server and waits for its end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    handle: Handle,
    /// Until it is joined.
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Running {
    /// The first address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Every address it listens on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What stops it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    ///
    /// [`RunError`] when it had ended for another reason.
    ///
    /// # Panics
    ///
    /// When the server's thread did.
    pub fn stop(mut self) -> Result<(), RunError> {
        self.handle.shutdown();
        self.join()
    }

    /// Waits until somebody else stops the server.
    ///
    /// # Errors
    ///
    /// [`RunError`] when it ends for another reason.
    ///
    /// # Panics
    ///
    /// When the server's thread did.
    pub fn wait(mut self) -> Result<(), RunError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), RunError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            tracing::error!(%error, "server had ended");
        }
    }
}
