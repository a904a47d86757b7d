//! A server on sockets: the public surface.

use std::{io, net::SocketAddr, sync::Arc};

use mio::Waker;
use zookeeper_common::{BindError, Config, EventLoop, Handle, RunError, Running};

use crate::{
    event_loop::{Signals, run},
    poll::MioPoll,
    token::Token,
};

/// A server that listens, and serves once it [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    event_loop: EventLoop<MioPoll>,
    signals: Arc<Signals>,
}

impl Server {
    /// Recovers what is stored, if `config` says where, and then listens on every address. Clients
    /// can connect from now on; they are answered when the server runs.
    ///
    /// # Errors
    ///
    /// [`BindError`] when the data or an address are not to be had.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let poll = MioPoll::new().map_err(BindError::Poll)?;
        let waker = Waker::new(poll.registry(), Token::Waker.pack()).map_err(BindError::Poll)?;
        let signals = Arc::new(Signals::new(waker));
        let signal = Arc::clone(&signals) as _;
        Ok(Self { event_loop: EventLoop::bind(config, poll, signal)?, signals })
    }

    /// Listens and runs on a thread of its own, until the returned value is stopped or dropped.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`]'s, or the system gives no thread.
    pub fn spawn(config: Config) -> io::Result<Running> {
        let server = Self::bind(config)?;
        Running::spawn(server.local_addrs().to_vec(), server.handle(), || server.run())
    }

    /// The first address it listens on, with the port that was found.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addrs()[0]
    }

    /// Every address it listens on, in the order of the configuration.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.event_loop.addresses()
    }

    /// What stops it, from anywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.signals) as _)
    }

    /// Serves until [`Handle::shutdown`].
    ///
    /// # Errors
    ///
    /// [`RunError`] when the server ends for another reason.
    pub fn run(self) -> Result<(), RunError> {
        run(self.event_loop, &self.signals)
    }
}
