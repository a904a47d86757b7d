//! Where fuzzing starts from: valid frames of every operation.
//!
//! The committed corpus is made of these and of inputs that once were findings.

use zookeeper_core::{
    Rng, SessionId, Zxid,
    wire::{
        Blob, Command, ConnectRequest, Encode, ErrorCode, Op, ReplyHeader, RequestHeader,
        TxnHeader, Xid,
    },
};

use super::{
    crash,
    server::{Kind, Operation},
    stream::frame,
};
use crate::{
    client::{Program, Step},
    generate::wire::{Records, txn_header, with_records},
};

/// One input: the target it is for, its name, its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// A name within the target.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// All inputs to start from. They are the same every time.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for &op in Op::ALL {
        let header = RequestHeader { xid: Xid(1), op: op.code() };
        if let Some(record) = small(|records, rng| Some(records.request(rng, op)?.to_vec())) {
            let bytes = [header.to_vec(), record].concat();
            let framed = [&[3][..], &frame(&bytes)].concat();
            seeds.push(Seed { target: "frames", name: op.name().into(), bytes: framed });
            seeds.push(Seed { target: "request_decode", name: op.name().into(), bytes });
        }
        if let Some(record) = small(|records, rng| Some(records.response(rng, op)?.to_vec())) {
            let header = ReplyHeader { xid: Xid(1), zxid: Zxid(2), error: ErrorCode::OK };
            let bytes = [op.code().to_vec(), header.to_vec(), record].concat();
            seeds.push(Seed { target: "response_decode", name: op.name().into(), bytes });
        }
        if let Some(bytes) = small(|records, rng| {
            let txn = records.txn(rng, op)?;
            let mut bytes = Vec::with_capacity(TxnHeader::LENGTH);
            txn_header(rng).encode(op, &mut bytes);
            txn.encode_body(&mut bytes);
            Some(bytes)
        }) {
            seeds.push(Seed { target: "txn_decode", name: op.name().into(), bytes });
        }
    }
    seeds.extend(handshakes());
    seeds.extend(servers());
    seeds.extend(clients());
    seeds.extend(crashes());
    let payloads: Vec<_> = seeds.iter().filter(|seed| seed.target == "txn_decode").collect();
    let stores: Vec<_> = stores(&payloads).collect();
    seeds.extend(stores);
    seeds
}

/// Logs of every transaction, snapshots, and stores of both.
fn stores(payloads: &[&Seed]) -> impl Iterator<Item = Seed> {
    const END: u8 = 0xff;
    let record = |payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[0][..], &length, payload].concat()
    };
    let logs = payloads.iter().map(|seed| (seed.name.clone(), record(&seed.bytes)));
    let all: Vec<u8> = payloads.iter().flat_map(|seed| record(&seed.bytes)).collect();
    let damaged = [("flipped", 0xc0), ("cut", 0xc1), ("lost", 0xc2)]
        .map(|(name, kind)| (name.to_owned(), [&all[..], &[0x83, 0, kind, 2, 0x80]].concat()));
    let logs: Vec<_> =
        logs.chain([("everything".to_owned(), all.clone())]).chain(damaged).collect();
    // Two sessions, an ACL, znodes of each kind one below the other, both sections, and damage.
    let snapshot = |kind: u8, damage: &[u8]| {
        let start = [2, 40, 50, 1, 3];
        let nodes = (0..16_u8).flat_map(|node| {
            let path = [0, node, node / 4];
            let depth = 1 + usize::from(node % 2);
            [&[(node << 2) | (node % 2)][..], &path[..depth], &[node, 2, b'x', b'y']].concat()
        });
        start.into_iter().chain(nodes).chain([kind]).chain(damage.iter().copied()).collect()
    };
    let snapshots: [(&str, Vec<u8>); 5] = [
        ("whole", snapshot(0xa0, &[])),
        ("without_digest", snapshot(0xb3, &[])),
        ("without_sections", snapshot(0xa8, &[])),
        ("flipped", snapshot(0xa3, &[0xc0, 0, 99])),
        ("cut", snapshot(0xa3, &[0xc1, 1, 99])),
    ];
    let store = |parts: &[(u8, &[u8])]| -> Vec<u8> {
        let part = |(name, bytes): &(u8, &[u8])| [&[*name][..], bytes, &[END]].concat();
        [0].into_iter().chain(parts.iter().flat_map(part)).collect()
    };
    let (good, bad, create) =
        (&snapshots[0].1[..], &snapshots[3].1[..], &record(&payloads[0].bytes));
    let two = [&create[..], create].concat();
    let stores = [
        ("one_log", store(&[(0, good), (3, &all)])),
        ("two_logs", store(&[(0, good), (3, &two), (4, &all)])),
        ("gap", store(&[(0, good), (3, &two), (5, &all)])),
        ("torn", store(&[(0, good), (3, &two), (4, &logs[logs.len() - 2].1)])),
        ("older_snapshot", store(&[(0, good), (1, bad), (3, &two), (4, &all)])),
        ("no_snapshot", store(&[(3, &two), (4, &all)])),
        ("temporary", store(&[(0, good), (7, bad)])),
        ("unreadable", store(&[(0, good), (0x41, good), (3, &all)])),
        ("empty_log", store(&[(0, good), (3, &two), (4, &[])])),
    ];
    let logs = logs.into_iter().map(|(name, bytes)| ("log", name, [&[0, 63][..], &bytes].concat()));
    let snapshots = snapshots
        .into_iter()
        .map(|(name, bytes)| ("snapshot", name.to_owned(), [&[0, 63][..], &bytes].concat()));
    let stores = stores.into_iter().map(|(name, bytes)| ("recovery", name.to_owned(), bytes));
    let all: Vec<_> = logs.chain(snapshots).chain(stores).collect();
    all.into_iter().map(|(target, name, bytes)| Seed { target, name, bytes })
}

