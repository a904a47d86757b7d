//! Commands that change one znode.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use zookeeper_core::{
    validate_path,
    wire::{CreateMode, ErrorCode},
};

use super::Context;
use crate::client::{
    connection::{Connection, NewNode},
    failure::{About as _, CommandError},
    outcome::Outcome,
    value::{AclArgument, DataArguments, ZnodePath, duration, open_acl},
};

/// Create a znode and print its path.
///
/// Without one of the options it is persistent. An ephemeral znode goes with its session: outside
/// of the shell that is at the end of the command, unless --hold is given.
#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    node: CreateArguments,

    /// Create missing parents too: persistent, empty, and for everybody to use.
    #[arg(short, long)]
    parents: bool,

    /// Show the stat too.
    #[arg(long)]
    stat: bool,

    /// Keep the session, and with it an ephemeral znode, until interrupted.
    #[arg(long)]
    hold: bool,
}

/// What a create is told, alone or in a multi.
#[derive(Args, Clone, Debug)]
pub(crate) struct CreateArguments {
    /// Goes with its session.
    #[arg(short, long, conflicts_with_all = ["container", "ttl"])]
    ephemeral: bool,

    /// The name gets a number behind it.
    #[arg(short, long, conflicts_with = "container")]
    sequential: bool,

    /// Goes some time after its last child.
    #[arg(short, long, conflicts_with = "ttl")]
    container: bool,

    /// Goes when it was not changed for so long and has no children.
    #[arg(short, long, value_name = "MS|10m", value_parser = ttl)]
    ttl: Option<Duration>,

    /// The znode; a sequential one may end with a slash.
    path: String,

    #[command(flatten)]
    data: DataArguments,

    /// Who may do what: scheme:id:perms, separated by commas; everybody everything if not given.
    #[arg(value_name = "ACL")]
    acl: Option<AclArgument>,

    /// The same, where no data are given.
    #[arg(long = "acl", value_name = "ACL", conflicts_with = "acl")]
    acl_option: Option<AclArgument>,
}

impl Create {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        if self.hold && context.is_shell() {
            return Err(CommandError::Usage("the shell keeps its session anyway".into()));
        }
        let mut node = self.node.node(!context.is_shell())?;
        node.with_stat = self.stat;
        let created = match context.connection.create(&node) {
            Err(error) if error.code() == ErrorCode::NO_NODE && self.parents => {
                create_parents(context.connection, &node.path)?;
                context.connection.create(&node)
            }
            created => created,
        };
        let created = created.about(&node.path)?;
        Ok(Outcome::Created { created, stat_wanted: self.stat })
    }

    /// Whether the session is to go on after the outcome was shown.
    pub(super) fn holds(&self) -> bool {
        self.hold
    }
}

/// Creates what is missing above a znode. What there is already is not touched, since there may be
/// no permission to create anything beside it.
pub(super) fn create_parents(connection: &dyn Connection, path: &str) -> Result<(), CommandError> {
    // The root may be a chroot that is not there.
    let parents: Vec<&str> =
        path.match_indices('/').map(|(slash, _)| &path[..slash.max(1)]).collect();
    let mut missing = parents.len();
    while missing > 0 && connection.exists(parents[missing - 1], false).about(path)?.is_none() {
        missing -= 1;
    }
    for &parent in &parents[missing..] {
        let node = NewNode {
            path: parent.into(),
            data: Some(Bytes::new()),
            mode: CreateMode::Persistent,
            acl: open_acl(),
            ttl: None,
            with_stat: false,
        };
        match connection.create(&node) {
            // Somebody else needs it too.
            Err(error) if error.code() == ErrorCode::NODE_EXISTS => {}
            created => drop(created.about(parent)?),
        }
    }
    Ok(())
}

impl CreateArguments {
    /// The znode to create.
    pub(crate) fn node(&self, stdin: bool) -> Result<NewNode, CommandError> {
        let mode = self.mode();
        let data = Some(self.data.read(stdin)?.unwrap_or_default());
        let path = self.path(mode)?;
        let acl = self.acl.clone().or_else(|| self.acl_option.clone());
        let acl = acl.map_or_else(open_acl, |AclArgument(acl)| acl);
        Ok(NewNode { path, data, mode, acl, ttl: self.ttl, with_stat: false })
    }

