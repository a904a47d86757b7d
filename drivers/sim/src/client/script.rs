//! A scripted server: what it does by habit, and what the test has it say.

use std::collections::{BTreeMap, VecDeque};

use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    wire::{
        Blob, ConnectResponse, Encode, ErrorCode, List, MultiHeader, MultiOp, MultiResult, Op,
        PASSWORD_LENGTH, ReplyHeader, Request, Response, Stat, WatcherEvent, Xid,
    },
};

use super::{link::Attempt, sent::Sent};
use crate::pair::Pipe;

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reception {
    /// It is accepted at once.
    Accept,
    /// It fails at once.
    Fail(Disconnect),
    /// Nothing happens.
    Stall,
}

/// The answer to a ConnectRequest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The time-out, in milliseconds; `None` is what was asked for.
    pub timeout_ms: Option<i32>,
    /// The session; `None` is the one asked for, or a new one.
    pub session: Option<SessionId>,
    /// The session's password.
    pub password: [u8; PASSWORD_LENGTH],
    /// The flag; `None` leaves it out.
    pub read_only: Option<bool>,
}

impl Grant {
    /// What is asked for.
    pub const ALL: Self = Self {
        timeout_ms: None,
        session: None,
        password: *b"scripted server!",
        read_only: Some(false),
    };
    /// The same from a read-only server.
    pub const READ_ONLY: Self = Self { read_only: Some(true), ..Self::ALL };
    /// The session is over.
    pub const EXPIRED: Self = Self {
        timeout_ms: Some(0),
        session: Some(SessionId::NONE),
        password: [0; PASSWORD_LENGTH],
        read_only: Some(false),
    };
}

/// What a server does by itself.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// How it answers ConnectRequests; `None` is silence.
    pub handshake: Option<Grant>,
    /// Whether it answers pings.
    pub pings: bool,
    /// How it answers authentication; `None` is silence.
    pub auth: Option<ErrorCode>,
    /// Whether it answers everything else, with success.
    pub requests: bool,
    /// How it answers `isro`; `None` is silence.
    pub probes: Option<&'static [u8]>,
}

impl Habits {
    /// It answers everything.
    pub const HELPFUL: Self = Self {
        handshake: Some(Grant::ALL),
        pings: true,
        auth: Some(ErrorCode::OK),
        requests: true,
        probes: Some(b"rw"),
    };
    /// It answers handshakes and pings; the test answers requests.
    pub const SCRIPTED: Self = Self { requests: false, ..Self::HELPFUL };
    /// It says nothing.
    pub const SILENT: Self =
        Self { handshake: None, pings: false, auth: None, requests: false, probes: None };
}

/// What a server heard on one connection and has not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The connection.
    pub attempt: Attempt,
    /// What it heard.
    pub sent: Sent,
}

/// All servers of a scripted world: one that is reached by many names.
#[derive(Debug)]
pub struct Script {
    /// What it does by itself.
    pub habits: Habits,
    /// What it does by itself where it is reached by this name.
    pub habits_of: BTreeMap<String, Habits>,
    /// What becomes of attempts, by host and port; all others are accepted.
    pub receptions: BTreeMap<String, Reception>,
    /// What becomes of attempts to all others.
    pub reception: Reception,
    /// Whether it takes what its sockets hold.
    pub is_reading: bool,
    /// The newest transaction.
    pub zxid: Zxid,
    next_session: i64,
    pub(super) unanswered: VecDeque<Heard>,
}

impl Script {
    pub(super) const fn new(habits: Habits, reception: Reception) -> Self {
        Self {
            habits,
            habits_of: BTreeMap::new(),
            receptions: BTreeMap::new(),
            reception,
            is_reading: true,
            zxid: Zxid(0x100),
            next_session: 0x1000,
            unanswered: VecDeque::new(),
        }
    }

    /// From now on everybody is helped with everything.
    pub(super) fn help(&mut self) {
        self.habits = Habits::HELPFUL;
        self.is_reading = true;
        self.reception = Reception::Accept;
        self.habits_of.clear();
        self.receptions.clear();
    }

    /// What becomes of an attempt to reach `host`.
    pub(super) fn receive(&self, host: &str) -> Reception {
        self.receptions.get(host).copied().unwrap_or(self.reception)
    }

    /// What it heard and has not answered, in order.
    #[must_use]
    pub const fn unanswered(&self) -> &VecDeque<Heard> {
        &self.unanswered
    }

    /// Takes the oldest thing it heard on a connection that satisfies a condition.
    pub(super) fn take(&mut self, condition: impl Fn(&Heard) -> bool) -> Option<Heard> {
        let index = self.unanswered.iter().position(condition)?;
        self.unanswered.remove(index)
    }

    /// Hears something.
    pub(super) fn hear(&mut self, attempt: Attempt, host: &str, sent: Sent, out: &mut Pipe) {
        let habits = self.habits_of.get(host).copied().unwrap_or(self.habits);
        if !self.react(&habits, &sent, out) {
            self.unanswered.push_back(Heard { attempt, sent });
        }
    }

