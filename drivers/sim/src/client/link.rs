//! One connection of a client: what the system knows of it, and what the driver remembers.

use zookeeper_core::{
    ConnId, Disconnect,
    client::{HostPort, LostReason, Purpose},
    wire::LENGTH_BYTES,
};

use super::sent::Tap;
use crate::pair::Pipe;

/// Names a connection attempt of a client, in their order from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Attempt(pub usize);

impl Attempt {
    /// Its place in a list.
    pub(super) const fn index(self) -> usize {
        self.0 - 1
    }
}

/// A connection, or the attempt to make one.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) host: HostPort,
    pub(super) purpose: Purpose,
    pub(super) is_connected: bool,
    pub(super) to_server: Pipe,
    pub(super) to_client: Pipe,
    pub(super) tap: Tap,
    /// The first bytes the client was given, up to a whole length field.
    first: Vec<u8>,
    /// How many bytes the client was given.
    given: usize,
    /// Whether the client has sent a request with an ordinary number.
    pub(super) has_sent: bool,
    pub(super) is_write_armed: bool,
    /// Whether the driver told the session that the connection has ended.
    pub(super) is_end_told: bool,
    /// Whether the driver was told to close.
    pub(super) is_closed: bool,
    pub(super) end: Option<LostReason>,
}

impl Link {
    pub(super) fn new(
        conn: ConnId,
        host: HostPort,
        purpose: Purpose,
        socket_buffer: usize,
    ) -> Self {
        let tap = if purpose == Purpose::Probe { Tap::text() } else { Tap::default() };
        Self {
            conn,
            host,
            purpose,
            is_connected: false,
            to_server: Pipe::new(socket_buffer),
            to_client: Pipe::new(usize::MAX),
            tap,
            first: Vec::new(),
            given: 0,
            has_sent: false,
            is_write_armed: false,
            is_end_told: false,
            is_closed: false,
            end: None,
        }
    }

    /// Whether something can still happen on it.
    pub(super) const fn is_live(&self) -> bool {
        !self.is_closed && !self.is_end_told
    }

    /// Takes note of what the client is given.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        let missing = LENGTH_BYTES - self.first.len();
        self.first.extend(bytes.iter().take(missing));
        self.given += bytes.len();
    }

    /// Whether the client was given a whole first frame.
    pub(super) fn has_first_frame(&self) -> bool {
        let Some(field) = self.first.first_chunk::<LENGTH_BYTES>() else { return false };
        let length = usize::try_from(i32::from_be_bytes(*field)).unwrap_or(0);
        self.given >= LENGTH_BYTES + length
    }

    /// The client's side is gone.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.is_write_armed = false;
        self.to_server.end(Disconnect::End);
        // What nobody will read.
        self.to_client.end(Disconnect::Reset);
    }
}
