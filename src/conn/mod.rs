//! A framed connection without its socket: what came in, what is to go out.

mod inbox;
mod outbox;
mod pool;
mod transmit;

use std::{fmt, io};

pub(crate) use inbox::Inbox;
pub(crate) use outbox::{Held, Outbox, OutboxWriter};
pub(crate) use pool::Pool;
pub use transmit::Transmit;

/// Why no more bytes will come from a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// It closed its side.
    End,
    /// It reset the connection.
    Reset,
    /// It did not accept the connection.
    Refused,
    /// Its name has no address.
    Unresolved,
    /// It did not answer in time.
    TimedOut,
    /// Anything else the system said.
    Other(io::ErrorKind),
}

impl From<io::ErrorKind> for Disconnect {
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            kind => Self::Other(kind),
        }
    }
}

impl From<io::Error> for Disconnect {
    fn from(error: io::Error) -> Self {
        error.kind().into()
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("closed by the peer"),
            Self::Reset => f.write_str("reset by the peer"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unresolved => f.write_str("name without an address"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Other(kind) => write!(f, "{kind}"),
        }
    }
}
