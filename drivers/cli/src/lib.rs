//! The `zk` command line: a ZooKeeper server, a client and a shell in one binary.
//!
//! `zk serve` runs a server, and so does `zk` alone. [`zoo_cfg`] reads Apache ZooKeeper's
//! configuration file. `zk shell` and `zk ls`, `zk get` and so on are clients of any server.
//! `zk log`, `zk snapshot` and `zk data` look into a server's files.

mod args;
mod client;
mod exit;
mod listen;
mod logging;
mod offline;
mod serve;
mod signals;
pub mod zoo_cfg;

use std::process::ExitCode;

use self::args::{Arguments, Command};

/// Runs the command line with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { client: options, command } = Arguments::from_process();
    let arguments = match command.unwrap_or_default() {
        Command::Serve(arguments) => arguments,
        Command::Shell(arguments) => return client::run_shell(&options, &arguments),
        Command::Offline(command) => return offline::run(&command, options.json),
        Command::Client(command) => return client::run(&options, &command),
    };
    match serve::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            exit::report(&error);
            error.code()
        }
    }
}

/// The examples of the repository's README are tests. They are here because this crate knows both
/// drivers.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
