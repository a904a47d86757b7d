//! What a client was told, as small owned values.

use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        Acl, Blob, ClientInfo, ErrorCode, EventKind, List, MultiResult, Op, PASSWORD_LENGTH,
        Reader, ReplyHeader, Response, Stat, Text, WatcherEvent, Xid,
    },
};

/// The server's answer to a ConnectRequest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The negotiated time-out; zero is a refusal.
    pub timeout_ms: i32,
    /// The session, or [`SessionId::NONE`].
    pub session: SessionId,
    /// Its password, or zeros.
    pub password: [u8; PASSWORD_LENGTH],
    /// The flag, where it was sent.
    pub read_only: Option<bool>,
}

impl Handshake {
    /// Whether the session was granted.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        self.timeout_ms > 0
    }
}

/// Something the server said after the handshake, in the order it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// The answer to a request.
    Answer(Answer),
    /// A watch event.
    Event(WatchEvent),
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The request's.
    pub xid: Xid,
    /// The zxid in the header.
    pub zxid: Zxid,
    /// Whether it failed.
    pub error: ErrorCode,
    /// What came with it.
    pub body: Body,
}

impl Answer {
    /// The body of an answer without error.
    ///
    /// # Panics
    ///
    /// When there is an error.
    #[track_caller]
    pub fn ok(self) -> Body {
        assert!(self.error.is_ok(), "{:?} failed: {}", self.xid, self.error);
        self.body
    }
}

/// A watch event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEvent {
    /// The zxid in the header.
    pub zxid: Zxid,
    /// What happened.
    pub kind: EventKind,
    /// Where.
    pub path: String,
}

/// The record of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// There is none.
    Empty,
    /// A path.
    Path(String),
    /// A stat.
    Stat(Stat),
    /// A path and a stat.
    Created(String, Stat),
    /// Data and a stat.
    Data(Option<Vec<u8>>, Stat),
    /// An ACL and a stat.
    Acl(Vec<Acl>, Stat),
    /// Names of children or paths of ephemerals.
    Names(Vec<String>),
    /// Names of children and a stat.
    Children(Vec<String>, Stat),
    /// The results of a multi: what each says, or its error.
    Multi(Vec<Result<Self, ErrorCode>>),
    /// A number.
    Count(i32),
    /// Scheme and user of each identity.
    Identities(Vec<(String, String)>),
    /// An error code as a record.
    Error(ErrorCode),
    /// A SASL token.
    Token(Option<Vec<u8>>),
    /// What came with an error, or in answer to a request nobody here knows.
    Raw(Vec<u8>),
}

impl Body {
    /// The data of a getData.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        match self {
            Self::Data(data, _) => data.as_deref(),
            _ => None,
        }
    }

    /// The stat, where there is one.
    #[must_use]
    pub const fn stat(&self) -> Option<&Stat> {
        match self {
            Self::Stat(stat)
            | Self::Created(_, stat)
            | Self::Data(_, stat)
            | Self::Acl(_, stat)
            | Self::Children(_, stat) => Some(stat),
            _ => None,
        }
    }

    /// Names, where there are some.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::Names(names) | Self::Children(names, _) => names,
            _ => &[],
        }
    }

    /// The path of a new znode.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path(path) | Self::Created(path, _) => Some(path),
            _ => None,
        }
    }
}

/// Reads a frame's body behind the header. `op` is what was asked, if it is known.
///
/// # Panics
///
/// When a reply without error is not the record it must be.
pub(super) fn body(op: Option<Op>, error: ErrorCode, rest: &[u8]) -> Body {
    match op {
        Some(op) if error.is_ok() => {
            let mut reader = Reader::new(rest);
            let response = Response::decode(op, &mut reader);
            let response = response.unwrap_or_else(|error| panic!("the answer to {op}: {error}"));
            assert!(reader.rest().is_empty(), "bytes behind the answer to {op}");
            response.into()
        }
        _ if rest.is_empty() => Body::Empty,
        _ => Body::Raw(rest.to_vec()),
    }
}

/// Reads a notification's record; `None` if it is none that a server may send.
pub(super) fn event(header: ReplyHeader, rest: &[u8]) -> Option<WatchEvent> {
    let mut reader = Reader::new(rest);
    let event: WatcherEvent<'_> = reader.read().ok()?;
    let is_whole = reader.rest().is_empty() && event.state == WatcherEvent::SYNC_CONNECTED;
    let kind = EventKind::from_code(event.kind).filter(|_| is_whole && header.error.is_ok())?;
    Some(WatchEvent { zxid: header.zxid, kind, path: text(event.path) })
}

impl From<Response<'_>> for Body {
    fn from(response: Response<'_>) -> Self {
        match response {
            Response::Path(path) => Self::Path(text(path)),
            Response::Create2 { path, stat } => Self::Created(text(path), stat),
            Response::Stat(stat) => Self::Stat(stat),
            Response::Data { data, stat } => Self::Data(blob(data), stat),
            Response::Acl { acl, stat } => {
                let entries = acl.iter().flat_map(List::iter);
                let acl = entries
                    .map(|entry| Acl::new(entry.perms, &text(entry.scheme), &text(entry.id)));
                Self::Acl(acl.collect(), stat)
            }
            Response::Names(list) => Self::Names(names(list)),
            Response::Children2 { children, stat } => Self::Children(names(children), stat),
            Response::Multi(results) => Self::Multi(results.iter().map(result).collect()),
            Response::Count(count) => Self::Count(count),
            Response::Identities(list) => {
                let list = list.iter().flat_map(List::iter);
                let pair = |info: ClientInfo<'_>| (text(info.scheme), text(info.user));
                Self::Identities(list.map(pair).collect())
            }
            Response::Error(error) => Self::Error(error),
            Response::Token(token) => Self::Token(blob(token)),
            _ => Self::Empty,
        }
    }
}

fn result(result: MultiResult<'_>) -> Result<Body, ErrorCode> {
    Ok(match result {
        MultiResult::Create { path } => Body::Path(text(path)),
        MultiResult::Create2 { path, stat } => Body::Created(text(path), stat),
        MultiResult::Delete | MultiResult::Check => Body::Empty,
        MultiResult::SetData { stat } => Body::Stat(stat),
        MultiResult::GetData { data, stat } => Body::Data(blob(data), stat),
        MultiResult::GetChildren { children } => Body::Names(names(children)),
        MultiResult::Error(error) => return Err(error),
    })
}

fn text(text: Option<Text<'_>>) -> String {
    text.unwrap_or_default().to_str_lossy().into_owned()
}

fn blob(blob: Option<Blob<'_>>) -> Option<Vec<u8>> {
    blob.map(|blob| blob.to_vec())
}

fn names<'a>(list: Option<List<'a, Option<Text<'a>>>>) -> Vec<String> {
    list.iter().flat_map(List::iter).map(text).collect()
}
