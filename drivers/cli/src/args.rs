//! What can be said on the command line.

use std::path::PathBuf;

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind,
    parser::ValueSource,
};

use crate::{
    client::{ClientCommand, ClientOptions, ShellArguments},
    listen::Listen,
    offline::OfflineCommand,
};

/// A ZooKeeper server, a client, a shell and tools for a server's files in one binary.
///
/// Without a command it serves on 127.0.0.1:2181, with its data in ./zk-data.
#[derive(Debug, Parser)]
#[command(name = "zk", version, max_term_width = 100, after_long_help = CLIENT_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) client: ClientOptions,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a standalone server that any ZooKeeper client can use.
    Serve(ServeArguments),
    /// Type commands at a prompt.
    Shell(ShellArguments),
    #[command(flatten)]
    Offline(OfflineCommand),
    #[command(flatten)]
    Client(ClientCommand),
}

impl Arguments {
    /// What the process was started with. Ends it if that is wrong, or help was asked for.
    pub(crate) fn from_process() -> Self {
        Self::from_words(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    fn from_words<T>(words: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<std::ffi::OsString> + Clone,
    {
        let mut definition = definition();
        let matches = definition.try_get_matches_from_mut(words)?;
        let arguments = Self::from_arg_matches(&matches)?;
        // These do not connect anywhere. Variables of the environment are for others.
        let foreign: &[&str] = match arguments.command {
            None | Some(Command::Serve(_)) => &ClientOptions::NAMES,
            Some(Command::Offline(_)) => &ClientOptions::CONNECTION_NAMES,
            Some(Command::Shell(_) | Command::Client(_)) => &[],
        };
        if !foreign.is_empty() {
            let given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
            if let Some(name) = foreign.iter().find(|name| given(name)) {
                let name = name.replace('_', "-");
                let message = format!("--{name} is for the client's commands");
                return Err(definition.error(ErrorKind::ArgumentConflict, message));
            }
        }
        Ok(arguments)
    }
}

/// The definition, in which the client's options do not show up with those who do not connect.
fn definition() -> clap::Command {
    let definition = Arguments::command();
    let options: Vec<clap::Arg> =
        definition.get_arguments().filter(|option| option.is_global_set()).cloned().collect();
    let of_connections = |option: &clap::Arg| {
        ClientOptions::CONNECTION_NAMES.iter().any(|name| option.get_id() == name)
    };
    let connection: Vec<clap::Arg> =
        options.iter().filter(|o| of_connections(o)).cloned().collect();
    let definition =
        definition.mut_subcommand("serve", |serve| serve.args(options.into_iter().map(hidden)));
    ["log", "snapshot", "data"].into_iter().fold(definition, |definition, name| {
        let options = connection.clone().into_iter().map(hidden);
        definition.mut_subcommand(name, |command| command.args(options))
    })
}

/// An option of its own takes the place of a global one.
fn hidden(option: clap::Arg) -> clap::Arg {
    option.hide(true)
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(ServeArguments::default())
    }
}

/// Run a standalone server that any ZooKeeper client can use.
///
/// It begins with what the data directory holds, and a write counts as done when it would survive
/// a power cut. The directory is one as Apache ZooKeeper makes it: a standalone server of Apache's
/// can go on with it, and this server with one of Apache's.
///
/// When it is ready it prints one line on standard output that says where the data are and how to
/// connect. Logs go to standard error. SIGTERM and Ctrl-C stop it gracefully: what was promised to
/// clients is sent, then connections are closed; a second signal ends it at once.
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

    /// Keep data in this directory, which is made if need be.
    ///
    /// Replaces what --config says about it. Without both it is ./zk-data. One server at a time
    /// can use a directory. Without --config the newest three snapshots are kept: what is older
    /// is removed after each new one, with the logs that only it needs.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Keep the log of transactions in this directory, best on a device of its own.
    ///
    /// Replaces what --config says about it. Without both it is the data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_log_dir: Option<PathBuf>,

    /// Keep all data in memory; they end with the server.
    #[arg(long, conflicts_with_all = ["data_dir", "data_log_dir"])]
    pub(crate) in_memory: bool,

    /// Log warnings and errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log every connection too.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

const CLIENT_HELP: &str = "\
Examples:
  zk create -p /app/state ready
      create a znode and its parents
  zk --server zk1:2181,zk2:2181/app get /state --json
      read one below /app, as JSON
  tar c etc | zk set /app/backup -
      store what comes on standard input
  zk watch -R /app
      print what changes, until interrupted
  zk shell
      type commands at a prompt
  zk export /app -o app.jsonl
      write a subtree to a file, for zk import
  zk data repair --dry-run /srv/zk-data
      see what is wrong with the files of a server that does not run

Exit status of the client's commands:
  0  done
  1  refused by the server; the message ends with ZooKeeper's name of the error
  2  wrong arguments
  3  no server was reached, or the connection was lost";

const EXAMPLES: &str = "\
Examples:
  zk serve
      serve this machine on the usual port, with the data in ./zk-data
  zk serve --data-dir /var/lib/zookeeper
      go on with these data, whether a server of Apache's or this one has written them
  zk serve --listen 0.0.0.0:2181 --listen [::]:2181
      serve everybody, by IPv4 and IPv6
  zk serve --listen 127.0.0.1:0 --in-memory --quiet
      serve a test on any free port, which the first line of output names
  zk serve --config /etc/zookeeper/conf/zoo.cfg
      serve as Apache ZooKeeper would with this file

Exit status:
  0  stopped by a signal
  1  something unexpected, such as an address that is taken
  2  wrong arguments or configuration
  3  the data directory cannot be used, or its data cannot be trusted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn addresses_may_be_given_several_times() {
        let line = ["zk", "serve", "--listen", "127.0.0.1:0", "-l", "[::1]:2181"];
        let arguments = parse(&line).expect("valid");
        let Some(Command::Serve(serve)) = arguments.command else { panic!("serve") };
        assert_eq!(serve.listen.len(), 2);
        assert!(parse(&["zk"]).expect("valid").command.is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            &["zk", "serve", "--listen", "127.0.0.1"][..],
            &["zk", "serve", "--listen", "127.0.0.1:65536"],
            &["zk", "serve", "--quiet", "--verbose"],
            &["zk", "serve", "--in-memory", "--data-dir", "/d"],
            &["zk", "serve", "--in-memory", "--data-log-dir", "/d"],
            &["zk", "nonsense"],
            &["zk", "--server", "a:1"],
            &["zk", "serve", "--json"],
            &["zk", "--timeout", "1s", "serve"],
            &["zk", "--timeout", "0", "ls"],
            &["zk", "--auth", "digest", "ls"],
            &["zk", "create", "-e", "-c", "/a"],
            &["zk", "create", "-t", "0", "/a"],
            &["zk", "get", "a"],
            &["zk", "4lw", "toolong"],
            &["zk", "log"],
            &["zk", "log", "dump"],
            &["zk", "log", "dump", "f", "--server", "a:1"],
            &["zk", "--timeout", "1s", "log", "stat", "f"],
            &["zk", "log", "dump", "f", "--from", "x"],
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn the_clients_options_stand_before_or_behind_a_command() {
        for line in [
            &["zk", "--server", "a:1/b", "--json", "ls", "/"][..],
            &["zk", "ls", "/", "--server", "a:1/b", "--json"],
        ] {
            let arguments = parse(line).expect("valid");
            assert_eq!((&*arguments.client.server, arguments.client.json), ("a:1/b", true));
            assert!(matches!(arguments.command, Some(Command::Client(_))), "{line:?}");
        }
    }

    #[test]
    fn the_servers_help_is_about_the_server() {
        let error = parse(&["zk", "serve", "--help"]).expect_err("help");
        let help = error.render().to_string();
        assert!(help.contains("--listen") && !help.contains("--server"), "{help}");
        let help = parse(&["zk", "log", "dump", "--help"]).expect_err("help").render().to_string();
        assert!(help.contains("--json") && !help.contains("--server"), "{help}");
        let arguments = parse(&["zk", "log", "dump", "f", "--json"]).expect("valid");
        assert!(arguments.client.json);
    }

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::from_words(words)
    }
}
