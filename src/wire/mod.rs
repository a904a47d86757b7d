//! The wire format: frames, headers and records, both ways.
//!
//! Everything decoded borrows from its frame ([`Text`], [`Blob`], [`List`]); everything encoded
//! goes to a [`Sink`], which may take large data by reference. Decoding is a [`Result`], encoding
//! cannot fail, and bytes behind a record are ignored, as ZooKeeper's own peers do.

mod acl;
mod codec;
mod command;
mod connect;
mod create_mode;
mod error;
mod frame;
mod header;
mod list;
mod multi;
mod op;
mod request;
mod response;
mod stat;
mod txn;
mod watch;

pub use acl::{Acl, AclEntry, ClientInfo, Id, perms};
pub(crate) use codec::length;
pub use codec::{Blob, Decode, DecodeError, Encode, Measure, Reader, Sink, Text};
pub use command::Command;
pub use connect::{ConnectRequest, ConnectResponse, PASSWORD_LENGTH};
pub use create_mode::CreateMode;
pub use error::ErrorCode;
pub use frame::{FrameError, LENGTH_BYTES, decode_length};
pub use header::{ReplyHeader, RequestHeader, Xid};
pub use list::{List, ListIter, ListSource};
pub use multi::{
    MultiHeader, MultiOp, MultiOps, MultiOpsIter, MultiResult, MultiResults, MultiResultsIter,
};
pub use op::Op;
pub use request::{
    AuthRequest, CreateRequest, CreateTtlRequest, PathRequest, Paths, ReadRequest, ReconfigRequest,
    Request, SaslToken, SetAclRequest, SetDataRequest, SetWatches, SetWatches2, VersionRequest,
    WatchRequest,
};
pub use response::Response;
pub use stat::Stat;
pub use txn::{AclList, CreateKind, Txn, TxnHeader};
pub(crate) use txn::{decode_acl, encode_acl};
pub use watch::{AddWatchMode, EventKind, WatcherEvent, WatcherType};
