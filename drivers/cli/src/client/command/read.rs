//! Commands that only look.

use clap::Args;

use super::Context;
use crate::client::{
    connection::Connection,
    failure::{About as _, CommandError},
    interrupt::Interrupt,
    outcome::Outcome,
    subtree,
    value::ZnodePath,
};

/// Where the ensemble's configuration is.
const CONFIG: &str = "/zookeeper/config";

/// List the children of a znode, sorted.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ls {
    /// The znode.
    #[arg(default_value = "/")]
    path: ZnodePath,

    /// List everything below it too, itself included, as whole paths.
    #[arg(short = 'R', long, conflicts_with_all = ["stat", "watch"])]
    recursive: bool,

    /// Show the stat too.
    #[arg(short, long)]
    stat: bool,

    /// Be told of the next change; in the shell.
    #[arg(short, long)]
    watch: bool,
}

impl Ls {
    pub(super) fn is_recursive(&self) -> bool {
        self.recursive
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = &self.path.0;
        if self.recursive {
            return list(context.connection, context.interrupt, path).map(Outcome::Paths);
        }
        let watch = context.may_watch(self.watch)?;
        let (mut names, stat) = context.connection.children(path, watch).about(path)?;
        names.sort_unstable();
        let stat = self.stat.then_some(stat);
        Ok(Outcome::Children { path: path.clone(), names, stat })
    }
}

/// Paths, each before those below it, and siblings sorted.
fn list(
    connection: &dyn Connection,
    interrupt: &Interrupt,
    path: &str,
) -> Result<Vec<String>, CommandError> {
    let mut paths = subtree::read(connection, interrupt, path, |_| ())?.paths;
    subtree::sort(&mut paths);
    Ok(paths)
}

/// Print the data of a znode, byte by byte.
///
/// On a terminal a line end is added, and what a terminal would obey is shown as \xNN.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// The znode.
    path: ZnodePath,

    /// Show the stat too, behind the data.
    #[arg(short, long)]
    stat: bool,

    /// Be told of the next change; in the shell.
    #[arg(short, long)]
    watch: bool,
}

impl Get {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = &self.path.0;
        let watch = context.may_watch(self.watch)?;
        let (data, stat) = context.connection.data(path, watch).about(path)?;
        let path = path.clone();
        Ok(Outcome::Data { path, data, stat: Some(stat), stat_wanted: self.stat })
    }
}

/// Show the stat of a znode.
#[derive(Args, Clone, Debug)]
pub(crate) struct StatCommand {
    /// The znode.
    path: ZnodePath,

    /// Be told of the next change; in the shell.
    #[arg(short, long)]
    watch: bool,
}

impl StatCommand {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = &self.path.0;
        let watch = context.may_watch(self.watch)?;
        match context.connection.exists(path, watch).about(path)? {
            Some(stat) => Ok(Outcome::Stat { path: path.clone(), stat }),
            None => Err(CommandError::no_node(path)),
        }
    }
}

/// List the ephemeral znodes of this session.
///
/// Paths are the server's: a chroot is not taken off. Outside of the shell a session lasts as long
/// as the command, and has none.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ephemerals {
    /// List only paths that begin with this.
    #[arg(default_value = "/")]
    prefix: ZnodePath,
}

impl Ephemerals {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let prefix = &self.prefix.0;
        let mut paths = context.connection.ephemerals(prefix).about(prefix)?;
        paths.sort_unstable();
        Ok(Outcome::Paths(paths))
    }
}

/// Count everything below a znode.
#[derive(Args, Clone, Debug)]
pub(crate) struct Count {
    /// The znode.
    #[arg(default_value = "/")]
    path: ZnodePath,
}

impl Count {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = &self.path.0;
        let count = context.connection.count(path).about(path)?;
        Ok(Outcome::Count { path: path.clone(), count })
    }
}

/// Print the configuration of the ensemble.
#[derive(Args, Clone, Debug)]
pub(crate) struct Config {
    /// Show the stat too.
    #[arg(short, long)]
    stat: bool,

    /// Be told of the next change; in the shell.
    #[arg(short, long)]
    watch: bool,
}

impl Config {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let watch = context.may_watch(self.watch)?;
        let (data, stat) = context.connection.config(watch).about(CONFIG)?;
        let path = CONFIG.into();
        Ok(Outcome::Data { path, data, stat: Some(stat), stat_wanted: self.stat })
    }
}

/// Show the identities that the server takes this session for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Whoami {}

impl Whoami {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        context.connection.identities().about_nothing().map(Outcome::Identities)
    }
}
