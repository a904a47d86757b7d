//! Transactions: what a write does to the tree, as applied and as logged.
//!
//! Behaviour: `org.apache.zookeeper.txn.*` and `org.apache.zookeeper.server.util.SerializeUtils`.

use std::{borrow::Cow, sync::Arc};

use super::{
    acl::{Acl, AclEntry},
    codec::{Blob, DecodeError, Encode, Measure, Reader, Sink, Text, length},
    error::ErrorCode,
    list::List,
    op::Op,
};
use crate::ids::{SessionId, Zxid};

/// A stored ACL, shared by everything that has the same one.
pub type AclList = Arc<[Acl]>;

/// Who did it, where in the order, and when; 32 bytes with the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TxnHeader {
    /// The session; zero for the server's own clean-up.
    pub session: SessionId,
    /// The request's xid; zero for what the server makes itself.
    pub cxid: i32,
    /// Its place in the order.
    pub zxid: Zxid,
    /// Unix time in milliseconds; becomes ctime and mtime.
    pub time_ms: i64,
}

/// What a create makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateKind {
    /// Stays until deleted.
    Persistent,
    /// Goes with its session.
    Ephemeral,
    /// Goes some time after its last child went.
    Container,
    /// Goes when it had no children and no new data for this many milliseconds.
    Ttl(i64),
}

/// One change of the tree. Paths are final, ACLs expanded, versions the resulting ones: applying
/// it needs no decision. It borrows from the request it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Txn<'a> {
    /// A session begins.
    CreateSession {
        /// Its time-out.
        timeout_ms: i32,
    },
    /// A session ends, and its ephemerals with it.
    CloseSession {
        /// The ephemerals; `None` where they are left out, then whatever the session owns.
        paths: Option<Vec<Box<str>>>,
    },
    /// A znode comes.
    Create {
        /// Whether the reply (and the log) is that of `create2`. For persistent and ephemeral
        /// znodes only.
        create2: bool,
        /// Its path.
        path: Cow<'a, str>,
        /// Its data.
        data: Option<Blob<'a>>,
        /// Its ACL.
        acl: AclList,
        /// What it is.
        kind: CreateKind,
        /// The parent's count of creations after this one; -1 in old logs.
        parent_cversion: i32,
    },
    /// A znode goes.
    Delete {
        /// Whether it is the server's own removal of a container or TTL znode.
        container: bool,
        /// The znode.
        path: Cow<'a, str>,
    },
    /// A znode gets new data.
    SetData {
        /// The znode.
        path: Cow<'a, str>,
        /// The data.
        data: Option<Blob<'a>>,
        /// The resulting version.
        version: i32,
    },
    /// A znode gets a new ACL.
    SetAcl {
        /// The znode.
        path: Cow<'a, str>,
        /// The ACL.
        acl: AclList,
        /// The resulting ACL version.
        version: i32,
    },
    /// A version was checked; inside a multi only.
    Check {
        /// The znode.
        path: Cow<'a, str>,
        /// The version checked, plus one.
        version: i32,
    },
    /// Several at once. One that holds an error applies nothing.
    Multi(Vec<Self>),
    /// A failed operation: takes a zxid, changes nothing.
    Error(ErrorCode),
}

impl<'a> Txn<'a> {
    /// The tree's digest behind a transaction in the log, with its version, in bytes.
    pub const DIGEST_LENGTH: usize = 12;

