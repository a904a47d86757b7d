//! What a client saw, decoded and masked: the form in which two servers are compared.
//!
//! Masked are times (whether a time is set, and whether `mtime` is `ctime` where it must be,
//! stays), session ids (by the script's names), passwords (right or not), and the order of
//! children, ephemerals and identities. Zxids are logical, see [`Zxids`](super::zxids::Zxids).

use std::fmt;

use zookeeper_core::wire::{
    AclEntry, ClientInfo, ConnectResponse, List, MultiResult, MultiResults, Op, Reader,
    ReplyHeader, Response, Stat, Text, WatcherEvent,
};

use super::side::{Received, Side};

/// One frame, or the end of a connection, as both servers should show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What it is.
    pub(crate) kind: Kind,
    /// The header's xid.
    pub(crate) xid: i32,
    /// The header's zxid, logical.
    pub(crate) zxid: i64,
    /// The header's error.
    pub(crate) error: i32,
    /// The record, a line per element.
    pub(crate) lines: Vec<String>,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A handshake's answer.
    Handshake,
    /// A reply to the operation with this number.
    Reply(i32),
    /// A watch event.
    Event,
    /// The end of the connection.
    Closed,
    /// Nothing, where something was due.
    Silence,
    /// A frame that holds no header, or a reply nobody waits for.
    Garbage,
}

impl Seen {
    /// The handshake's answer in `received`.
    #[must_use]
    pub(crate) fn handshake(side: &Side, received: &Received) -> Self {
        let Received::Frame(frame) = received else { return Self::end(received) };
        let mut reader = Reader::new(frame);
        let Ok(response) = reader.read::<ConnectResponse<'_>>() else {
            return Self::plain(Kind::Garbage, vec![quote(frame)]);
        };
        let password = response.password.map_or_else(
            || "null".to_owned(),
            |password| match () {
                () if side.is_password_of(response.session.0, &password) => "right".to_owned(),
                () if password.iter().all(|&byte| byte == 0) => format!("{} zeros", password.len()),
                () => format!("{} bytes, wrong", password.len()),
            },
        );
        let mut seen = Self::plain(
            Kind::Handshake,
            vec![
                format!("protocol {}", response.protocol_version),
                format!("timeout {} ms", response.timeout_ms),
                format!("session {}", side.session_name(response.session.0)),
                format!("password {password}"),
                format!("read-only {:?}", response.read_only),
            ],
        );
        seen.note_rest(&reader);
        seen
    }

    /// The reply to the operation `op`, or the event, in `received`.
    #[must_use]
    pub(crate) fn reply(side: &Side, received: &Received, op: Option<i32>) -> Self {
        let Received::Frame(frame) = received else { return Self::end(received) };
        let mut reader = Reader::new(frame);
        let Ok(header) = reader.read::<ReplyHeader>() else {
            return Self::plain(Kind::Garbage, vec![quote(frame)]);
        };
        let mut seen = Self {
            kind: op.map_or(Kind::Garbage, Kind::Reply),
            xid: header.xid.0,
            zxid: side.zxids.logical(header.zxid.0),
            error: header.error.0,
            lines: Vec::new(),
        };
        if is_event(frame) {
            seen.kind = Kind::Event;
            seen.lines = event(&mut reader);
        } else if header.error.is_ok() {
            let record = op.and_then(Op::from_code).map(|op| Response::decode(op, &mut reader));
            match record {
                Some(Ok(record)) => seen.lines = Masked(side).response(record),
                Some(Err(error)) => seen.lines.push(format!("{error}")),
                None => {}
            }
        } else if [Some(Op::Multi.code()), Some(Op::MultiRead.code())].contains(&op) {
            // A multiRead that fails may carry the results so far.
            if let Ok(results) = reader.read::<MultiResults<'_>>() {
                seen.lines = Masked(side).multi(results);
            }
        }
        seen.note_rest(&reader);
        seen
    }

    /// The end of a connection.
    #[must_use]
    pub(crate) fn end(received: &Received) -> Self {
        match received {
            Received::Frame(frame) => Self::plain(Kind::Garbage, vec![quote(frame)]),
            Received::Closed => Self::plain(Kind::Closed, Vec::new()),
            Received::Silence => Self::plain(Kind::Silence, Vec::new()),
        }
    }

    /// Something without a header.
    #[must_use]
    pub(crate) fn plain(kind: Kind, lines: Vec<String>) -> Self {
        Self { kind, xid: 0, zxid: 0, error: 0, lines }
    }

    fn note_rest(&mut self, reader: &Reader<'_>) {
        if !reader.rest().is_empty() {
            self.lines.push(format!("and then {}", quote(reader.rest())));
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Reply(op) => {
                write!(f, "reply [{}] op {op} zxid {}", self.xid, self.zxid)?;
                write!(f, " error {}", self.error)?;
            }
            Kind::Event => write!(f, "event zxid {}", self.zxid)?,
            kind => write!(f, "{kind:?}")?,
        }
        self.lines.iter().try_for_each(|line| write!(f, " | {line}"))
    }
}