fn handshakes() -> impl Iterator<Item = Seed> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 10_000,
        session: SessionId::NONE,
        password: Some(Blob::Slice(&[0; 16])),
        read_only: Some(false),
    };
    let ping = frame(&RequestHeader { xid: Xid::PING, op: Op::Ping.code() }.to_vec());
    let sessions = [("expired", 4), ("ahead", 5), ("busy", 6), ("resumed", 7)];
    let resumed = sessions.map(|(name, session)| {
        (name, ConnectRequest { session: SessionId(session), ..request }.to_vec())
    });
    let fresh = [
        ("new", request.to_vec()),
        ("legacy", ConnectRequest { read_only: None, ..request }.to_vec()),
        ("without_password", ConnectRequest { password: None, ..request }.to_vec()),
    ];
    let requests = fresh
        .into_iter()
        .chain(resumed)
        .map(move |(name, body)| (name.into(), [&[5][..], &frame(&body), &ping].concat()));
    let commands = Command::ALL
        .iter()
        .map(|command| (file_name(*command), [&[5][..], &command.to_bytes(), &[0; 8]].concat()));
    requests.chain(commands).map(|(name, bytes)| Seed { target: "handshake", name, bytes })
}

/// Settings and operations for a whole server.
fn servers() -> impl Iterator<Item = Seed> {
    const NEW: u8 = u8::MAX;
    let accept = Kind::Accept { address: 1 };
    let connect = |client, session| Kind::Connect { client, session, is_wrong: false };
    let request = |client, op, seed| Kind::Request { client, op, seed, edit: None };
    let all = |client| (0..=u8::MAX).step_by(7).map(move |code| request(client, code, code));
    let start = [accept.clone(), connect(0, NEW)];
    // Every operation after some creates, with and without a log.
    let operations = (0..Op::ALL.len()).map(|index| {
        let code = u8::try_from(index).unwrap_or(0);
        let creates = (0..6).map(|seed| request(0, 0, seed));
        let requests = (10..14).map(move |seed| request(0, code, seed));
        let kinds: Vec<_> = start.iter().cloned().chain(creates).chain(requests).collect();
        (Op::ALL[index].name().to_owned(), 0x30, kinds)
    });
    let stored = |kinds: &[Kind], stores: &[Kind]| -> Vec<Kind> {
        let stored = |kind: &Kind| [std::slice::from_ref(kind), stores].concat();
        kinds.iter().flat_map(stored).collect()
    };
    let store = |lane, count| Kind::Store { lane, count };
    let writes: Vec<_> = (0..=u8::MAX).step_by(5).map(|seed| request(0, 0, seed)).collect();
    let (log, both) = ([store(0, 3)], [store(0, 15), store(1, 15)]);
    let everything: Vec<_> = start.iter().cloned().chain(all(0)).collect();
    let two = [accept.clone(), accept.clone(), connect(0, NEW), connect(1, NEW)];
    let watched: Vec<_> =
        two.iter().cloned().chain(all(0).zip(all(1)).flat_map(|(one, two)| [one, two])).collect();
    let blocked = [Kind::Window { client: 0, size: 100 }];
    let blocked: Vec<_> = start.iter().chain(&blocked).cloned().chain(all(0)).collect();
    let sleep = Kind::Sleep { units: 100 };
    let lost = [Kind::End { client: 0, cause: 1 }, accept.clone()];
    let back = |last| start.iter().chain(&lost).cloned().chain([connect(1, 0), last]).collect();
    let command = |command| Kind::Command { client: 0, command };
    let stories = [
        ("everything", 0x30, everything.clone()),
        ("logged", 0x31, stored(&everything, &log)),
        ("snapshots", 0x71, stored(&[&start[..], &writes, &writes].concat(), &both)),
        ("snapshot_fails", 0x71, {
            let fails = [store(0, 5), store(1, 0), Kind::StoreFails { lane: 1 }];
            stored(&everything, &fails)
        }),
        ("snapshot_late", 0xf1, {
            let last = [store(1, 9), store(0, 9), store(1, 9), Kind::Shutdown];
            [&everything[..], &last].concat()
        }),
        ("first_snapshot_fails", 0xf1, [&start[..], &[Kind::StoreFails { lane: 1 }]].concat()),
        ("store_fails", 0x31, [&everything[..], &[Kind::StoreFails { lane: 0 }]].concat()),
        ("watched", 0x30, watched),
        ("limits", 0x3a, blocked),
        ("authenticated", 0x34, everything),
        ("resumed", 0x31, back(sleep.clone())),
        ("expired", 0x30, [&start[..], &[sleep]].concat()),
        ("shut_down", 0x30, [&start[..], &[Kind::Shutdown]].concat()),
        ("disconnected", 0x30, [&start[..], &[Kind::Disconnect { client: 0 }]].concat()),
    ];
    let stories = stories.into_iter().map(|(name, settings, kinds)| (name.into(), settings, kinds));
    let commands = Command::ALL
        .iter()
        .zip(0..)
        .map(move |(word, code)| (file_name(*word), 0x30, vec![accept.clone(), command(code)]));
    let operations: Vec<_> = operations.collect();
    operations.into_iter().chain(stories).chain(commands).map(|(name, settings, kinds)| {
        let mut bytes = vec![settings];
        for kind in kinds {
            Operation { is_batched: false, kind }.write(&mut bytes);
        }
        Seed { target: "server", name, bytes }
    })
}

