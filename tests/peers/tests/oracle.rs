//! The differential oracle as a test. It runs with `ZK_PEERS=1`; `ZK_SEED` and `ZK_OPERATIONS`
//! replay a run, `ZK_TRACE` prints its steps, and `ZK_SHRINK` looks for a shorter script.

use std::env;

use zookeeper_peers::oracle::Plan;
use zookeeper_peers::{Kind, Program, number};

/// Enough for the continuous run; the full one is asked for with `ZK_OPERATIONS`.
const OPERATIONS: usize = 5_000;
/// The seed of the continuous run.
const SEED: u64 = 1;

#[test]
fn apache_and_ours_do_the_same() {
    if env::var_os("ZK_PEERS").is_none() {
        zookeeper_peers::skipped("ZK_PEERS=1, without which no foreign server is started");
        return;
    }
    if let (Some(theirs), Some(ours)) = (Kind::Apache.need(), Kind::Ours.need()) {
        run(theirs, ours, false);
    }
}

/// And go on doing the same, each on what the other has written.
#[test]
fn they_do_the_same_on_each_others_data() {
    if !zookeeper_peers::enabled() {
        return;
    }
    if let (Some(theirs), Some(ours)) = (Kind::Apache.need(), Kind::Ours.need()) {
        run(theirs, ours, true);
    }
}

/// Proves the oracle itself: whatever differs here is masked too little, or is not determined.
#[test]
#[ignore = "takes two Java servers"]
fn apache_does_the_same_twice() {
    if let Some(program) = Kind::Apache.need() {
        run(program.clone(), program, false);
    }
}

fn run(theirs: Program, ours: Program, crosses: bool) {
    let seed = number("ZK_SEED").unwrap_or(SEED);
    let operations = number("ZK_OPERATIONS").and_then(|number| usize::try_from(number).ok());
    let operations = operations.unwrap_or(OPERATIONS);
    let is_traced = env::var_os("ZK_TRACE").is_some();
    let is_shrunk = env::var_os("ZK_SHRINK").is_some();
    let plan = Plan { theirs, ours, seed, operations, crosses, is_traced, is_shrunk };
    println!("ZK_SEED={seed} ZK_OPERATIONS={operations}");
    match plan.run() {
        Ok(summary) => println!("{summary}"),
        Err(failure) => panic!("{failure}"),
    }
}
