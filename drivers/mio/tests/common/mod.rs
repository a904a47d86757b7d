//! What the tests that all drivers share have to know of this one.
#![allow(unused_imports, dead_code, reason = "no test needs all of it")]

#[path = "../../../common/tests/server/client.rs"]
mod client;
pub(crate) mod proxy;
pub(crate) mod wait;

use std::{net::SocketAddr, time::Duration};

use zookeeper_mio::client::ClientBuilder;
pub(crate) use zookeeper_mio::{BindError, Config, RunError, Running, Server, disk};

pub(crate) use self::client::*;

/// Runs the server on this thread.
pub(crate) fn run(server: Server) -> Result<(), RunError> {
    server.run()
}

/// Settings of a client of this server that does not wait long between two attempts.
pub(crate) fn builder(address: SocketAddr) -> ClientBuilder {
    let mut builder = zookeeper_mio::Client::builder(&address.to_string()).expect("an address");
    let config = builder.config_mut();
    config.backoff.failure = Duration::from_millis(1);
    config.backoff.round = Duration::from_millis(1);
    config.backoff.jitter = Duration::ZERO;
    // What ends only because its time is up does not pass for an end.
    let limit = 10 * DEADLINE;
    builder.session_timeout(limit).close_timeout(limit).connect_timeout(DEADLINE)
}

/// A connected client of this server.
pub(crate) fn connect(address: SocketAddr) -> zookeeper_mio::Client {
    builder(address).connect().expect("the server listens")
}