    fn mode(&self) -> CreateMode {
        match (self.ephemeral, self.sequential, self.container, self.ttl) {
            (true, false, ..) => CreateMode::Ephemeral,
            (true, true, ..) => CreateMode::EphemeralSequential,
            (_, _, true, _) => CreateMode::Container,
            (_, false, _, Some(_)) => CreateMode::PersistentWithTtl,
            (_, true, _, Some(_)) => CreateMode::PersistentSequentialWithTtl,
            (_, false, ..) => CreateMode::Persistent,
            (_, true, ..) => CreateMode::PersistentSequential,
        }
    }

    /// A sequential path counts with its number, so it may end where the number begins.
    fn path(&self, mode: CreateMode) -> Result<String, CommandError> {
        let checked = if mode.is_sequential() {
            validate_path(&format!("{}0", self.path)).map(|()| self.path.clone())
        } else {
            self.path.parse().map(|ZnodePath(path)| path)
        };
        checked.map_err(|error| CommandError::Usage(format!("{}: {error}", self.path)))
    }
}

/// Replace the data of a znode.
#[derive(Args, Clone, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    change: SetArguments,

    /// Show the stat that it has now.
    #[arg(short, long)]
    stat: bool,
}

/// What a set is told, alone or in a multi.
#[derive(Args, Clone, Debug)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    version: VersionArgument,

    /// The znode.
    pub(crate) path: ZnodePath,

    #[command(flatten)]
    data: DataArguments,
}

impl Set {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let (path, data, version) = self.change.parts(!context.is_shell())?;
        let stat = context.connection.set_data(&path, Some(&data), version).about(&path)?;
        Ok(Outcome::Set { path, stat, stat_wanted: self.stat })
    }
}

impl SetArguments {
    /// Path, data and version.
    pub(crate) fn parts(&self, stdin: bool) -> Result<(String, Bytes, Option<i32>), CommandError> {
        let Some(data) = self.data.read(stdin)? else {
            let message = "the data are missing: DATA, --file FILE, or - for standard input";
            return Err(CommandError::Usage(message.into()));
        };
        Ok((self.path.0.clone(), data, self.version.get()))
    }
}

/// Delete a znode that has no children.
#[derive(Args, Clone, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    change: DeleteArguments,
}

/// What a delete or a check is told, alone or in a multi.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    version: VersionArgument,

    /// The znode.
    path: ZnodePath,
}

impl Delete {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let (path, version) = self.change.parts();
        context.connection.delete(&path, version).about(&path)?;
        Ok(Outcome::Done { path })
    }
}

impl DeleteArguments {
    /// Path and version.
    pub(crate) fn parts(&self) -> (String, Option<i32>) {
        (self.path.0.clone(), self.version.get())
    }
}

/// The version that something must have.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct VersionArgument {
    /// Only if it has this version; -1 is any.
    #[arg(short, long = "version", value_name = "VERSION", allow_negative_numbers = true)]
    version: Option<i32>,
}

impl VersionArgument {
    pub(crate) fn get(self) -> Option<i32> {
        self.version.filter(|&version| version != -1)
    }
}

/// The least and the most that a server takes.
fn ttl(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_millis((1 << 40) - 1);
    match duration(text)? {
        ttl if ttl < Duration::from_millis(1) => Err("it is less than a millisecond".into()),
        ttl if ttl > MAX => Err("it is longer than 2^40-1 milliseconds".into()),
        ttl => Ok(ttl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::Fake;

    #[test]
    fn missing_parents_are_created_and_others_left_alone() {
        let fake = Fake::new(&["/a"]);
        create_parents(&fake, "/a/b/c/d").expect("room");
        assert_eq!(fake.paths(), ["/", "/a", "/a/b", "/a/b/c"]);
        create_parents(&fake, "/x").expect("nothing to do");
        create_parents(&fake, "/a/b/c/s-").expect("nothing to do");
        assert_eq!(fake.paths().len(), 4);
    }

    #[test]
    fn a_parent_that_comes_meanwhile_is_as_good() {
        let fake = Fake::new(&["/a"]);
        // It looks for /a/b and finds /a.
        fake.on_request(2, |tree| {
            tree.insert("/a/b".into());
        });
        create_parents(&fake, "/a/b/c").expect("it is there");
        assert_eq!(fake.paths(), ["/", "/a", "/a/b"]);
    }

    #[test]
    fn a_time_to_live_has_bounds() {
        assert!(ttl("1").is_ok() && ttl("12h").is_ok());
        assert!(ttl("0").is_err() && ttl("1099511627776").is_err());
    }
}
