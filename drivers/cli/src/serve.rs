//! `zk serve`.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use tracing::{info, warn};
use zookeeper_core::{
    server::Durability,
    storage::{self, Retention},
};
use zookeeper_mio::{Config, Server, disk};

use crate::{
    args::ServeArguments,
    exit::Failure,
    listen::{everywhere, reachable, resolve},
    logging::{self, Verbosity},
    signals,
    zoo_cfg::ZooCfg,
};

/// Where data are when nobody says where.
const DATA_DIR: &str = "zk-data";

/// What is kept when nobody says for how long: a directory that only grows ends with a full disk.
const RETENTION: Retention = Retention { snapshots: 3, interval: Duration::ZERO };

/// Serves until a signal comes.
pub(crate) fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    logging::start(match arguments {
        ServeArguments { quiet: true, .. } => Verbosity::Quiet,
        ServeArguments { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    });
    let file = arguments.config.as_deref().map(read).transpose()?;
    raise_descriptor_limit();
    let config = config(arguments, file)?;
    let place = place(config.storage.as_ref());
    let server = Server::bind(config)?;
    let handle = server.handle();
    let stop = move || {
        info!("stopping");
        handle.shutdown();
    };
    signals::on_stop(stop)
        .map_err(|source| Failure::System { what: "cannot wait for signals", source })?;
    announce(server.local_addrs(), &place);
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

/// The driver's settings: the file's, with what the command line says in their place.
fn config(arguments: &ServeArguments, file: Option<ZooCfg>) -> Result<Config, Failure> {
    let mut config = Config::default();
    let mut listen = None;
    let mut stored = None;
    if !arguments.in_memory {
        stored = Some(storage(arguments, file.as_ref())?);
    }
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
    if let Some((directories, storage)) = stored {
        config.storage = Some(directories);
        config.server.durability = Durability::Logged(storage);
    }
    Ok(config)
}

/// Where data are kept, and how.
fn storage(
    arguments: &ServeArguments,
    file: Option<&ZooCfg>,
) -> Result<(disk::Config, storage::Config), Failure> {
    let Some(file) = file else {
        let data_dir = arguments.data_dir.clone().unwrap_or_else(|| DATA_DIR.into());
        let mut directories = disk::Config::new(data_dir);
        directories.log_dir.clone_from(&arguments.data_log_dir);
        let mut storage = storage::Config::default();
        storage.retention = Some(RETENTION);
        info!(
            snapshots = RETENTION.snapshots,
            "without --config only the newest snapshots are kept; what is older is removed after \
             each new one, with the logs that only it needs"
        );
        return Ok((directories, storage));
    };
    // A log directory of the file's belongs to its data directory.
    let (data_dir, log_dir) = match &arguments.data_dir {
        Some(data_dir) => (Some(data_dir), None),
        None => (file.data_dir.as_ref(), file.data_log_dir.as_ref()),
    };
    let Some(data_dir) = data_dir else {
        let message = "no dataDir is configured; set it, or give --data-dir, or --in-memory if \
            the data may end with the server";
        return Err(Failure::Setting(message.into()));
    };
    let mut directories = disk::Config::new(data_dir);
    directories.log_dir = arguments.data_log_dir.as_ref().or(log_dir).cloned();
    directories.create = file.create_directories;
    directories.create_database = file.create_database;
    directories.trust_empty_snapshot = file.trust_empty_snapshot;
    directories.sync_warning = file.sync_warning;
    Ok((directories, file.storage.clone()))
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

/// Where the data are, for people.
fn place(storage: Option<&disk::Config>) -> String {
    let Some(storage) = storage else { return "in memory".into() };
    let whole = |path: &PathBuf| absolute(path).unwrap_or_else(|_| path.clone());
    let mut text = format!("data in {}", whole(&storage.data_dir).display());
    if let Some(log_dir) = &storage.log_dir {
        text.push_str(&format!(", log in {}", whole(log_dir).display()));
    }
    text
}

/// The one line of output, when clients can connect.
fn announce(addresses: &[SocketAddr], place: &str) {
    let all: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let Some(&first) = addresses.first() else { return };
    let mut out = io::stdout().lock();
    // Nobody may be reading there.
    let _ = writeln!(
        out,
        "ZooKeeper server ready on {} ({place}); connect with: zkCli.sh -server {}",
        all.join(", "),
        reachable(first)
    )
    .and_then(|()| out.flush());
}
