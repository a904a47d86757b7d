//! Several operations in one request: all or none of several writes, or each of several reads.
//!
//! Which of the two is a matter of type, so that one request cannot mix them, as servers demand.
//!
//! Behaviour: `org.apache.zookeeper.ZooKeeper.multi` and `Transaction`; names in results are
//! stripped of the chroot, which upstream forgets.

use std::borrow::Cow;

use super::{
    ArgumentError, Chroot, Create, CreateOptions, Created, Data, Delete, Error, GetChildren,
    GetData, Operation, Payload, Repetition, RequestError, SetData, names, rooted, stripped,
    wire_version,
};
use crate::{
    client::MultiError,
    wire::{
        ErrorCode, MultiOp, MultiOps, MultiResult, ReadRequest, Request, Response, Stat,
        VersionRequest,
    },
};

/// Several writes, of which all happen or none, in order, as one change.
///
/// Its output has one result for each, in the same order. If one fails, none happens, and the
/// error is [`Error::Multi`]. An empty one succeeds without asking the server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Transaction<'a> {
    operations: Vec<Write<'a>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Write<'a> {
    Create(Create<'a>),
    Delete(Delete<'a>),
    SetData(SetData<'a>),
    Check { path: Cow<'a, str>, version: Option<i32> },
}

/// What one operation of a [`Transaction`] did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TransactionResult {
    /// A znode was made.
    Created(Created),
    /// A znode was removed.
    Deleted,
    /// Data were replaced; the znode's new stat.
    DataSet(Stat),
    /// The znode is there, in the version asked for.
    Checked,
}

impl<'a> Transaction<'a> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { operations: Vec::new() }
    }

    /// And makes a znode.
    pub fn create(
        mut self,
        path: impl Into<Cow<'a, str>>,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> Self {
        self.operations.push(Write::Create(Create::new(path, data, options)));
        self
    }

    /// And removes a znode, if its data have this version; `None` is any.
    pub fn delete(mut self, path: impl Into<Cow<'a, str>>, version: Option<i32>) -> Self {
        self.operations.push(Write::Delete(Delete::new(path, version)));
        self
    }

    /// And replaces a znode's data, if the present ones have this version; `None` is any.
    pub fn set_data(
        mut self,
        path: impl Into<Cow<'a, str>>,
        data: impl Into<Payload<'a>>,
        version: Option<i32>,
    ) -> Self {
        self.operations.push(Write::SetData(SetData::new(path, data, version)));
        self
    }

    /// And only if a znode's data have this version; `None`: if it is there.
    pub fn check(mut self, path: impl Into<Cow<'a, str>>, version: Option<i32>) -> Self {
        self.operations.push(Write::Check { path: path.into(), version });
        self
    }

    /// How many operations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl Write<'_> {
    fn server_path(&self, chroot: &Chroot) -> Result<Cow<'_, str>, ArgumentError> {
        match self {
            Self::Create(create) => create.server_path(chroot),
            Self::Delete(delete) => delete.server_path(chroot),
            Self::SetData(set) => rooted(chroot, &set.path),
            Self::Check { path, .. } => rooted(chroot, path),
        }
    }

    fn record<'b>(&'b self, path: &'b str) -> MultiOp<'b> {
        match self {
            Self::Create(create) => create.record(path).into(),
            Self::Delete(delete) => MultiOp::Delete(delete.record(path)),
            Self::SetData(set) => MultiOp::SetData(set.record(path)),
            Self::Check { version, .. } => MultiOp::Check(VersionRequest {
                path: Some(path.into()),
                version: wire_version(*version),
            }),
        }
    }
}

impl Operation for Transaction<'_> {
    type Output = Vec<TransactionResult>;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let paths = server_paths(&self.operations, |write| write.server_path(chroot))?;
        let records: Vec<_> =
            self.operations.iter().zip(&paths).map(|(write, path)| write.record(path)).collect();
        Ok(submit(&Request::Multi(MultiOps::new(&records))))
    }

    fn output(
        chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Self::Output, Error> {
        let Response::Multi(results) = result? else { return Err(Error::UnexpectedReply) };
        let code = |result| match result {
            MultiResult::Error(code) => code,
            _ => ErrorCode::OK,
        };
        if let Some((index, failure)) =
            results.iter().map(code).enumerate().find(|(_, code)| !code.is_ok())
        {
            let results = results.iter().map(code).collect();
            return Err(MultiError { index, code: failure, results }.into());
        }
        results.iter().map(|result| written(chroot, result)).collect()
    }

    fn without_request(&self) -> Option<Self::Output> {
        self.is_empty().then(Vec::new)
    }

    /// One write that happens once at most is enough: with it, the others happen once, too.
    fn repetition(&self) -> Repetition {
        let guards = |write: &Write<'_>| match write {
            Write::SetData(set) => set.repetition() == Repetition::Guarded,
            Write::Create(_) | Write::Delete(_) | Write::Check { .. } => false,
        };
        let is_check = |write: &Write<'_>| matches!(write, Write::Check { .. });
        if self.operations.iter().all(is_check) {
            Repetition::Harmless
        } else if self.operations.iter().any(guards) {
            Repetition::Guarded
        } else {
            Repetition::Unsafe
        }
    }
}