/// Whether a frame is a watch event.
#[must_use]
pub(crate) fn is_event(frame: &[u8]) -> bool {
    frame.starts_with(&[0xff; 4])
}

/// The xid of a reply.
#[must_use]
pub(crate) fn xid_of(frame: &[u8]) -> Option<i32> {
    frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

/// Bytes for a report: text where it is text, and never too long.
#[must_use]
pub(crate) fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    if bytes.len() > SHOWN {
        let sum = bytes.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
        return format!("{} bytes, checksum {sum:x}", bytes.len());
    }
    format!("\"{}\"", bytes.escape_ascii())
}

fn event(reader: &mut Reader<'_>) -> Vec<String> {
    match reader.read::<WatcherEvent<'_>>() {
        Ok(event) => vec![format!("{} {} {}", event.kind, event.state, text(event.path))],
        Err(error) => vec![format!("{error}")],
    }
}

fn text(text: Option<Text<'_>>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| text.to_str_lossy().into_owned())
}

/// Renders records as seen from one side.
struct Masked<'a>(&'a Side);

impl Masked<'_> {
    fn response(&self, response: Response<'_>) -> Vec<String> {
        match response {
            Response::Empty => Vec::new(),
            Response::Path(path) => vec![text(path)],
            Response::Create2 { path, stat } => vec![text(path), self.stat(&stat)],
            Response::Stat(stat) => vec![self.stat(&stat)],
            Response::Data { data, stat } => vec![blob(data.as_deref()), self.stat(&stat)],
            Response::Acl { acl, stat } => acl_lines(acl).chain([self.stat(&stat)]).collect(),
            Response::Names(names) => vec![sorted(names)],
            Response::Children2 { children, stat } => vec![sorted(children), self.stat(&stat)],
            Response::Multi(results) => self.multi(results),
            Response::Count(count) => vec![count.to_string()],
            Response::Identities(identities) => vec![identity_line(identities)],
            Response::Error(error) => vec![format!("code {}", error.0)],
            Response::Token(token) => vec![blob(token.as_deref())],
            other => vec![format!("{other:?}")],
        }
    }

    fn multi(&self, results: MultiResults<'_>) -> Vec<String> {
        results.iter().map(|result| self.result(result)).collect()
    }

    fn result(&self, result: MultiResult<'_>) -> String {
        match result {
            MultiResult::Create { path } => format!("create {}", text(path)),
            MultiResult::Create2 { path, stat } => {
                format!("create2 {} {}", text(path), self.stat(&stat))
            }
            MultiResult::Delete => "delete".to_owned(),
            MultiResult::SetData { stat } => format!("setData {}", self.stat(&stat)),
            MultiResult::Check => "check".to_owned(),
            MultiResult::GetData { data, stat } => {
                format!("getData {} {}", blob(data.as_deref()), self.stat(&stat))
            }
            MultiResult::GetChildren { children } => format!("getChildren {}", sorted(children)),
            MultiResult::Error(error) => format!("error {}", error.0),
        }
    }

    fn stat(&self, stat: &Stat) -> String {
        let zxid = |zxid: zookeeper_core::Zxid| self.0.zxids.logical(zxid.0);
        let is_set = |time_ms: i64| if time_ms == 0 { "0" } else { "set" };
        let mtime = match stat.czxid == stat.mzxid {
            true if stat.ctime_ms == stat.mtime_ms => "ctime",
            true => "not ctime",
            false => is_set(stat.mtime_ms),
        };
        format!(
            "czxid={} mzxid={} ctime={} mtime={mtime} version={} cversion={} aversion={} owner={} \
             length={} children={} pzxid={}",
            zxid(stat.czxid),
            zxid(stat.mzxid),
            is_set(stat.ctime_ms),
            stat.version,
            stat.cversion,
            stat.aversion,
            self.0.session_name(stat.ephemeral_owner.0),
            stat.data_length,
            stat.num_children,
            zxid(stat.pzxid),
        )
    }
}

