//! One request of a procedure.

use crate::{
    client::{
        ArgumentError, Chroot, Error, Repetition, RequestError,
        operation::{
            Create, Created, Exists, GetChildren, Operation, Sync, Transaction, TransactionResult,
        },
    },
    wire::{Request, Response, Stat},
};

/// One request of a [`Procedure`](super::Procedure), with server paths.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Makes a znode.
    Create(Create<'a>),
    /// Looks for a znode.
    Exists(Exists<'a>),
    /// Lists children.
    GetChildren(GetChildren<'a>),
    /// Waits until the server has caught up.
    Sync(Sync<'a>),
    /// Does several writes, all or none.
    Transaction(Transaction<'a>),
}

/// What came of a [`Step`], with server paths.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StepOutput {
    /// A znode was made, or the server has caught up for this path.
    Created(Created),
    /// A znode is there.
    Stat(Stat),
    /// The names of the children.
    Children(Vec<String>),
    /// What a transaction did.
    Results(Vec<TransactionResult>),
}

impl Operation for Step<'_> {
    type Output = StepOutput;

    fn with_request<R>(
        &self,
        _chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let root = &Chroot::none();
        match self {
            Self::Create(operation) => operation.with_request(root, submit),
            Self::Exists(operation) => operation.with_request(root, submit),
            Self::GetChildren(operation) => operation.with_request(root, submit),
            Self::Sync(operation) => operation.with_request(root, submit),
            Self::Transaction(operation) => operation.with_request(root, submit),
        }
    }

    /// No znode is an error here, unlike for [`Exists`].
    fn output(
        _chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<StepOutput, Error> {
        let root = &Chroot::none();
        match result? {
            response @ (Response::Path(_) | Response::Create2 { .. }) => {
                Create::output(root, Ok(response)).map(StepOutput::Created)
            }
            Response::Stat(stat) => Ok(StepOutput::Stat(stat)),
            response @ Response::Names(_) => {
                GetChildren::output(root, Ok(response)).map(StepOutput::Children)
            }
            response @ Response::Multi(_) => {
                Transaction::output(root, Ok(response)).map(StepOutput::Results)
            }
            _ => Err(Error::UnexpectedReply),
        }
    }

    fn repetition(&self) -> Repetition {
        match self {
            Self::Create(operation) => operation.repetition(),
            Self::Exists(operation) => operation.repetition(),
            Self::GetChildren(operation) => operation.repetition(),
            Self::Sync(operation) => operation.repetition(),
            Self::Transaction(operation) => operation.repetition(),
        }
    }
}
