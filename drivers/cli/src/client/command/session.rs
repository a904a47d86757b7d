//! Commands about the session rather than a znode.

use clap::Args;
use zookeeper_core::wire::WatcherType;

use super::Context;
use crate::client::{
    failure::{About as _, CommandError},
    outcome::Outcome,
    value::ZnodePath,
};

/// Take on an identity, as --auth does.
///
/// Outside of the shell this only finds out whether the server accepts it.
#[derive(Args, Clone)]
pub(crate) struct Addauth {
    /// The scheme, such as digest.
    scheme: String,

    /// What the scheme asks for, such as user:password.
    #[arg(default_value = "")]
    credentials: String,
}

impl std::fmt::Debug for Addauth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Addauth").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Addauth {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let Self { scheme, credentials } = self;
        context.connection.add_auth(scheme, credentials.as_bytes()).about_nothing()?;
        Ok(Outcome::Authenticated { scheme: scheme.clone() })
    }
}

/// Wait until the server has caught up with its ensemble.
#[derive(Args, Clone, Debug)]
pub(crate) struct Sync {
    /// Some znode.
    #[arg(default_value = "/")]
    path: ZnodePath,
}

impl Sync {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = self.path.0.clone();
        context.connection.sync(&path).about(&path)?;
        Ok(Outcome::Done { path })
    }
}

/// End this session's watches of a znode.
#[derive(Args, Clone, Debug)]
pub(crate) struct Removewatches {
    /// The znode.
    path: ZnodePath,

    /// Only those of its children.
    #[arg(short, long, conflicts_with_all = ["data", "all"])]
    children: bool,

    /// Only those of its data.
    #[arg(short, long, conflicts_with = "all")]
    data: bool,

    /// All, which is what happens anyway.
    #[arg(short, long)]
    all: bool,

    /// End them here even if the server cannot be asked.
    #[arg(short, long)]
    local: bool,
}

impl Removewatches {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = self.path.0.clone();
        let kind = match self {
            Self { children: true, .. } => WatcherType::Children,
            Self { data: true, .. } => WatcherType::Data,
            _ => WatcherType::Any,
        };
        context.connection.remove_watches(&path, kind, self.local).about(&path)?;
        Ok(Outcome::Done { path })
    }
}