fn blob(data: Option<&[u8]>) -> String {
    data.map_or_else(|| "null".to_owned(), quote)
}

fn acl_lines<'a>(acl: Option<List<'a, AclEntry<'a>>>) -> impl Iterator<Item = String> + use<'a> {
    let entries = acl.into_iter().flat_map(|acl| acl.iter());
    entries.map(|entry| format!("{} {}:{}", entry.perms, text(entry.scheme), text(entry.id)))
}

fn sorted<'a>(names: Option<List<'a, Option<Text<'a>>>>) -> String {
    let Some(names) = names else { return "null".to_owned() };
    let mut names: Vec<String> = names.iter().map(text).collect();
    names.sort();
    format!("{names:?}")
}

fn identity_line<'a>(identities: Option<List<'a, ClientInfo<'a>>>) -> String {
    let Some(identities) = identities else { return "null".to_owned() };
    let mut all: Vec<String> = identities
        .iter()
        .map(|identity| format!("{}:{}", text(identity.scheme), text(identity.user)))
        .collect();
    all.sort();
    format!("{all:?}")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use zookeeper_core::wire::Encode;
    use zookeeper_core::{SessionId, Zxid};

    use super::*;

    fn stat(time_ms: i64, owner: i64) -> Received {
        let stat = Stat {
            czxid: Zxid(2),
            mzxid: Zxid(2),
            ctime_ms: time_ms,
            mtime_ms: time_ms,
            ephemeral_owner: SessionId(owner),
            ..Stat::default()
        };
        let mut frame = 1_i32.to_vec();
        frame.extend(9_i64.to_vec());
        frame.extend(0_i32.to_vec());
        frame.extend(stat.to_vec());
        Received::Frame(frame)
    }

    #[test]
    fn times_and_sessions_are_masked_and_nothing_else_is() {
        let side = Side::new("a side", SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), 1);
        let seen = |time_ms, owner| Seen::reply(&side, &stat(time_ms, owner), Some(3));
        assert_eq!(seen(17, 0), seen(18, 0));
        assert_ne!(seen(17, 0), seen(0, 0));
        assert_ne!(seen(17, 0), seen(17, 5));
        let mut other = seen(17, 0);
        other.zxid += 1;
        assert_ne!(other, seen(17, 0));
    }

    #[test]
    fn bytes_behind_a_record_are_seen() {
        let side = Side::new("a side", SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), 1);
        let Received::Frame(mut frame) = stat(17, 0) else { unreachable!() };
        frame.push(1);
        let seen = Seen::reply(&side, &Received::Frame(frame), Some(3));
        assert_eq!(seen.lines.len(), 2);
    }
}
