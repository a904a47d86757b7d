//! A standalone server: the public surface.
//!
//! One future owns the machine and every socket, so that nothing is shared and nothing is locked
//! while it works; a task for each connection would only queue for the one machine.

mod poll;
mod task;
mod wakeups;

use std::{io, net::SocketAddr, sync::Arc};

use zookeeper_common::{BindError, Config, EventLoop, Handle, RunError, Running};

use self::{poll::AsyncPoll, task::Task, wakeups::Wakeups};

/// A server that listens, and serves once it [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    event_loop: EventLoop<AsyncPoll>,
    wakeups: Arc<Wakeups>,
}

impl Server {
    /// Recovers what is stored, if `config` says where, which blocks; then listens on every
    /// address. Clients can connect from now on; they are answered when the server runs.
    ///
    /// # Errors
    ///
    /// [`BindError`] when the data or an address are not to be had.
    ///
    /// # Panics
    ///
    /// When the system gives the reactor, which all of a process share, no event queue or thread.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let wakeups = Arc::new(Wakeups::default());
        let poll = AsyncPoll::new(Arc::clone(&wakeups));
        let event_loop = EventLoop::bind(config, poll, Arc::clone(&wakeups) as _)?;
        Ok(Self { event_loop, wakeups })
    }

    /// Listens and runs on a thread of its own, until the returned value is stopped or dropped.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`]'s, or the system gives no thread.
    ///
    /// # Panics
    ///
    /// As [`Server::bind`].
    pub fn spawn(config: Config) -> io::Result<Running> {
        let server = Self::bind(config)?;
        let (addresses, handle) = (server.local_addrs().to_vec(), server.handle());
        Running::spawn(addresses, handle, || async_io::block_on(server.run()))
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
        Handle::new(Arc::clone(&self.wakeups) as _)
    }

    /// Serves until [`Handle::shutdown`]. Dropping the future drops every connection. A server with
    /// a data directory then finishes what it has begun to store, and so does a `Server` that never
    /// ran: the thread that drops either is blocked meanwhile, for milliseconds as a rule and, when
    /// storage hangs, up to [`finish_timeout`](crate::disk::Config::finish_timeout). Where that
    /// thread runs other tasks, too, shut the server down and let the future end by itself, or drop
    /// it elsewhere.
    ///
    /// Any executor can run it. [`async_io::block_on`] on a thread of its own, which is what
    /// [`Server::spawn`] does, is the fastest: that thread waits for the sockets itself.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the server ends for another reason.
    pub fn run(self) -> impl Future<Output = Result<(), RunError>> + Send + 'static {
        Task::new(self.event_loop, self.wakeups)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpStream,
        time::{Duration, Instant},
    };

    use super::*;

    fn wait_until(is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(60), "never so");
            std::thread::yield_now();
        }
    }

    #[test]
    fn nothing_is_left_of_a_server_that_never_looked() {
        let mut config = Config::default();
        config.listen = vec![([127, 0, 0, 1], 0).into()];
        let server = Server::bind(config).expect("a free port");
        let _client = TcpStream::connect(server.local_addr()).expect("it listens");
        wait_until(|| server.wakeups.has_any());
        let wakeups = Arc::downgrade(&server.wakeups);
        drop(server);
        // The reactor may still be about to say something.
        wait_until(|| wakeups.strong_count() == 0);
    }
}
