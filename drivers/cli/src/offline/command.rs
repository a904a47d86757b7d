//! The table of offline commands.

use std::process::ExitCode;

use clap::Subcommand;

use super::{
    data::DataCommand,
    failure::{OfflineError, report},
    log::LogCommand,
    output::Output,
    snapshot::SnapshotCommand,
    verdict::Verdict,
};

/// Everything that can be asked of files.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OfflineCommand {
    /// Look into transaction logs.
    #[command(subcommand, arg_required_else_help = true)]
    Log(LogCommand),
    /// Look into snapshots.
    #[command(subcommand, arg_required_else_help = true)]
    Snapshot(SnapshotCommand),
    /// Look into a server's whole directory, and repair it.
    #[command(subcommand, arg_required_else_help = true)]
    Data(DataCommand),
}

/// Runs a command and says by the exit status how the files are.
pub(crate) fn run(command: &OfflineCommand, json: bool) -> ExitCode {
    let mut output = Output::stdout(json);
    let result = match command {
        OfflineCommand::Log(command) => command.run(&mut output),
        OfflineCommand::Snapshot(command) => command.run(&mut output),
        OfflineCommand::Data(command) => command.run(&mut output),
    };
    let result = result.and_then(|verdict| output.finish().map(|()| verdict));
    match result {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        // Whoever reads has read enough.
        Err(error) if error.is_broken_pipe() => ExitCode::from(Verdict::Fine.exit_code()),
        Err(error) => {
            report(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// What the help says of exit statuses.
pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  everything is in order
  1  damaged, or not readable
  2  wrong arguments
  4  nothing but a torn tail, which a crash leaves and a server cuts by itself";

/// How a command ends: with what it thinks of the files, or without having seen them.
pub(super) type Outcome = Result<Verdict, OfflineError>;
