//! The socket of one attempt to reach a server: from the addresses to the connection.

use std::{collections::VecDeque, io, net::SocketAddr};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use zookeeper_common::Connection;
use zookeeper_core::{ConnId, Disconnect, Instant};

use crate::poll::{MioStream, readiness};

/// One attempt that the session has asked for.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) conn: ConnId,
    /// When the session gives it up.
    deadline: Instant,
    /// Not tried yet, in the resolver's order.
    addresses: VecDeque<SocketAddr>,
    pub(super) stage: Stage,
}

/// How far an attempt is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The addresses are not known yet.
    Resolving,
    /// The next address is to be tried.
    Ready,
    /// The system connects.
    Connecting {
        stream: MioStream,
        peer: SocketAddr,
        /// When the next address is tried, if there is one.
        until: Instant,
        /// Whether the system said something new.
        is_news: bool,
    },
    /// Bytes flow.
    Open(Box<Connection<MioStream>>),
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing new.
    None,
    /// It is connected to this address.
    Connected(SocketAddr),
    /// No address is left; the last one failed for this.
    Failed(Disconnect),
}

impl Attempt {
    pub(super) const fn new(conn: ConnId, deadline: Instant) -> Self {
        Self { conn, deadline, addresses: VecDeque::new(), stage: Stage::Resolving }
    }

    /// The name has these addresses. Whether they were waited for.
    pub(super) fn resolve(&mut self, addresses: Vec<SocketAddr>) -> bool {
        if !matches!(self.stage, Stage::Resolving) {
            return false;
        }
        self.addresses = addresses.into();
        self.stage = Stage::Ready;
        true
    }

    /// Takes down what the system says.
    pub(super) fn notice(&mut self, event: &Event) {
        match &mut self.stage {
            Stage::Resolving | Stage::Ready => {}
            Stage::Connecting { is_news, .. } => *is_news = true,
            Stage::Open(connection) => connection.notice(readiness(event)),
        }
    }

    /// When it has something to do though nothing happens.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Ready => Some(Instant::ZERO),
            Stage::Connecting { is_news: true, .. } => Some(Instant::ZERO),
            Stage::Connecting { until, .. } if !self.addresses.is_empty() => Some(*until),
            Stage::Resolving | Stage::Connecting { .. } | Stage::Open(_) => None,
        }
    }

    /// Looks whether the system has connected, and tries address after address until one does.
    pub(super) fn advance(&mut self, now: Instant, token: Token, registry: &Registry) -> Progress {
        let mut failure = Disconnect::Unresolved;
        loop {
            match &mut self.stage {
                Stage::Resolving | Stage::Open(_) => return Progress::None,
                Stage::Ready => {
                    let Some(peer) = self.addresses.pop_front() else {
                        self.stage = Stage::Resolving;
                        return Progress::Failed(failure);
                    };
                    match open(peer, token, registry) {
                        Ok(stream) => {
                            let until = self.share(now);
                            self.stage = Stage::Connecting { stream, peer, until, is_news: false };
                        }
                        Err(error) => failure = error.kind().into(),
                    }
                }
                Stage::Connecting { stream, until, is_news, .. } => {
                    if std::mem::take(is_news) {
                        match is_connected(stream.socket()) {
                            Ok(true) => return self.finish(),
                            Ok(false) => {}
                            Err(error) => {
                                failure = error.kind().into();
                                self.stage = Stage::Ready;
                                continue;
                            }
                        }
                    }
                    if self.addresses.is_empty() || now < *until {
                        return Progress::None;
                    }
                    failure = Disconnect::TimedOut;
                    self.stage = Stage::Ready;
                }
            }
        }
    }

    /// Every address that is left has the same share of the time that is left.
    fn share(&self, now: Instant) -> Instant {
        let left = self.deadline.saturating_duration_since(now);
        let sharers = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
        now + left / sharers
    }

    fn finish(&mut self) -> Progress {
        match std::mem::replace(&mut self.stage, Stage::Resolving) {
            Stage::Connecting { stream, peer, .. } => {
                let connection = Connection::new(stream, peer, self.conn).unknown();
                self.stage = Stage::Open(Box::new(connection));
                self.addresses.clear();
                Progress::Connected(peer)
            }
            other => {
                self.stage = other;
                Progress::None
            }
        }
    }
}

/// Begins to connect. A socket that fails is closed by being dropped.
fn open(peer: SocketAddr, token: Token, registry: &Registry) -> io::Result<MioStream> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    MioStream::register(TcpStream::connect(peer)?, token, interest, registry)
}

/// Whether the system has connected a socket. Events that were meant for an older socket do no
/// harm: the socket itself is asked.
fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    let peer = match stream.peer_addr() {
        Ok(peer) => peer,
        Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
        Err(error) => return Err(error),
    };
    // On one machine a port where nobody listens may be the one that the system gives the socket,
    // which then speaks with itself.
    if stream.local_addr()? == peer {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(true)
}
