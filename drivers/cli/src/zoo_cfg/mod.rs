//! `zoo.cfg`: Apache ZooKeeper's configuration file.
//!
//! Every key a standalone server has is either honoured or named in a [`Warning`] with the reason
//! why it is not. What upstream refuses to start with is an error here too.
//!
//! | what | where |
//! |---|---|
//! | syntax | `properties.rs` |
//! | numbers, booleans, enumerations | `value.rs` |
//! | keys that upstream parses itself | `fields.rs` |
//! | keys that upstream makes JVM properties of | `system.rs` |
//! | keys about files | `storage.rs` |
//! | keys that have no effect here | `ignored.rs` |
//!
//! Behaviour: `org.apache.zookeeper.server.quorum.QuorumPeerConfig`, `ServerConfig`.

mod fields;
mod ignored;
mod properties;
mod storage;
mod system;
mod value;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use zookeeper_core::{server, storage as store};

pub use properties::{PropertiesError, Property, parse};

use self::{storage::Autopurge, system::Throttle};

/// What a configuration file asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ZooCfg {
    /// The server's settings.
    pub server: server::Config,
    /// `clientPort`.
    pub client_port: Option<u16>,
    /// `clientPortAddress`: a name or an address; `None` is all addresses.
    pub client_address: Option<String>,
    /// `clientPortListenBacklog`; `None` is the driver's choice.
    pub backlog: Option<u16>,
    /// `clientTcpKeepAlive`.
    pub keep_alive: bool,
    /// `dataDir`; only a server that keeps its data in memory can do without.
    pub data_dir: Option<PathBuf>,
    /// `dataLogDir`, if it is another directory.
    pub data_log_dir: Option<PathBuf>,
    /// Settings of the storage.
    pub storage: store::Config,
    /// `datadir.autocreate`.
    pub create_directories: bool,
    /// `db.autocreate`.
    pub create_database: bool,
    /// `snapshot.trust.empty`.
    pub trust_empty_snapshot: bool,
    /// `fsync.warningthresholdms`.
    pub sync_warning: Duration,
    /// What has no effect, and why.
    pub warnings: Vec<Warning>,
}

/// A key that has no effect, or not the whole of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The line, counted from 1.
    pub line: usize,
    /// The key; never the value, which may be a secret.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.key, self.reason)
    }
}

/// Why a file is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// One entry cannot be what it is.
    #[error("{}:{line}: {message}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The entries together cannot be what they are.
    #[error("{}: {message}", path.display())]
    Whole {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// What is wrong, before it is known where.
#[derive(Debug)]
enum Mistake {
    At(usize, String),
    Whole(String),
}

impl ZooCfg {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the file cannot be read, or upstream would not start with it either.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        Self::parse(&fs::read(path).map_err(unreadable)?, path)
    }

    /// The same for the content of a file; `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when upstream would not start with it either.
    pub fn parse(content: &[u8], path: &Path) -> Result<Self, ConfigError> {
        Builder::build(content).map_err(|mistake| match mistake {
            Mistake::At(line, message) => ConfigError::Entry { path: path.into(), line, message },
            Mistake::Whole(message) => ConfigError::Whole { path: path.into(), message },
        })
    }
}

/// A configuration in the making.
#[derive(Debug)]
struct Builder {
    config: ZooCfg,
    tick_ms: u64,
    /// -1 is a multiple of the tick.
    timeout_min_ms: i64,
    timeout_max_ms: i64,
    throttle: Throttle,
    autopurge: Autopurge,
    /// `commands` as given, because `readonlymode.enabled` adds to it.
    whitelist: Option<(usize, String)>,
    /// `enforce.auth.enabled` with its line, when it is on.
    enforced: Option<usize>,
    schemes: Option<String>,
    /// `sessionRequireClientSASLAuth` with its line, when it is on.
    sasl_required: Option<usize>,
    /// Lines of `server.N`.
    servers: Vec<usize>,
    /// The newest line that gave `jute.maxbuffer`.
    frame_length_max: Option<usize>,
}

impl Builder {
    fn build(content: &[u8]) -> Result<ZooCfg, Mistake> {
        let entries = parse(content).map_err(|error| Mistake::At(error.line, error.to_string()))?;
        let mut builder = Self::new();
        for (index, entry) in entries.iter().enumerate() {
            let (key, value) = (entry.key.trim(), entry.value.trim());
            // As in Java, the last one counts.
            if let Some(later) = entries[index + 1..].iter().find(|later| later.key.trim() == key) {
                let reason = format!("is given again in line {}, which counts", later.line);
                builder.warn(entry.line, key, reason);
                continue;
            }
            builder.apply(entry.line, key, value)?;
        }
        builder.finish()
    }

    fn new() -> Self {
        let config = ZooCfg {
            server: server::Config::default(),
            client_port: None,
            client_address: None,
            backlog: None,
            keep_alive: false,
            data_dir: None,
            data_log_dir: None,
            storage: store::Config::default(),
            create_directories: true,
            create_database: true,
            trust_empty_snapshot: false,
            sync_warning: Duration::from_secs(1),
            warnings: Vec::new(),
        };
        Self {
            config,
            tick_ms: 3_000,
            timeout_min_ms: -1,
            timeout_max_ms: -1,
            throttle: Throttle::default(),
            autopurge: Autopurge::default(),
            whitelist: None,
            enforced: None,
            schemes: None,
            sasl_required: None,
            servers: Vec::new(),
            frame_length_max: None,
        }
    }

    fn apply(&mut self, line: usize, key: &str, value: &str) -> Result<(), Mistake> {
        if self.apply_field(line, key, value)?
            || self.apply_system(line, key, value)?
            || self.apply_storage(line, key, value)?
        {
            return Ok(());
        }
        let reason = ignored::reason(key).unwrap_or_else(|| ignored::unknown(key));
        self.warn(line, key, reason);
        Ok(())
    }

    fn warn(&mut self, line: usize, key: &str, reason: impl Into<String>) {
        self.config.warnings.push(Warning { line, key: key.to_owned(), reason: reason.into() });
    }

    fn finish(mut self) -> Result<ZooCfg, Mistake> {
        self.finish_fields()?;
        self.finish_system()?;
        self.finish_storage();
        self.config.warnings.sort_by_key(|warning| warning.line);
        Ok(self.config)
    }

    /// Milliseconds as a duration; below zero is zero.
    fn duration(ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
