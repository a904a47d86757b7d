//! The session handshake: the first frame each way, without headers.

use std::fmt;

use super::codec::{Blob, Decode, DecodeError, Encode, Reader, Sink};
use crate::ids::{SessionId, Zxid};

/// The length of the session passwords that servers issue, in bytes.
pub const PASSWORD_LENGTH: usize = 16;

/// What a client opens its connection with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Zero; servers ignore it.
    pub protocol_version: i32,
    /// The highest zxid the client has seen in a reply.
    pub last_zxid_seen: Zxid,
    /// The session time-out asked for, in milliseconds; any value.
    pub timeout_ms: i32,
    /// The session to resume, or [`SessionId::NONE`].
    pub session: SessionId,
    /// The session's password; any length, or null.
    pub password: Option<Blob<'a>>,
    /// Whether a read-only server will do; `None` where a legacy client leaves the field out.
    pub read_only: Option<bool>,
}

/// What the server answers it with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectResponse<'a> {
    /// Zero.
    pub protocol_version: i32,
    /// The negotiated session time-out in milliseconds; zero refuses the session.
    pub timeout_ms: i32,
    /// The session, or [`SessionId::NONE`] in a refusal.
    pub session: SessionId,
    /// The session's password, or zeros in a refusal.
    pub password: Option<Blob<'a>>,
    /// Whether the server is read-only; there only if the request had the field.
    pub read_only: Option<bool>,
}

impl<'a> Decode<'a> for ConnectRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.read()?,
            last_zxid_seen: Zxid(reader.read()?),
            timeout_ms: reader.read()?,
            session: SessionId(reader.read()?),
            password: reader.read()?,
            read_only: read_only(reader)?,
        })
    }
}

impl Encode for ConnectRequest<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.protocol_version.encode(out);
        self.last_zxid_seen.0.encode(out);
        self.timeout_ms.encode(out);
        self.session.0.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

impl<'a> Decode<'a> for ConnectResponse<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.read()?,
            timeout_ms: reader.read()?,
            session: SessionId(reader.read()?),
            password: reader.read()?,
            read_only: read_only(reader)?,
        })
    }
}

impl Encode for ConnectResponse<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.protocol_version.encode(out);
        self.timeout_ms.encode(out);
        self.session.0.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

impl fmt::Debug for ConnectRequest<'_> {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("last_zxid_seen", &self.last_zxid_seen)
            .field("timeout_ms", &self.timeout_ms)
            .field("session", &self.session)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectResponse<'_> {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectResponse")
            .field("timeout_ms", &self.timeout_ms)
            .field("session", &self.session)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// The flag is the last byte, and legacy peers leave it out.
fn read_only(reader: &mut Reader<'_>) -> Result<Option<bool>, DecodeError> {
    if reader.rest().is_empty() { Ok(None) } else { reader.read().map(Some) }
}