/// Settings and steps for a server's lives.
fn crashes() -> Vec<Seed> {
    use crash::Step;
    const COME: Step = Step::Connect { is_short: false };
    let life = |from: u8| -> Vec<Step> {
        let asks = (from..from + 40).map(|seed| Step::Ask { client: seed % 3, seed });
        let end = [Step::Rest, Step::Lose { client: 1 }, Step::Sleep { units: 200 }, Step::Rest];
        [COME, Step::Connect { is_short: true }, COME].into_iter().chain(asks).chain(end).collect()
    };
    let mut stories = Vec::new();
    for settings in [0, 0x10, 0x20, 0x40, 0x80, 0xf0] {
        let mut lives = Vec::new();
        for how in 0..6 {
            lives.extend(life(how * 40));
            lives.push(Step::Crash { data: how, entries: how, bytes: 77 });
            lives.extend([Step::Resume { client: 0 }, Step::Resume { client: 1 }, Step::Rest]);
        }
        stories.push((format!("lives_{settings:02x}"), settings, lives));
        let closed = [&life(3)[..], &[Step::CloseSession { client: 0 }]].concat();
        stories.push((format!("closed_{settings:02x}"), settings, closed));
    }
    for what in 0..12 {
        let spoil = Step::Spoil { lane: what % 2 == 1, fault: what / 2 };
        let crash = Step::Crash { data: 5, entries: 2, bytes: what };
        let steps = [&[COME, spoil], &life(what)[..], &[crash], &life(what)].concat();
        stories.push((format!("fault_{what}"), 0, steps));
    }
    let seed = |(name, settings, steps): (String, u8, Vec<Step>)| {
        let mut bytes = vec![settings];
        steps.iter().for_each(|step| step.write(&mut bytes));
        Seed { target: "crash", name, bytes }
    };
    stories.into_iter().map(seed).collect()
}

/// Settings and steps for a client's session.
fn clients() -> impl Iterator<Item = Seed> {
    operations_of_clients().chain(stories_of_clients()).map(|(name, settings, steps)| Seed {
        target: "client",
        name: name.into(),
        bytes: Program { settings, steps }.write(),
    })
}

const ANSWERS: Step = Step::Answer { count: 7 };

/// A second and a half.
const PAUSE: Step = Step::Sleep { units: 0xf1 };

