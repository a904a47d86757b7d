//! What an operation of the client fails with.

use std::time::Duration;

use thiserror::Error;

use super::{RequestError, SubmitError};
use crate::{path::PathError, wire::ErrorCode};

/// Why an operation did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is wrong. Nothing was sent.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The session took no request. Nothing was sent.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// The request failed: on the server, on the way, or here.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A transaction failed as a whole and changed nothing.
    #[error(transparent)]
    Multi(Box<MultiError>),
    /// The server executed the request, but names a path that is not below the chroot.
    #[error("the server answered with {0:?}, which is outside the chroot")]
    OutsideChroot(Box<str>),
    /// The server executed the request, but its reply is not one of this operation.
    #[error("the reply does not belong to the operation")]
    UnexpectedReply,
}

impl Error {
    /// An error that a server gave.
    pub(super) const fn server(code: ErrorCode) -> Self {
        Self::Request(RequestError::Server(code))
    }

    /// Upstream's code for it. What upstream has no code for is `DATA_INCONSISTENCY`.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Argument(error) => error.code(),
            Self::Refused(error) => error.code(),
            Self::Request(error) => error.code(),
            Self::Multi(error) => error.code,
            Self::OutsideChroot(_) | Self::UnexpectedReply => ErrorCode::DATA_INCONSISTENCY,
        }
    }

    /// Whether the server may have executed the request all the same. It did for certain when the
    /// failure is in what its reply says.
    #[must_use]
    pub const fn maybe_executed(&self) -> bool {
        match self {
            Self::Argument(_) | Self::Refused(_) | Self::Multi(_) => false,
            Self::Request(error) => error.maybe_executed(),
            Self::OutsideChroot(_) | Self::UnexpectedReply => true,
        }
    }
}

impl From<MultiError> for Error {
    fn from(error: MultiError) -> Self {
        Self::Multi(Box::new(error))
    }
}

/// An argument that no server would accept, or that would do harm. Paths are the caller's, without
/// the chroot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// A path that no znode can have.
    #[error("{path:?}: {reason}")]
    Path {
        /// The path as it was given.
        path: Box<str>,
        /// What is wrong with it.
        reason: PathError,
    },
    /// The root cannot be deleted; below a chroot that is the chroot's own znode.
    #[error("the root cannot be deleted")]
    DeleteRoot,
    /// A list that grants nobody anything, which servers refuse.
    #[error("the ACL is empty")]
    EmptyAcl,
    /// A create mode with a time to live, without one.
    #[error("the create mode needs a time to live")]
    TtlMissing,
    /// A time to live for a create mode without one.
    #[error("the create mode takes no time to live")]
    TtlUnexpected,
    /// A time to live below a millisecond or above 2^40 - 1 of them.
    #[error("a time to live of {0:?} is out of range")]
    TtlOutOfRange(Duration),
    /// One operation of several is wrong.
    #[error("operation {index}: {error}")]
    Operation {
        /// Its place, counted from zero.
        index: usize,
        /// What is wrong with it.
        error: Box<Self>,
    },
}

impl ArgumentError {
    /// Upstream's code for it.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::EmptyAcl => ErrorCode::INVALID_ACL,
            Self::Operation { error, .. } => error.code(),
            _ => ErrorCode::BAD_ARGUMENTS,
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("operation {index}: {code}")]
pub struct MultiError {
    /// The place of the operation that failed, counted from zero.
    pub index: usize,
    /// What it failed with.
    pub code: ErrorCode,
    /// What the server says of each operation: `OK` before the one that failed, although nothing
    /// of it was kept; `RUNTIME_INCONSISTENCY` behind it.
    pub results: Vec<ErrorCode>,
}
