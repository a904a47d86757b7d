//! The connection to one server: what came, what is to go out, how far it is.

use std::net::SocketAddr;

use super::{HostPort, sasl::Exchange};
use crate::{
    conn::{Disconnect, Inbox, Outbox, Pool},
    ids::{ConnId, Zxid},
    limits::FIRST_FRAME_LENGTH_MAX,
    wire::{Encode, FrameError, LENGTH_BYTES, Measure, ReplyHeader, Sink},
};

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The name is looked up, the socket opens.
    Connecting,
    /// The ConnectRequest is out; nothing else may be.
    Handshake,
    /// The session is there, but nothing may be sent before the server knows the user.
    Sasl(Box<Exchange>),
    /// Requests flow.
    Active,
}

/// What is at the front of the bytes that came.
#[derive(Debug)]
pub(super) enum Front<'a> {
    /// Nothing whole.
    Incomplete,
    /// A frame's body.
    Frame(&'a [u8]),
    /// The first bytes of a frame that is too long to be kept.
    TooLong { length: usize, header: [u8; ReplyHeader::LENGTH] },
    /// No frame at all.
    Bad(FrameError),
}

/// One connection of a session.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) host: HostPort,
    pub(super) peer: Option<SocketAddr>,
    pub(super) stage: Stage,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// Whether more bytes may come.
    pub(super) wants_read: bool,
    /// Bytes of an over-long frame that are still to come, and to be dropped.
    pub(super) skip: usize,
    /// The peer's last word, heard when everything before it is handled.
    pub(super) end: Option<Disconnect>,
}

impl Link {
    pub(super) fn new(conn: ConnId, host: HostPort) -> Self {
        Self {
            conn,
            host,
            peer: None,
            stage: Stage::Connecting,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            wants_read: true,
            skip: 0,
            end: None,
        }
    }

    /// What is at the front of the bytes that came.
    pub(super) fn front(&self, frame_length_max: usize) -> Front<'_> {
        let is_first = matches!(self.stage, Stage::Handshake);
        let max = if is_first { FIRST_FRAME_LENGTH_MAX } else { frame_length_max };
        match self.inbox.frame(max) {
            Ok(Some(body)) => Front::Frame(body),
            Ok(None) => Front::Incomplete,
            Err(FrameError::TooLong { length, .. }) if !is_first => {
                match self.inbox.after_first_four().first_chunk() {
                    Some(&header) => Front::TooLong { length, header },
                    None => Front::Incomplete,
                }
            }
            Err(error) => Front::Bad(error),
        }
    }

    /// Takes off all that came of an over-long frame of `length` bytes; the rest is dropped when it
    /// comes.
    pub(super) fn skip_front(&mut self, length: usize, pool: &mut Pool) {
        let total = LENGTH_BYTES + length;
        let here = total.min(self.inbox.len());
        self.inbox.consume(here, pool);
        self.skip = total - here;
    }

    /// Drops what of `bytes` belongs to an over-long frame; whether its end was among them.
    pub(super) fn skip<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], bool) {
        if self.skip == 0 {
            return (bytes, false);
        }
        let (dropped, rest) = bytes.split_at(self.skip.min(bytes.len()));
        self.skip -= dropped.len();
        (rest, self.skip == 0)
    }

    /// Queues one frame. Returns where it starts in the stream of all bytes sent, and whether the
    /// driver has to be told: it knows of bytes that wait already.
    pub(super) fn write(
        &mut self,
        pool: &mut Pool,
        frame: &impl Encode,
        length: usize,
    ) -> (u64, bool) {
        debug_assert_eq!(length, Measure::of(frame), "the frame's length");
        let is_news = self.outbox.len() == 0;
        let start = self.outbox.queued();
        // What is longer than any length field was refused at submission.
        let field = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(buffer) = self.outbox.reserve(pool, LENGTH_BYTES + length) {
            buffer.extend_from_slice(&field);
            frame.encode(buffer);
            self.outbox.reserved(LENGTH_BYTES + length);
        } else {
            let mut writer = self.outbox.begin(pool);
            writer.put(&field);
            frame.encode(&mut writer);
        }
        self.release();
        (start, is_news)
    }

    /// A client has nothing to wait for.
    fn release(&mut self) {
        self.outbox.hold(Zxid::ZERO, Zxid::ZERO, 0);
    }

    /// Gives the buffers back.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.inbox.clear(pool);
        self.outbox.clear(pool);
    }

    pub(super) fn check_invariants(&self) {
        self.outbox.check_invariants();
        assert!(self.skip == 0 || self.inbox.len() == 0, "what is skipped is not buffered");
    }
}