    /// The operation as the log names it.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::CreateSession { .. } => Op::CreateSession,
            Self::CloseSession { .. } => Op::CloseSession,
            Self::Create { create2, kind, .. } => match kind {
                CreateKind::Container => Op::CreateContainer,
                CreateKind::Ttl(_) => Op::CreateTtl,
                CreateKind::Persistent | CreateKind::Ephemeral if *create2 => Op::Create2,
                CreateKind::Persistent | CreateKind::Ephemeral => Op::Create,
            },
            Self::Delete { container: false, .. } => Op::Delete,
            Self::Delete { container: true, .. } => Op::DeleteContainer,
            Self::SetData { .. } => Op::SetData,
            Self::SetAcl { .. } => Op::SetAcl,
            Self::Check { .. } => Op::Check,
            Self::Multi(_) => Op::Multi,
            Self::Error(_) => Op::Error,
        }
    }

    /// Whether the log may hold the tree's digest behind it. What changes nothing has none, and
    /// neither has the end of a session that names no paths: where there is no list, upstream reads
    /// whatever comes as one.
    #[must_use]
    pub const fn takes_digest(&self) -> bool {
        !matches!(self, Self::Error(_) | Self::CloseSession { paths: None })
    }

    /// The payload of the log record without the digest that may follow: header and body, in
    /// bytes.
    #[must_use]
    pub fn encoded_length(&self) -> usize {
        let mut measure = Measure::default();
        self.encode_body(&mut measure);
        TxnHeader::LENGTH + measure.0
    }

    /// Appends the body as the log holds it, without header and type.
    pub fn encode_body<S: Sink + ?Sized>(&self, out: &mut S) {
        match self {
            Self::CreateSession { timeout_ms } => timeout_ms.encode(out),
            Self::CloseSession { paths: None } => {}
            Self::CloseSession { paths: Some(paths) } => {
                length(paths.len()).encode(out);
                paths.iter().for_each(|path| path.encode(out));
            }
            Self::Create { path, data, acl, kind, parent_cversion, .. } => {
                path.encode(out);
                data.encode(out);
                encode_acl(acl, out);
                match kind {
                    CreateKind::Persistent => false.encode(out),
                    CreateKind::Ephemeral => true.encode(out),
                    CreateKind::Container | CreateKind::Ttl(_) => {}
                }
                parent_cversion.encode(out);
                if let CreateKind::Ttl(ttl_ms) = kind {
                    ttl_ms.encode(out);
                }
            }
            Self::Delete { path, .. } => path.encode(out),
            Self::SetData { path, data, version } => {
                path.encode(out);
                data.encode(out);
                version.encode(out);
            }
            Self::SetAcl { path, acl, version } => {
                path.encode(out);
                encode_acl(acl, out);
                version.encode(out);
            }
            Self::Check { path, version } => {
                path.encode(out);
                version.encode(out);
            }
            Self::Multi(txns) => {
                length(txns.len()).encode(out);
                for txn in txns {
                    txn.op().code().encode(out);
                    let mut measure = Measure::default();
                    txn.encode_body(&mut measure);
                    length(measure.0).encode(out);
                    txn.encode_body(out);
                }
            }
            Self::Error(error) => error.encode(out),
        }
    }

    /// Reads the body of a transaction of type `op`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes; [`DecodeError::UnknownValue`] when `op` is no transaction,
    /// [`DecodeError::MisplacedOperation`] for a multi inside a multi.
    pub fn decode_body(op: Op, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match op {
            Op::CreateSession => Self::CreateSession { timeout_ms: reader.read()? },
            Op::CloseSession => Self::CloseSession { paths: decode_paths(reader)? },
            Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                decode_create(op, reader)?
            }
            Op::Delete | Op::DeleteContainer => {
                Self::Delete { container: op == Op::DeleteContainer, path: decode_path(reader)? }
            }
            Op::SetData | Op::Reconfig => Self::SetData {
                path: decode_path(reader)?,
                data: reader.read()?,
                version: reader.read()?,
            },
            Op::SetAcl => Self::SetAcl {
                path: decode_path(reader)?,
                acl: decode_acl(reader)?,
                version: reader.read()?,
            },
            Op::Check => Self::Check { path: decode_path(reader)?, version: reader.read()? },
            Op::Multi => Self::Multi(decode_multi(reader)?),
            Op::Error => Self::Error(reader.read()?),
            _ => return Err(DecodeError::UnknownValue { what: "transaction", value: op.code() }),
        })
    }
}

impl TxnHeader {
    /// The encoded length in bytes, with the type.
    pub const LENGTH: usize = 32;

