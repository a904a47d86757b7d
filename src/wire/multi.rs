//! Multi: several operations in one request, and their results.
//!
//! Behaviour: `org.apache.zookeeper.MultiOperationRecord` and `MultiResponse`.

use std::fmt;

use super::{
    codec::{Blob, Decode, DecodeError, Encode, Reader, Sink, Text},
    error::ErrorCode,
    list::{List, ListSource},
    op::Op,
    request::{CreateRequest, CreateTtlRequest, ReadRequest, SetDataRequest, VersionRequest},
    stat::Stat,
};

/// What stands before each operation and each result, and at the end; 9 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MultiHeader {
    /// The operation code; -1 for an error result and at the end.
    pub op: i32,
    /// Whether this is the end.
    pub done: bool,
    /// The result's error; -1 in requests and at the end.
    pub error: ErrorCode,
}

impl MultiHeader {
    /// The end of a multi.
    pub const END: Self = Self { op: -1, done: true, error: ErrorCode(-1) };
}

impl<'a> Decode<'a> for MultiHeader {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { op: reader.read()?, done: reader.read()?, error: reader.read()? })
    }
}

impl Encode for MultiHeader {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.op.encode(out);
        self.done.encode(out);
        self.error.encode(out);
    }
}

/// One operation of a multi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultiOp<'a> {
    /// Makes a znode.
    Create(CreateRequest<'a>),
    /// Makes a znode; the result holds its stat too.
    Create2(CreateRequest<'a>),
    /// Makes a container.
    CreateContainer(CreateRequest<'a>),
    /// Makes a znode with a time to live.
    CreateTtl(CreateTtlRequest<'a>),
    /// Removes a znode.
    Delete(VersionRequest<'a>),
    /// Replaces the data.
    SetData(SetDataRequest<'a>),
    /// Checks a version.
    Check(VersionRequest<'a>),
    /// Reads data and stat.
    GetData(ReadRequest<'a>),
    /// Lists children.
    GetChildren(ReadRequest<'a>),
}

impl MultiOp<'_> {
    /// The operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Create(_) => Op::Create,
            Self::Create2(_) => Op::Create2,
            Self::CreateContainer(_) => Op::CreateContainer,
            Self::CreateTtl(_) => Op::CreateTtl,
            Self::Delete(_) => Op::Delete,
            Self::SetData(_) => Op::SetData,
            Self::Check(_) => Op::Check,
            Self::GetData(_) => Op::GetData,
            Self::GetChildren(_) => Op::GetChildren,
        }
    }

    /// Whether it belongs in a `multiRead`.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::GetData(_) | Self::GetChildren(_))
    }
}

impl<'a> Decode<'a> for Option<MultiOp<'a>> {
    /// `None` is the end marker.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header: MultiHeader = reader.read()?;
        if header.done {
            return Ok(None);
        }
        Ok(Some(match Op::from_code(header.op) {
            Some(Op::Create) => MultiOp::Create(reader.read()?),
            Some(Op::Create2) => MultiOp::Create2(reader.read()?),
            Some(Op::CreateContainer) => MultiOp::CreateContainer(reader.read()?),
            Some(Op::CreateTtl) => MultiOp::CreateTtl(reader.read()?),
            Some(Op::Delete) => MultiOp::Delete(reader.read()?),
            Some(Op::SetData) => MultiOp::SetData(reader.read()?),
            Some(Op::Check) => MultiOp::Check(reader.read()?),
            Some(Op::GetData) => MultiOp::GetData(reader.read()?),
            Some(Op::GetChildren) => MultiOp::GetChildren(reader.read()?),
            _ => return Err(DecodeError::MisplacedOperation(header.op)),
        }))
    }
}

impl Encode for MultiOp<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        MultiHeader { op: self.op().code(), done: false, error: ErrorCode(-1) }.encode(out);
        match self {
            Self::Create(record) | Self::Create2(record) | Self::CreateContainer(record) => {
                record.encode(out);
            }
            Self::CreateTtl(record) => record.encode(out),
            Self::Delete(record) | Self::Check(record) => record.encode(out),
            Self::SetData(record) => record.encode(out),
            Self::GetData(record) | Self::GetChildren(record) => record.encode(out),
        }
    }
}

