//! The servers that the clients are tested against.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use zookeeper_core::{endpoint::CommandWhitelist, server};

use crate::need::enabled;
use crate::options::Options;
use crate::program::Kind;
use crate::server::Server;

/// How often a server looks for containers that are empty and znodes whose time is over.
const CONTAINER_CHECK: Duration = Duration::from_millis(300);
/// The grain of session time-outs; a session may be as short as two of them.
const TICK: Duration = Duration::from_millis(200);
const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Apache ZooKeeper as Debian packages it, standalone.
    Apache,
    /// This project's server on mio, in this process.
    Mio,
    /// This project's server on smol, in this process.
    Smol,
}

impl TargetKind {
    /// Every kind, the reference first.
    pub const ALL: [Self; 3] = [Self::Apache, Self::Mio, Self::Smol];
}

impl fmt::Display for TargetKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Apache => "apache",
            Self::Mio => "ours-mio",
            Self::Smol => "ours-smol",
        })
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Target(Running);

#[derive(Debug)]
enum Running {
    Apache(Server),
    Mio(zookeeper_mio::Running),
    Smol(zookeeper_smol::Running),
}

impl Target {
    /// Starts a server that knows znodes with a time to live, looks for them often, and allows
    /// short sessions. `None` where the environment does not ask for foreign programs or has none.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    ///
    /// # Panics
    ///
    /// In CI, if a program is missing.
    pub fn start(kind: TargetKind) -> io::Result<Option<Self>> {
        Ok(Some(Self(match kind {
            TargetKind::Apache => match enabled().then(|| Kind::Apache.need()).flatten() {
                Some(program) => Running::Apache(Server::start(&program, &options())?),
                None => return Ok(None),
            },
            TargetKind::Mio => Running::Mio(start_mio()?),
            TargetKind::Smol => Running::Smol(start_smol()?),
        })))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match &self.0 {
            Running::Apache(server) => server.address(),
            Running::Mio(server) => server.address(),
            Running::Smol(server) => server.address(),
        }
    }
}

fn options() -> Options {
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    Options::default()
        .set("tickTime", &milliseconds(TICK))
        .set("maxSessionTimeout", &milliseconds(SESSION_TIMEOUT_MAX))
        .property("znode.container.checkIntervalMs", &milliseconds(CONTAINER_CHECK))
}

fn start_mio() -> io::Result<zookeeper_mio::Running> {
    let mut config = zookeeper_mio::Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    configure(&mut config.server);
    zookeeper_mio::Server::spawn(config)
}

fn start_smol() -> io::Result<zookeeper_smol::Running> {
    let mut config = zookeeper_smol::Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    configure(&mut config.server);
    zookeeper_smol::Server::spawn(config)
}

/// The same as [`options`].
fn configure(config: &mut server::Config) {
    config.endpoint.tick = TICK;
    config.endpoint.session_timeout_max = Some(SESSION_TIMEOUT_MAX);
    config.endpoint.connections_per_address_max = 0;
    config.endpoint.commands = CommandWhitelist::all();
    config.tree.extended_types = true;
    config.containers.check_interval = CONTAINER_CHECK;
}
