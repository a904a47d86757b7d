//! The search for a writable server while connected to a read-only one: a connection of its own
//! that asks `isro`.
//!
//! Behaviour: `ClientCnxn.SendThread.pingRwServer`.

use std::time::Duration;

use super::{
    Action, HostPort, LostReason, Purpose, Session, queue::Queued, state::Phase, timers::Timer,
};
use crate::{
    conn::{Disconnect, Outbox, Pool, Transmit},
    ids::{ConnId, Zxid},
    time::Instant,
    wire::{Command, Sink},
};

/// The slot of connections that ask.
const PROBE_SLOT: u32 = 1;

/// The pause before the first probe, and after one that found a server.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between two.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long a connection may take, and an answer.
const STEP_TIMEOUT: Duration = Duration::from_secs(1);

/// What a writable server answers.
const WRITABLE: &[u8] = b"rw";

/// Longer answers are none.
const ANSWER_LENGTH_MAX: usize = 16;

/// The state of the search.
#[derive(Debug)]
pub(super) struct Probe {
    /// The pause before the next one.
    pause: Duration,
    /// When the last one began.
    last: Instant,
    attempt: Option<Attempt>,
    generation: u32,
}

/// One server being asked.
#[derive(Debug)]
struct Attempt {
    conn: ConnId,
    host: HostPort,
    is_connected: bool,
    outbox: Outbox,
    answer: Vec<u8>,
}

impl Probe {
    pub(super) const fn new(now: Instant) -> Self {
        Self { pause: PAUSE_MIN, last: now, attempt: None, generation: 0 }
    }

    /// Names its attempts as if it were the other one's.
    pub(super) const fn continue_names(&mut self, other: &Self) {
        self.generation = other.generation;
    }

    /// Whether `conn` is the one that asks.
    pub(super) fn is(&self, conn: ConnId) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.conn == conn)
    }

    pub(super) fn transmit<'a>(&'a mut self, pool: &'a mut Pool) -> Option<Transmit<'a>> {
        self.attempt.as_mut()?.outbox.transmit(pool)
    }
}

impl Session {
    /// The server is read-only: another one is looked for, from time to time.
    pub(super) fn schedule_probe(&mut self) {
        self.timers.set(Timer::Probe, self.probe.last + self.probe.pause);
    }

    /// Asks the next server.
    pub(super) fn begin_probe(&mut self) {
        if !self.is_connected() || !self.read_only || self.is_closing {
            return;
        }
        debug_assert!(self.probe.attempt.is_none(), "one at a time");
        self.probe.last = self.now;
        self.probe.pause = (self.probe.pause * 2).min(PAUSE_MAX);
        let host = self.hosts.next(Duration::ZERO, &mut self.rng).host;
        let conn = ConnId::new(PROBE_SLOT, self.probe.generation);
        self.probe.generation = self.probe.generation.wrapping_add(1);
        let deadline = self.now + STEP_TIMEOUT;
        self.timers.set(Timer::ProbeEnd, deadline);
        let purpose = Purpose::Probe;
        self.actions.push_back(Action::Connect { conn, host: host.clone(), purpose, deadline });
        self.probe.attempt = Some(Attempt {
            conn,
            host,
            is_connected: false,
            outbox: Outbox::default(),
            answer: Vec::new(),
        });
    }

    /// The server is reached: it is asked. Whether `conn` is of a probe.
    pub(super) fn handle_probe_connected(&mut self, conn: ConnId) -> bool {
        if conn.slot() != PROBE_SLOT {
            return false;
        }
        let now = self.now;
        if let Some(attempt) = &mut self.probe.attempt
            && attempt.conn == conn
            && !attempt.is_connected
        {
            attempt.is_connected = true;
            attempt.outbox.begin(&mut self.pool).put(&Command::Isro.to_bytes());
            attempt.outbox.hold(Zxid::ZERO, Zxid::ZERO, 0);
            self.actions.push_back(Action::Transmit(conn));
            self.timers.set(Timer::ProbeEnd, now + STEP_TIMEOUT);
        }
        true
    }

    /// A part of the answer came. Whether `conn` is of a probe.
    pub(super) fn handle_probe_input(&mut self, conn: ConnId, bytes: &[u8]) -> bool {
        if conn.slot() != PROBE_SLOT {
            return false;
        }
        if let Some(attempt) = &mut self.probe.attempt
            && attempt.conn == conn
        {
            attempt.answer.extend(bytes.iter().take(ANSWER_LENGTH_MAX - attempt.answer.len()));
        }
        true
    }

    /// The answer is complete, or the server was not reached. Whether `conn` is of a probe.
    pub(super) fn handle_probe_end(&mut self, conn: ConnId, cause: Disconnect) -> bool {
        if conn.slot() != PROBE_SLOT {
            return false;
        }
        let Some(attempt) = self.probe.attempt.as_ref().filter(|attempt| attempt.conn == conn)
        else {
            return true;
        };
        match (&attempt.answer[..], cause) {
            (WRITABLE, _) => {
                self.preferred = Some(attempt.host.clone());
                self.probe.pause = PAUSE_MIN;
                self.end_probe(LostReason::Probed("writable"));
                // A session that closes does so where it is.
                if matches!(self.phase, Phase::Linked(_)) && !self.is_closing {
                    self.lose(LostReason::WritableFound);
                }
            }
            (b"", cause) => self.end_probe(LostReason::Network(cause)),
            (b"ro", _) => self.end_probe(LostReason::Probed("read-only")),
            (b"null", _) => self.end_probe(LostReason::Probed("not serving")),
            _ => self.end_probe(LostReason::Probed("no answer to isro")),
        }
        true
    }

    /// Ends the probe under way, if there is one, and waits for the next.
    pub(super) fn end_probe(&mut self, reason: LostReason) {
        self.timers.clear(Timer::ProbeEnd);
        let Some(mut attempt) = self.probe.attempt.take() else { return };
        attempt.outbox.clear(&mut self.pool);
        self.actions.push_back(Action::Close(attempt.conn));
        self.events.push(Queued::Connection {
            conn: attempt.conn,
            host: attempt.host,
            purpose: Purpose::Probe,
            reason,
        });
        if self.is_connected() && self.read_only {
            self.schedule_probe();
        }
    }
}
