//! Settings of a whole server, and what only its host can tell.

use std::{net::SocketAddr, time::Duration};

use crate::{endpoint, secret::Secret, storage, tree};

/// Settings of a [`Server`](super::Server). The default is upstream's.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Connections, sessions, limits, four-letter words.
    pub endpoint: endpoint::Config,
    /// ACLs, quotas, znode types.
    pub tree: tree::Config,
    /// When a write counts as done.
    pub durability: Durability,
    /// The clean-up of containers and of znodes with a time to live.
    pub containers: Containers,
    /// What commands print about the server.
    pub about: About,
    /// Keys the function from session ids to session passwords, which is otherwise the public one
    /// of Apache ZooKeeper. A data directory then keeps its sessions' passwords only under the same
    /// key.
    pub private_passwords: Option<Secret<[u8; 32]>>,
}

/// When a write counts as done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// When it is applied: nothing is stored, and no Store action is given.
    #[default]
    InMemory,
    /// When its log record is on stable storage.
    Logged(storage::Config),
}

/// The clean-up of containers and of znodes with a time to live.
///
/// Behaviour: `org.apache.zookeeper.server.ContainerManager`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Containers {
    /// Time between two looks at all candidates.
    pub check_interval: Duration,
    /// Removals in a minute, at most. At least 1.
    pub per_minute_max: u32,
    /// How long a container may stay that never had a child; zero is for ever.
    pub never_used_max: Duration,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(60),
            per_minute_max: 10_000,
            never_used_max: Duration::from_secs(300),
        }
    }
}

/// What commands print about the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct About {
    /// The version as `srvr`, `stat`, `mntr` and `envi` print it: that of the Apache ZooKeeper whose
    /// behaviour this is, which is what clients look at, and then this crate's.
    pub version: Box<str>,
    /// Where clients connect; the first one's port is `conf`'s.
    pub client_addresses: Vec<SocketAddr>,
    /// `conf`'s directory of snapshots; empty in memory.
    pub data_dir: Box<str>,
    /// `conf`'s directory of logs; empty in memory.
    pub data_log_dir: Box<str>,
    /// `conf`'s listen backlog; -1 is the driver's choice.
    pub listen_backlog: i32,
}

impl Default for About {
    fn default() -> Self {
        let version = concat!("3.10.0-zk.", env!("CARGO_PKG_VERSION"));
        Self {
            version: version.into(),
            client_addresses: Vec::new(),
            data_dir: Box::default(),
            data_log_dir: Box::default(),
            listen_backlog: -1,
        }
    }
}

/// What only the host can tell; a driver gives it at the start and now and then.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Environment {
    /// `envi`'s lines behind the version: `host.name`, `os.name`, `user.name` and so on, in order.
    pub properties: Vec<(Box<str>, Box<str>)>,
    /// File descriptors open.
    pub open_files: u64,
    /// File descriptors allowed.
    pub open_files_max: u64,
    /// Bytes in the directory of snapshots.
    pub data_dir_bytes: u64,
    /// Bytes in the directory of logs.
    pub log_dir_bytes: u64,
}
