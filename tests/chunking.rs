//! Cut up in any way, a stream of bytes has the same outcome: every byte that comes back, what
//! others hear, how the connection ends, and what the tree looks like.

use quickcheck::{QuickCheck, TestResult};
use zookeeper_core::{
    Rng, Zxid,
    endpoint::{CloseReason, CommandWhitelist},
    wire::{Command, Encode, Op, Xid},
};
use zookeeper_sim::{
    generate::requests::request,
    pair::{Chunking, End, Options, World, request::add_watch},
};

/// What a stream leads to.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    heard: Vec<u8>,
    heard_by_witness: Vec<u8>,
    end: Option<End>,
    applied: Zxid,
    digest: Option<u64>,
    nodes: usize,
}

fn run(stream: &[u8], options: Options) -> Outcome {
    let mut world = World::new(options);
    let witness = world.start();
    world.call(witness, &add_watch("/", 1)).ok();
    let client = world.open();
    world.send_bytes(client, stream);
    world.settle();
    world.half_close(client);
    world.settle();
    let outcome = Outcome {
        heard: world.client(client).transcript().to_vec(),
        heard_by_witness: world.client(witness).transcript().to_vec(),
        end: world.end(client).cloned(),
        applied: world.server().applied(),
        digest: world.server().tree().digest(),
        nodes: world.server().tree().node_count(),
    };
    world.ping(witness);
    world.finish();
    outcome
}

fn options(seed: u64) -> Options {
    let mut options = Options::default();
    options.config.endpoint.commands = CommandWhitelist::all();
    let super_digest: Box<str> = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into();
    options.config.endpoint.super_digest = Some(super_digest.into());
    options.config.tree.extended_types = true;
    options.config.tree.enforce_quota = seed.is_multiple_of(2);
    options
}

/// A client's whole stream: mostly good, sometimes damaged, sometimes not of this world.
fn stream(rng: &mut Rng) -> Vec<u8> {
    if rng.one_in(8) {
        let command = Command::ALL[index(rng, Command::ALL.len())];
        // What these say depends on what is counted, and when.
        if !matches!(command, Command::Cons | Command::Stat | Command::Mntr | Command::Srvr) {
            return [&command.to_bytes()[..], &rng.next_u64().to_be_bytes()].concat();
        }
    }
    let mut stream = framed(&World::hello().to_vec());
    for xid in 1..=rng.below(40) {
        let op = Op::ALL[index(rng, Op::ALL.len())];
        if !op.is_request() && !rng.one_in(4) {
            continue;
        }
        if op == Op::CloseSession && !rng.one_in(4) {
            continue;
        }
        let xid = Xid(i32::try_from(xid).unwrap_or(1));
        stream.extend(framed(&request(rng, xid, op)));
    }
    if rng.one_in(3) {
        let at = index(rng, stream.len());
        stream[at] ^= 1 << rng.below(8);
    }
    if rng.one_in(4) {
        stream.truncate(index(rng, stream.len()));
    }
    stream
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a small frame");
    [&length.to_be_bytes()[..], body].concat()
}

fn index(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(count).unwrap_or(0))).unwrap_or(0)
}

#[test]
fn any_chunking_of_any_stream_has_the_same_outcome() {
    fn property(seed: u64, max: u8, reads_per_turn: u8) -> TestResult {
        let mut rng = Rng::new(seed);
        let stream = stream(&mut rng);
        let whole = run(&stream, options(seed));
        let cut = [
            Options { input: Chunking::Bytes, ..options(seed) },
            Options { input: Chunking::Random(usize::from(max) + 1), ..options(seed) },
            Options {
                input: Chunking::Random(usize::from(max) + 1),
                output: Chunking::Random(usize::from(max / 2) + 1),
                socket_buffer: usize::from(max) * 3 + 1,
                reads_per_turn: usize::from(reads_per_turn) + 1,
                ..options(seed)
            },
        ];
        for options in cut {
            let how = (options.input, options.socket_buffer, options.reads_per_turn);
            let outcome = run(&stream, options);
            if outcome != whole {
                return TestResult::error(format!("{how:?}: {outcome:?}\nwhole: {whole:?}"));
            }
        }
        TestResult::passed()
    }
    QuickCheck::new().tests(150).quickcheck(property as fn(u64, u8, u8) -> TestResult);
}

#[test]
fn every_cut_of_a_stream_in_two_has_the_same_outcome() {
    let mut stream = framed(&World::hello().to_vec());
    let mut rng = Rng::new(9);
    for (xid, op) in (1..).zip([Op::Create, Op::GetData, Op::Multi, Op::Ping, Op::CloseSession]) {
        stream.extend(framed(&request(&mut rng, Xid(xid), op)));
    }
    let whole = run(&stream, options(0));
    assert!(whole.end.as_ref().is_some_and(|end| end.reason == CloseReason::SessionClosed));
    for at in 0..=stream.len() {
        let mut world = World::new(options(0));
        let witness = world.start();
        world.call(witness, &add_watch("/", 1)).ok();
        let client = world.open();
        for part in [&stream[..at], &stream[at..]] {
            world.send_bytes(client, part);
            world.settle();
        }
        assert_eq!(world.client(client).transcript(), whole.heard, "cut at {at}");
        assert_eq!(world.client(witness).transcript(), whole.heard_by_witness, "cut at {at}");
        assert_eq!(world.end(client), whole.end.as_ref());
        world.finish();
    }
}
