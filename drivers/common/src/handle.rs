//! What stops a server, and a server on a thread of its own.

use std::{
    fmt, io,
    net::SocketAddr,
    panic,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crate::error::RunError;

/// How a server is told to stop.
pub trait Signal: fmt::Debug + Send + Sync + 'static {
    /// Asks the server to stop, from any thread. Harmless when repeated, or when it has ended.
    fn stop(&self);

    /// Ends the wait for sockets, from any thread: something else is there for the next turn.
    fn wake(&self);
}

/// Stops a server, from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    signal: Arc<dyn Signal>,
}

impl Handle {
    /// A handle that gives this signal.
    #[must_use]
    pub fn new(signal: Arc<dyn Signal>) -> Self {
        Self { signal }
    }

    /// Asks the server to stop: it takes no new connections, writes what it has promised, closes
    /// what is open and then returns from its `run`. Harmless when repeated.
    pub fn shutdown(&self) {
        self.signal.stop();
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
    /// Calls `run` on a new thread. It serves on `addresses`, of which there is one at least, until
    /// `handle` stops it.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn spawn(
        addresses: Vec<SocketAddr>,
        handle: Handle,
        run: impl FnOnce() -> Result<(), RunError> + Send + 'static,
    ) -> io::Result<Self> {
        let thread = thread::Builder::new().name("zookeeper".into()).spawn(run)?;
        Ok(Self { addresses, handle, thread: Some(thread) })
    }

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
