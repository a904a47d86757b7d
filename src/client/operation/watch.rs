//! Watches that stay, the end of watches, and identities: what a session keeps for its caller.

use std::borrow::Cow;

use super::{
    ArgumentError, Chroot, Error, Operation, Repetition, RequestError, Watchable, nothing, rooted,
};
use crate::wire::{AddWatchMode, Request, Response, WatchRequest, WatcherType};

/// Sets a watch that stays until it is removed. The znode need not be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddWatch<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// This znode and its list of children, or everything below it too.
    pub mode: AddWatchMode,
}

impl<'a> AddWatch<'a> {
    /// On this znode, in this mode.
    pub fn new(path: impl Into<Cow<'a, str>>, mode: AddWatchMode) -> Self {
        Self { path: path.into(), mode }
    }
}

impl Operation for AddWatch<'_> {
    type Output = ();

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = rooted(chroot, &self.path)?;
        let record = WatchRequest { path: Some((&*path).into()), mode: self.mode.code() };
        Ok(submit(&Request::AddWatch(record)))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
        match result? {
            Response::Error(code) if code.is_ok() => Ok(()),
            Response::Error(code) => Err(Error::server(code)),
            _ => Err(Error::UnexpectedReply),
        }
    }

    /// A watch that is set twice is one watch.
    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

impl Watchable for AddWatch<'_> {}

/// Removes watches of one znode: one watcher's, or everybody's. Not an [`Operation`]: the session
/// has a call of its own for it, [`Session::remove_watches`](super::super::Session).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoveWatches<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// Which watches.
    pub kind: WatcherType,
    /// Whether they go here even if the server cannot be asked.
    pub local: bool,
}

impl<'a> RemoveWatches<'a> {
    /// Of this znode and kind; they stay if the server cannot be asked.
    pub fn new(path: impl Into<Cow<'a, str>>, kind: WatcherType) -> Self {
        Self { path: path.into(), kind, local: false }
    }

    /// They go here even if the server cannot be asked.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// Checks the path and lends it to `submit` as the server knows it.
    ///
    /// # Errors
    ///
    /// What is wrong with the path; `submit` was not called then.
    pub fn with_path<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&str) -> R,
    ) -> Result<R, ArgumentError> {
        rooted(chroot, &self.path).map(|path| submit(&path))
    }

    /// What the reply means.
    ///
    /// # Errors
    ///
    /// `NO_WATCHER` where there was none to remove, or the request's own.
    pub fn output(result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
        nothing(result)
    }
}

/// Takes on an identity. Not an [`Operation`]: the session has a call of its own for it,
/// [`Session::add_auth`](super::super::Session), and repeats it in every handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AddAuth;

impl AddAuth {
    /// What the reply means.
    ///
    /// # Errors
    ///
    /// The request's own. After a refusal the session is over.
    pub fn output(result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
        nothing(result)
    }
}
