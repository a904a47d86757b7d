//! ACLs: shown, and set.

use clap::Args;
use zookeeper_core::wire::{Acl, ErrorCode};

use super::{Context, write::VersionArgument};
use crate::client::{
    failure::{About as _, CommandError},
    outcome::Outcome,
    subtree,
    value::{AclArgument, ZnodePath},
};

/// Show the ACL of a znode, or replace it.
///
/// It is shown in the form in which it is given: scheme:id:perms, with the letters c (create), d
/// (delete), r (read), w (write) and a (admin).
#[derive(Args, Clone, Debug)]
pub(crate) struct AclCommand {
    /// The znode.
    path: ZnodePath,

    /// The new ACL: scheme:id:perms, separated by commas.
    acl: Option<AclArgument>,

    /// Show the stat too.
    #[arg(short, long)]
    stat: bool,

    #[command(flatten)]
    version: VersionArgument,

    /// Replace the ACLs of everything below it too.
    #[arg(short = 'R', long, requires = "acl", conflicts_with_all = ["stat", "version"])]
    recursive: bool,
}

impl AclCommand {
    pub(super) fn is_recursive(&self) -> bool {
        self.recursive
    }

    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = self.path.0.clone();
        let stat_wanted = self.stat;
        let Some(AclArgument(acl)) = &self.acl else {
            let (acl, stat) = context.connection.acl(&path).about(&path)?;
            return Ok(Outcome::Acl { path, acl, stat, stat_wanted });
        };
        if self.recursive {
            return set_everywhere(context, path, acl);
        }
        let stat = context.connection.set_acl(&path, acl, self.version.get()).about(&path)?;
        Ok(Outcome::Set { path, stat, stat_wanted })
    }
}

/// What goes meanwhile does not matter, as long as the root of it all is there.
fn set_everywhere(
    context: &Context<'_>,
    path: String,
    acl: &[Acl],
) -> Result<Outcome, CommandError> {
    let found = subtree::read(context.connection, context.interrupt, &path, |_| ())?;
    let (mut changed, mut gone) = (0, found.gone);
    for znode in found.paths {
        context.interrupt.check()?;
        match context.connection.set_acl(&znode, acl, None) {
            Ok(_) => changed += 1,
            Err(error) if error.code() == ErrorCode::NO_NODE && znode != path => gone += 1,
            Err(error) => return Err(error).about(&znode),
        }
    }
    Ok(Outcome::AclSet { path, changed, gone })
}
