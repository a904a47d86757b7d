//! Writes scripts: the same seed and the same answers give the same script.

use std::collections::VecDeque;

use zookeeper_core::Rng;
use zookeeper_core::wire::{Encode, Op, ReadRequest, Reader};

use super::expected::{CREATE_SESSION, DELETE_CONTAINER, TOP_LEVEL_CHECK};
use super::judge::Answer;
use super::malformed::{self, of};
use super::pools::{LIMITS, ODD_XIDS, OPEN_ACL, QUOTA_PATHS, SUPERUSER, between, pick};
use super::requests::{Maker, Piece, auth_of, join, multi_of};
use super::script::{
    Connect, Expire, Frame, LastZxid, Password, SessionRef, Slot, Step, Talk, Until,
};
use super::world::{Client, World};

/// The client that waits for expiries and never leaves.
const OBSERVER: Slot = 0;
/// The clients that do most of the work.
const REGULARS: std::ops::RangeInclusive<Slot> = 1..=4;
/// The client whose sessions expire.
const SLEEPER: Slot = 5;
/// The client that is turned away, or stays for one turn.
const VISITOR: Slot = 6;

/// Longer than any run without that client.
const TIMEOUT_MS: i32 = 60_000;
/// Long enough for the few frames behind the handshake.
const SHORT_TIMEOUT_MS: i32 = 1_000;
/// How many steps a session may be without a connection.
const UNLINKED_STEPS_MAX: usize = 12;

/// A source of steps.
#[derive(Debug)]
pub(crate) struct Generator {
    rng: Rng,
    world: World,
    planned: VecDeque<Step>,
    expired: usize,
}

