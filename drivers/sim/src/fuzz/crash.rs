//! A server's lives as a list of steps: clients ask, the disk is slow, lies or fails, the power
//! goes, and the next life begins with what is left.

use std::{io::ErrorKind, time::Duration};

use arbitrary::{Result, Unstructured};
use zookeeper_core::{Instant, Rng, Zxid, server::Recovered, storage::Lane};

use crate::{
    crash::{History, Known, Life, Settings, must_hold, start},
    disk::{Crash, Data, Disk, DiskStore, Entries, Fault, Image, Marks, Pace, Plan, Reserve, Rest},
    generate::script,
};

/// How many steps one input may hold.
const STEPS_MAX: usize = 200;

/// When the first life begins.
const START: Instant = Instant::from_millis(1_000_000);

/// Settings, then steps: see [`Step::read`].
///
/// # Panics
///
/// When a start does not find what somebody knows of, or finds what never was.
pub fn crash(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(settings) = input.arbitrary::<u8>() else { return };
    let mut lives = Lives::new(settings);
    for _ in 0..STEPS_MAX {
        let Ok(step) = Step::read(&mut input) else { break };
        if !lives.step(&step) {
            return;
        }
    }
    lives.step(&Step::Crash { data: 0, entries: 0, bytes: 0 });
    lives.life.cut_power();
}

/// Something that happens. Clients are numbered; a number that no client has means nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A client comes, with a short time-out or an ordinary one.
    Connect { is_short: bool },
    /// A client comes back to a session.
    Resume { client: u8 },
    /// A client asks for what a seed says.
    Ask { client: u8, seed: u8 },
    /// A client ends its session.
    CloseSession { client: u8 },
    /// A client is not heard of again.
    Lose { client: u8 },
    /// Everybody waits for an answer.
    Rest,
    /// Time passes.
    Sleep { units: u8 },
    /// Something goes wrong with the next operation of a lane.
    Spoil { lane: bool, fault: u8 },
    /// The power goes, and comes back.
    Crash { data: u8, entries: u8, bytes: u8 },
}

impl Step {
    /// Reads one step: a byte for its kind, then its fields.
    pub(super) fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match input.arbitrary::<u8>()? % 12 {
            0 => Self::Connect { is_short: input.arbitrary()? },
            1 => Self::Resume { client: input.arbitrary()? },
            2..=5 => Self::Ask { client: input.arbitrary()?, seed: input.arbitrary()? },
            6 => Self::CloseSession { client: input.arbitrary()? },
            7 => Self::Lose { client: input.arbitrary()? },
            8 => Self::Rest,
            9 => Self::Sleep { units: input.arbitrary()? },
            10 => Self::Spoil { lane: input.arbitrary()?, fault: input.arbitrary()? },
            _ => Self::Crash {
                data: input.arbitrary()?,
                entries: input.arbitrary()?,
                bytes: input.arbitrary()?,
            },
        })
    }

    /// The bytes that [`Step::read`] reads as this.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Connect { is_short } => out.extend([0, u8::from(is_short)]),
            Self::Resume { client } => out.extend([1, client]),
            Self::Ask { client, seed } => out.extend([2, client, seed]),
            Self::CloseSession { client } => out.extend([6, client]),
            Self::Lose { client } => out.extend([7, client]),
            Self::Rest => out.push(8),
            Self::Sleep { units } => out.extend([9, units]),
            Self::Spoil { lane, fault } => out.extend([10, u8::from(lane), fault]),
            Self::Crash { data, entries, bytes } => out.extend([11, data, entries, bytes]),
        }
    }
}

/// One life after the other.
struct Lives {
    settings: Settings,
    pace: Pace,
    history: History,
    life: Life,
    /// Whether a sync has lied: what was acknowledged may be lost then.
    was_lied_to: bool,
    number: u64,
}

impl Lives {
    /// The highest bits say how the disk works.
    fn new(settings: u8) -> Self {
        let is_set = |bit: u8| settings >> bit & 1 == 1;
        let latency_max = Duration::from_micros(if is_set(7) { 2_000 } else { 0 });
        let pace = Pace { latency_max, shares_syncs: is_set(6) };
        let mut settings = if is_set(5) { Settings::default() } else { Settings::hasty() };
        settings.reserve = if is_set(4) { Reserve::Zeros } else { Reserve::Hidden };
        let history = History::new(settings.server.tree.clone());
        let disk = Disk::new(settings.reserve);
        let image = Image::default();
        let fresh = start(&image, &settings.server.tree, &history, &"the first start");
        let (zxid, recovered) = fresh.expect("a fresh store is welcome");
        let life = begin(&settings, pace, 0, START, recovered, disk, zxid);
        Self { settings, pace, history, life, was_lied_to: false, number: 0 }
    }

