//! What a client sends: frames cut out of its stream, and what they say.

use std::fmt;

use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        Blob, ConnectRequest, LENGTH_BYTES, MultiOp, Op, Paths, Reader, Request, RequestHeader,
        Text, Xid,
    },
};

/// Longer texts are shortened in their middle.
const TEXT_MAX: usize = 40;

/// Something a client sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The first frame of a connection.
    Connect {
        /// The newest zxid it has seen.
        last_zxid: Zxid,
        /// The session time-out it asks for, in milliseconds.
        timeout_ms: i32,
        /// The session it resumes.
        session: SessionId,
        /// The password.
        password: Option<Vec<u8>>,
        /// The flag, where it is sent.
        read_only: Option<bool>,
    },
    /// Any other frame.
    Request {
        /// Its number.
        xid: Xid,
        /// Its operation code.
        op: i32,
        /// What stands behind the header.
        record: Vec<u8>,
    },
    /// A four-letter word.
    Command([u8; LENGTH_BYTES]),
}

impl Sent {
    /// Reads the body of a frame.
    ///
    /// # Panics
    ///
    /// When it is not what a client may send.
    pub(super) fn read(body: &[u8], is_first: bool) -> Self {
        let mut reader = Reader::new(body);
        if is_first {
            let request: ConnectRequest<'_> = reader.read().expect("a ConnectRequest");
            assert!(reader.rest().is_empty(), "bytes behind a ConnectRequest");
            assert_eq!(request.protocol_version, 0);
            return Self::Connect {
                last_zxid: request.last_zxid_seen,
                timeout_ms: request.timeout_ms,
                session: request.session,
                password: request.password.map(|password| password.to_vec()),
                read_only: request.read_only,
            };
        }
        let RequestHeader { xid, op } = reader.read().expect("a request has a header");
        let sent = Self::Request { xid, op, record: reader.rest().to_vec() };
        assert!(sent.request().is_some(), "nobody can read {body:02x?}");
        sent
    }

    /// The request, decoded.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        let Self::Request { op, record, .. } = self else { return None };
        let mut reader = Reader::new(record);
        let request = Request::decode(Op::from_code(*op)?, &mut reader).ok()?;
        reader.rest().is_empty().then_some(request)
    }

    /// The number of a request.
    #[must_use]
    pub const fn xid(&self) -> Option<Xid> {
        match self {
            Self::Request { xid, .. } => Some(*xid),
            _ => None,
        }
    }

    /// The operation of a request.
    #[must_use]
    pub fn op(&self) -> Option<Op> {
        match self {
            Self::Request { op, .. } => Op::from_code(*op),
            _ => None,
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { last_zxid, timeout_ms, session, read_only, .. } => write!(
                f,
                "connect session {session} zxid {last_zxid} timeout {timeout_ms} read-only {}",
                read_only.map_or("absent", |flag| if flag { "yes" } else { "no" }),
            ),
            Self::Request { xid, .. } => {
                write!(f, "{} ", xid.0)?;
                match self.request() {
                    Some(request) => describe(f, &request),
                    None => f.write_str("garbage"),
                }
            }
            Self::Command(word) => f.write_str(&String::from_utf8_lossy(word)),
        }
    }
}

/// Cuts a client's stream into what it says.
#[derive(Debug, Default)]
pub(super) struct Tap {
    bytes: Vec<u8>,
    count: usize,
    is_text: bool,
}

impl Tap {
    /// For a connection on which the client speaks in four-letter words.
    pub(super) fn text() -> Self {
        Self { is_text: true, ..Self::default() }
    }

    /// Takes bytes, gives what they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Sent> {
        self.bytes.extend(bytes);
        let mut all = Vec::new();
        while let Some((field, rest)) = self.bytes.split_first_chunk::<LENGTH_BYTES>() {
            if self.is_text {
                all.push(Sent::Command(*field));
                self.bytes.drain(..LENGTH_BYTES);
                continue;
            }
            let length = usize::try_from(i32::from_be_bytes(*field)).expect("a frame has a length");
            let Some(body) = rest.get(..length) else { break };
            all.push(Sent::read(body, self.count == 0));
            self.count += 1;
            self.bytes.drain(..LENGTH_BYTES + length);
        }
        all
    }

    /// Whether anything stands behind the first frame, if only in part.
    pub(super) const fn is_past_first(&self) -> bool {
        self.count > 1 || (self.count == 1 && !self.bytes.is_empty())
    }
}

