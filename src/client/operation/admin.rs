//! Operations on the ensemble, on the session's view of it, and on its identities.
//!
//! Behaviour: `org.apache.zookeeper.admin.ZooKeeperAdmin` and `ZooKeeper.sync`, `whoAmI`.

use std::borrow::Cow;

use super::{
    ArgumentError, Chroot, Data, Error, Operation, Repetition, RequestError, Watchable, required,
    rooted,
};
use crate::wire::{Id, List, PathRequest, ReadRequest, ReconfigRequest, Request, Response, Text};

/// The configuration that any configuration matches.
const ANY_CONFIG: i64 = -1;

/// Waits until this session's server has applied whatever was written before, so that the next
/// read shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sync<'a> {
    /// The znode that matters; servers today sync everything.
    pub path: Cow<'a, str>,
}

impl<'a> Sync<'a> {
    /// For this znode.
    pub fn new(path: impl Into<Cow<'a, str>>) -> Self {
        Self { path: path.into() }
    }
}

impl Operation for Sync<'_> {
    type Output = ();

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = rooted(chroot, &self.path)?;
        Ok(submit(&Request::Sync(PathRequest { path: Some((&*path).into()) })))
    }

    /// The path in the reply says nothing new.
    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
        match result? {
            Response::Path(_) => Ok(()),
            _ => Err(Error::UnexpectedReply),
        }
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

/// Reads an ensemble's configuration. It knows no chroot, and neither do its watch's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GetConfig;

impl GetConfig {
    /// Where an ensemble keeps its configuration, whatever the chroot.
    pub const PATH: &'static str = "/zookeeper/config";
}

impl Operation for GetConfig {
    type Output = Data;

    fn with_request<R>(
        &self,
        _chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = Some(Text::from_static(Self::PATH));
        Ok(submit(&Request::GetData(ReadRequest { path, watch: false })))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<Data, Error> {
        Data::from_reply(result)
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

impl Watchable for GetConfig {}

/// Changes an ensemble's membership: some servers come and some go, or all are named anew. Its
/// output is the new configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reconfig {
    joining: Option<String>,
    leaving: Option<String>,
    members: Option<String>,
    version: Option<i64>,
}

impl Reconfig {
    /// One that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A server that joins, or whose addresses change: `server.<id>=<host>:<port>:<port>...`.
    #[must_use]
    pub fn join(mut self, server: &str) -> Self {
        append(&mut self.joining, server);
        self
    }

    /// A server that leaves, by its id.
    #[must_use]
    pub fn leave(mut self, id: &str) -> Self {
        append(&mut self.leaving, id);
        self
    }

    /// A server of the whole new membership; goes with neither of the others.
    #[must_use]
    pub fn member(mut self, server: &str) -> Self {
        append(&mut self.members, server);
        self
    }

    /// The version that the present configuration must have; without it, any.
    #[must_use]
    pub const fn if_version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl Operation for Reconfig {
    type Output = Data;

    fn with_request<R>(
        &self,
        _chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        Ok(submit(&Request::Reconfig(ReconfigRequest {
            joining: self.joining.as_deref().map(Into::into),
            leaving: self.leaving.as_deref().map(Into::into),
            new_members: self.members.as_deref().map(Into::into),
            config_id: self.version.unwrap_or(ANY_CONFIG),
        })))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<Data, Error> {
        Data::from_reply(result)
    }

    fn repetition(&self) -> Repetition {
        match self.version {
            None | Some(ANY_CONFIG) => Repetition::Unsafe,
            Some(_) => Repetition::Guarded,
        }
    }
}

/// Lists the identities that this session's connection has, without their secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WhoAmI;

impl Operation for WhoAmI {
    type Output = Vec<Id>;

    fn with_request<R>(
        &self,
        _chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        Ok(submit(&Request::WhoAmI))
    }

    fn output(
        _chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Vec<Id>, Error> {
        let Response::Identities(list) = result? else { return Err(Error::UnexpectedReply) };
        let identities = list.iter().flat_map(List::iter);
        identities.map(|info| Ok(Id::new(required(info.scheme)?, required(info.user)?))).collect()
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

fn append(list: &mut Option<String>, item: &str) {
    match list {
        Some(list) => {
            list.push(',');
            list.push_str(item);
        }
        None => *list = Some(item.to_owned()),
    }
}
