//! Access control lists and identities.
//!
//! Behaviour: `org.apache.zookeeper.ZooDefs.Perms` and `org.apache.zookeeper.data.ACL`.

use std::fmt;

use super::codec::{Text, record};

/// Permission bits. Values are not validated, as upstream does not: 0 and -1 are legal.
pub mod perms {
    /// Read data and list children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the ACL.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

record! {
    /// One entry of an ACL as it stands in a frame.
    pub struct AclEntry<'a> {
        /// Permission bits, see [`perms`].
        pub perms: i32,
        /// The scheme of the identity.
        pub scheme: Option<Text<'a>>,
        /// The identity within the scheme.
        pub id: Option<Text<'a>>,
    }
}

/// An identity: what a connection has, and what an ACL entry asks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `world`, `auth`, `digest`, `ip`, `sasl`, `x509` or `super`.
    pub scheme: Box<str>,
    /// The identity within the scheme.
    pub id: Box<str>,
}

impl Id {
    /// An identity of these two parts.
    #[must_use]
    pub fn new(scheme: &str, id: &str) -> Self {
        Self { scheme: scheme.into(), id: id.into() }
    }
}

impl fmt::Debug for Id {
    /// A digest is shown without its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.scheme, self.id.split_once(':')) {
            ("digest", Some((user, _))) => write!(f, "digest:{user}:x"),
            _ => write!(f, "{}:{}", self.scheme, self.id),
        }
    }
}

/// One entry of a stored ACL: checked, expanded, never null.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Acl {
    /// Permission bits, see [`perms`].
    pub perms: i32,
    /// Who has them.
    pub id: Id,
}

impl Acl {
    /// An entry of these parts.
    #[must_use]
    pub fn new(perms: i32, scheme: &str, id: &str) -> Self {
        Self { perms, id: Id::new(scheme, id) }
    }

    /// The entry as records carry it.
    #[must_use]
    pub fn as_entry(&self) -> AclEntry<'_> {
        AclEntry {
            perms: self.perms,
            scheme: Some((&*self.id.scheme).into()),
            id: Some((&*self.id.id).into()),
        }
    }
}

record! {
    /// One entry of a `whoAmI` reply.
    pub struct ClientInfo<'a> {
        /// The scheme of the identity.
        pub scheme: Option<Text<'a>>,
        /// Who, without secrets.
        pub user: Option<Text<'a>>,
    }
}