/// The operations of a multi: writes only, or reads only.
///
/// One read from a frame was checked when it was decoded, so iterating cannot fail.
#[derive(Clone, Copy)]
pub struct MultiOps<'a>(Ops<'a>);

#[derive(Clone, Copy)]
enum Ops<'a> {
    Wire(&'a [u8]),
    Slice(&'a [MultiOp<'a>]),
}

impl<'a> MultiOps<'a> {
    /// The operations of a slice.
    #[must_use]
    pub const fn new(operations: &'a [MultiOp<'a>]) -> Self {
        Self(Ops::Slice(operations))
    }

    /// The operations in order.
    #[must_use]
    pub const fn iter(&self) -> MultiOpsIter<'a> {
        MultiOpsIter(self.0)
    }
}

/// The operations of a [`MultiOps`].
#[derive(Clone)]
pub struct MultiOpsIter<'a>(Ops<'a>);

impl<'a> Iterator for MultiOpsIter<'a> {
    type Item = MultiOp<'a>;

    fn next(&mut self) -> Option<MultiOp<'a>> {
        match &mut self.0 {
            Ops::Wire(bytes) => {
                let mut reader = Reader::new(bytes);
                // Checked when the multi was decoded; after the end marker nothing is left.
                let operation = reader.read::<Option<MultiOp<'a>>>().ok().flatten();
                *bytes = if operation.is_some() { reader.rest() } else { &[] };
                operation
            }
            Ops::Slice(operations) => {
                let (first, rest) = operations.split_first()?;
                *operations = rest;
                Some(*first)
            }
        }
    }
}

impl<'a> Decode<'a> for MultiOps<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = reader.rest();
        let mut reads = None;
        while let Some(operation) = reader.read::<Option<MultiOp<'a>>>()? {
            if *reads.get_or_insert_with(|| operation.is_read()) != operation.is_read() {
                return Err(DecodeError::MisplacedOperation(operation.op().code()));
            }
        }
        Ok(Self(Ops::Wire(&bytes[..bytes.len() - reader.rest().len()])))
    }
}

impl Encode for MultiOps<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.iter().for_each(|operation| operation.encode(out));
        MultiHeader::END.encode(out);
    }
}

impl PartialEq for MultiOps<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for MultiOps<'_> {}

impl fmt::Debug for MultiOps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for MultiOpsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&MultiOps(self.0), f)
    }
}

/// The result of one operation of a multi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultiResult<'a> {
    /// A znode was made by `create`.
    Create {
        /// Its path.
        path: Option<Text<'a>>,
    },
    /// A znode was made by `create2`, `createContainer` or `createTTL`.
    Create2 {
        /// Its path.
        path: Option<Text<'a>>,
        /// Its stat.
        stat: Stat,
    },
    /// A znode was removed.
    Delete,
    /// Data was set.
    SetData {
        /// The znode's stat.
        stat: Stat,
    },
    /// The version was right.
    Check,
    /// Data was read.
    GetData {
        /// The data.
        data: Option<Blob<'a>>,
        /// The znode's stat.
        stat: Stat,
    },
    /// Children were listed.
    GetChildren {
        /// Their names.
        children: Option<List<'a, Option<Text<'a>>>>,
    },
    /// The operation failed, or in a failed multi was rolled back or not reached.
    Error(ErrorCode),
}

