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

use super::stream::frame;
use crate::generate::wire::{Records, txn_header, with_records};

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
    seeds
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
        .map(|command| (command.name().into(), [&[5][..], &command.to_bytes(), &[0; 8]].concat()));
    requests.chain(commands).map(|(name, bytes)| Seed { target: "handshake", name, bytes })
}

/// The first arbitrary record that is neither trivial nor long.
fn small(record: impl for<'a> Fn(&'a Records<'a>, &mut Rng) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let candidates = (0..200).map(|seed| with_records(seed, &record));
    let candidates: Vec<Vec<u8>> = candidates.collect::<Option<_>>()?;
    let distance = |bytes: &&Vec<u8>| bytes.len().abs_diff(48);
    candidates.iter().min_by_key(distance).cloned()
}
