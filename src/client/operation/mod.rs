//! The operations: what a client asks of the server, as values.
//!
//! An operation knows its arguments' rules, its request, and what a reply to it means; it knows
//! nothing of how requests travel. Every driver runs all of them in the same few lines:
//!
//! 1. [`Operation::without_request`]: some need no server.
//! 2. [`Operation::with_request`] checks the arguments and lends the request to
//!    [`Session::submit`](super::Session::submit).
//! 3. [`Operation::output`] turns the reply into what the caller gets, when it comes. It needs the
//!    operation's type and the chroot only: the operation itself may be gone.
//!
//! # Chroot
//!
//! Paths given and paths returned are the client's: below the [`Chroot`]. Only
//! [`GetEphemerals`], [`GetConfig`] and [`Reconfig`] know no chroot, as upstream's. A path that a
//! server names outside the chroot is [`Error::OutsideChroot`].
//!
//! # Watches
//!
//! An operation that is [`Watchable`] may be submitted with a watcher; the session then sets its
//! request's watch flag.
//!
//! Behaviour: `org.apache.zookeeper.ZooKeeper`.

mod acl;
mod admin;
mod create;
mod multi;
mod payload;
mod read;
mod watch;
mod write;

use std::borrow::Cow;

pub use acl::{AccessList, AclAndStat, GetAcl, SetAcl};
pub use admin::{GetConfig, Reconfig, Sync, WhoAmI};
pub use create::{Create, CreateOptions, Created};
pub use multi::{MultiRead, ReadResult, Transaction, TransactionResult};
pub use payload::Payload;
pub use read::{
    Children, Data, Exists, GetAllChildrenNumber, GetChildren, GetChildren2, GetData, GetEphemerals,
};
pub use watch::{AddAuth, AddWatch, RemoveWatches};
pub use write::{Delete, SetData};

use super::{ArgumentError, Chroot, Error, Repetition, RequestError};
use crate::{
    path,
    wire::{DecodeError, List, Request, Response, Text},
};

/// The version that any version matches.
const ANY_VERSION: i32 = -1;

/// Something to ask of the server. See the [module](self).
pub trait Operation {
    /// What a success brings.
    type Output: Send + 'static;

    /// Checks the arguments, puts the paths below `chroot`, and lends the request to `submit`.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments; `submit` was not called then.
    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError>;

    /// What a reply to the operation means, with the client's paths. It runs while the reply is
    /// still in the input buffer and its session is at work: it must not call a client.
    ///
    /// # Errors
    ///
    /// The request's own error, or what is wrong with the reply.
    fn output(
        chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Self::Output, Error>;

    /// The output where there is nothing to ask: then nothing is to be sent.
    fn without_request(&self) -> Option<Self::Output> {
        None
    }

    /// What happens when it is done again although it may have been done.
    fn repetition(&self) -> Repetition;
}

/// An operation that can set a watch.
///
/// `Exists`, `GetData`, `GetConfig` and the listings of children leave a one-shot watch;
/// [`AddWatch`] does nothing without a watcher.
pub trait Watchable: Operation {}

/// Checks a path and puts it below the chroot. Without a chroot it costs no memory.
pub(super) fn rooted<'a>(chroot: &Chroot, path: &'a str) -> Result<Cow<'a, str>, ArgumentError> {
    check_path(path)?;
    Ok(chroot.apply(path))
}

fn check_path(path: &str) -> Result<(), ArgumentError> {
    path::validate(path).map_err(|reason| ArgumentError::Path { path: path.into(), reason })
}

/// A path from a reply, as the client names it.
fn stripped(chroot: &Chroot, path: Option<Text<'_>>) -> Result<String, Error> {
    let path = required(path)?;
    match chroot.strip(path) {
        Some(path) => Ok(path.to_owned()),
        None => Err(Error::OutsideChroot(path.into())),
    }
}

/// The names of a reply; none where the list is null.
fn names<'a>(list: Option<List<'a, Option<Text<'a>>>>) -> Result<Vec<String>, Error> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut names = Vec::with_capacity(list.len());
    for name in list.iter() {
        names.push(required(name)?.to_owned());
    }
    Ok(names)
}

/// Text that a reply cannot do without.
fn required(text: Option<Text<'_>>) -> Result<&str, Error> {
    text.ok_or(DecodeError::UnexpectedNull).and_then(Text::to_str).map_err(malformed)
}

const fn malformed(error: DecodeError) -> Error {
    Error::Request(RequestError::MalformedReply(error))
}

/// What a reply without a record means.
fn nothing(result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
    match result? {
        Response::Empty => Ok(()),
        _ => Err(Error::UnexpectedReply),
    }
}

/// The version as requests carry it.
fn wire_version(version: Option<i32>) -> i32 {
    version.unwrap_or(ANY_VERSION)
}

/// How a write may be repeated that changes the version it asks for.
fn guarded_by(version: Option<i32>) -> Repetition {
    if wire_version(version) == ANY_VERSION { Repetition::Unsafe } else { Repetition::Guarded }
}
