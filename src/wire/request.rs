//! Request records, one per operation.

use super::{
    acl::AclEntry,
    codec::{Blob, Decode, DecodeError, Encode, Reader, Sink, Text, record},
    list::List,
    multi::MultiOps,
    op::Op,
};

/// A list of paths in a request; elements may be null.
pub type Paths<'a> = List<'a, Option<Text<'a>>>;

record! {
    /// Makes a znode: `create`, `create2` and `createContainer`.
    pub struct CreateRequest<'a> {
        /// The znode's path, or its prefix where the name is sequential.
        pub path: Option<Text<'a>>,
        /// Its data.
        pub data: Option<Blob<'a>>,
        /// Its ACL.
        pub acl: Option<List<'a, AclEntry<'a>>>,
        /// The create mode, see [`CreateMode`](super::CreateMode).
        pub flags: i32,
    }
}

record! {
    /// Makes a znode with a time to live.
    pub struct CreateTtlRequest<'a> {
        /// The znode's path, or its prefix where the name is sequential.
        pub path: Option<Text<'a>>,
        /// Its data.
        pub data: Option<Blob<'a>>,
        /// Its ACL.
        pub acl: Option<List<'a, AclEntry<'a>>>,
        /// The create mode, see [`CreateMode`](super::CreateMode).
        pub flags: i32,
        /// Time to live, in milliseconds.
        pub ttl_ms: i64,
    }
}

record! {
    /// A path and the version it must have: `delete` and `check`. -1 is any version.
    pub struct VersionRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
        /// Its expected version.
        pub version: i32,
    }
}

record! {
    /// A path alone: `getACL`, `sync`, `getEphemerals` (a prefix), `getAllChildrenNumber`.
    pub struct PathRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
    }
}

record! {
    /// A read that may leave a watch: `exists`, `getData`, `getChildren`, `getChildren2`.
    pub struct ReadRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
        /// Whether to leave a one-shot watch.
        pub watch: bool,
    }
}

record! {
    /// Replaces a znode's data.
    pub struct SetDataRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
        /// The new data.
        pub data: Option<Blob<'a>>,
        /// The expected version, -1 for any.
        pub version: i32,
    }
}

record! {
    /// Replaces a znode's ACL.
    pub struct SetAclRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
        /// The new ACL.
        pub acl: Option<List<'a, AclEntry<'a>>>,
        /// The expected ACL version, -1 for any.
        pub version: i32,
    }
}

record! {
    /// Changes an ensemble's membership.
    pub struct ReconfigRequest<'a> {
        /// Servers to add.
        pub joining: Option<Text<'a>>,
        /// Servers to remove.
        pub leaving: Option<Text<'a>>,
        /// The whole new membership instead.
        pub new_members: Option<Text<'a>>,
        /// The version of the configuration that is to change.
        pub config_id: i64,
    }
}

record! {
    /// A path and a number: `checkWatches` and `removeWatches` (a `WatcherType`), `addWatch` (an
    /// `AddWatchMode`).
    pub struct WatchRequest<'a> {
        /// The znode.
        pub path: Option<Text<'a>>,
        /// The type or mode.
        pub mode: i32,
    }
}

record! {
    /// Adds an identity to the connection.
    pub struct AuthRequest<'a> {
        /// Zero; ignored.
        pub kind: i32,
        /// The scheme.
        pub scheme: Option<Text<'a>>,
        /// The credentials.
        pub credentials: Option<Blob<'a>>,
    }
}

record! {
    /// One step of a SASL exchange, both ways.
    pub struct SaslToken<'a> {
        /// The mechanism's bytes.
        pub token: Option<Blob<'a>>,
    }
}

record! {
    /// Restores one-shot watches after a reconnect.
    pub struct SetWatches<'a> {
        /// What the client has seen: later changes become events at once.
        pub relative_zxid: i64,
        /// Data watches on znodes that were there.
        pub data: Option<Paths<'a>>,
        /// Data watches on znodes that were not.
        pub exist: Option<Paths<'a>>,
        /// Child watches.
        pub child: Option<Paths<'a>>,
    }
}

