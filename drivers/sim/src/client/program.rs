//! What happens to a session as a list of steps, which a fuzzer's bytes or a test's seed make: the
//! application submits, servers answer well, badly or not at all, connections end, time passes.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use zookeeper_core::{
    Disconnect, Rng, SessionId, Zxid,
    client::{SubmitOptions, WatcherId},
    wire::{ErrorCode, Op, Reader, ReplyHeader, Request, RequestHeader, WatcherType, Xid},
};

use super::{
    driver::Cutting,
    entry::{Entry, What},
    script::{Grant, Habits, Reception},
    world::{Options, World},
};
use crate::generate::{requests::request, values::index};

/// How many steps one program may have.
const STEPS_MAX: usize = 300;

/// The longest reply taken, in bytes.
const FRAME_LENGTH_MAX: usize = 2 << 10;

/// How many watchers there are.
const WATCHERS: usize = 3;

const PATHS: [&str; 6] = ["/a", "/a/b", "/b", "/a/b/c", "/", ""];

/// Something that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A request made from a seed; watched by one of the watchers, or by none; with a time limit in
    /// units of 100 ms, or without.
    Submit {
        /// The operation, by its place among all.
        op: u8,
        /// What the request is made from.
        seed: u8,
        /// The watcher.
        watcher: u8,
        /// The time limit.
        limit: u8,
    },
    /// Watches are removed.
    Remove {
        /// The path, the kind and the wish, packed.
        what: u8,
        /// The watcher, or everybody.
        watcher: u8,
    },
    /// An identity is added.
    Auth {
        /// Which.
        user: u8,
    },
    /// The oldest unanswered things are answered well.
    Answer {
        /// How many, less one.
        count: u8,
    },
    /// The oldest request is answered with an error.
    Refuse {
        /// Which.
        error: u8,
        /// The zxid.
        zxid: u8,
    },
    /// The oldest request is answered well but for one byte.
    AnswerEdited {
        /// Where.
        place: u8,
        /// With what it is combined.
        mask: u8,
    },
    /// The oldest request is answered with more than the session takes.
    AnswerLong,
    /// A handshake is answered.
    Grant {
        /// How.
        how: u8,
    },
    /// A change is told of.
    Notify {
        /// What changed and where, packed.
        what: u8,
    },
    /// A server says anything.
    Say {
        /// This.
        bytes: Vec<u8>,
    },
    /// The connection ends.
    End {
        /// How.
        cause: u8,
    },
    /// Time passes, in units of 100 ms.
    Sleep {
        /// How many.
        units: u8,
    },
    /// Time passes while the process stands still, in seconds.
    Suspend {
        /// How many.
        seconds: u8,
    },
    /// From now on servers behave like this.
    Behave {
        /// Their habits, a bit each.
        habits: u8,
        /// How they receive, for each of four hosts.
        receptions: u8,
    },
    /// The list of servers changes.
    Hosts {
        /// Who is on it, a bit each.
        hosts: u8,
    },
    /// The session is closed.
    Close,
    /// The session is left to itself.
    Detach,
}

impl Step {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let code = input.arbitrary::<u8>()?;
        let mut next = || input.arbitrary::<u8>();
        Ok(match code & 0x1f {
            0..=5 => Self::Submit { op: next()?, seed: next()?, watcher: next()?, limit: next()? },
            6 => Self::Remove { what: next()?, watcher: next()? },
            7 => Self::Auth { user: next()? },
            8..=11 => Self::Answer { count: next()? },
            12 => Self::Refuse { error: next()?, zxid: next()? },
            13 => Self::AnswerEdited { place: next()?, mask: next()? },
            14 | 15 => Self::Grant { how: next()? },
            16 | 17 => Self::Notify { what: next()? },
            18 => {
                let length = usize::from(next()?);
                let bytes = (0..length).map(|_| next()).collect::<Result<_>>()?;
                Self::Say { bytes }
            }
            19 | 20 => Self::End { cause: next()? },
            21..=24 => Self::Sleep { units: next()? },
            25 => Self::Suspend { seconds: next()? },
            26 | 27 => Self::Behave { habits: next()?, receptions: next()? },
            28 => Self::Hosts { hosts: next()? },
            29 if code & 0xe0 == 0 => Self::Close,
            30 if code & 0xe0 == 0 => Self::Detach,
            31 => Self::AnswerLong,
            _ => Self::Sleep { units: 1 },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Submit { op, seed, watcher, limit } => {
                out.extend([0, *op, *seed, *watcher, *limit]);
            }
            Self::Remove { what, watcher } => out.extend([6, *what, *watcher]),
            Self::Auth { user } => out.extend([7, *user]),
            Self::Answer { count } => out.extend([8, *count]),
            Self::Refuse { error, zxid } => out.extend([12, *error, *zxid]),
            Self::AnswerEdited { place, mask } => out.extend([13, *place, *mask]),
            Self::Grant { how } => out.extend([14, *how]),
            Self::Notify { what } => out.extend([16, *what]),
            Self::Say { bytes } => {
                let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
                out.extend([18, length]);
                out.extend(&bytes[..usize::from(length)]);
            }
            Self::End { cause } => out.extend([19, *cause]),
            Self::Sleep { units } => out.extend([21, *units]),
            Self::Suspend { seconds } => out.extend([25, *seconds]),
            Self::Behave { habits, receptions } => out.extend([26, *habits, *receptions]),
            Self::Hosts { hosts } => out.extend([28, *hosts]),
            Self::Close => out.push(29),
            Self::Detach => out.push(30),
            Self::AnswerLong => out.push(31),
        }
    }
}

