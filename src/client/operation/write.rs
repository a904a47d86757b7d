//! Changing and removing znodes.

use std::borrow::Cow;

use super::{
    ArgumentError, Chroot, Error, Operation, Payload, Repetition, RequestError, check_path,
    guarded_by, nothing, rooted, wire_version,
};
use crate::wire::{Request, Response, SetDataRequest, Stat, VersionRequest};

/// Replaces a znode's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetData<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// The new data.
    pub data: Payload<'a>,
    /// The version that the present data must have; `None` is any.
    pub version: Option<i32>,
}

impl<'a> SetData<'a> {
    /// To these data, if the present ones have this version.
    pub fn new(
        path: impl Into<Cow<'a, str>>,
        data: impl Into<Payload<'a>>,
        version: Option<i32>,
    ) -> Self {
        Self { path: path.into(), data: data.into(), version }
    }

    pub(super) fn record<'b>(&'b self, path: &'b str) -> SetDataRequest<'b> {
        SetDataRequest {
            path: Some(path.into()),
            data: self.data.as_blob(),
            version: wire_version(self.version),
        }
    }
}

impl Operation for SetData<'_> {
    type Output = Stat;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = rooted(chroot, &self.path)?;
        Ok(submit(&Request::SetData(self.record(&path))))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<Stat, Error> {
        match result? {
            Response::Stat(stat) => Ok(stat),
            _ => Err(Error::UnexpectedReply),
        }
    }

    /// With a version: a repetition finds a newer one, and fails with `BAD_VERSION`.
    fn repetition(&self) -> Repetition {
        guarded_by(self.version)
    }
}

/// Removes a znode that has no children.
///
/// The root cannot be removed, and neither can a chroot's own znode from below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delete<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// The version that its data must have; `None` is any.
    pub version: Option<i32>,
}

impl<'a> Delete<'a> {
    /// This znode, if its data have this version.
    pub fn new(path: impl Into<Cow<'a, str>>, version: Option<i32>) -> Self {
        Self { path: path.into(), version }
    }

    pub(super) fn server_path(&self, chroot: &Chroot) -> Result<Cow<'_, str>, ArgumentError> {
        check_path(&self.path)?;
        if self.path == "/" {
            return Err(ArgumentError::DeleteRoot);
        }
        Ok(chroot.apply(&self.path))
    }

    pub(super) fn record<'b>(&self, path: &'b str) -> VersionRequest<'b> {
        VersionRequest { path: Some(path.into()), version: wire_version(self.version) }
    }
}

impl Operation for Delete<'_> {
    type Output = ();

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = self.server_path(chroot)?;
        Ok(submit(&Request::Delete(self.record(&path))))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<(), Error> {
        nothing(result)
    }

    /// Even with a version: once it is gone, somebody may have made it anew, and a new znode's
    /// version is zero as well.
    fn repetition(&self) -> Repetition {
        Repetition::Unsafe
    }
}
