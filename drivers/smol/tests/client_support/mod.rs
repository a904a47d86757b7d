//! What the client's tests share: a server, a proxy that fails on command, and deadlines.
#![allow(dead_code, unused_imports, reason = "no test needs all of it")]

mod proxy;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use async_io::Timer;
use futures_lite::future;
pub(crate) use proxy::{Mode, Proxy};
use zookeeper_smol::{
    Client, ClientBuilder,
    client::{Backoff, Watch, WatchUpdate, WatchedEvent},
};
use zookeeper_smol::{Config, Running, Server};

/// Only what hangs takes this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A server on a free port, with its data in memory.
pub(crate) fn start() -> Running {
    start_with(|_| {})
}

pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    config.server.endpoint.connections_per_address_max = 0;
    change(&mut config);
    Server::spawn(config).expect("a free port")
}

/// Sessions are to expire soon: as soon as real time allows without haste.
pub(crate) fn start_impatient() -> Running {
    start_with(|config| config.server.endpoint.tick = Duration::from_millis(200))
}

/// Settings for a client that loses no time between two attempts.
pub(crate) fn builder(servers: impl ToString) -> ClientBuilder {
    let builder = Client::builder(&servers.to_string()).expect("a connect string");
    builder.configure(|config| {
        let pause = Duration::from_millis(1);
        config.backoff = Backoff { failure: pause, round: pause, jitter: pause };
    })
}

/// A client with a session.
pub(crate) async fn connect(servers: impl ToString) -> Client {
    builder(servers).connect().await.expect("the server listens")
}

/// Runs a test, which hangs if it takes too long.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let deadline = async {
        Timer::after(DEADLINE).await;
        panic!("the test hangs");
    };
    async_io::block_on(future::or(test, deadline))
}

/// Waits for something that nobody announces.
pub(crate) async fn wait_until(what: &str, mut is_met: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_met().await {
        assert!(start.elapsed() < DEADLINE, "never came: {what}");
        future::yield_now().await;
    }
}

/// The next update, which must be a change.
pub(crate) async fn event(watch: &mut Watch) -> WatchedEvent {
    match watch.next().await {
        Some(WatchUpdate::Event(event)) => event,
        other => panic!("not a change: {other:?}"),
    }
}
