//! Seeds of random tests: printed first, and repeatable from the environment.

use std::{
    env,
    hash::{BuildHasher, RandomState},
};

/// The seed of this run: what `ZK_SEED` says, or a fresh one. Prints how to repeat the run.
///
/// # Panics
///
/// When `ZK_SEED` is set and not a number.
#[must_use]
pub fn seed() -> u64 {
    let seed = variable("ZK_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    println!("replay with ZK_SEED={seed}");
    seed
}

/// How many operations a random test runs: what `ZK_OPERATIONS` says, or `default`.
///
/// # Panics
///
/// When `ZK_OPERATIONS` is set and not a number.
#[must_use]
pub fn operations(default: u64) -> u64 {
    variable("ZK_OPERATIONS").unwrap_or(default)
}

/// How many rounds a random test runs: what `ZK_ROUNDS` says, or `default`.
///
/// # Panics
///
/// When `ZK_ROUNDS` is set and not a number.
#[must_use]
pub fn rounds(default: usize) -> usize {
    variable("ZK_ROUNDS").map_or(default, |rounds| usize::try_from(rounds).unwrap_or(usize::MAX))
}

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is \"{text}\", which is no number")))
}
