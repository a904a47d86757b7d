//! `zk serve`.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
};

use tracing::{info, warn};
use zookeeper_mio::{Config, Server};

use crate::{
    args::ServeArguments,
    exit::Failure,
    listen::{everywhere, reachable, resolve},
    logging::{self, Verbosity},
    signals,
    zoo_cfg::ZooCfg,
};

/// Serves until a signal comes.
pub(crate) fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    logging::start(match arguments {
        ServeArguments { quiet: true, .. } => Verbosity::Quiet,
        ServeArguments { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    });
    let file = arguments.config.as_deref().map(read).transpose()?;
    if !arguments.in_memory {
        notice(file.as_ref());
    }
    raise_descriptor_limit();
    let server = Server::bind(config(arguments, file)?)?;
    let handle = server.handle();
    let stop = move || {
        info!("stopping");
        handle.shutdown();
    };
    signals::on_stop(stop)
        .map_err(|source| Failure::System { what: "cannot wait for signals", source })?;
    announce(server.local_addrs());
    server.run()?;
    info!("stopped");
    Ok(())
}

fn read(path: &Path) -> Result<ZooCfg, Failure> {
    let file = ZooCfg::read(path)?;
    for warning in &file.warnings {
        warn!("{}: {warning}", path.display());
    }
    Ok(file)
}

/// Nobody may think that data are safe.
fn notice(file: Option<&ZooCfg>) {
    const NOTICE: &str = "data are kept in memory only and end with the server";
    match file.and_then(|file| file.data_dir.as_ref()) {
        Some(dir) => warn!("{NOTICE}; {} is neither read nor written", dir.display()),
        None => warn!("{NOTICE}; --in-memory says that this is meant"),
    }
}

/// The driver's settings: the file's, with what the command line says in their place.
fn config(arguments: &ServeArguments, file: Option<ZooCfg>) -> Result<Config, Failure> {
    let mut config = Config::default();
    let mut listen = None;
    if let Some(file) = file {
        if arguments.listen.is_empty() {
            listen = Some(client_addresses(&file)?);
        }
        config.server = file.server;
        config.keep_alive = file.keep_alive;
        config.backlog = file.backlog.unwrap_or(config.backlog);
    }
    if !arguments.listen.is_empty() {
        listen = Some(arguments.listen.iter().flat_map(|listen| listen.0.clone()).collect());
    }
    if let Some(listen) = listen {
        config.listen = listen;
    }
    Ok(config)
}

/// Where a configuration file says to listen.
fn client_addresses(file: &ZooCfg) -> Result<Vec<SocketAddr>, Failure> {
    let Some(port) = file.client_port else {
        let message = "no clientPort is configured and no --listen is given";
        return Err(Failure::Setting(message.into()));
    };
    match file.client_address.as_deref() {
        None => Ok(everywhere(port)),
        Some(host) => resolve(host, port)
            .map_err(|error| Failure::Setting(format!("clientPortAddress {host:?}: {error}"))),
    }
}

/// One connection takes one descriptor, and the usual limit is there for other programs.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            info!(%error, "cannot raise the limit of open files");
        }
    }
}

/// The one line of output, when clients can connect.
fn announce(addresses: &[SocketAddr]) {
    let all: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let Some(&first) = addresses.first() else { return };
    let mut out = io::stdout().lock();
    // Nobody may be reading there.
    let _ = writeln!(
        out,
        "ZooKeeper server ready on {} (in memory); connect with: zkCli.sh -server {}",
        all.join(", "),
        reachable(first)
    )
    .and_then(|()| out.flush());
}
