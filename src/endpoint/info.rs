//! A connection as commands print it.
//!
//! Behaviour: `org.apache.zookeeper.server.ServerCnxn.dumpConnectionInfo`.

use std::{fmt, net::SocketAddr};

use super::{
    Endpoint,
    connection::{Connection, Figures, LastOperation, State},
};
use crate::{
    ids::{ConnId, SessionId},
    time::Instant,
    wire::Op,
};

/// What is to be told about one connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo<'a> {
    /// The connection.
    pub id: ConnId,
    /// The other end.
    pub peer: SocketAddr,
    /// Its session.
    pub session: Option<SessionId>,
    /// When it ends if nothing happens.
    pub deadline: Option<Instant>,
    connection: &'a Connection,
    /// Unix time in milliseconds at the start of the driver's clock.
    epoch_ms: i64,
    timeout_ms: u128,
}

impl ConnectionInfo<'_> {
    /// The line of `stat`.
    #[must_use]
    pub const fn summary(&self) -> impl fmt::Display {
        Summary(*self)
    }

    /// The line of `cons`.
    #[must_use]
    pub const fn detail(&self) -> impl fmt::Display {
        Detail(*self)
    }

    const fn figures(&self) -> &Figures {
        &self.connection.figures
    }

    fn write_start(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = u8::from(
            self.connection.wants_read && !matches!(self.connection.state, State::Command(_)),
        );
        let writes = if self.connection.outbox.sendable() > 0 { 4 } else { 0 };
        write!(
            f,
            " /{}[{:x}](queued={},recved={},sent={}",
            self.peer,
            reads + writes,
            self.connection.unanswered(),
            self.figures().received,
            self.figures().sent
        )
    }
}

struct Summary<'a>(ConnectionInfo<'a>);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_start(f)?;
        f.write_str(")")
    }
}

struct Detail<'a>(ConnectionInfo<'a>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.0;
        info.write_start(f)?;
        let Some(session) = info.session else { return f.write_str(")") };
        let figures = info.figures();
        let latency = figures.latency;
        let established = i64::try_from(figures.established.as_millis()).unwrap_or(i64::MAX);
        write!(
            f,
            ",sid={session},lop={},est={},to={}",
            figures.last_operation,
            info.epoch_ms.saturating_add(established),
            info.timeout_ms
        )?;
        if let Some(cxid) = figures.last_cxid {
            write!(f, ",lcxid=0x{cxid:x}")?;
        }
        write!(
            f,
            ",lzxid={},lresp={},llat={},minlat={},avglat={},maxlat={})",
            figures.last_zxid,
            figures.last_response.as_millis(),
            figures.last_latency_ms,
            latency.min_ms,
            latency.total_ms / latency.count.max(1),
            latency.max_ms
        )
    }
}

impl fmt::Display for LastOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "null",
            Self::Reset => "NA",
            Self::Session => "SESS",
            Self::Request(op) => match op {
                Op::Ping => "PING",
                Op::Multi => "MULT",
                Op::MultiRead => "MLTR",
                Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => "CREA",
                Op::Delete | Op::DeleteContainer => "DELE",
                Op::SetData => "SETD",
                Op::Reconfig => "RECO",
                Op::SetAcl => "SETA",
                Op::CloseSession => "CLOS",
                Op::Sync => "SYNC",
                Op::Check => "CHEC",
                Op::Exists => "EXIS",
                Op::GetData => "GETD",
                Op::SetWatches => "SETW",
                Op::SetWatches2 => "STW2",
                Op::AddWatch => "ADDW",
                Op::GetAcl => "GETA",
                Op::GetChildren | Op::GetChildren2 => "GETC",
                Op::GetAllChildrenNumber => "GETACN",
                Op::CheckWatches => "CHKW",
                Op::RemoveWatches => "REMW",
                Op::WhoAmI => "HOMI",
                Op::GetEphemerals => "GETE",
                Op::Auth | Op::Sasl | Op::CreateSession | Op::Error => "NA",
            },
        })
    }
}

impl Endpoint {
    pub(super) fn info<'a>(&self, connection: &'a Connection) -> ConnectionInfo<'a> {
        let (at, unix_ms) = self.wall_clock;
        let since_epoch = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let (deadline, timeout_ms) = match connection.state {
            State::Active { slot, .. } => {
                (self.liveness.deadline_of(slot), self.liveness.timeout_of(slot).as_millis())
            }
            _ => (connection.deadline, 0),
        };
        ConnectionInfo {
            id: connection.id,
            peer: connection.peer,
            session: connection.session,
            deadline,
            connection,
            epoch_ms: unix_ms.saturating_sub(since_epoch),
            timeout_ms,
        }
    }
}
