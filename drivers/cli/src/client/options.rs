//! How to reach the servers, and how to show what they say.

use std::time::Duration;

use clap::Args;
use zookeeper_core::client::ConnectString;

use super::{
    failure::CommandError,
    value::{AuthArgument, duration},
};

/// What every client command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct ClientOptions {
    /// The servers, and below which znode all paths are.
    #[arg(
        long,
        global = true,
        env = "ZK_SERVER",
        value_name = "HOST:PORT,..[/CHROOT]",
        default_value = "127.0.0.1:2181"
    )]
    pub(crate) server: String,

    /// How long to look for a server and to wait for an answer; also the session's time-out.
    #[arg(
        long,
        global = true,
        value_name = "MS|10s|2m",
        default_value = "10s",
        value_parser = timeout
    )]
    pub(crate) timeout: Duration,

    /// An identity to take on, such as digest:user:password; may be given several times.
    #[arg(long, global = true, env = "ZK_AUTH", hide_env_values = true)]
    #[arg(value_name = "SCHEME:CREDENTIALS")]
    pub(crate) auth: Vec<AuthArgument>,

    /// Make do with a read-only server, one that has lost its ensemble.
    #[arg(long, global = true)]
    pub(crate) read_only: bool,

    /// Print JSON: one value, or one a line for what goes on.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl ClientOptions {
    /// The options' names, which are those of the fields.
    pub(crate) const NAMES: [&str; 5] = ["server", "timeout", "auth", "read_only", "json"];

    /// Those that are about the connection.
    pub(crate) const CONNECTION_NAMES: [&str; 4] = ["server", "timeout", "auth", "read_only"];

    /// Where to connect.
    pub(crate) fn servers(&self) -> Result<ConnectString, CommandError> {
        let wrong = |error| CommandError::Usage(format!("--server {}: {error}", self.server));
        self.server.parse().map_err(wrong)
    }
}

/// A time-out of nothing would never find a server.
fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it is zero".into()),
        timeout => Ok(timeout),
    }
}
