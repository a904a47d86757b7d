//! Access control lists: those a client gives, and the operations on them.
//!
//! Behaviour: `org.apache.zookeeper.ZooDefs.Ids`.

use std::borrow::Cow;

use super::{
    ArgumentError, Chroot, Error, Operation, Repetition, RequestError, guarded_by, required,
    rooted, wire_version,
};
use crate::wire::{
    Acl, AclEntry, List, ListSource, PathRequest, Request, Response, SetAclRequest, Stat, Text,
    perms,
};

/// Who may do what with a znode.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AccessList {
    /// Everybody may do everything.
    #[default]
    Open,
    /// Everybody may read.
    ReadOnly,
    /// Whoever makes it may do everything: each identity the session has been authenticated as.
    /// Servers refuse it from a session without one.
    Creator,
    /// These entries; empty is refused.
    Entries(Vec<Acl>),
}

impl AccessList {
    /// Refuses what servers refuse.
    pub(in crate::client) fn check(&self) -> Result<(), ArgumentError> {
        match self {
            Self::Entries(entries) if entries.is_empty() => Err(ArgumentError::EmptyAcl),
            _ => Ok(()),
        }
    }

    /// The list as requests carry it.
    pub(super) fn as_list(&self) -> List<'_, AclEntry<'_>> {
        match self {
            Self::Open => List::new(const { &[entry(perms::ALL, "world", "anyone")] }),
            Self::ReadOnly => List::new(const { &[entry(perms::READ, "world", "anyone")] }),
            Self::Creator => List::new(const { &[entry(perms::ALL, "auth", "")] }),
            Self::Entries(entries) => List::from_source(entries),
        }
    }
}

impl From<Vec<Acl>> for AccessList {
    fn from(entries: Vec<Acl>) -> Self {
        Self::Entries(entries)
    }
}

impl From<&[Acl]> for AccessList {
    fn from(entries: &[Acl]) -> Self {
        Self::Entries(entries.to_vec())
    }
}

impl<const N: usize> From<[Acl; N]> for AccessList {
    fn from(entries: [Acl; N]) -> Self {
        Self::Entries(entries.into())
    }
}

impl<'a> ListSource<'a, AclEntry<'a>> for Vec<Acl> {
    fn count(&self) -> usize {
        self.len()
    }

    fn element(&'a self, index: usize) -> AclEntry<'a> {
        self[index].as_entry()
    }
}

const fn entry(perms: i32, scheme: &'static str, id: &'static str) -> AclEntry<'static> {
    AclEntry { perms, scheme: Some(Text::from_static(scheme)), id: Some(Text::from_static(id)) }
}

/// Reads a znode's ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetAcl<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
}

impl<'a> GetAcl<'a> {
    /// Of this znode.
    pub fn new(path: impl Into<Cow<'a, str>>) -> Self {
        Self { path: path.into() }
    }
}

/// A znode's ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclAndStat {
    /// The entries. A server hides the hashes of digests from those who may not administer.
    pub acl: Vec<Acl>,
    /// The znode's stat; its `aversion` counts changes of the ACL.
    pub stat: Stat,
}

impl Operation for GetAcl<'_> {
    type Output = AclAndStat;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = rooted(chroot, &self.path)?;
        Ok(submit(&Request::GetAcl(PathRequest { path: Some((&*path).into()) })))
    }

    fn output(
        _chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<AclAndStat, Error> {
        let Response::Acl { acl, stat } = result? else { return Err(Error::UnexpectedReply) };
        let mut entries = Vec::with_capacity(acl.map_or(0, |acl| acl.len()));
        for entry in acl.iter().flat_map(List::iter) {
            entries.push(Acl::new(entry.perms, required(entry.scheme)?, required(entry.id)?));
        }
        Ok(AclAndStat { acl: entries, stat })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}

/// Replaces a znode's ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAcl<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// The new list.
    pub acl: AccessList,
    /// The version that the present list must have (`aversion`); `None` is any.
    pub version: Option<i32>,
}

impl<'a> SetAcl<'a> {
    /// To this list, if the present one has this version.
    pub fn new(
        path: impl Into<Cow<'a, str>>,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Self {
        Self { path: path.into(), acl: acl.into(), version }
    }
}

impl Operation for SetAcl<'_> {
    type Output = Stat;

    fn with_request<R>(
        &self,
        chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        let path = rooted(chroot, &self.path)?;
        self.acl.check()?;
        Ok(submit(&Request::SetAcl(SetAclRequest {
            path: Some((&*path).into()),
            acl: Some(self.acl.as_list()),
            version: wire_version(self.version),
        })))
    }

    fn output(_chroot: &Chroot, result: Result<Response<'_>, RequestError>) -> Result<Stat, Error> {
        match result? {
            Response::Stat(stat) => Ok(stat),
            _ => Err(Error::UnexpectedReply),
        }
    }

    fn repetition(&self) -> Repetition {
        guarded_by(self.version)
    }
}
