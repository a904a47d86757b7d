//! What holds for every session, whatever its servers do: arbitrary programs in virtual time.
//!
//! Every world checks on the way that each accepted request completes exactly once, that no two
//! equal states follow each other, that nothing but a ConnectRequest goes out before its answer,
//! that numbers are positive and count up in a circle, that each connection ends once; and at the
//! end that nobody holds anything.

use quickcheck::{QuickCheck, TestResult};
use zookeeper_core::{
    Rng,
    wire::{Op, Xid},
};
use zookeeper_sim::{
    client::{Cutting, Habits, Options, Outcome, Program, What, World, arbitrary_program},
    pair::{Chunking, request::get_data},
    replay,
};

fn whole(program: &Program) -> Outcome {
    program.run(Cutting::default())
}

#[test]
fn every_program_keeps_the_contract() {
    fn property(seed: u64) -> bool {
        println!("seed {seed}");
        let program = arbitrary_program(&mut Rng::new(seed));
        let outcome = whole(&program);
        !outcome.done.is_empty()
    }
    QuickCheck::new().tests(replay::operations(400)).quickcheck(property as fn(u64) -> bool);
}

#[test]
fn any_chunking_gives_identical_outputs() {
    fn property(seed: u64, max: u8, reads_per_turn: u8) -> TestResult {
        let mut program = arbitrary_program(&mut Rng::new(seed));
        // One connection at a time: what happens on two has no order.
        program.settings &= !2;
        assert!(!program.has_probes());
        let expected = whole(&program);
        let max = usize::from(max) + 1;
        let cuttings = [
            Cutting { input: Chunking::Bytes, ..Cutting::default() },
            Cutting { input: Chunking::Random(max), ..Cutting::default() },
            Cutting {
                input: Chunking::Random(max),
                reads_per_turn: usize::from(reads_per_turn) + 1,
                socket_buffer: max,
            },
        ];
        for cutting in cuttings {
            let outcome = program.run(cutting);
            if outcome != expected {
                let lists = [(&outcome.told, &expected.told), (&outcome.done, &expected.done)];
                let differ = lists.iter().flat_map(|(one, two)| one.iter().zip(two.iter()));
                let first = differ.into_iter().find(|(one, two)| one != two);
                return TestResult::error(format!("{cutting:?}: {first:?}"));
            }
        }
        TestResult::passed()
    }
    let tests = replay::operations(60);
    QuickCheck::new().tests(tests).quickcheck(property as fn(u64, u8, u8) -> TestResult);
}

#[test]
fn equal_seeds_and_programs_give_equal_outputs() {
    fn property(seed: u64) -> bool {
        let program = arbitrary_program(&mut Rng::new(seed));
        whole(&program) == whole(&program)
    }
    QuickCheck::new().tests(30).quickcheck(property as fn(u64) -> bool);
}

#[test]
fn a_program_is_read_as_it_was_written() {
    fn property(seed: u64) -> bool {
        let program = arbitrary_program(&mut Rng::new(seed));
        Program::read(&program.write()) == program
    }
    QuickCheck::new().tests(200).quickcheck(property as fn(u64) -> bool);
}

/// The numbers of a session that begins near the largest.
#[test]
fn numbers_go_round_and_leave_out_the_largest() {
    let mut options = Options::new(1);
    options.config.first_xid = Xid(i32::MAX - 3);
    options.habits = Habits::HELPFUL;
    let mut world = World::new(options);
    for _ in 0..6 {
        world.submit(&get_data("/a", false));
    }
    world.settle();
    // They are not begun again with a new connection.
    world.lose(zookeeper_core::Disconnect::Reset);
    world.advance_ms(1_100);
    world.submit(&get_data("/a", false));
    let entries = world.take_entries();
    let xids: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Sent { sent, .. } if sent.op() == Some(Op::GetData) => sent.xid(),
            _ => None,
        })
        .collect();
    let expected = [i32::MAX - 3, i32::MAX - 2, i32::MAX - 1, 1, 2, 3, 4];
    assert_eq!(xids, expected.map(Xid));
    world.finish();
}

/// The programs reach what they are for.
#[test]
fn programs_reach_everything() {
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..300 {
        let program = arbitrary_program(&mut Rng::new(seed));
        let outcome = whole(&program);
        for entry in outcome.told.iter().chain(&outcome.done) {
            let line = entry.what.to_string();
            let words = line.split_whitespace().filter(|word| !word.contains(char::is_numeric));
            let kind: Vec<_> = words.take(3).collect();
            *kinds.entry(kind.join(" ")).or_default() += 1;
        }
    }
    for expected in [
        "reply ok",
        "reply failed: connection",
        "reply failed: session",
        "reply failed: request",
        "reply failed: malformed",
        "reply failed: reply",
        "reply failed: authentication",
        "reply failed: no",
        "restored to",
        "lost to",
        "state ConnectedReadOnly",
        "state Expired",
        "state AuthFailed",
        "closed: detached",
        "closed: closed",
        "ended: closed by",
        "ended: nothing heard",
        "ended: malformed",
        "ended: left for",
        "ended: moved to",
        "ended: the server",
        "ended: a request",
        "warning: notification of",
        "warning: zxid",
        "warning: watches not",
        "> set_watches",
        "> close_session",
    ] {
        let count: usize =
            kinds.iter().filter(|(kind, _)| kind.contains(expected)).map(|(_, count)| *count).sum();
        println!("{count} of {expected}");
        assert!(count > 0, "nothing is like {expected:?}");
    }
}
