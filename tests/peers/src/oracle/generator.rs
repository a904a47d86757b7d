//! Writes scripts: the same seed and the same answers give the same script.
//!
//! Some things are left out because upstream's answer to them tells nothing. It does not survive a
//! quota on `/`, quota limits that it cannot read, and `createTTL` with a negative time to live and
//! flags of another kind. It depends on which of its threads is faster for what is pipelined
//! behind `setACL`, under a quota, behind a frame that ends the connection or behind
//! `closeSession`, and for `createContainer` with an ephemeral's flags. And 3.8.0 keeps one watch
//! mode per client and path, so a client sets only one kind of watch on a path.

use std::collections::VecDeque;

use zookeeper_core::Rng;
use zookeeper_core::wire::{Op, ReadRequest, Reader};

use super::judge::Answer;
use super::malformed::{self, of};
use super::pools::{ODD_XIDS, between, pick};
use super::requests::{Maker, Piece};
use super::script::{Connect, Frame, LastZxid, Password, SessionRef, Slot, Step, Talk, Until};
use super::world::{Client, World};

/// The client that waits for expiries and never leaves.
pub(super) const OBSERVER: Slot = 0;
/// The clients that do most of the work.
const REGULARS: std::ops::RangeInclusive<Slot> = 1..=4;
/// The client whose sessions expire.
pub(super) const SLEEPER: Slot = 5;
/// The client that is turned away, or stays for one turn.
pub(super) const VISITOR: Slot = 6;

/// Longer than any run without that client.
pub(super) const TIMEOUT_MS: i32 = 60_000;
/// How many steps a session may be without a connection.
const UNLINKED_STEPS_MAX: usize = 12;

/// A source of steps.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(super) rng: Rng,
    pub(super) world: World,
    pub(super) planned: VecDeque<Step>,
    pub(super) expired: usize,
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
            135..=174 => self.quota(),
            175..=179 => self.root(),
            180..=184 => self.unlike(),
            185..=187 => self.large(),
            188..=202 => self.visit(),
            203..=262 => self.come_back(),
            _ => self.talk(),
        }
    }

    /// The servers exchange their directories, and every session goes on. To be called where
    /// [`Generator::is_free`].
    pub(crate) fn cross(&mut self) -> Step {
        let linked = self.world.slots(|client| matches!(client, Client::Linked(_)));
        for slot in linked {
            self.world.unlink(slot);
            let step = self.resume(slot);
            self.planned.push_back(step);
        }
        Step::Cross
    }

    /// Whether nothing is planned.
    pub(crate) fn is_free(&self) -> bool {
        self.planned.is_empty()
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
    pub(super) fn talk(&mut self) -> Step {
        let slot = self.linked();
        let count = if self.rng.one_in(2) { 1 } else { between(&mut self.rng, 2, 8) };
        let frames = self.requests(slot, count);
        Self::talk_of(slot, frames, self.cut())
    }

    pub(super) fn talk_of(slot: Slot, frames: Vec<Frame>, cut: Option<usize>) -> Step {
        Step::Talk(Talk { slot, connect: None, frames, until: Until::Ping, cut })
    }

    pub(super) fn requests(&mut self, slot: Slot, count: usize) -> Vec<Frame> {
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

    pub(super) fn make(
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

    pub(super) fn frame(&mut self, slot: Slot, piece: &Piece) -> Frame {
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

    pub(super) fn connect(&mut self, session: SessionRef) -> Connect {
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

    /// A client that has a connection.
    pub(super) fn linked(&mut self) -> Slot {
        let linked = self.world.slots(|client| matches!(client, Client::Linked(_)));
        pick(&mut self.rng, &linked)
    }

    /// One of the regulars that has a connection.
    pub(super) fn regular(&mut self) -> Option<Slot> {
        let mut linked = self.world.slots(|client| matches!(client, Client::Linked(_)));
        linked.retain(|slot| REGULARS.contains(slot));
        (!linked.is_empty()).then(|| pick(&mut self.rng, &linked))
    }

    pub(super) fn cut(&mut self) -> Option<usize> {
        self.rng.one_in(10).then(|| between(&mut self.rng, 1, 60))
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::wire::{CreateTtlRequest, MultiOp, MultiOps};

    use super::*;

    fn script(seed: u64, count: usize) -> Vec<Step> {
        let mut generator = Generator::new(seed);
        (0..count).map(|_| generator.next_step()).collect()
    }

    fn frames(steps: &[Step]) -> impl Iterator<Item = &Frame> {
        steps.iter().flat_map(|step| match step {
            Step::Talk(talk) => talk.frames.as_slice(),
            Step::Expire(expire) => expire.frames.as_slice(),
            Step::Hang(_) | Step::Outsider(_) | Step::Cross => &[],
        })
    }

    #[test]
    fn the_same_seed_gives_the_same_script() {
        let text = |seed| script(seed, 300).iter().map(Step::to_string).collect::<Vec<_>>();
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn every_operation_is_sent() {
        let steps = script(1, 4_000);
        for op in Op::ALL {
            let is_sent = frames(&steps).any(|frame| frame.op() == op.code());
            assert!(is_sent, "{op}");
        }
        assert!(steps.iter().any(|step| matches!(step, Step::Expire(_))));
        assert!(steps.iter().any(|step| matches!(step, Step::Outsider(_))));
    }

    /// What upstream does not survive is tried on this project's server only, elsewhere.
    #[test]
    fn nothing_is_sent_that_ends_upstream() {
        let steps = script(2, 6_000);
        for frame in frames(&steps) {
            let mut reader = Reader::new(frame.record());
            if frame.op() == Op::CreateTtl.code()
                && let Ok(create) = reader.read::<CreateTtlRequest<'_>>()
            {
                assert!(matches!(create.flags, 5 | 6) || create.ttl_ms >= 0, "{}", frame.text);
            } else if frame.op() == Op::Multi.code()
                && let Ok(operations) = reader.read::<MultiOps<'_>>()
            {
                for operation in operations.iter() {
                    if let MultiOp::CreateTtl(create) = operation {
                        assert!(matches!(create.flags, 5 | 6) || create.ttl_ms >= 0);
                    }
                }
            }
            let root_quota = b"/zookeeper/quota/zookeeper_limits";
            let names_it = frame.bytes.windows(root_quota.len()).any(|bytes| bytes == root_quota);
            assert!(!names_it, "{}", frame.text);
        }
    }
}