    /// Lets it happen. False when nothing can happen any more: a start was refused, as it may be.
    fn step(&mut self, step: &Step) -> bool {
        match *step {
            Step::Connect { is_short } => drop(self.life.connect(None, is_short)),
            Step::Resume { client } => {
                let credentials = self.life.credentials();
                if let Some(&session) = credentials.get(usize::from(client) % 4) {
                    self.life.connect(Some(session), false);
                }
            }
            Step::Ask { client, seed } => {
                let operation = script::operation(&mut Rng::new(seed.into()));
                if let Some(client) = self.life.client(client.into()) {
                    self.life.ask(client, &operation);
                }
            }
            Step::CloseSession { client } => {
                if let Some(client) = self.life.client(client.into()) {
                    self.life.close_session(client);
                }
            }
            Step::Lose { client } => {
                if let Some(client) = self.life.client(client.into()) {
                    self.life.lose(client);
                }
            }
            Step::Rest => self.life.rest(),
            Step::Sleep { units } => self.life.sleep(Duration::from_millis(u64::from(units) * 20)),
            Step::Spoil { lane, fault } => self.spoil(lane, fault),
            Step::Crash { data, entries, bytes } => return self.crash(data, entries, bytes),
        }
        true
    }

    fn spoil(&mut self, lane: bool, fault: u8) {
        let lane = if lane { Lane::Snapshot } else { Lane::Log };
        let fault = match fault % 6 {
            0 => Fault::Fails(ErrorKind::StorageFull),
            1 => Fault::FailsBehind { bytes: fault.into(), kind: ErrorKind::Other },
            2 => Fault::SyncFails,
            3 => Fault::SyncLate,
            4 => Fault::SyncDropped,
            _ => Fault::Slow(Duration::from_millis(fault.into())),
        };
        self.was_lied_to |= matches!(fault, Fault::SyncLate | Fault::SyncDropped);
        self.life.store_mut().spoil_next(lane, fault);
    }

    fn crash(&mut self, data: u8, entries: u8, bytes: u8) -> bool {
        let checkpoints = self.life.world().store().checkpoints();
        let operations = checkpoints.iter().filter_map(|one| one.op.as_ref());
        operations.for_each(|op| self.history.note(op));
        let start_at = self.life.world().now() + Duration::from_secs(1);
        let store = self.life.cut_power();
        let crash = choose(data, entries, bytes);
        let image = store.disk().crash(crash, &mut Marks::default());
        let config = &self.settings.server.tree;
        let (zxid, recovered) = if self.was_lied_to {
            match start(&image, config, &self.history, &crash) {
                Ok(start) => start,
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("log") || error.contains("snapshot"), "{error}");
                    return false;
                }
            }
        } else {
            let known = Known { told: store.told(), sessions: store.sessions() };
            must_hold(&image, config, &self.history, known, &crash)
        };
        self.number += 1;
        self.was_lied_to = false;
        self.history = self.history.until(zxid);
        let disk = Disk::from_image(&image, self.settings.reserve);
        self.life = begin(&self.settings, self.pace, self.number, start_at, recovered, disk, zxid);
        true
    }
}

fn begin(
    settings: &Settings,
    pace: Pace,
    seed: u64,
    start: Instant,
    recovered: Recovered,
    disk: Disk,
    told: Zxid,
) -> Life {
    let store = DiskStore::new(disk, pace, Plan::none(), seed).told_before(told).recording();
    Life::begin(settings, seed, start, recovered, store)
}

/// Which changes arrive; sectors arrive as a whole, but for those of the last write.
fn choose(data: u8, entries: u8, bytes: u8) -> Crash {
    let count = usize::from(bytes);
    let data = match data % 6 {
        0 => Data::Lost,
        1 => Data::Kept,
        2 => Data::Prefix { bytes: count, rest: Rest::Cut },
        3 => Data::Prefix { bytes: count, rest: Rest::Zeros },
        4 => Data::Sectors(bytes.into()),
        _ => Data::Random { torn: false },
    };
    let entries = match entries % 3 {
        0 => Entries::Lost,
        1 => Entries::Kept,
        _ => Entries::Random,
    };
    Crash { data, entries, seed: bytes.into() }
}