fn written(chroot: &Chroot, result: MultiResult<'_>) -> Result<TransactionResult, Error> {
    Ok(match result {
        MultiResult::Create { path } => {
            TransactionResult::Created(Created { path: stripped(chroot, path)?, stat: None })
        }
        MultiResult::Create2 { path, stat } => {
            TransactionResult::Created(Created { path: stripped(chroot, path)?, stat: Some(stat) })
        }
        MultiResult::Delete => TransactionResult::Deleted,
        MultiResult::SetData { stat } => TransactionResult::DataSet(stat),
        MultiResult::Check => TransactionResult::Checked,
        MultiResult::GetData { .. } | MultiResult::GetChildren { .. } | MultiResult::Error(_) => {
            return Err(Error::UnexpectedReply);
        }
    })
}

/// Several reads of one state of the tree, each with a result of its own.
///
/// Its output has one result for each, in the same order; a read that fails is part of it. An empty
/// one succeeds without asking the server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct MultiRead<'a> {
    operations: Vec<Read<'a>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Read<'a> {
    GetData(GetData<'a>),
    GetChildren(GetChildren<'a>),
}

/// What one operation of a [`MultiRead`] read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReadResult {
    /// Data and stat.
    Data(Data),
    /// The children's names.
    Children(Vec<String>),
}

impl<'a> MultiRead<'a> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { operations: Vec::new() }
    }

    /// And reads a znode's data.
    pub fn get_data(mut self, path: impl Into<Cow<'a, str>>) -> Self {
        self.operations.push(Read::GetData(GetData::new(path)));
        self
    }

    /// And lists a znode's children.
    pub fn get_children(mut self, path: impl Into<Cow<'a, str>>) -> Self {
        self.operations.push(Read::GetChildren(GetChildren::new(path)));
        self
    }

    /// How many operations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl Read<'_> {
    fn path(&self) -> &str {
        match self {
            Self::GetData(read) => &read.path,
            Self::GetChildren(read) => &read.path,
        }
    }

    fn record<'b>(&self, path: &'b str) -> MultiOp<'b> {
        let record = ReadRequest { path: Some(path.into()), watch: false };
        match self {
            Self::GetData(_) => MultiOp::GetData(record),
            Self::GetChildren(_) => MultiOp::GetChildren(record),
        }
    }
}

impl Operation for MultiRead<'_> {
    type Output = Vec<Result<ReadResult, ErrorCode>>;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let paths = server_paths(&self.operations, |read| rooted(chroot, read.path()))?;
        let records: Vec<_> =
            self.operations.iter().zip(&paths).map(|(read, path)| read.record(path)).collect();
        Ok(submit(&Request::MultiRead(MultiOps::new(&records))))
    }

    fn output(
        _chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Self::Output, Error> {
        let Response::Multi(results) = result? else { return Err(Error::UnexpectedReply) };
        let read = |result| match result {
            MultiResult::GetData { data, stat } => Ok(Ok(ReadResult::Data(Data::new(data, stat)))),
            MultiResult::GetChildren { children } => Ok(Ok(ReadResult::Children(names(children)?))),
            MultiResult::Error(code) => Ok(Err(code)),
            _ => Err(Error::UnexpectedReply),
        };
        results.iter().map(read).collect()
    }

    fn without_request(&self) -> Option<Self::Output> {
        self.is_empty().then(Vec::new)
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

/// The paths of all operations, or which of them is wrong.
fn server_paths<'b, T>(
    operations: &'b [T],
    server_path: impl Fn(&'b T) -> Result<Cow<'b, str>, ArgumentError>,
) -> Result<Vec<Cow<'b, str>>, ArgumentError> {
    let numbered = operations.iter().enumerate();
    numbered
        .map(|(index, operation)| {
            server_path(operation)
                .map_err(|error| ArgumentError::Operation { index, error: Box::new(error) })
        })
        .collect()
}
