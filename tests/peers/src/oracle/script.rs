//! What the clients do: plain data, so that it can be recorded, printed, cut and replayed.

use std::fmt;

use zookeeper_core::wire::{Encode, Op};

/// A place for one client connection. The same slots exist on both servers.
pub(crate) type Slot = usize;

/// A session by the order in which the script creates it; the servers' own ids differ.
pub(crate) type SessionName = usize;

/// One thing the script does. Each ends with a barrier, so that nothing is on its way when the
/// next begins.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A client sends frames and reads what it gets.
    Talk(Talk),
    /// A client ends its connection, not its session.
    Hang(Slot),
    /// A client makes a session with a short time-out, fills it and falls silent until it expires.
    Expire(Expire),
    /// A connection that never shakes hands: a four-letter word or garbage.
    Outsider(Outsider),
    /// The servers exchange their data directories. No client has a connection before and after;
    /// a session goes on where its directory is.
    Cross,
}

/// A client's turn.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    /// Whose.
    pub(crate) slot: Slot,
    /// The handshake, on a new connection, with the frames pipelined behind it.
    pub(crate) connect: Option<Connect>,
    /// What is sent, in one go.
    pub(crate) frames: Vec<Frame>,
    /// How far the answers are read.
    pub(crate) until: Until,
    /// Where a piece ends that is sent by itself, in bytes from the start.
    pub(crate) cut: Option<usize>,
}

/// How far a turn's answers are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    /// To the reply of a ping behind the frames.
    Ping,
    /// To the end of the connection, which the frames bring about.
    Closed,
    /// Not compared: the row of this name in the table of expected differences says why. The
    /// client's connections end on both servers.
    Unlike(&'static str),
}

/// A session that is left to expire.
#[derive(Clone, Debug)]
pub(crate) struct Expire {
    /// The client; its slot has no connection before and after.
    pub(crate) slot: Slot,
    /// Its handshake.
    pub(crate) connect: Connect,
    /// What it does first. One of the frames makes the ephemeral at `marker`.
    pub(crate) frames: Vec<Frame>,
    /// The znode whose deletion shows that the session has expired.
    pub(crate) marker: String,
    /// The client that waits for it.
    pub(crate) observer: Slot,
    /// Whether the connection ends before the session does.
    pub(crate) hangs: bool,
}

/// A handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect {
    /// The session to make or to resume.
    pub(crate) session: SessionRef,
    /// What is sent as its password.
    pub(crate) password: Password,
    /// What is sent as the last zxid seen.
    pub(crate) last_zxid: LastZxid,
    /// The time-out asked for.
    pub(crate) timeout_ms: i32,
    /// The read-only flag; legacy clients leave it out.
    pub(crate) read_only: Option<bool>,
}

/// The session in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionRef {
    /// A new one, known by this name from here on.
    New(SessionName),
    /// An existing one.
    Known(SessionName),
    /// An id that no server has given out.
    Unknown,
}

/// The password in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Password {
    /// The one that was granted; zeros for a new session.
    Right,
    /// One bit off.
    Wrong,
    /// Null.
    Null,
    /// Of no bytes.
    Empty,
    /// Of three bytes.
    Short,
}

/// The last zxid seen in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LastZxid {
    /// Zero.
    Zero,
    /// The newest one.
    Newest,
    /// One that the server has not reached.
    Ahead,
}

/// Bytes from somebody without a session; read to the end of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Outsider {
    /// What it is, for the report.
    pub(crate) text: String,
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
    /// Whether the answer is a four-letter word's text.
    pub(crate) is_command: bool,
}

/// One frame as a client sends it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// What it asks for, for the report.
    pub(crate) text: String,
    /// The announced length.
    pub(crate) length: i32,
    /// What follows: header and record, unless it is malformed.
    pub(crate) bytes: Vec<u8>,
    /// A zxid in the record.
    pub(crate) zxid: Option<ZxidSlot>,
}

