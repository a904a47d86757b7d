//! A scripted client: it says what the test wants said, and keeps what it hears.

use std::collections::VecDeque;

use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        Command, ConnectResponse, LENGTH_BYTES, Op, PASSWORD_LENGTH, Reader, ReplyHeader,
        RequestHeader, Xid,
    },
};

use super::answer::{self, Answer, Handshake, Message, WatchEvent};

/// A scripted client, on one connection.
#[derive(Debug)]
pub struct Client {
    /// The first bytes sent: a frame's length or a command.
    first: Vec<u8>,
    next_xid: i32,
    /// Requests without an answer.
    asked: VecDeque<(Xid, i32)>,
    /// Everything heard.
    transcript: Vec<u8>,
    /// Where in it the first frame starts that is not whole.
    parsed: usize,
    handshake: Option<Handshake>,
    messages: Vec<Message>,
    last_zxid: Zxid,
    /// Whether it takes what its socket holds.
    pub(super) is_reading: bool,
}

impl Client {
    pub(super) const fn new() -> Self {
        Self {
            first: Vec::new(),
            next_xid: 1,
            asked: VecDeque::new(),
            transcript: Vec::new(),
            parsed: 0,
            handshake: None,
            messages: Vec::new(),
            last_zxid: Zxid::ZERO,
            is_reading: true,
        }
    }

    /// The answer to its ConnectRequest.
    #[must_use]
    pub const fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// The session it was granted.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn session(&self) -> SessionId {
        self.granted().session
    }

    /// The password of its session.
    ///
    /// # Panics
    ///
    /// When there is no session.
    #[must_use]
    #[track_caller]
    pub fn password(&self) -> [u8; PASSWORD_LENGTH] {
        self.granted().password
    }

    /// Everything heard after the handshake and not taken yet, in order.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Takes all answers heard so far.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        let (answers, rest) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| matches!(message, Message::Answer(_)));
        self.messages = rest;
        let answers: Vec<Message> = answers;
        let answer = |message| match message {
            Message::Answer(answer) => Some(answer),
            Message::Event(_) => None,
        };
        answers.into_iter().filter_map(answer).collect()
    }

    /// Takes all events heard so far.
    pub fn take_events(&mut self) -> Vec<WatchEvent> {
        let (events, rest) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| matches!(message, Message::Event(_)));
        self.messages = rest;
        let events: Vec<Message> = events;
        let event = |message| match message {
            Message::Event(event) => Some(event),
            Message::Answer(_) => None,
        };
        events.into_iter().filter_map(event).collect()
    }

    /// How many requests have no answer yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// The highest zxid in a reply.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Every byte heard.
    #[must_use]
    pub fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    /// Every byte heard, as text: the answer to a command.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.transcript).into_owned()
    }

    /// Whether what it heard ends inside a frame.
    #[must_use]
    pub fn has_partial_frame(&self) -> bool {
        !self.is_command() && self.parsed < self.transcript.len()
    }

    /// Whether it speaks in four-letter words.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.first.first_chunk().copied().and_then(Command::from_bytes).is_some()
    }

    /// The xid for the next request.
    pub(super) const fn next_xid(&mut self) -> Xid {
        let xid = Xid(self.next_xid);
        self.next_xid += 1;
        xid
    }

    /// Takes note of a request it sends.
    pub(super) fn ask(&mut self, header: RequestHeader) {
        self.asked.push_back((header.xid, header.op));
    }

    /// Takes note of bytes it sends.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let missing = LENGTH_BYTES - self.first.len();
        self.first.extend(bytes.iter().take(missing));
    }

    /// Hears bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.transcript.extend(bytes);
        if self.is_command() {
            return;
        }
        while let Some((field, rest)) =
            self.transcript[self.parsed..].split_first_chunk::<LENGTH_BYTES>()
        {
            let length = usize::try_from(i32::from_be_bytes(*field)).expect("a frame has a length");
            let Some(body) = rest.get(..length) else { break };
            let body = body.to_vec();
            self.parsed += LENGTH_BYTES + length;
            self.hear(&body);
        }
    }

    fn hear(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        if self.handshake.is_none() {
            let response: ConnectResponse<'_> = reader.read().expect("a handshake's answer");
            assert!(reader.rest().is_empty(), "bytes behind a handshake's answer");
            let password = response.password.expect("a password, or zeros");
            self.handshake = Some(Handshake {
                timeout_ms: response.timeout_ms,
                session: response.session,
                password: password.as_array().copied().expect("a password of its length"),
                read_only: response.read_only,
            });
            return;
        }
        let header: ReplyHeader = reader.read().expect("a reply has a header");
        if header.xid == Xid::NOTIFICATION {
            if let Some(event) = answer::event(header, reader.rest()) {
                self.messages.push(Message::Event(event));
                return;
            }
            // A request that the test sent as bytes may have had any xid.
            assert!(self.asked.is_empty(), "a notification has its record");
        }
        assert!(
            header.zxid <= Zxid::ZERO || header.zxid >= self.last_zxid,
            "{header:?} after {:?}",
            self.last_zxid
        );
        self.last_zxid = self.last_zxid.max(header.zxid);
        let op = match self.asked.pop_front() {
            Some((xid, op)) => {
                assert_eq!(header.xid, xid, "replies come in the order of requests");
                Op::from_code(op)
            }
            // Something the test sent as bytes.
            None => None,
        };
        let body = answer::body(op, header.error, reader.rest());
        let ReplyHeader { xid, zxid, error } = header;
        self.messages.push(Message::Answer(Answer { xid, zxid, error, body }));
    }

    #[track_caller]
    fn granted(&self) -> &Handshake {
        let granted = self.handshake.as_ref().filter(|handshake| handshake.is_granted());
        granted.expect("a session was granted")
    }
}
