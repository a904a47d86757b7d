//! What every client has to do on every server.
//!
//! Each scenario is one function over [`TestClient`], works below a znode of its own, and fails by
//! a panic. [`run`] runs them all for one client and one server.

mod acls;
mod chroots;
pub mod failures;
mod members;
mod nodes;
mod outages;
mod read_only;
mod recipes;
mod reconnects;
mod sessions;
mod transactions;
mod watches;

pub use members::reconfiguration;
pub use outages::outages;
pub use read_only::{lone_survivor, writable_server_appears};

use std::env;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zookeeper_core::client::Error;
use zookeeper_core::wire::{CreateMode, ErrorCode};

use crate::client::{Settings, TestClient};
use crate::need::trace_if_wanted;
use crate::proxy::Proxy;
use crate::target::{Target, TargetKind};

/// A scenario with its name.
type Scenario<C> = (&'static str, fn(&Stage<C>));

/// Where a scenario happens.
#[derive(Debug)]
struct Stage<C> {
    /// The server.
    server: SocketAddr,
    /// A client of it.
    client: C,
    /// A znode of the scenario's own.
    root: String,
}

impl<C: TestClient> Stage<C> {
    fn new(server: SocketAddr, name: &str) -> Self {
        let client = C::connect(&Settings::new(server)).expect("a session");
        let root = format!("/{name}");
        client.create(&root, b"", CreateMode::Persistent).expect("a znode");
        Self { server, client, root }
    }

    /// A path below the scenario's znode; `/` begins it.
    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.root)
    }

    /// Makes a znode below the scenario's own, and returns its path.
    fn node(&self, below: &str) -> String {
        let path = self.path(below);
        self.client.create(&path, b"", CreateMode::Persistent).expect("a znode");
        path
    }

    fn settings(&self) -> Settings {
        Settings::new(self.server)
    }

    /// Another session.
    fn other(&self) -> C {
        C::connect(&self.settings()).expect("a session")
    }

    /// Another session, whose connection can be broken.
    fn fragile(&self) -> (C, Proxy) {
        let proxy = Proxy::start(self.server).expect("a proxy");
        let client = C::connect(&Settings::new(proxy.address())).expect("a session");
        (client, proxy)
    }
}

/// Runs every scenario, or those whose name contains `ZK_SCENARIO`, against a new server of this
/// kind.
///
/// # Panics
///
/// If one fails, after all have run.
pub fn run<C: TestClient>(kind: TargetKind) {
    trace_if_wanted();
    let Some(target) = Target::start(kind).expect("a server") else { return };
    let wanted = env::var("ZK_SCENARIO").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, scenario) in all::<C>() {
        if !name.contains(&wanted) {
            continue;
        }
        let _ = writeln!(io::stderr(), "{} client, {kind} server: {name}", C::NAME);
        let run = || {
            let stage = Stage::new(target.address(), name);
            scenario(&stage);
            stage.client.close();
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{} client, {kind} server: {failed:?}", C::NAME);
}

fn all<C: TestClient>() -> Vec<Scenario<C>> {
    [
        nodes::scenarios(),
        acls::scenarios(),
        transactions::scenarios(),
        recipes::scenarios(),
        watches::scenarios(),
        chroots::scenarios(),
        sessions::scenarios(),
        reconnects::scenarios(),
    ]
    .concat()
}

/// The code of a failure.
///
/// # Panics
///
/// If it is none.
fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> ErrorCode {
    outcome.expect_err("a failure").code()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}
