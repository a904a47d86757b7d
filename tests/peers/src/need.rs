//! What happens where foreign programs are not wanted, or not installed.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};

/// Returns what was found. Where nothing was, a run under `CI=true` fails, because a peer test
/// that silently does nothing proves nothing; elsewhere the test says so and passes.
///
/// # Panics
///
/// In CI, if `found` is `None`.
#[must_use]
pub fn need<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(!in_ci(), "CI=true, but there is no {what}");
        skipped(what);
    }
    found
}

/// Whether the environment asks for the tests with foreign programs, by `ZK_PEERS=1`. Without it
/// such a test says that it is skipped: a plain `cargo test` needs nothing but Rust.
#[must_use]
pub fn enabled() -> bool {
    let enabled = env::var_os("ZK_PEERS").is_some();
    if !enabled {
        skipped("ZK_PEERS=1 in the environment, which asks for foreign programs");
    }
    enabled
}

/// Whether the environment says `CI=true`.
#[must_use]
pub fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// The seed of a random test: what `ZK_SEED` says, or a fresh one. Prints how to repeat the run.
///
/// # Panics
///
/// When `ZK_SEED` is set and no number.
#[must_use]
pub fn seed() -> u64 {
    let seed = number("ZK_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    println!("replay with ZK_SEED={seed}");
    seed
}

/// A number in the environment.
///
/// # Panics
///
/// When it is set and no number.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// With `ZK_TRACE` in the environment, prints what the drivers log.
pub fn trace_if_wanted() {
    if env::var_os("ZK_TRACE").is_some() {
        // Another test of this process may have done so.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(io::stderr)
            .try_init();
    }
}

/// Prints the line by which a skipped test is recognised. It goes past the test harness, which
/// would swallow the output of a test that passes.
pub fn skipped(what: &str) {
    let _ = writeln!(io::stderr(), "skipped: no {what}");
}
