//! The table of commands: each parses its own arguments and runs against a connection. The shell
//! and the one-shot forms share them.

mod acl;
mod export;
mod import;
mod multi;
mod read;
mod rmr;
mod session;
mod watch;
mod word;
mod write;

use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use self::{
    acl::AclCommand,
    export::{Export, hidden_note},
    import::Import,
    multi::MultiCommand,
    read::{Config, Count, Ephemerals, Get, Ls, StatCommand, Whoami},
    rmr::Rmr,
    session::{Addauth, Removewatches, Sync},
    watch::Watch,
    word::Word,
    write::{Create, Delete, Set},
};
use super::{
    connection::Connection, failure::CommandError, interrupt::Interrupt, outcome::Outcome,
    watching::Watching,
};

/// Everything that can be asked of a server.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ClientCommand {
    #[command(flatten)]
    Session(SessionCommand),
    // It needs no session.
    #[command(name = "4lw")]
    Word(Word),
}

/// Everything that can be asked of a session.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SessionCommand {
    Ls(Ls),
    Create(Create),
    Get(Get),
    Set(Set),
    Delete(Delete),
    #[command(visible_alias = "deleteall")]
    Rmr(Rmr),
    Export(Export),
    Import(Import),
    Stat(StatCommand),
    #[command(alias = "getAcl", alias = "setAcl")]
    Acl(AclCommand),
    Addauth(Addauth),
    Watch(Watch),
    Sync(Sync),
    Multi(MultiCommand),
    #[command(alias = "getEphemerals")]
    Ephemerals(Ephemerals),
    #[command(alias = "getAllChildrenNumber")]
    Count(Count),
    Config(Config),
    Whoami(Whoami),
}

/// What a command runs in.
pub(crate) struct Context<'a> {
    /// The session.
    pub(crate) connection: &'a dyn Connection,
    /// Whether Ctrl-C was pressed.
    pub(crate) interrupt: &'a Interrupt,
    /// Who shows what is watched.
    pub(crate) watching: Watching<'a>,
    /// Where long work says how far it is: hidden, unless somebody can see it.
    pub(crate) progress: &'a ProgressBar,
}

impl Context<'_> {
    /// Whether this is the shell, which reads standard input and shows events as they come.
    pub(crate) fn is_shell(&self) -> bool {
        matches!(self.watching, Watching::InBackground)
    }

    /// Refuses a one-shot watch where the session ends with the command.
    fn may_watch(&self, watch: bool) -> Result<bool, CommandError> {
        if watch && !self.is_shell() {
            let message = "--watch is for the shell; see `zk watch`";
            return Err(CommandError::Usage(message.into()));
        }
        Ok(watch)
    }
}

impl SessionCommand {
    /// Whether the session is to go on after the outcome was shown, until interrupted.
    pub(crate) fn holds(&self) -> bool {
        matches!(self, Self::Create(create) if create.holds())
    }

    /// Whether it looks at the interrupt now and then, so that Ctrl-C need not end the process.
    pub(crate) fn takes_long(&self) -> bool {
        match self {
            Self::Watch(_) | Self::Rmr(_) | Self::Export(_) | Self::Import(_) => true,
            Self::Create(create) => create.holds(),
            Self::Ls(list) => list.is_recursive(),
            Self::Acl(acl) => acl.is_recursive(),
            _ => false,
        }
    }

    /// Does it.
    pub(crate) fn run(&self, context: &mut Context<'_>) -> Result<Outcome, CommandError> {
        match self {
            Self::Ls(command) => command.run(context),
            Self::Create(command) => command.run(context),
            Self::Get(command) => command.run(context),
            Self::Set(command) => command.run(context),
            Self::Delete(command) => command.run(context),
            Self::Rmr(command) => command.run(context),
            Self::Export(command) => command.run(context),
            Self::Import(command) => command.run(context),
            Self::Stat(command) => command.run(context),
            Self::Acl(command) => command.run(context),
            Self::Addauth(command) => command.run(context),
            Self::Watch(command) => command.run(context),
            Self::Sync(command) => command.run(context),
            Self::Multi(command) => command.run(context),
            Self::Ephemerals(command) => command.run(context),
            Self::Count(command) => command.run(context),
            Self::Config(command) => command.run(context),
            Self::Whoami(command) => command.run(context),
        }
    }
}

/// How often progress is drawn while nothing moves.
pub(crate) const TICK: Duration = Duration::from_millis(120);

/// How progress looks.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
