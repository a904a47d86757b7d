//! The log: lines on standard error.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Sessions too.
    Normal,
    /// Connections too.
    Verbose,
}

/// Starts logging, once per process.
pub(crate) fn start(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Normal => LevelFilter::INFO,
        Verbosity::Verbose => LevelFilter::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        // It would say on standard error that standard error is gone, and panic.
        .log_internal_errors(false)
        .finish();
    // Whoever uses this as a library may log by its own means already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