impl<'a> Decode<'a> for Option<MultiResult<'a>> {
    /// `None` is the end marker.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header: MultiHeader = reader.read()?;
        if header.done {
            return Ok(None);
        }
        Ok(Some(match Op::from_code(header.op) {
            Some(Op::Create) => MultiResult::Create { path: reader.read()? },
            Some(Op::Create2 | Op::CreateContainer | Op::CreateTtl) => {
                MultiResult::Create2 { path: reader.read()?, stat: reader.read()? }
            }
            Some(Op::Delete) => MultiResult::Delete,
            Some(Op::SetData) => MultiResult::SetData { stat: reader.read()? },
            Some(Op::Check) => MultiResult::Check,
            Some(Op::GetData) => {
                MultiResult::GetData { data: reader.read()?, stat: reader.read()? }
            }
            Some(Op::GetChildren) => MultiResult::GetChildren { children: reader.read()? },
            Some(Op::Error) => MultiResult::Error(reader.read()?),
            _ => return Err(DecodeError::MisplacedOperation(header.op)),
        }))
    }
}

impl Encode for MultiResult<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        let (op, error) = match self {
            Self::Create { .. } => (Op::Create, ErrorCode::OK),
            Self::Create2 { .. } => (Op::Create2, ErrorCode::OK),
            Self::Delete => (Op::Delete, ErrorCode::OK),
            Self::SetData { .. } => (Op::SetData, ErrorCode::OK),
            Self::Check => (Op::Check, ErrorCode::OK),
            Self::GetData { .. } => (Op::GetData, ErrorCode::OK),
            Self::GetChildren { .. } => (Op::GetChildren, ErrorCode::OK),
            Self::Error(error) => (Op::Error, *error),
        };
        MultiHeader { op: op.code(), done: false, error }.encode(out);
        match self {
            Self::Create { path } => path.encode(out),
            Self::Create2 { path, stat } => {
                path.encode(out);
                stat.encode(out);
            }
            Self::Delete | Self::Check => {}
            Self::SetData { stat } => stat.encode(out),
            Self::GetData { data, stat } => {
                data.encode(out);
                stat.encode(out);
            }
            Self::GetChildren { children } => children.encode(out),
            Self::Error(error) => error.encode(out),
        }
    }
}

/// The results of a multi or multiRead, one per operation.
#[derive(Clone, Copy)]
pub struct MultiResults<'a>(Results<'a>);

#[derive(Clone, Copy)]
enum Results<'a> {
    Wire(&'a [u8]),
    Source { source: &'a dyn ListSource<'a, MultiResult<'a>>, next: usize },
}

impl<'a> MultiResults<'a> {
    /// Results that live elsewhere.
    #[must_use]
    pub const fn new(source: &'a dyn ListSource<'a, MultiResult<'a>>) -> Self {
        Self(Results::Source { source, next: 0 })
    }

    /// The results in order.
    #[must_use]
    pub const fn iter(&self) -> MultiResultsIter<'a> {
        MultiResultsIter(self.0)
    }
}

/// The results of a [`MultiResults`].
#[derive(Clone)]
pub struct MultiResultsIter<'a>(Results<'a>);

impl<'a> Iterator for MultiResultsIter<'a> {
    type Item = MultiResult<'a>;

    fn next(&mut self) -> Option<MultiResult<'a>> {
        match &mut self.0 {
            Results::Wire(bytes) => {
                let mut reader = Reader::new(bytes);
                // Checked when the results were decoded.
                let result = reader.read::<Option<MultiResult<'a>>>().ok().flatten();
                *bytes = if result.is_some() { reader.rest() } else { &[] };
                result
            }
            Results::Source { source, next } => {
                let index = *next;
                *next += 1;
                (index < source.count()).then(|| source.element(index))
            }
        }
    }
}

impl<'a> Decode<'a> for MultiResults<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = reader.rest();
        while reader.read::<Option<MultiResult<'a>>>()?.is_some() {}
        Ok(Self(Results::Wire(&bytes[..bytes.len() - reader.rest().len()])))
    }
}

impl Encode for MultiResults<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.iter().for_each(|result| result.encode(out));
        MultiHeader::END.encode(out);
    }
}

impl PartialEq for MultiResults<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for MultiResults<'_> {}

impl fmt::Debug for MultiResults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for MultiResultsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&MultiResults(self.0), f)
    }
}