/// Settings, and what happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Settings, a bit each; see [`Program::options`].
    pub settings: u8,
    /// What happens.
    pub steps: Vec<Step>,
}

/// What a program led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What the session told, in order.
    pub told: Vec<Entry>,
    /// What it did, connection by connection: the attempt, and frames in order.
    pub done: Vec<Entry>,
}

impl Program {
    /// Makes a program of any bytes.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        let mut input = Unstructured::new(data);
        let settings = input.arbitrary().unwrap_or_default();
        let mut steps = Vec::new();
        while steps.len() < STEPS_MAX && !input.is_empty() {
            let Ok(step) = Step::read(&mut input) else { break };
            steps.push(step);
        }
        Self { settings, steps }
    }

    /// The bytes that make this program.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![self.settings];
        self.steps.iter().for_each(|step| step.write(&mut out));
        out
    }

    /// Whether the session may ask another server on a second connection. What happens on two
    /// connections at the same time has no order, so outcomes may differ where bytes are cut up.
    #[must_use]
    pub const fn has_probes(&self) -> bool {
        self.settings & 2 != 0
    }

    /// Runs it, and ends with everybody holding nothing.
    ///
    /// # Panics
    ///
    /// When the session breaks its contract.
    #[must_use]
    pub fn run(&self, cutting: Cutting) -> Outcome {
        let mut world = World::new(self.options(cutting));
        let watchers: Vec<_> = (0..WATCHERS).map(|_| world.watcher()).collect();
        let mut entries = Vec::new();
        for step in &self.steps {
            run(&mut world, &watchers, step);
            world.settle();
            entries.extend(world.take_entries());
        }
        world.finish_with(|last| entries.extend(last));
        let is_told = |entry: &Entry| matches!(entry.what, What::Seen(_));
        let (told, mut done): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_told);
        // What is done on different connections at the same time has no order.
        done.sort_by_key(|entry| match &entry.what {
            What::Connect { attempt, .. } | What::Sent { attempt, .. } => Some(*attempt),
            What::Seen(_) => None,
        });
        Outcome { told, done }
    }

    /// Small limits, so that small programs reach them.
    fn options(&self, cutting: Cutting) -> Options {
        let is_set = |bit: u8| self.settings >> bit & 1 == 1;
        let mut options = Options::new(if is_set(0) { 3 } else { 1 });
        options.cutting = cutting;
        options.seed = self.settings.into();
        let config = &mut options.config;
        config.frame_length_max = FRAME_LENGTH_MAX;
        config.set_watches_bytes_max = 16;
        config.session_timeout = Duration::from_secs(6);
        config.can_be_read_only = self.has_probes();
        config.auto_watch_reset = !is_set(2);
        if is_set(3) {
            config.request_timeout = Some(Duration::from_secs(1));
            config.new_session_timeout = Some(Duration::ZERO);
        }
        if is_set(4) {
            config.requests_max = 5;
            config.request_bytes_max = 300;
            config.watches_max = 2;
        }
        if is_set(5) {
            config.backoff.jitter = Duration::from_millis(700);
        }
        if is_set(6) {
            config.first_xid = Xid(i32::MAX - 4);
        }
        if is_set(7) {
            options.habits = Habits::HELPFUL;
        }
        options
    }
}

