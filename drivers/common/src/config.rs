//! Settings of the driver.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use zookeeper_core::server;

/// Settings of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen; port 0 is any free port. An IPv6 address takes IPv6 connections only.
    pub listen: Vec<SocketAddr>,
    /// Connections the system may complete before they are accepted.
    pub backlog: u16,
    /// Whether the system probes silent peers (SO_KEEPALIVE).
    pub keep_alive: bool,
    /// How long to accept nothing when the system has no descriptor or memory for a connection.
    /// The end of any connection ends the pause.
    pub accept_backoff: Duration,
    /// How long a socket that was closed waits for the peer's end, so that what was sent to it
    /// last is not lost in a reset.
    pub close_linger: Duration,
    /// The server's own settings.
    pub server: server::Config,
    /// Where the data are kept, when they are to be: with [`server::Durability::Logged`], and only
    /// then.
    pub storage: Option<zookeeper_disk::Config>,
    /// Seeds everything random in the server; `None` takes a random seed.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 2181))],
            backlog: 4_096,
            keep_alive: false,
            accept_backoff: Duration::from_millis(100),
            close_linger: Duration::from_secs(1),
            server: server::Config::default(),
            storage: None,
            seed: None,
        }
    }
}
