//! Turns that take several steps, or a client of their own.

use std::collections::VecDeque;

use zookeeper_core::wire::{Encode, Op};

use super::choices::join;
use super::expected::{CREATE_SESSION, DELETE_CONTAINER, TOP_LEVEL_CHECK};
use super::generator::{Generator, OBSERVER, SLEEPER, TIMEOUT_MS, VISITOR};
use super::pools::{LIMITS, OPEN_ACL, QUOTA_PATHS, SUPERUSER, between, pick};
use super::requests::{Piece, auth_of, multi_of};
use super::script::{Expire, Frame, SessionRef, Slot, Step, Talk, Until};

/// Long enough for the few frames behind the handshake.
const SHORT_TIMEOUT_MS: i32 = 1_000;

impl Generator {
    pub(super) fn expire(&mut self) -> Step {
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
    pub(super) fn visit(&mut self) -> Step {
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
    pub(super) fn quota(&mut self) -> Step {
        let slot = self.linked();
        let path = pick(&mut self.rng, &QUOTA_PATHS);
        let limits = pick(&mut self.rng, &LIMITS);
        match self.rng.below(3) {
            0 => return self.set_quota(slot, path, limits),
            1 => return self.work_under_quota(slot, path),
            _ => {}
        }
        let quota = format!("/zookeeper/quota{path}");
        let name = match self.rng.below(3) {
            0 => format!("{quota}/zookeeper_stats"),
            _ => format!("{quota}/zookeeper_limits"),
        };
        let open = Some(OPEN_ACL.as_slice());
        let choice = self.rng.below(6);
        let piece = self.make(slot, false, |maker| match choice {
            0 => maker.create_of(Op::Create, Some(path), open, 0),
            1 => maker.create_of(Op::Create, Some(&quota), open, 0),
            2 => text_piece(Op::Create, &name, limits),
            3 => text_piece(Op::SetData, &name, limits),
            4 => delete_piece(&name),
            _ => maker.read_of(Op::GetData, Some(&name)),
        });
        self.alone(slot, path, &piece)
    }

    /// Changes something below a node that may have a quota.
    fn work_under_quota(&mut self, slot: Slot, path: &str) -> Step {
        let child = join(path, pick(&mut self.rng, &["x", "y", "z"]));
        let sequential = join(path, "s");
        let changed = pick(&mut self.rng, &[&*child, path]);
        let open = Some(OPEN_ACL.as_slice());
        let choice = self.rng.below(9);
        let piece = self.make(slot, false, |maker| match choice {
            0 => delete_piece(&child),
            1 | 2 => maker.set_data_of(Some(changed)),
            3 => maker.create_of(Op::Create2, Some(&child), open, 1),
            4 => maker.create_of(Op::CreateContainer, Some(&child), open, 4),
            5 => multi_of(
                Op::Multi,
                &[
                    maker.create_of(Op::Create, Some(&child), open, 0),
                    maker.create_of(Op::Create, Some(&sequential), open, 2),
                    maker.set_data_of(Some(path)),
                ],
            ),
            _ => maker.create_of(Op::Create, Some(&sequential), open, 2),
        });
        self.alone(slot, path, &piece)
    }

    /// One request, and then a look at what the quota counts.
    fn alone(&mut self, slot: Slot, path: &str, piece: &Piece) -> Step {
        let stats = format!("/zookeeper/quota{path}/zookeeper_stats");
        let check = self.make(slot, false, |maker| maker.read_of(Op::GetData, Some(&stats)));
        let frames = [piece, &check].map(|piece| self.frame(slot, piece));
        Self::talk_of(slot, frames.into(), None)
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
        for _ in 0..between(&mut self.rng, 2, 12) {
            let slot = self.linked();
            let step = self.work_under_quota(slot, path);
            self.planned.push_back(step);
        }
        Self::talk_of(slot, first.into_iter().collect(), None)
    }

    /// The superuser closes the root for a while.
    pub(super) fn root(&mut self) -> Step {
        let Some(slot) = self.regular() else { return self.talk() };
        let perms = pick(&mut self.rng, &[0, 1, 2, 4, 8, 16, 27, 30]);
        let closed = [(perms, Some("world"), Some("anyone"))];
        let auth = auth_of(Some("digest"), Some(SUPERUSER.as_bytes()));
        let close = self.make(slot, true, |maker| maker.set_acl_of(Some("/"), Some(&closed), -1));
        let open = self.make(slot, true, |maker| maker.set_acl_of(Some("/"), Some(&OPEN_ACL), -1));
        let first = [auth, close].map(|piece| self.frame(slot, &piece));
        for _ in 0..between(&mut self.rng, 1, 4) {
            let other = self.linked();
            let mut frames = self.requests(other, 3);
            let read = self.make(other, true, |maker| maker.read_of(Op::Exists, Some("/")));
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
    pub(super) fn unlike(&mut self) -> Step {
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
    pub(super) fn large(&mut self) -> Step {
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