impl Generator {
    /// A generator for one run.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        let mut generator = Self {
            rng: Rng::new(seed),
            world: World::default(),
            planned: VecDeque::new(),
            expired: 0,
        };
        for slot in OBSERVER..=*REGULARS.end() {
            let step = generator.open(slot);
            generator.planned.push_back(step);
        }
        generator
    }

    /// The next step.
    pub(crate) fn next_step(&mut self) -> Step {
        self.world.steps += 1;
        if let Some(step) = self.planned.pop_front() {
            return step;
        }
        let now = self.world.steps;
        let overdue = |client| {
            matches!(client, Client::Unlinked(_, since)
            if now > since + UNLINKED_STEPS_MAX)
        };
        if let Some(&slot) = self.world.slots(overdue).first() {
            return self.resume(slot);
        }
        // Somebody has to be there for everything else.
        if self.world.slots(|client| matches!(client, Client::Linked(_))).is_empty() {
            return self.come_back();
        }
        match self.rng.below(1000) {
            0..=24 => self.hang(),
            25..=49 => self.close(),
            50..=64 => self.steal(),
            65..=84 => self.refused(),
            85..=104 => self.ending(),
            105..=109 => self.expire(),
            110..=134 => Step::Outsider(malformed::outsider(&mut self.rng)),
            135..=169 => self.quota(),
            170..=179 => self.root(),
            180..=184 => self.unlike(),
            185..=187 => self.large(),
            188..=202 => self.visit(),
            203..=262 => self.come_back(),
            _ => self.talk(),
        }
    }

    /// Takes notice of the answers to a step.
    pub(crate) fn learn(&mut self, step: &Step, answers: &[Answer]) {
        let Step::Talk(talk) = step else { return };
        self.world.learn(&talk.frames, answers);
        // Where only one server left a watch, it goes with the connection.
        let is_watching = |answer: &Answer| {
            answer.frame.and_then(|frame| talk.frames.get(frame)).is_some_and(|frame| {
                let read = Reader::new(frame.record()).read::<ReadRequest<'_>>();
                frame.op() == Op::Exists.code() && read.is_ok_and(|read| read.watch)
            })
        };
        let is_linked = matches!(self.world.clients[talk.slot], Client::Linked(_));
        if is_linked && answers.iter().any(|answer| answer.is_excused && is_watching(answer)) {
            let step = self.resume(talk.slot);
            self.planned.push_front(step);
        }
    }

    /// The ordinary turn: one request, or a few at once.
    fn talk(&mut self) -> Step {
        let slot = self.linked();
        let count = if self.rng.one_in(2) { 1 } else { between(&mut self.rng, 2, 8) };
        let frames = self.requests(slot, count);
        Self::talk_of(slot, frames, self.cut())
    }

    fn talk_of(slot: Slot, frames: Vec<Frame>, cut: Option<usize>) -> Step {
        Step::Talk(Talk { slot, connect: None, frames, until: Until::Ping, cut })
    }

    fn requests(&mut self, slot: Slot, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        for _ in 0..count {
            let mut piece = self.make(slot, count > 1, |maker| maker.request());
            if self.rng.one_in(20) {
                malformed::spoil(&mut self.rng, &mut piece);
            }
            frames.push(self.frame(slot, &piece));
            if piece.op == Op::SetAcl.code() {
                // Until it is applied, upstream goes by the old list.
                break;
            }
        }
        frames
    }

    fn make(
        &mut self,
        slot: Slot,
        is_pipelined: bool,
        make: impl FnOnce(&mut Maker<'_>) -> Piece,
    ) -> Piece {
        let is_friendly = self.rng.one_in(4);
        let (rng, world) = (&mut self.rng, &self.world);
        let is_in_multi = false;
        make(&mut Maker { rng, world, slot, is_pipelined, is_friendly, is_in_multi })
    }

    fn frame(&mut self, slot: Slot, piece: &Piece) -> Frame {
        let is_at_once = [Op::Auth.code(), Op::Sasl.code()].contains(&piece.op);
        let is_set_watches = [Op::SetWatches.code(), Op::SetWatches2.code()].contains(&piece.op);
        let xid = match () {
            // Upstream sends these past others, so they must be told apart.
            () if is_at_once => -100 - self.world.next_xid(slot),
            () if is_set_watches && self.rng.one_in(2) => -8,
            () if self.rng.one_in(30) => pick(&mut self.rng, &ODD_XIDS),
            () => self.world.next_xid(slot),
        };
        let frame = of(xid, piece);
        self.world.note_watched(slot, &frame);
        frame
    }

    fn hang(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.talk() };
        self.world.unlink(slot);
        Step::Hang(slot)
    }

    /// A session ends; the client makes a new one some time later.
    fn close(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.come_back() };
        let mut frames = self.requests(slot, 2);
        frames.retain(|frame| !frame.is_answered_at_once());
        let xid = self.world.next_xid(slot);
        frames.push(Frame::request(xid, Op::CloseSession.code(), "closeSession", &[]));
        self.world.end(slot);
        let cut = self.cut();
        Step::Talk(Talk { slot, connect: None, frames, until: Until::Closed, cut })
    }

    /// A client without connection gets one.
    fn come_back(&mut self) -> Step {
        let absent = self.world.slots(|client| !matches!(client, Client::Linked(_)));
        match absent.into_iter().find(|slot| REGULARS.contains(slot)) {
            Some(slot) if self.world.session(slot).is_some() => self.resume(slot),
            Some(slot) => self.open(slot),
            None => self.talk(),
        }
    }

    fn open(&mut self, slot: Slot) -> Step {
        let session = self.world.new_session();
        self.world.clients[slot] = Client::Linked(session);
        let connect = self.connect(SessionRef::New(session));
        let count = between(&mut self.rng, 0, 2);
        let frames = self.requests(slot, count);
        let cut = self.cut();
        Step::Talk(Talk { slot, connect: Some(connect), frames, until: Until::Ping, cut })
    }

    /// A session goes on with a new connection, and its watches are set anew.
    fn resume(&mut self, slot: Slot) -> Step {
        let Some(session) = self.world.session(slot) else { return self.open(slot) };
        self.world.clients[slot] = Client::Linked(session);
        let connect = self.connect(SessionRef::Known(session));
        let mut frames = Vec::new();
        if self.rng.one_in(2) {
            let piece = self.make(slot, true, |maker| maker.auth());
            frames.push(self.frame(slot, &piece));
        }
        if !self.rng.one_in(4) {
            let op = if self.rng.one_in(2) { Op::SetWatches } else { Op::SetWatches2 };
            let piece = self.make(slot, true, |maker| maker.set_watches(op));
            frames.push(self.frame(slot, &piece));
        }
        if frames.is_empty() {
            frames = self.requests(slot, 1);
        }
        let cut = self.cut();
        Step::Talk(Talk { slot, connect: Some(connect), frames, until: Until::Ping, cut })
    }

    /// A session goes on with a new connection while its old one still stands.
    fn steal(&mut self) -> Step {
        match self.regular() {
            Some(slot) => self.resume(slot),
            None => self.talk(),
        }
    }

    fn connect(&mut self, session: SessionRef) -> Connect {
        let timeouts = [TIMEOUT_MS, TIMEOUT_MS, 100_000_000, i32::MAX, 45_000];
        let is_new = matches!(session, SessionRef::New(_));
        let passwords = [Password::Right, Password::Null, Password::Empty, Password::Short];
        Connect {
            session,
            password: if is_new { pick(&mut self.rng, &passwords) } else { Password::Right },
            last_zxid: pick(&mut self.rng, &[LastZxid::Zero, LastZxid::Newest]),
            timeout_ms: pick(&mut self.rng, &timeouts),
            read_only: pick(&mut self.rng, &[Some(false), Some(false), Some(true), None]),
        }
    }

    /// A handshake that ends in a refusal; what is pipelined behind it must not happen.
    fn refused(&mut self) -> Step {
        let ended = (!self.world.ended.is_empty()).then(|| pick(&mut self.rng, &self.world.ended));
        let choice = self.rng.below(5);
        let (slot, session) = match (choice, self.regular(), ended) {
            (0 | 1, Some(slot), _) => {
                (slot, SessionRef::Known(self.world.session(slot).unwrap_or(0)))
            }
            (2 | 3, _, Some(ended)) => (VISITOR, SessionRef::Known(ended)),
            (4, ..) => (VISITOR, SessionRef::New(self.world.new_session())),
            _ => (VISITOR, SessionRef::Unknown),
        };
        let mut connect = self.connect(session);
        match choice {
            4 => connect.last_zxid = LastZxid::Ahead,
            0 | 1 if slot != VISITOR => {
                let wrong = [Password::Wrong, Password::Null, Password::Empty, Password::Short];
                connect.password = pick(&mut self.rng, &wrong);
            }
            _ => {}
        }
        // A wrong password ends the old connection all the same.
        self.world.unlink(slot);
        let piece = self.make(slot, true, |maker| maker.create(Op::Create));
        let frames = vec![self.frame(slot, &piece)];
        Step::Talk(Talk { slot, connect: Some(connect), frames, until: Until::Closed, cut: None })
    }

    /// A frame that ends its connection.
    fn ending(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.talk() };
        let xid = self.world.next_xid(slot);
        let frames = vec![malformed::ending(&mut self.rng, xid)];
        self.world.unlink(slot);
        Step::Talk(Talk { slot, connect: None, frames, until: Until::Closed, cut: None })
    }

    fn expire(&mut self) -> Step {
        self.expired += 1;
        let session = self.world.new_session();
        self.world.ended.push(session);
        let mut connect = self.connect(SessionRef::New(session));
        connect.timeout_ms = SHORT_TIMEOUT_MS;
        let marker = format!("/expires-{}", self.expired);
        let open = Some(OPEN_ACL.as_slice());
        let piece = self.make(SLEEPER, true, |m| m.create_of(Op::Create, Some(&marker), open, 1));
        let mut frames = vec![self.frame(SLEEPER, &piece)];
        for _ in 0..between(&mut self.rng, 0, 4) {
            let parent = match self.world.known.as_slice() {
                [] => "/".to_owned(),
                known => pick(&mut self.rng, known),
            };
            // Quotas are checked against what is applied, and these are pipelined.
            let parent = if parent.starts_with("/q") { "/".to_owned() } else { parent };
            let path = join(&parent, "fading-");
            let piece =
                self.make(SLEEPER, true, |m| m.create_of(Op::Create2, Some(&path), open, 3));
            frames.push(self.frame(SLEEPER, &piece));
        }
        let hangs = self.rng.one_in(2);
        Step::Expire(Expire { slot: SLEEPER, connect, frames, marker, observer: OBSERVER, hangs })
    }

    /// A session of one turn, with any time-out.
    fn visit(&mut self) -> Step {
        let session = self.world.new_session();
        let mut connect = self.connect(SessionRef::New(session));
        let timeouts = [0, -5, 1, 399, 400, 401, 5_000, 59_999, 60_001, i32::MIN];
        connect.timeout_ms = pick(&mut self.rng, &timeouts);
        self.world.ended.push(session);
        let count = between(&mut self.rng, 0, 3);
        let mut frames = self.requests(VISITOR, count);
        let xid = self.world.next_xid(VISITOR);
        frames.push(Frame::request(xid, Op::CloseSession.code(), "closeSession", &[]));
        let (slot, cut) = (VISITOR, self.cut());
        Step::Talk(Talk { slot, connect: Some(connect), frames, until: Until::Closed, cut })
    }

    /// Sets, changes or removes a quota, or works under one. One request at a time.
    fn quota(&mut self) -> Step {
        let slot = self.linked();
        let path = pick(&mut self.rng, &QUOTA_PATHS);
        let quota = format!("/zookeeper/quota{path}");
        let limits = pick(&mut self.rng, &LIMITS);
        let open = Some(OPEN_ACL.as_slice());
        let name = match self.rng.below(3) {
            0 => format!("{quota}/zookeeper_stats"),
            _ => format!("{quota}/zookeeper_limits"),
        };
        let child = join(path, pick(&mut self.rng, &["x", "y", "z"]));
        if self.rng.one_in(3) {
            return self.set_quota(slot, path, limits);
        }
        let changed = pick(&mut self.rng, &[&*child, path]);
        let choice = self.rng.below(12);
        let piece = self.make(slot, false, |maker| match choice {
            0 => maker.create_of(Op::Create, Some(path), open, 0),
            1 => maker.create_of(Op::Create, Some(&quota), open, 0),
            2 | 3 => text_piece(Op::Create, &name, limits),
            4 => text_piece(Op::SetData, &name, limits),
            5 => delete_piece(&name),
            6 => delete_piece(&child),
            7 => maker.set_data_of(Some(changed)),
            8 => maker.read_of(Op::GetData, Some(&name)),
            9 => maker.create_of(Op::Create2, Some(&child), open, 1),
            10 => multi_of(
                Op::Multi,
                &[
                    maker.create_of(Op::Create, Some(&child), open, 0),
                    maker.create_of(Op::Create, Some(&join(path, "s")), open, 2),
                    maker.set_data_of(Some(path)),
                ],
            ),
            _ => maker.create_of(Op::Create, Some(&join(path, "s")), open, 2),
        });
        // What the quota counts now.
        let stats = format!("{quota}/zookeeper_stats");
        let check = self.make(slot, false, |maker| maker.read_of(Op::GetData, Some(&stats)));
        let frame = self.frame(slot, &check);
        self.planned.push_back(Self::talk_of(slot, vec![frame], None));
        let frame = self.frame(slot, &piece);
        Self::talk_of(slot, vec![frame], None)
    }

    /// Makes a node and its quota, from the top.
    fn set_quota(&mut self, slot: Slot, path: &str, limits: &str) -> Step {
        let quota = format!("/zookeeper/quota{path}");
        let mut paths = vec![path.to_owned(), quota.clone()];
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            paths =
                vec![parent.to_owned(), path.to_owned(), join("/zookeeper/quota", &parent[1..])];
            paths.push(quota.clone());
        }
        let mut pieces: Vec<Piece> =
            paths.iter().map(|path| text_piece(Op::Create, path, "")).collect();
        // Either first: upstream starts to count with the limits, and corrects the stats node.
        let mut quota = ["zookeeper_limits", "zookeeper_stats"].map(|name| join(&quota, name));
        if self.rng.one_in(3) {
            quota.reverse();
        }
        pieces.extend(quota.iter().map(|path| text_piece(Op::Create, path, limits)));
        let mut frames: VecDeque<Frame> =
            pieces.iter().map(|piece| self.frame(slot, piece)).collect();
        let first = frames.pop_front();
        self.planned.extend(frames.into_iter().map(|frame| Self::talk_of(slot, vec![frame], None)));
        Self::talk_of(slot, first.into_iter().collect(), None)
    }

    /// The superuser closes the root for a while.
    fn root(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.talk() };
        let perms = pick(&mut self.rng, &[0, 1, 2, 4, 8, 16, 27, 30]);
        let closed = [(perms, Some("world"), Some("anyone"))];
        let auth = auth_of(Some("digest"), Some(SUPERUSER.as_bytes()));
        let close = self.make(slot, true, |maker| maker.set_acl_of(Some("/"), Some(&closed), -1));
        let open = self.make(slot, true, |maker| maker.set_acl_of(Some("/"), Some(&OPEN_ACL), -1));
        let read = self.make(slot, true, |maker| maker.read_of(Op::Exists, Some("/")));
        let first = [auth, close, read.clone()].map(|piece| self.frame(slot, &piece));
        for _ in 0..between(&mut self.rng, 1, 4) {
            let other = self.linked();
            let mut frames = self.requests(other, 3);
            frames.push(self.frame(other, &read));
            self.planned.push_back(Self::talk_of(other, frames, None));
        }
        let frame = self.frame(slot, &open);
        self.planned.push_back(Self::talk_of(slot, vec![frame], None));
        // A superuser would never be refused anything.
        self.planned.push_back(Step::Hang(slot));
        self.world.unlink(slot);
        Self::talk_of(slot, first.into(), None)
    }

    /// A request on which the servers are known to part.
    fn unlike(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.talk() };
        let mut record = "/no-such-node".to_vec();
        let (op, row) = match self.rng.below(3) {
            0 => {
                record.extend((-1).to_vec());
                (Op::Check, TOP_LEVEL_CHECK)
            }
            1 => {
                record = TIMEOUT_MS.to_vec();
                (Op::CreateSession, CREATE_SESSION)
            }
            _ => (Op::DeleteContainer, DELETE_CONTAINER),
        };
        let xid = self.world.next_xid(slot);
        let frames = vec![Frame::request(xid, op.code(), op.name(), &record)];
        self.world.unlink(slot);
        Step::Talk(Talk { slot, connect: None, frames, until: Until::Unlike(row), cut: None })
    }

    /// The largest frame there is.
    fn large(&mut self) -> Step {
        let slot = self.linked();
        let length = zookeeper_core::FRAME_LENGTH_MAX - 8 - 4;
        let path = format!("/{}", "l".repeat(length - 1));
        let piece = Piece {
            op: pick(&mut self.rng, &[Op::Sync, Op::GetAcl, Op::GetEphemerals]).code(),
            text: "with the longest path".to_owned(),
            record: path.to_vec(),
            zxid_age: None,
        };
        let frame = self.frame(slot, &piece);
        Self::talk_of(slot, vec![frame], self.cut())
    }

    /// A client that has a connection.
    fn linked(&mut self) -> Slot {
        let linked = self.world.slots(|client| matches!(client, Client::Linked(_)));
        pick(&mut self.rng, &linked)
    }

    /// One of the regulars that has a connection.
    fn regular(&mut self) -> Option<Slot> {
        let mut linked = self.world.slots(|client| matches!(client, Client::Linked(_)));
        linked.retain(|slot| REGULARS.contains(slot));
        (!linked.is_empty()).then(|| pick(&mut self.rng, &linked))
    }

    fn cut(&mut self) -> Option<usize> {
        self.rng.one_in(10).then(|| between(&mut self.rng, 1, 60))
    }
}

/// Makes or sets a znode whose data is `text`.
fn text_piece(op: Op, path: &str, text: &str) -> Piece {
    let mut record = path.to_vec();
    record.extend(text.to_vec());
    if op == Op::Create {
        record.extend(1_i32.to_vec());
        record.extend(31_i32.to_vec());
        record.extend("world".to_vec());
        record.extend("anyone".to_vec());
        record.extend(0_i32.to_vec());
    } else {
        record.extend((-1_i32).to_vec());
    }
    Piece { op: op.code(), text: format!("{op} {path:?} {text:?}"), record, zxid_age: None }
}

fn delete_piece(path: &str) -> Piece {
    let mut record = path.to_vec();
    record.extend((-1_i32).to_vec());
    let text = format!("delete {path:?}");
    Piece { op: Op::Delete.code(), text, record, zxid_age: None }
}