fn describe(f: &mut fmt::Formatter<'_>, request: &Request<'_>) -> fmt::Result {
    f.write_str(request.op().name())?;
    match request {
        Request::Create(r) | Request::Create2(r) | Request::CreateContainer(r) => {
            write!(f, " {} mode {}", text(r.path), r.flags)
        }
        Request::CreateTtl(r) => write!(f, " {} mode {} ttl {}", text(r.path), r.flags, r.ttl_ms),
        Request::Delete(r) => write!(f, " {} version {}", text(r.path), r.version),
        Request::Exists(r)
        | Request::GetData(r)
        | Request::GetChildren(r)
        | Request::GetChildren2(r) => {
            write!(f, " {}{}", text(r.path), if r.watch { " watch" } else { "" })
        }
        Request::SetData(r) => {
            write!(f, " {} {} version {}", text(r.path), blob(r.data), r.version)
        }
        Request::SetAcl(r) => write!(f, " {} version {}", text(r.path), r.version),
        Request::GetAcl(r)
        | Request::Sync(r)
        | Request::GetEphemerals(r)
        | Request::GetAllChildrenNumber(r) => write!(f, " {}", text(r.path)),
        Request::CheckWatches(r) | Request::RemoveWatches(r) | Request::AddWatch(r) => {
            write!(f, " {} mode {}", text(r.path), r.mode)
        }
        Request::Auth(r) => write!(f, " {} {}", text(r.scheme), blob(r.credentials)),
        Request::Sasl(r) => write!(f, " {}", blob(r.token)),
        Request::Multi(operations) | Request::MultiRead(operations) => {
            operations.iter().try_for_each(|operation| part(f, &operation))
        }
        Request::SetWatches(r) => {
            write!(f, " zxid {:#x}", r.relative_zxid)?;
            [r.data, r.exist, r.child].iter().try_for_each(|list| paths(f, list.as_ref()))
        }
        Request::SetWatches2(r) => {
            write!(f, " zxid {:#x}", r.relative_zxid)?;
            let lists = [r.data, r.exist, r.child, r.persistent, r.recursive];
            lists.iter().try_for_each(|list| paths(f, list.as_ref()))
        }
        _ => Ok(()),
    }
}

fn part(f: &mut fmt::Formatter<'_>, operation: &MultiOp<'_>) -> fmt::Result {
    let path = match operation {
        MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => r.path,
        MultiOp::CreateTtl(r) => r.path,
        MultiOp::Delete(r) | MultiOp::Check(r) => r.path,
        MultiOp::SetData(r) => r.path,
        MultiOp::GetData(r) | MultiOp::GetChildren(r) => r.path,
    };
    write!(f, " ({} {})", operation.op(), text(path))
}

fn paths(f: &mut fmt::Formatter<'_>, list: Option<&Paths<'_>>) -> fmt::Result {
    let Some(list) = list else { return f.write_str(" null") };
    let paths: Vec<_> = list.iter().map(text).collect();
    write!(f, " [{}]", paths.join(", "))
}

/// A text, shortened.
pub(super) fn text(text: Option<Text<'_>>) -> String {
    let Some(text) = text else { return "null".into() };
    shorten(&text.to_str_lossy())
}

fn blob(blob: Option<Blob<'_>>) -> String {
    let Some(blob) = blob else { return "null".into() };
    format!("'{}'", shorten(&String::from_utf8_lossy(&blob)))
}

fn shorten(text: &str) -> String {
    let length = text.chars().count();
    if length <= TEXT_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(TEXT_MAX / 4).collect();
    format!("{start}..{length}")
}

#[cfg(test)]
mod tests {
    use zookeeper_core::wire::Encode;

    use super::*;

    #[test]
    fn a_stream_is_cut_into_what_it_says() {
        let first = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(5),
            timeout_ms: 7,
            session: SessionId(9),
            password: Some(Blob::Slice(b"secret")),
            read_only: Some(true),
        };
        let second = RequestHeader { xid: Xid::PING, op: Op::Ping.code() };
        let mut stream = Vec::new();
        for body in [first.to_vec(), second.to_vec()] {
            stream.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
            stream.extend(body);
        }
        let mut tap = Tap::default();
        let sent: Vec<_> = stream.iter().flat_map(|byte| tap.push(&[*byte])).collect();
        let sent: Vec<_> = sent.iter().map(Sent::to_string).collect();
        let expected = ["connect session 0x9 zxid 0x5 timeout 7 read-only yes", "-2 ping"];
        assert_eq!(sent, expected);
        assert!(tap.is_past_first());
        assert_eq!(Tap::text().push(b"isro")[0].to_string(), "isro");
    }
}
