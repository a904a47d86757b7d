//! Making znodes.
//!
//! Behaviour: `org.apache.zookeeper.ZooKeeper.create` and `CreateMode`.

use std::{borrow::Cow, time::Duration};

use super::{
    AccessList, ArgumentError, Chroot, Error, Operation, Payload, Repetition, RequestError,
    check_path, stripped,
};
use crate::wire::{CreateMode, CreateRequest, CreateTtlRequest, MultiOp, Request, Response, Stat};

/// What a new znode is like. A [`CreateMode`] alone makes one that is open to everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CreateOptions {
    /// How long it stays, and whether its name gets a number.
    pub mode: CreateMode,
    /// Who may do what with it.
    pub acl: AccessList,
    /// How long it stays without children after its last change: from a millisecond to about 34
    /// years, cut to milliseconds. For the modes with a time to live, which cannot do without.
    pub ttl: Option<Duration>,
    /// Whether its stat is wanted too; servers before 3.5 know no such request, and inside a
    /// transaction they pass over the wish. Containers and znodes with a time to live bring it
    /// anyway.
    pub with_stat: bool,
}

impl CreateOptions {
    /// A znode of this mode, open to everybody.
    #[must_use]
    pub const fn new(mode: CreateMode) -> Self {
        Self { mode, acl: AccessList::Open, ttl: None, with_stat: false }
    }

    /// With this ACL.
    #[must_use]
    pub fn acl(mut self, acl: impl Into<AccessList>) -> Self {
        self.acl = acl.into();
        self
    }

    /// With this time to live.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// With its stat in the reply.
    #[must_use]
    pub const fn with_stat(mut self) -> Self {
        self.with_stat = true;
        self
    }

    /// The time to live in milliseconds, for the modes that have one.
    fn ttl_ms(&self) -> Result<Option<i64>, ArgumentError> {
        match (self.mode.has_ttl(), self.ttl) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(ArgumentError::TtlUnexpected),
            (true, None) => Err(ArgumentError::TtlMissing),
            (true, Some(ttl)) => match i64::try_from(ttl.as_millis()) {
                Ok(ttl_ms @ 1..=CreateMode::TTL_MAX_MS) => Ok(Some(ttl_ms)),
                _ => Err(ArgumentError::TtlOutOfRange(ttl)),
            },
        }
    }
}

impl Default for CreateOptions {
    /// A persistent znode, open to everybody.
    fn default() -> Self {
        Self::new(CreateMode::Persistent)
    }
}

impl From<CreateMode> for CreateOptions {
    fn from(mode: CreateMode) -> Self {
        Self::new(mode)
    }
}

/// Makes a znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create<'a> {
    /// Its path. With a sequential mode a number is put behind it, and it may end with `/`: the
    /// name is the number alone then.
    pub path: Cow<'a, str>,
    /// Its data.
    pub data: Payload<'a>,
    /// What it is like.
    pub options: CreateOptions,
}

/// A new znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Created {
    /// Its path, with its number where it got one.
    pub path: String,
    /// Its stat, where it was asked for ([`CreateOptions::with_stat`]).
    pub stat: Option<Stat>,
}

impl<'a> Create<'a> {
    /// A znode with this path and data.
    pub fn new(
        path: impl Into<Cow<'a, str>>,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> Self {
        Self { path: path.into(), data: data.into(), options: options.into() }
    }

    /// Checks everything; the path as the server is to know it.
    pub(in crate::client) fn server_path(
        &self,
        chroot: &Chroot,
    ) -> Result<Cow<'_, str>, ArgumentError> {
        self.options.ttl_ms()?;
        self.options.acl.check()?;
        if self.options.mode.is_sequential() {
            sequential_path(chroot, &self.path)
        } else {
            super::rooted(chroot, &self.path)
        }
    }

    /// The record, for a path that [`Create::server_path`] gave.
    pub(super) fn record<'b>(&'b self, path: &'b str) -> Record<'b> {
        let path = Some(path.into());
        let data = self.data.as_blob();
        let acl = Some(self.options.acl.as_list());
        let flags = self.options.mode.flags();
        if let Ok(Some(ttl_ms)) = self.options.ttl_ms() {
            return Record::Ttl(CreateTtlRequest { path, data, acl, flags, ttl_ms });
        }
        let record = CreateRequest { path, data, acl, flags };
        match self.options.mode {
            CreateMode::Container => Record::Container(record),
            _ if self.options.with_stat => Record::WithStat(record),
            _ => Record::Plain(record),
        }
    }
}

/// What goes to the server: alone, or inside a multi.
pub(super) enum Record<'a> {
    Plain(CreateRequest<'a>),
    WithStat(CreateRequest<'a>),
    Container(CreateRequest<'a>),
    Ttl(CreateTtlRequest<'a>),
}

impl<'a> From<Record<'a>> for Request<'a> {
    fn from(record: Record<'a>) -> Self {
        match record {
            Record::Plain(record) => Self::Create(record),
            Record::WithStat(record) => Self::Create2(record),
            Record::Container(record) => Self::CreateContainer(record),
            Record::Ttl(record) => Self::CreateTtl(record),
        }
    }
}

impl<'a> From<Record<'a>> for MultiOp<'a> {
    fn from(record: Record<'a>) -> Self {
        match record {
            Record::Plain(record) => Self::Create(record),
            Record::WithStat(record) => Self::Create2(record),
            Record::Container(record) => Self::CreateContainer(record),
            Record::Ttl(record) => Self::CreateTtl(record),
        }
    }
}

/// A path that is not complete: its number is still to come. So `/` and what ends with it are
/// legal, and the chroot's own path is never the beginning of the name: upstream would make such a
/// znode beside the chroot.
fn sequential_path<'a>(chroot: &Chroot, path: &'a str) -> Result<Cow<'a, str>, ArgumentError> {
    if let Err(error) = check_path(path) {
        check_path(&format!("{path}1")).map_err(|_| error)?;
    }
    Ok(match chroot.as_str() {
        Some(chroot) => Cow::Owned([chroot, path].concat()),
        None => Cow::Borrowed(path),
    })
}

impl Operation for Create<'_> {
    type Output = Created;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = self.server_path(chroot)?;
        Ok(submit(&self.record(&path).into()))
    }

    fn output(
        chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Created, Error> {
        match result? {
            Response::Path(path) => Ok(Created { path: stripped(chroot, path)?, stat: None }),
            Response::Create2 { path, stat } => {
                Ok(Created { path: stripped(chroot, path)?, stat: Some(stat) })
            }
            _ => Err(Error::UnexpectedReply),
        }
    }

    /// A second znode, or `NODE_EXISTS` although it was this one's own doing.
    fn repetition(&self) -> Repetition {
        Repetition::Unsafe
    }
}
