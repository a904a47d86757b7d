//! Reply records, one per operation.

use super::{
    acl::{AclEntry, ClientInfo},
    codec::{Blob, DecodeError, Encode, Reader, Sink, Text},
    error::ErrorCode,
    list::List,
    multi::MultiResults,
    op::Op,
    stat::Stat,
};

/// The record behind a reply's header. It borrows: from the tree on a server, from the frame on a
/// client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Response<'a> {
    /// No record: errors, `delete`, `ping`, `auth`, `closeSession`, watch bookkeeping.
    Empty,
    /// A path: `create`, `sync`.
    Path(Option<Text<'a>>),
    /// A path and a stat: `create2`, `createContainer`, `createTTL`.
    Create2 {
        /// The new znode.
        path: Option<Text<'a>>,
        /// Its stat.
        stat: Stat,
    },
    /// A stat: `exists`, `setData`, `setACL`.
    Stat(Stat),
    /// Data and stat: `getData`, `reconfig`.
    Data {
        /// The data.
        data: Option<Blob<'a>>,
        /// The znode's stat.
        stat: Stat,
    },
    /// `getACL`.
    Acl {
        /// The list.
        acl: Option<List<'a, AclEntry<'a>>>,
        /// The znode's stat.
        stat: Stat,
    },
    /// Names or paths: `getChildren`, `getEphemerals`.
    Names(Option<List<'a, Option<Text<'a>>>>),
    /// `getChildren2`.
    Children2 {
        /// The children's names.
        children: Option<List<'a, Option<Text<'a>>>>,
        /// The parent's stat.
        stat: Stat,
    },
    /// `multi`, `multiRead`.
    Multi(MultiResults<'a>),
    /// `getAllChildrenNumber`.
    Count(i32),
    /// `whoAmI`.
    Identities(Option<List<'a, ClientInfo<'a>>>),
    /// `addWatch`: an error code, always zero.
    Error(ErrorCode),
    /// `sasl`.
    Token(Option<Blob<'a>>),
}

impl<'a> Response<'a> {
    /// Reads the record of a successful reply to `op`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes; [`DecodeError::UnknownValue`] for an operation that has no
    /// reply.
    pub fn decode(op: Op, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match op {
            Op::Create | Op::Sync => Self::Path(reader.read()?),
            Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                Self::Create2 { path: reader.read()?, stat: reader.read()? }
            }
            Op::Exists | Op::SetData | Op::SetAcl => Self::Stat(reader.read()?),
            Op::GetData | Op::Reconfig => Self::Data { data: reader.read()?, stat: reader.read()? },
            Op::GetAcl => Self::Acl { acl: reader.read()?, stat: reader.read()? },
            Op::GetChildren | Op::GetEphemerals => Self::Names(reader.read()?),
            Op::GetChildren2 => Self::Children2 { children: reader.read()?, stat: reader.read()? },
            Op::Multi | Op::MultiRead => Self::Multi(reader.read()?),
            Op::GetAllChildrenNumber => Self::Count(reader.read()?),
            Op::WhoAmI => Self::Identities(reader.read()?),
            Op::AddWatch => Self::Error(reader.read()?),
            Op::Sasl => Self::Token(reader.read()?),
            Op::Delete
            | Op::DeleteContainer
            | Op::Ping
            | Op::Auth
            | Op::SetWatches
            | Op::SetWatches2
            | Op::CheckWatches
            | Op::RemoveWatches
            | Op::CloseSession => Self::Empty,
            Op::Check | Op::CreateSession | Op::Error => {
                return Err(DecodeError::UnknownValue { what: "reply", value: op.code() });
            }
        })
    }
}

impl Encode for Response<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        match self {
            Self::Empty => {}
            Self::Path(path) => path.encode(out),
            Self::Create2 { path, stat } => {
                path.encode(out);
                stat.encode(out);
            }
            Self::Stat(stat) => stat.encode(out),
            Self::Data { data, stat } => {
                data.encode(out);
                stat.encode(out);
            }
            Self::Acl { acl, stat } => {
                acl.encode(out);
                stat.encode(out);
            }
            Self::Names(names) => names.encode(out),
            Self::Children2 { children, stat } => {
                children.encode(out);
                stat.encode(out);
            }
            Self::Multi(results) => results.encode(out),
            Self::Count(count) => count.encode(out),
            Self::Identities(identities) => identities.encode(out),
            Self::Error(error) => error.encode(out),
            Self::Token(token) => token.encode(out),
        }
    }
}
