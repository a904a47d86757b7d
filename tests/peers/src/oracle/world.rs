//! What the generator knows while it writes: which clients exist, and which znodes may.

use std::collections::VecDeque;

use zookeeper_core::wire::{Op, Reader, Text};

use super::judge::Answer;
use super::runner::SLOTS;
use super::script::{Frame, SessionName, Slot};

/// How many znodes are worth remembering.
const KNOWN_MAX: usize = 150;

/// How many watched paths of a client are.
const WATCHED_MAX: usize = 12;

/// The state of the script so far.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The clients.
    pub(crate) clients: [Client; SLOTS],
    /// Znodes that existed when they were last heard of.
    pub(crate) known: Vec<String>,
    /// Paths that each client has lately put into a request that may leave a watch.
    pub(crate) watched: [VecDeque<String>; SLOTS],
    /// Sessions that have ended.
    pub(crate) ended: Vec<SessionName>,
    /// Steps so far.
    pub(crate) steps: usize,
    next_session: SessionName,
    last_xids: [i32; SLOTS],
}

/// A client's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Client {
    /// Without a session.
    #[default]
    Idle,
    /// With a session and a connection.
    Linked(SessionName),
    /// With a session whose connection ended in the given step.
    Unlinked(SessionName, usize),
}

/// Which kind of watch a client sets on a path.
///
/// A client sets only one kind on a path: 3.8.0 keeps one mode per client and path, and a later
/// `addWatch` or read changes it (mended in 3.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WatchKind {
    /// One-shot.
    Standard,
    /// Persistent.
    Persistent,
    /// Persistent and recursive.
    Recursive,
}

impl World {
    /// A name for the next session.
    pub(crate) fn new_session(&mut self) -> SessionName {
        self.next_session += 1;
        self.next_session
    }

    /// The next xid of a client that counts up.
    pub(crate) fn next_xid(&mut self, slot: Slot) -> i32 {
        self.last_xids[slot] += 1;
        self.last_xids[slot]
    }

    /// The clients in a certain state.
    pub(crate) fn slots(&self, is_wanted: impl Fn(Client) -> bool) -> Vec<Slot> {
        (0..SLOTS).filter(|&slot| is_wanted(self.clients[slot])).collect()
    }

    /// The session of a client, if it has one.
    #[must_use]
    pub(crate) fn session(&self, slot: Slot) -> Option<SessionName> {
        match self.clients[slot] {
            Client::Idle => None,
            Client::Linked(session) | Client::Unlinked(session, _) => Some(session),
        }
    }

    /// The client's connection has ended.
    pub(crate) fn unlink(&mut self, slot: Slot) {
        if let Some(session) = self.session(slot) {
            self.clients[slot] = Client::Unlinked(session, self.steps);
        }
    }

    /// The client's session has ended.
    pub(crate) fn end(&mut self, slot: Slot) {
        self.ended.extend(self.session(slot));
        self.clients[slot] = Client::Idle;
    }

    /// The kind of watch this client sets on `path`.
    #[must_use]
    pub(crate) fn watch_kind(slot: Slot, path: &str) -> WatchKind {
        let sum = path
            .bytes()
            .fold(slot * 7 + 1, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        match sum % 5 {
            0 => WatchKind::Persistent,
            1 => WatchKind::Recursive,
            _ => WatchKind::Standard,
        }
    }

    /// Remembers where the client may have a watch now.
    pub(crate) fn note_watched(&mut self, slot: Slot, frame: &Frame) {
        let may_watch = [Op::Exists, Op::GetData, Op::GetChildren, Op::GetChildren2, Op::AddWatch];
        if !may_watch.iter().any(|op| op.code() == frame.op()) {
            return;
        }
        if let Ok(Some(path)) = Reader::new(frame.record()).read::<Option<Text<'_>>>() {
            let watched = &mut self.watched[slot];
            if watched.len() >= WATCHED_MAX {
                watched.pop_front();
            }
            watched.push_back(path.to_str_lossy().into_owned());
        }
    }

    /// Learns from the answers to `frames` which znodes there are.
    pub(crate) fn learn(&mut self, frames: &[Frame], answers: &[Answer]) {
        for answer in answers {
            // Behind the frames stands the barrier's ping.
            let Some(frame) = answer.frame.and_then(|frame| frames.get(frame)) else { continue };
            let Some(op) = Op::from_code(frame.op()) else { continue };
            match op {
                Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                    if let (true, Some(path)) = (answer.is_ok(), answer.seen.lines.first()) {
                        self.note_created(path);
                    }
                }
                Op::Multi => {
                    for line in &answer.seen.lines {
                        if let Some(path) = line.strip_prefix("create ") {
                            self.note_created(path);
                        }
                    }
                }
                Op::Delete if answer.is_ok() => self.note_gone(frame),
                Op::Exists | Op::GetData | Op::SetData if answer.seen.error == -101 => {
                    self.note_gone(frame);
                }
                _ => {}
            }
        }
    }

    fn note_created(&mut self, path: &str) {
        let is_usable = !path.starts_with("/zookeeper") && !self.known.iter().any(|p| p == path);
        if is_usable {
            if self.known.len() >= KNOWN_MAX {
                self.known.remove(self.steps % KNOWN_MAX);
            }
            self.known.push(path.to_owned());
        }
    }

    fn note_gone(&mut self, frame: &Frame) {
        let record = frame.record();
        self.known.retain(|path| {
            record.get(4..).is_none_or(|rest| !rest.starts_with(path.as_bytes()))
                || record[..4] != u32::try_from(path.len()).unwrap_or(0).to_be_bytes()
        });
    }
}