/// The connection is lost, and all is well again.
const ROUND: [Step; 3] = [Step::End { cause: 1 }, PAUSE, ANSWERS];

const fn submit(op: u8, seed: u8) -> Step {
    Step::Submit { op, seed, watcher: seed, limit: 1 }
}

/// Every operation, watched where it can be, before and behind a lost connection.
fn operations_of_clients() -> impl Iterator<Item = (&'static str, u8, Vec<Step>)> {
    Op::ALL.iter().zip(0..).map(|(op, code)| {
        let requests: Vec<_> = (0..8).map(|seed| submit(code, seed)).collect();
        let steps = [&requests[..], &[ANSWERS], &ROUND, &requests, &ROUND].concat();
        (op.name(), 0x40, steps)
    })
}

fn stories_of_clients() -> impl Iterator<Item = (&'static str, u8, Vec<Step>)> {
    const LOSE: Step = Step::End { cause: 0 };
    let everything: Vec<_> = (0..60).map(|code| submit(code, code)).collect();
    let some = [submit(2, 0), submit(3, 1), submit(28, 2), ANSWERS];
    let removals: Vec<_> = (1..=13).map(|what| Step::Remove { what, watcher: what }).collect();
    let notifications: Vec<_> = (0..48).map(|what| Step::Notify { what }).collect();
    let errors = (0..15).flat_map(|error| [submit(3, 1), Step::Refuse { error, zxid: error }]);
    let edits = (0..40).flat_map(|place| [submit(3, 1), Step::AnswerEdited { place, mask: 0x80 }]);
    let silent = Step::Behave { habits: 0xb8, receptions: 0xff };
    let grants = (0..8).flat_map(|how| {
        [silent.clone(), LOSE, PAUSE, submit(3, how), Step::Grant { how: 7 - how }]
    });
    let refusing = [Step::Behave { habits: 0xff, receptions: 0x49 }, LOSE];
    let read_only = [Step::Behave { habits: 0x3c, receptions: 0xff }, LOSE];
    let hosts: Vec<_> = (0..31).map(|hosts| Step::Hosts { hosts }).collect();
    let long = Step::Say { bytes: [&[0, 0x10, 0, 0, 0, 0, 0, 1][..], &[0; 200]].concat() };
    let users = [Step::Auth { user: 1 }, Step::Auth { user: 2 }];
    let pauses = vec![PAUSE; 9];
    [
        ("everything", 0x40, [&everything[..], &[ANSWERS], &everything].concat()),
        ("small_limits", 0x10, [&everything[..], &[ANSWERS], &everything].concat()),
        ("removals", 0x00, [&some[..], &removals, &[ANSWERS], &ROUND].concat()),
        ("notifications", 0x00, [&some[..], &notifications, &some, &ROUND].concat()),
        ("no_watch_reset", 0x04, [&some[..], &ROUND, &notifications].concat()),
        ("errors", 0x00, errors.collect()),
        ("edits", 0x00, edits.collect()),
        ("grants", 0x00, grants.collect()),
        ("refused", 0x09, [&some[..], &refusing, &pauses, &some].concat()),
        ("read_only", 0x03, [&some[..], &read_only, &pauses, &some].concat()),
        ("hosts", 0x21, [&some[..], &hosts, &some].concat()),
        ("authenticated", 0x80, [&users[..], &some, &ROUND].concat()),
        ("late", 0x08, [&some[..3], &pauses, &some, &ROUND].concat()),
        ("too_long", 0x00, [&some[..], &[submit(3, 1), long], &everything].concat()),
        ("too_long_answer", 0x00, [&some[..3], &[Step::AnswerLong], &ROUND].concat()),
        ("closed", 0x80, [&some[..], &[submit(2, 1), Step::Close], &some].concat()),
        ("detached", 0x80, [&some[..], &[submit(2, 1), Step::Detach], &some].concat()),
        ("suspended", 0x80, [&some[..], &[Step::Suspend { seconds: 8 }], &some].concat()),
    ]
    .into_iter()
}

fn file_name(command: Command) -> String {
    command.name().replace(' ', "_")
}

/// The first arbitrary record that is neither trivial nor long.
fn small(record: impl for<'a> Fn(&'a Records<'a>, &mut Rng) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let candidates = (0..200).map(|seed| with_records(seed, &record));
    let candidates: Vec<Vec<u8>> = candidates.collect::<Option<_>>()?;
    let distance = |bytes: &&Vec<u8>| bytes.len().abs_diff(48);
    candidates.iter().min_by_key(distance).cloned()
}
