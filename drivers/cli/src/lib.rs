//! The `zk` command line: a ZooKeeper server in one binary.
//!
//! `zk serve` runs a server, and so does `zk` alone. [`zoo_cfg`] reads Apache ZooKeeper's
//! configuration file.

mod args;
mod exit;
mod listen;
mod logging;
mod serve;
mod signals;
pub mod zoo_cfg;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Arguments, Command};

/// Runs the command line with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command.unwrap_or_default() {
        Command::Serve(arguments) => serve::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            exit::report(&error);
            error.code()
        }
    }
}