    /// Answers by habit; false where silence is the habit.
    pub(super) fn react(&mut self, habits: &Habits, sent: &Sent, out: &mut Pipe) -> bool {
        match (sent, sent.op()) {
            (Sent::Connect { .. }, _) => {
                let Some(grant) = habits.handshake else { return false };
                self.grant(sent, grant, out);
            }
            (Sent::Command(_), _) => {
                let Some(answer) = habits.probes else { return false };
                out.write(answer);
                out.end(Disconnect::End);
            }
            (Sent::Request { xid, .. }, Some(Op::Ping)) => {
                if !habits.pings {
                    return false;
                }
                reply(out, *xid, self.zxid, ErrorCode::OK, &[]);
            }
            (Sent::Request { xid, .. }, Some(Op::Auth)) => {
                let Some(error) = habits.auth else { return false };
                reply(out, *xid, Zxid::ZERO, error, &[]);
            }
            (Sent::Request { .. }, _) => {
                if !habits.requests {
                    return false;
                }
                self.serve(sent, out);
            }
        }
        true
    }

    /// Answers a ConnectRequest.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub(super) fn grant(&mut self, sent: &Sent, grant: Grant, out: &mut Pipe) {
        let Sent::Connect { timeout_ms, session, .. } = sent else {
            panic!("{sent} is no handshake");
        };
        let resumed = (*session != SessionId::NONE).then_some(*session);
        let session = grant.session.or(resumed).unwrap_or_else(|| {
            self.next_session += 1;
            SessionId(self.next_session)
        });
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms: grant.timeout_ms.unwrap_or(*timeout_ms),
            session,
            password: Some(Blob::Slice(&grant.password)),
            read_only: grant.read_only,
        };
        frame(out, &response.to_vec());
    }

    /// Answers a request with success.
    pub(super) fn serve(&mut self, sent: &Sent, out: &mut Pipe) {
        let (Some(xid), Some(request)) = (sent.xid(), sent.request()) else { return };
        if request.op().is_write() {
            self.zxid = self.zxid.next();
        }
        reply(out, xid, self.zxid, ErrorCode::OK, &success(&request));
        if request.op() == Op::CloseSession {
            out.end(Disconnect::End);
        }
    }
}

/// Sends a frame.
pub(super) fn frame(out: &mut Pipe, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("a frame has a length");
    out.write(&length.to_be_bytes());
    out.write(body);
}

/// Sends a reply.
pub(super) fn reply(out: &mut Pipe, xid: Xid, zxid: Zxid, error: ErrorCode, record: &[u8]) {
    let header = ReplyHeader { xid, zxid, error };
    frame(out, &[&header.to_array()[..], record].concat());
}

/// Sends a notification.
pub(super) fn notify(out: &mut Pipe, kind: i32, path: &str, zxid: Zxid) {
    let header = ReplyHeader { xid: Xid::NOTIFICATION, zxid, error: ErrorCode::OK };
    let event = WatcherEvent { kind, state: WatcherEvent::SYNC_CONNECTED, path: Some(path.into()) };
    frame(out, &[&header.to_array()[..], &event.to_vec()].concat());
}

/// The record an ordinary server answers with when all is well and the tree is empty.
pub(super) fn success(request: &Request<'_>) -> Vec<u8> {
    let path = match request {
        Request::Create(record) | Request::Create2(record) | Request::CreateContainer(record) => {
            record.path
        }
        Request::CreateTtl(record) => record.path,
        Request::Sync(record) => record.path,
        Request::Multi(operations) | Request::MultiRead(operations) => {
            let mut out = Vec::new();
            operations.iter().for_each(|operation| result(&operation).encode(&mut out));
            MultiHeader::END.encode(&mut out);
            return out;
        }
        _ => None,
    };
    let (stat, nothing) = (STAT, Some(List::new(&[])));
    let response = match request.op() {
        Op::Create | Op::Sync => Response::Path(path),
        Op::Create2 | Op::CreateContainer | Op::CreateTtl => Response::Create2 { path, stat },
        Op::Exists | Op::SetData | Op::SetAcl => Response::Stat(stat),
        Op::GetData | Op::Reconfig => Response::Data { data: DATA, stat },
        Op::GetAcl => Response::Acl { acl: Some(List::new(&[])), stat },
        Op::GetChildren | Op::GetEphemerals => Response::Names(nothing),
        Op::GetChildren2 => Response::Children2 { children: nothing, stat },
        Op::GetAllChildrenNumber => Response::Count(0),
        Op::WhoAmI => Response::Identities(Some(List::new(&[]))),
        Op::AddWatch => Response::Error(ErrorCode::OK),
        _ => Response::Empty,
    };
    response.to_vec()
}

const STAT: Stat = Stat {
    czxid: Zxid(1),
    mzxid: Zxid(1),
    ctime_ms: 0,
    mtime_ms: 0,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeral_owner: SessionId::NONE,
    data_length: 4,
    num_children: 0,
    pzxid: Zxid(1),
};

const DATA: Option<Blob<'static>> = Some(Blob::Slice(b"data"));

const fn result<'a>(operation: &MultiOp<'a>) -> MultiResult<'a> {
    match operation {
        MultiOp::Create(record) => MultiResult::Create { path: record.path },
        MultiOp::Create2(record) | MultiOp::CreateContainer(record) => {
            MultiResult::Create2 { path: record.path, stat: STAT }
        }
        MultiOp::CreateTtl(record) => MultiResult::Create2 { path: record.path, stat: STAT },
        MultiOp::Delete(_) => MultiResult::Delete,
        MultiOp::SetData(_) => MultiResult::SetData { stat: STAT },
        MultiOp::Check(_) => MultiResult::Check,
        MultiOp::GetData(_) => MultiResult::GetData { data: DATA, stat: STAT },
        MultiOp::GetChildren(_) => MultiResult::GetChildren { children: None },
    }
}
