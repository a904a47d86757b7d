//! Headers of requests and replies, and the ids reserved in them.

use super::{
    codec::{Decode, DecodeError, Encode, Reader, Sink},
    error::ErrorCode,
};
use crate::ids::Zxid;

/// The number a client gives a request, echoed in the reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Xid(pub i32);

impl Xid {
    /// Notifications, which answer no request.
    pub const NOTIFICATION: Self = Self(-1);
    /// Pings, both ways.
    pub const PING: Self = Self(-2);
    /// Authentication, as clients send it.
    pub const AUTH: Self = Self(-4);
    /// Watches restored after a reconnect, as clients send them.
    pub const SET_WATCHES: Self = Self(-8);
}

/// What every request but the first frame starts with; 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    /// Echoed in the reply.
    pub xid: Xid,
    /// The operation code; may be one that nobody knows.
    pub op: i32,
}

impl RequestHeader {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 8;

    /// The encoded header.
    #[must_use]
    pub fn to_array(self) -> [u8; Self::LENGTH] {
        let mut array = [0; Self::LENGTH];
        array[..4].copy_from_slice(&self.xid.0.to_be_bytes());
        array[4..].copy_from_slice(&self.op.to_be_bytes());
        array
    }
}

/// What every reply and notification starts with; 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyHeader {
    /// The request's, or one of the reserved ones.
    pub xid: Xid,
    /// The newest transaction the reply may depend on.
    pub zxid: Zxid,
    /// Zero, or why there is (usually) no record behind the header.
    pub error: ErrorCode,
}

impl ReplyHeader {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 16;

    /// The encoded header.
    #[must_use]
    pub fn to_array(self) -> [u8; Self::LENGTH] {
        let mut array = [0; Self::LENGTH];
        array[..4].copy_from_slice(&self.xid.0.to_be_bytes());
        array[4..12].copy_from_slice(&self.zxid.0.to_be_bytes());
        array[12..].copy_from_slice(&self.error.0.to_be_bytes());
        array
    }
}

impl<'a> Decode<'a> for RequestHeader {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { xid: Xid(reader.read()?), op: reader.read()? })
    }
}

impl Encode for RequestHeader {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        out.put(&self.to_array());
    }
}

impl<'a> Decode<'a> for ReplyHeader {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { xid: Xid(reader.read()?), zxid: Zxid(reader.read()?), error: reader.read()? })
    }
}

impl Encode for ReplyHeader {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        out.put(&self.to_array());
    }
}
