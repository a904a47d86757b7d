//! Operation codes.
//!
//! Behaviour: `org.apache.zookeeper.ZooDefs.OpCode`.

use std::fmt;

macro_rules! ops {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// What a request asks for, and what a transaction did.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Op {
            $($(#[$meta])* $name,)*
        }

        impl Op {
            /// Every operation, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its place in [`Op::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The operation with this number, if there is one.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The number on the wire and in the log.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The name upstream uses, in snake case as its metrics print it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

ops! {
    /// Makes a znode; the reply holds its path.
    Create = 1, "create";
    /// Removes a znode without children.
    Delete = 2, "delete";
    /// Reads a znode's stat; its watch may wait for a znode to come.
    Exists = 3, "exists";
    /// Reads data and stat.
    GetData = 4, "get_data";
    /// Replaces the data.
    SetData = 5, "set_data";
    /// Reads ACL and stat.
    GetAcl = 6, "get_acl";
    /// Replaces the ACL.
    SetAcl = 7, "set_acl";
    /// Lists the names of the children.
    GetChildren = 8, "get_children";
    /// Waits until everything before it is applied.
    Sync = 9, "sync";
    /// Keeps the session alive.
    Ping = 11, "ping";
    /// Lists the names of the children, with the parent's stat.
    GetChildren2 = 12, "get_children2";
    /// Checks a version; only inside a multi.
    Check = 13, "check";
    /// Several writes, all or none.
    Multi = 14, "multi";
    /// Makes a znode; the reply holds path and stat.
    Create2 = 15, "create2";
    /// Changes an ensemble's membership.
    Reconfig = 16, "reconfig";
    /// Asks whether a watch is set.
    CheckWatches = 17, "check_watches";
    /// Takes a watch away.
    RemoveWatches = 18, "remove_watches";
    /// Makes a container.
    CreateContainer = 19, "create_container";
    /// Removes an empty container or an outlived TTL znode; only the server itself asks for it.
    DeleteContainer = 20, "delete_container";
    /// Makes a znode with a time to live.
    CreateTtl = 21, "create_ttl";
    /// Several reads, each for itself.
    MultiRead = 22, "multi_read";
    /// Adds an identity to the connection.
    Auth = 100, "auth";
    /// Restores one-shot watches after a reconnect.
    SetWatches = 101, "set_watches";
    /// One step of a SASL exchange.
    Sasl = 102, "sasl";
    /// Lists the session's ephemeral znodes.
    GetEphemerals = 103, "get_ephemerals";
    /// Counts all descendants.
    GetAllChildrenNumber = 104, "get_all_children_number";
    /// Restores watches of all modes after a reconnect.
    SetWatches2 = 105, "set_watches2";
    /// Sets a persistent watch.
    AddWatch = 106, "add_watch";
    /// Lists the connection's identities.
    WhoAmI = 107, "who_am_i";
    /// Makes a session; only in the log.
    CreateSession = -10, "create_session";
    /// Ends the session.
    CloseSession = -11, "close_session";
    /// A failed operation, in the log and in multi results.
    Error = -1, "error";
}

impl Op {
    /// Whether a client may send it as a request of its own.
    ///
    /// Upstream also lets clients send `createSession` and `deleteContainer`, which serves nobody
    /// but an attacker; here they are unknown operations.
    #[must_use]
    pub const fn is_request(self) -> bool {
        !matches!(self, Self::Check | Self::DeleteContainer | Self::CreateSession | Self::Error)
    }

    /// Whether it is a transaction: takes a zxid of its own even when it fails.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Create2
                | Self::CreateContainer
                | Self::CreateTtl
                | Self::Delete
                | Self::DeleteContainer
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Reconfig
                | Self::CreateSession
                | Self::CloseSession
        )
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_a_two_way_map() {
        for &op in Op::ALL {
            assert_eq!(Op::from_code(op.code()), Some(op));
        }
        for unknown in [0, 10, 23, 99, 108, -2, -12, i32::MAX, i32::MIN] {
            assert_eq!(Op::from_code(unknown), None);
        }
    }
}