    /// Appends the header of a transaction of type `op`.
    pub fn encode<S: Sink + ?Sized>(&self, op: Op, out: &mut S) {
        self.session.0.encode(out);
        self.cxid.encode(out);
        self.zxid.0.encode(out);
        self.time_ms.encode(out);
        op.code().encode(out);
    }

    /// Reads a header and the type behind it.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<(Self, Op), DecodeError> {
        let header = Self {
            session: SessionId(reader.read()?),
            cxid: reader.read()?,
            zxid: Zxid(reader.read()?),
            time_ms: reader.read()?,
        };
        let code = reader.read()?;
        let op = Op::from_code(code)
            .ok_or(DecodeError::UnknownValue { what: "transaction", value: code })?;
        Ok((header, op))
    }
}

/// Appends a stored ACL as a vector of its entries.
pub(crate) fn encode_acl<S: Sink + ?Sized>(acl: &[Acl], out: &mut S) {
    length(acl.len()).encode(out);
    acl.iter().for_each(|entry| entry.as_entry().encode(out));
}

/// Reads a stored ACL. What is not UTF-8 in it, as Java writes rare characters, is replaced, as
/// upstream does.
pub(crate) fn decode_acl(reader: &mut Reader<'_>) -> Result<AclList, DecodeError> {
    let entries: Option<List<'_, AclEntry<'_>>> = reader.read()?;
    let Some(entries) = entries else { return Ok(Arc::new([])) };
    let stored = entries.iter().map(|entry| {
        let scheme = entry.scheme.unwrap_or_default().to_str_lossy();
        let id = entry.id.unwrap_or_default().to_str_lossy();
        Acl::new(entry.perms, &scheme, &id)
    });
    Ok(stored.collect())
}

fn decode_path<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, DecodeError> {
    reader.read::<Text<'a>>()?.to_str().map(Cow::Borrowed)
}

fn decode_paths(reader: &mut Reader<'_>) -> Result<Option<Vec<Box<str>>>, DecodeError> {
    // Logs of old servers have no body here.
    if reader.rest().is_empty() {
        return Ok(None);
    }
    let paths: Option<List<'_, Text<'_>>> = reader.read()?;
    paths.map(|paths| paths.iter().map(|path| path.to_str().map(Into::into)).collect()).transpose()
}

fn decode_create<'a>(op: Op, reader: &mut Reader<'a>) -> Result<Txn<'a>, DecodeError> {
    let path = decode_path(reader)?;
    let data = reader.read()?;
    let acl = decode_acl(reader)?;
    let kind = match op {
        Op::CreateContainer => CreateKind::Container,
        Op::CreateTtl => CreateKind::Ttl(0),
        _ if reader.read()? => CreateKind::Ephemeral,
        _ => CreateKind::Persistent,
    };
    // The oldest logs end here.
    let parent_cversion = if reader.rest().is_empty() { -1 } else { reader.read()? };
    let kind = if op == Op::CreateTtl { CreateKind::Ttl(reader.read()?) } else { kind };
    Ok(Txn::Create { create2: op == Op::Create2, path, data, acl, kind, parent_cversion })
}

fn decode_multi<'a>(reader: &mut Reader<'a>) -> Result<Vec<Txn<'a>>, DecodeError> {
    let count = reader.count()?.unwrap_or(0);
    let mut txns = Vec::new();
    for _ in 0..count {
        let code = reader.read()?;
        let body: Blob<'a> =
            reader.read::<Option<Blob<'a>>>()?.ok_or(DecodeError::UnexpectedNull)?;
        let op = match Op::from_code(code) {
            None | Some(Op::Multi | Op::CreateSession | Op::CloseSession) => {
                return Err(DecodeError::MisplacedOperation(code));
            }
            Some(op) => op,
        };
        let Blob::Slice(body) = body else { unreachable!("a decoded buffer is a slice") };
        txns.push(Txn::decode_body(op, &mut Reader::new(body))?);
    }
    Ok(txns)
}