record! {
    /// Restores watches of all modes after a reconnect.
    pub struct SetWatches2<'a> {
        /// What the client has seen: later changes become events at once.
        pub relative_zxid: i64,
        /// Data watches on znodes that were there.
        pub data: Option<Paths<'a>>,
        /// Data watches on znodes that were not.
        pub exist: Option<Paths<'a>>,
        /// Child watches.
        pub child: Option<Paths<'a>>,
        /// Persistent watches.
        pub persistent: Option<Paths<'a>>,
        /// Persistent recursive watches.
        pub recursive: Option<Paths<'a>>,
    }
}

macro_rules! requests {
    ($($(#[$meta:meta])* $name:ident $(($record:ty))?,)*) => {
        /// A request, decoded in place: it borrows from its frame.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Request<'a> {
            $($(#[$meta])* $name $(($record))?,)*
        }

        impl<'a> Request<'a> {
            /// Reads the record that belongs to `op`.
            ///
            /// # Errors
            ///
            /// What is wrong with the bytes; [`DecodeError::UnknownValue`] when clients may not
            /// send `op`.
            pub fn decode(op: Op, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                match op {
                    $(Op::$name => requests!(@decode reader $name $(($record))?),)*
                    _ => Err(DecodeError::UnknownValue { what: "request", value: op.code() }),
                }
            }

            /// The operation this is a request for.
            #[must_use]
            pub const fn op(&self) -> Op {
                match self {
                    $(requests!(@pattern $name $(($record))?) => Op::$name,)*
                }
            }
        }

        impl Encode for Request<'_> {
            fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
                match self {
                    $(requests!(@bind record $name $(($record))?) => {
                        requests!(@encode record out $(($record))?)
                    })*
                }
            }
        }
    };
    (@decode $reader:ident $name:ident ($record:ty)) => {
        <$record>::decode($reader).map(Self::$name)
    };
    (@decode $reader:ident $name:ident) => { Ok(Self::$name) };
    (@pattern $name:ident ($record:ty)) => { Self::$name(_) };
    (@pattern $name:ident) => { Self::$name };
    (@bind $bound:ident $name:ident ($record:ty)) => { Self::$name($bound) };
    (@bind $bound:ident $name:ident) => { Self::$name };
    (@encode $bound:ident $out:ident ($record:ty)) => { $bound.encode($out) };
    (@encode $bound:ident $out:ident) => { () };
}

requests! {
    /// Makes a znode; the reply holds its path.
    Create(CreateRequest<'a>),
    /// Makes a znode; the reply holds path and stat.
    Create2(CreateRequest<'a>),
    /// Makes a container.
    CreateContainer(CreateRequest<'a>),
    /// Makes a znode with a time to live.
    CreateTtl(CreateTtlRequest<'a>),
    /// Removes a znode.
    Delete(VersionRequest<'a>),
    /// Reads a stat.
    Exists(ReadRequest<'a>),
    /// Reads data and stat.
    GetData(ReadRequest<'a>),
    /// Replaces the data.
    SetData(SetDataRequest<'a>),
    /// Reads the ACL.
    GetAcl(PathRequest<'a>),
    /// Replaces the ACL.
    SetAcl(SetAclRequest<'a>),
    /// Lists children.
    GetChildren(ReadRequest<'a>),
    /// Lists children, with the parent's stat.
    GetChildren2(ReadRequest<'a>),
    /// Waits until everything before it is applied.
    Sync(PathRequest<'a>),
    /// Keeps the session alive.
    Ping,
    /// Several writes, all or none.
    Multi(MultiOps<'a>),
    /// Several reads.
    MultiRead(MultiOps<'a>),
    /// Changes an ensemble's membership.
    Reconfig(ReconfigRequest<'a>),
    /// Asks whether a watch is set.
    CheckWatches(WatchRequest<'a>),
    /// Takes a watch away.
    RemoveWatches(WatchRequest<'a>),
    /// Sets a persistent watch.
    AddWatch(WatchRequest<'a>),
    /// Adds an identity.
    Auth(AuthRequest<'a>),
    /// One step of a SASL exchange.
    Sasl(SaslToken<'a>),
    /// Restores one-shot watches.
    SetWatches(SetWatches<'a>),
    /// Restores watches of all modes.
    SetWatches2(SetWatches2<'a>),
    /// Lists the session's ephemerals.
    GetEphemerals(PathRequest<'a>),
    /// Counts all descendants.
    GetAllChildrenNumber(PathRequest<'a>),
    /// Lists the connection's identities.
    WhoAmI,
    /// Ends the session.
    CloseSession,
}
