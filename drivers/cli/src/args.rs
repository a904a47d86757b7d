//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::listen::Listen;

/// A ZooKeeper server in one binary.
///
/// Without a command it serves on 127.0.0.1:2181, with all data in memory.
#[derive(Debug, Parser)]
#[command(name = "zk", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a standalone server that any ZooKeeper client can use.
    Serve(ServeArguments),
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(ServeArguments::default())
    }
}

/// Run a standalone server that any ZooKeeper client can use.
///
/// When it is ready it prints one line on standard output that says how to connect. Logs go to
/// standard error. SIGTERM and Ctrl-C stop it gracefully: what was promised to clients is sent,
/// then connections are closed; a second signal ends it at once.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeArguments {
    /// Where to listen; may be given several times.
    ///
    /// A name is as good as an address; port 0 takes any free port. 0.0.0.0 is every IPv4 address
    /// of this machine, [::] every IPv6 address. Replaces what --config says about listening.
    /// Without both it is 127.0.0.1:2181.
    #[arg(short, long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<Listen>,

    /// Read settings from a zoo.cfg, as Apache ZooKeeper has them.
    ///
    /// Every key of a standalone server is honoured, or named in a warning with the reason why not.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Keep all data in memory; they end with the server.
    ///
    /// For now there is no other way, and without this option a notice says so.
    #[arg(long)]
    pub(crate) in_memory: bool,

    /// Log warnings and errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log every connection too.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  zk serve
      serve this machine on the usual port
  zk serve --listen 0.0.0.0:2181 --listen [::]:2181
      serve everybody, by IPv4 and IPv6
  zk serve --listen 127.0.0.1:0 --in-memory --quiet
      serve a test on any free port, which the first line of output names
  zk serve --config /etc/zookeeper/conf/zoo.cfg
      serve as Apache ZooKeeper would with this file

Exit status:
  0  stopped by a signal
  1  something unexpected, such as an address that is taken
  2  wrong arguments or configuration";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn addresses_may_be_given_several_times() {
        let line = ["zk", "serve", "--listen", "127.0.0.1:0", "-l", "[::1]:2181"];
        let arguments = Arguments::parse_from(line);
        let Some(Command::Serve(serve)) = arguments.command else { panic!("serve") };
        assert_eq!(serve.listen.len(), 2);
        assert!(Arguments::parse_from(["zk"]).command.is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            &["zk", "serve", "--listen", "127.0.0.1"][..],
            &["zk", "serve", "--listen", "127.0.0.1:65536"],
            &["zk", "serve", "--quiet", "--verbose"],
            &["zk", "nonsense"],
        ] {
            assert!(Arguments::try_parse_from(line).is_err(), "{line:?}");
        }
    }
}