/// A zxid that a record holds. Servers may number alike and yet differ in it, so it is filled in
/// on sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZxidSlot {
    /// Where it stands in [`Frame::bytes`].
    pub(crate) offset: usize,
    /// How far behind the newest one it is.
    pub(crate) age: i64,
}

impl Frame {
    /// A request.
    #[must_use]
    pub(crate) fn request(xid: i32, op: i32, text: &str, record: &[u8]) -> Self {
        let mut bytes = xid.to_vec();
        bytes.extend(op.to_vec());
        bytes.extend_from_slice(record);
        Self { text: format!("[{xid}] {text}"), length: length_of(&bytes), bytes, zxid: None }
    }

    /// A ping.
    #[must_use]
    pub(crate) fn ping() -> Self {
        Self::request(-2, Op::Ping.code(), "ping", &[])
    }

    /// Bytes that are no request.
    #[must_use]
    pub(crate) fn raw(text: &str, length: i32, bytes: Vec<u8>) -> Self {
        Self { text: text.to_owned(), length, bytes, zxid: None }
    }

    /// The xid; 0 where there is none.
    #[must_use]
    pub(crate) fn xid(&self) -> i32 {
        self.number(0)
    }

    /// The operation's number; 0 where there is none.
    #[must_use]
    pub(crate) fn op(&self) -> i32 {
        self.number(4)
    }

    /// The record behind the header.
    #[must_use]
    pub(crate) fn record(&self) -> &[u8] {
        self.bytes.get(8..).unwrap_or_default()
    }

    /// Whether upstream answers it as soon as it is read, past requests that wait.
    #[must_use]
    pub(crate) fn is_answered_at_once(&self) -> bool {
        [Op::Auth.code(), Op::Sasl.code()].contains(&self.op())
    }

    fn number(&self, at: usize) -> i32 {
        self.bytes.get(at..at + 4).map_or(0, |bytes| bytes.try_into().map_or(0, i32::from_be_bytes))
    }
}

impl Step {
    /// How many operations it counts for.
    #[must_use]
    pub(crate) fn operations(&self) -> usize {
        match self {
            Self::Talk(talk) => talk.frames.len() + usize::from(talk.connect.is_some()),
            Self::Expire(expire) => expire.frames.len() + 1,
            Self::Hang(_) | Self::Outsider(_) | Self::Cross => 1,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hang(slot) => write!(f, "client {slot} hangs up"),
            Self::Cross => f.write_str("the servers exchange their directories"),
            Self::Outsider(outsider) => write!(f, "outsider sends {}", outsider.text),
            Self::Talk(talk) => {
                write!(f, "client {}", talk.slot)?;
                if let Some(connect) = &talk.connect {
                    write!(f, " connects ({connect})")?;
                }
                frames(f, &talk.frames)?;
                match talk.until {
                    Until::Ping => Ok(()),
                    Until::Closed => write!(f, ", until closed"),
                    Until::Unlike(row) => write!(f, ", not compared: {row}"),
                }
            }
            Self::Expire(expire) => {
                write!(f, "client {} connects ({})", expire.slot, expire.connect)?;
                frames(f, &expire.frames)?;
                let ending = if expire.hangs { "hangs up" } else { "falls silent" };
                write!(f, ", {ending}; client {} waits for its expiry", expire.observer)
            }
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, password, last_zxid, timeout_ms, read_only } = self;
        write!(f, "{session:?}, password {password:?}, zxid {last_zxid:?}, {timeout_ms} ms, ")?;
        write!(f, "read-only {read_only:?}")
    }
}

fn frames(f: &mut fmt::Formatter<'_>, frames: &[Frame]) -> fmt::Result {
    frames.iter().try_for_each(|frame| write!(f, "\n      {}", frame.text))
}

/// The length field for `bytes`.
#[must_use]
pub(crate) fn length_of(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}
