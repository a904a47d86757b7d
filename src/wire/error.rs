//! Error codes of replies.
//!
//! Behaviour: `org.apache.zookeeper.KeeperException.Code`.

use std::fmt;

use super::codec::{Decode, DecodeError, Encode, Reader, Sink};

/// The outcome of one request: zero, or what went wrong.
///
/// A number rather than an enumeration, so that a code from a newer peer has a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ErrorCode(pub i32);

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        impl ErrorCode {
            $($(#[$meta])* pub const $name: Self = Self($code);)*

            /// What the code means; `None` for one that ZooKeeper does not define.
            #[must_use]
            pub const fn message(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// No error.
    OK = 0, "ok";
    /// The first of the server-side faults; never sent.
    SYSTEM_ERROR = -1, "system error";
    /// In a multi's results: an operation after the one that failed.
    RUNTIME_INCONSISTENCY = -2, "not reached: an earlier operation of the multi failed";
    /// Never sent.
    DATA_INCONSISTENCY = -3, "data inconsistency";
    /// On the client: the connection ended with the request in flight.
    CONNECTION_LOSS = -4, "connection lost";
    /// The record cannot be decoded, or a number is outside its enumeration.
    MARSHALLING_ERROR = -5, "malformed request";
    /// The server does not know the operation.
    UNIMPLEMENTED = -6, "unimplemented";
    /// On the client: no reply in time.
    OPERATION_TIMEOUT = -7, "operation timed out";
    /// An argument is out of its range.
    BAD_ARGUMENTS = -8, "bad arguments";
    /// The session is not known.
    UNKNOWN_SESSION = -12, "unknown session";
    /// Ensembles only: a new configuration without a quorum.
    NEW_CONFIG_NO_QUORUM = -13, "no quorum of the new configuration is connected";
    /// Ensembles only: another reconfiguration is under way.
    RECONFIG_IN_PROGRESS = -14, "another reconfiguration is in progress";
    /// The first of the API's errors; never sent.
    API_ERROR = -100, "api error";
    /// There is no such znode.
    NO_NODE = -101, "no node";
    /// The caller's identities lack the permission.
    NO_AUTH = -102, "not authorised";
    /// The version given is not the znode's.
    BAD_VERSION = -103, "version conflict";
    /// An ephemeral znode may not have children.
    NO_CHILDREN_FOR_EPHEMERALS = -108, "ephemeral nodes may not have children";
    /// The znode is there already.
    NODE_EXISTS = -110, "node exists";
    /// The znode has children.
    NOT_EMPTY = -111, "node has children";
    /// The session has ended.
    SESSION_EXPIRED = -112, "session expired";
    /// On the client only.
    INVALID_CALLBACK = -113, "invalid callback";
    /// The ACL is empty or names what does not exist.
    INVALID_ACL = -114, "invalid ACL";
    /// The credentials were refused; the connection closes.
    AUTH_FAILED = -115, "authentication failed";
    /// The session has moved to another server of an ensemble.
    SESSION_MOVED = -118, "session moved";
    /// A write to a read-only server.
    NOT_READ_ONLY = -119, "server is read-only";
    /// Ensembles with local sessions only.
    EPHEMERAL_ON_LOCAL_SESSION = -120, "ephemeral node on a local session";
    /// There is no such watch.
    NO_WATCHER = -121, "no such watch";
    /// On the client: no reply in time.
    REQUEST_TIMEOUT = -122, "request timed out";
    /// Reconfiguration is switched off.
    RECONFIG_DISABLED = -123, "reconfiguration is disabled";
    /// The server demands an authentication that the connection lacks; it closes.
    SESSION_CLOSED_REQUIRE_AUTH = -124, "authentication required";
    /// A hard quota would be exceeded.
    QUOTA_EXCEEDED = -125, "quota exceeded";
    /// The request waited too long and was not executed.
    THROTTLED = -127, "throttled";
}

impl ErrorCode {
    /// Whether this is no error.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message().unwrap_or("unknown error"), self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ErrorCode {}

impl<'a> Decode<'a> for ErrorCode {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.read().map(Self)
    }
}

impl Encode for ErrorCode {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.0.encode(out);
    }
}