fn run(world: &mut World, watchers: &[WatcherId], step: &Step) {
    let watcher = |code: &u8| watchers.get(usize::from(code & 3)).copied();
    match step {
        Step::Submit { op, seed, watcher: code, limit } => {
            let op = Op::ALL[usize::from(*op) % Op::ALL.len()];
            // Never none at all: what a slow socket has taken by then is a matter of chance.
            let units = u32::from(limit >> 2) + 1;
            let timeout = (*limit & 3 == 0).then(|| Duration::from_millis(100) * units);
            let watcher = watcher(code).filter(|_| sets_watch(op));
            submit(world, op, *seed, SubmitOptions { watcher, timeout });
        }
        Step::Remove { what, watcher: code } => {
            let path = PATHS[usize::from(what >> 4) % PATHS.len()];
            let kind = WatcherType::from_code(i32::from(what & 7)).unwrap_or(WatcherType::Any);
            // A refusal is an answer too.
            let _ = world.try_remove_watches(path, watcher(code), kind, what & 8 == 0);
        }
        Step::Auth { user } => {
            let user = format!("user{}:pw", user & 3);
            let _ = world.try_add_auth("digest", &user);
        }
        Step::Answer { count } => {
            for _ in 0..=count & 7 {
                world.answer_next();
            }
        }
        Step::Refuse { error, zxid } => {
            let errors =
                [-1, -4, -101, -102, -110, -111, -112, -115, -119, -124, -6, 7, -999, -118, 0];
            // Mostly a missing znode.
            let error = errors.get(usize::from(*error % 32)).copied().unwrap_or(-101);
            world.answer_if_asked(Zxid(0x100 + i64::from(*zxid)), ErrorCode(error), &[]);
        }
        Step::AnswerEdited { place, mask } => {
            world.answer_edited(|frame| {
                // Mostly behind the header.
                let start = if place & 3 == 0 { 0 } else { ReplyHeader::LENGTH % frame.len() };
                let place = start + usize::from(*place) % (frame.len() - start);
                frame[place] ^= mask;
            });
        }
        Step::AnswerLong => {
            world.answer_if_asked(Zxid(0x100), ErrorCode::OK, &[0; FRAME_LENGTH_MAX]);
        }
        Step::Grant { how } => _ = world.grant_if_asked(grant(*how)),
        Step::Notify { what } => {
            let path = PATHS[usize::from(what >> 3) % PATHS.len()];
            world.notify_raw((what & 7).into(), path, 0x100);
        }
        Step::Say { bytes } => world.say(bytes),
        Step::End { cause } => {
            let causes = [Disconnect::End, Disconnect::Reset, Disconnect::TimedOut];
            world.lose(causes[usize::from(*cause) % causes.len()]);
        }
        Step::Sleep { units } => {
            // Mostly shorter than any session lives.
            let units = if units & 7 == 0 { *units } else { units >> 4 };
            world.advance(Duration::from_millis(100) * units.into());
        }
        Step::Suspend { seconds } => {
            let seconds = if seconds & 7 == 0 { 9 } else { seconds >> 6 };
            world.suspend(Duration::from_secs(seconds.into()));
        }
        Step::Behave { habits, receptions } => behave(world, *habits, *receptions),
        Step::Hosts { hosts } => {
            let names = ["a", "b", "c", "d", "e"];
            let chosen = (0..).zip(names).filter(|(bit, _)| hosts >> bit & 1 == 1);
            let chosen: Vec<_> = chosen.map(|(_, name)| name).collect();
            world.update_hosts(&chosen);
        }
        Step::Close => world.close(),
        Step::Detach => world.detach(),
    }
}

const fn sets_watch(op: Op) -> bool {
    matches!(op, Op::Exists | Op::GetData | Op::GetChildren | Op::GetChildren2 | Op::AddWatch)
}

fn submit(world: &mut World, op: Op, seed: u8, options: SubmitOptions) {
    let frame = request(&mut Rng::new(seed.into()), Xid(1), op);
    let mut reader = Reader::new(&frame[RequestHeader::LENGTH..]);
    let Ok(request) = Request::decode(op, &mut reader) else { return };
    // A refusal is an answer too.
    let _ = world.try_submit(&request, options);
}

fn grant(how: u8) -> Grant {
    match how % 32 {
        0 => Grant::EXPIRED,
        1 => Grant::READ_ONLY,
        2 => Grant { session: Some(SessionId(0x77)), ..Grant::ALL },
        3 => Grant { session: Some(SessionId::NONE), ..Grant::ALL },
        4 => Grant { read_only: None, timeout_ms: Some(2_000), ..Grant::ALL },
        5 => Grant { timeout_ms: Some(1), ..Grant::ALL },
        _ => Grant::ALL,
    }
}

fn behave(world: &mut World, habits: u8, receptions: u8) {
    let grant = if habits & 0xc0 == 0 { Grant::READ_ONLY } else { Grant::ALL };
    world.script.habits = Habits {
        handshake: (habits & 7 > 0).then_some(grant),
        pings: habits & 0x38 > 0,
        auth: (habits & 0x70 > 0).then_some(ErrorCode::OK),
        requests: habits & 3 == 3,
        probes: match receptions >> 6 ^ habits & 7 {
            0 => None,
            1 => Some(b"ro"),
            2 => Some(b"rw and more than anybody asked for"),
            3 => Some(b""),
            _ => Some(b"rw"),
        },
    };
    for (host, bits) in ["a:2181", "b:2181", "c:2181", "d:2181"].into_iter().zip([0, 1, 3, 5]) {
        let reception = match receptions >> bits & 7 {
            0 => Reception::Stall,
            1 => Reception::Fail(Disconnect::Refused),
            _ => Reception::Accept,
        };
        world.script.receptions.insert(host.into(), reception);
    }
}

/// An arbitrary program.
#[must_use]
pub fn arbitrary_program(rng: &mut Rng) -> Program {
    let length = 20 + index(rng, 600);
    let data: Vec<u8> = (0..length).map(|_| rng.next_u64().to_be_bytes()[7]).collect();
    Program::read(&data)
}
