//! The differential oracle: the same frames for Apache ZooKeeper and for this server, and every
//! reply and event compared.
//!
//! A run is made of episodes. Each starts both servers afresh with one configuration and plays a
//! script that [`Generator`] writes as it goes, several clients at a time but one step after the
//! other: a step ends when every client has had the reply to a ping, so nothing is ever on its
//! way while the next one begins, and nothing depends on the order in which threads run.
//!
//! What is compared is described at [`seen::Seen`]; what may differ stands in [`expected::TABLE`].

mod choices;
mod commands;
mod expected;
mod generator;
mod judge;
mod malformed;
pub(crate) mod pools;
mod requests;
mod runner;
mod scenes;
mod script;
mod seen;
mod shrink;
mod side;
mod world;
mod zxids;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::{Options, Program, Server};

use expected::TABLE;
use generator::Generator;
use judge::Difference;
use runner::Runner;
use script::Step;
use shrink::Shrinker;

/// How many operations one pair of servers serves. Short enough for containers to stay, which
/// servers remove once a minute, and for a difference to be replayed quickly.
const EPISODE_OPERATIONS: usize = 2_500;
/// How many steps a report shows.
const SHOWN_STEPS: usize = 12;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The reference.
    pub theirs: Program,
    /// The server under test.
    pub ours: Program,
    /// The first episode's seed; the next ones count up.
    pub seed: u64,
    /// How many operations in all.
    pub operations: usize,
    /// Whether the servers exchange their directories in the middle of each episode.
    pub crosses: bool,
    /// Whether to print every step with its answers.
    pub is_traced: bool,
    /// Whether to look for a shorter script that shows the same difference.
    pub is_shrunk: bool,
}

/// What a run without a difference amounts to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Operations sent to each server.
    pub operations: usize,
    /// Frames compared, events and barriers included.
    pub compared: usize,
    /// Time spent on it, without starting servers for an episode.
    pub duration: Duration,
    /// How often each row of the table was needed.
    pub hits: BTreeMap<&'static str, usize>,
}

/// A difference, with what it takes to see it again.
#[derive(Debug)]
pub struct Finding {
    /// The episode's seed.
    seed: u64,
    /// Operations up to the step that differs, which is included.
    operations: usize,
    steps: Vec<Step>,
    difference: Difference,
}

/// Why a run ended early.
#[derive(Debug)]
pub enum Failure {
    /// A server did not start.
    Start(io::Error),
    /// The servers differ.
    Found(Box<Finding>),
}

impl Plan {
    /// Plays episodes until there were enough operations.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn run(&self) -> Result<Summary, Failure> {
        let mut summary = Summary::default();
        let mut seed = self.seed;
        while summary.operations < self.operations {
            let left = self.operations - summary.operations;
            self.episode(seed, left.min(EPISODE_OPERATIONS), &mut summary)?;
            seed = seed.wrapping_add(1);
        }
        Ok(summary)
    }

    fn episode(&self, seed: u64, limit: usize, summary: &mut Summary) -> Result<(), Failure> {
        let mut runner = fresh(self, seed).map_err(Failure::Start)?;
        let mut crosses = self.crosses;
        let mut generator = Generator::new(seed);
        let (mut steps, mut operations) = (Vec::new(), 0);
        let start = Instant::now();
        while operations < limit {
            let step = if crosses && operations > limit / 2 && generator.is_free() {
                crosses = false;
                generator.cross()
            } else {
                generator.next_step()
            };
            operations += step.operations();
            steps.push(step);
            let step = &steps[steps.len() - 1];
            match runner.play(step) {
                Ok(answers) => {
                    if self.is_traced {
                        println!("{}: {step}", steps.len() - 1);
                        answers.iter().for_each(|answer| println!("    {}", answer.seen));
                    }
                    generator.learn(step, &answers);
                }
                Err(difference) => {
                    let finding = Finding { seed, operations, steps, difference };
                    return Err(Failure::Found(Box::new(self.shrink(finding))));
                }
            }
        }
        summary.duration += start.elapsed();
        summary.operations += operations;
        summary.compared += runner.judge().compared();
        for (name, hits) in runner.judge().hits() {
            *summary.hits.entry(name).or_default() += hits;
        }
        Ok(())
    }

    fn shrink(&self, finding: Finding) -> Finding {
        if !self.is_shrunk {
            return finding;
        }
        let Finding { seed, operations, steps, difference } = finding;
        let play = |steps: &[Step]| {
            let mut runner = fresh(self, seed)?;
            Ok(steps.iter().find_map(|step| runner.play(step).err()))
        };
        let (steps, difference) = Shrinker::new(&play, steps, difference).shrink();
        Finding { seed, operations, steps, difference }
    }
}

/// Servers and clients for one episode.
fn fresh(plan: &Plan, seed: u64) -> io::Result<Runner> {
    let options = options(seed);
    let theirs = Server::start(&plan.theirs, &options)?;
    let ours = Server::start(&plan.ours, &options)?;
    Ok(Runner::new(theirs, ours))
}

/// The configuration of an episode: one switch at a time is not at its usual place.
fn options(seed: u64) -> Options {
    let options = Options::default()
        .set("tickTime", "200")
        .set("maxSessionTimeout", "60000")
        .set("forceSync", "no")
        .set("enforceQuota", if seed % 5 == 1 { "false" } else { "true" });
    match seed % 5 {
        2 => options.set("extendedTypesEnabled", "false"),
        3 => options.set("skipACL", "yes"),
        _ => options,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, compared, duration, hits } = self;
        let rate =
            f64::from(u32::try_from(*operations).unwrap_or(u32::MAX)) / duration.as_secs_f64();
        writeln!(f, "{operations} operations, {compared} frames compared, {rate:.0} operations/s")?;
        for row in TABLE {
            let hits = hits.get(row.name).copied().unwrap_or_default();
            writeln!(f, "  expected {hits} times: {} ({})", row.name, row.reason)?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "{error}"),
            Self::Found(finding) => write!(f, "{finding}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, operations, steps, difference } = self;
        writeln!(f, "a difference; again with ZK_SEED={seed} ZK_OPERATIONS={operations}")?;
        let first = steps.len().saturating_sub(SHOWN_STEPS);
        for (index, step) in steps.iter().enumerate().skip(first) {
            writeln!(f, "  {index}: {step}")?;
        }
        write!(f, "{difference}")
    }
}
