//! Medians, and how they compare with the first client's.

use std::{fmt, time::Duration};

use crate::load::Outcome;

/// Outcomes of one load, by client.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<(String, Vec<Outcome>)>,
}

impl Table {
    pub fn add(&mut self, client: &str, outcome: Outcome) {
        match self.rows.iter_mut().find(|(name, _)| name == client) {
            Some((_, outcomes)) => outcomes.push(outcome),
            None => self.rows.push((client.to_owned(), vec![outcome])),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<(&str, Row)> =
            self.rows.iter().map(|(name, outcomes)| (name.as_str(), Row::of(outcomes))).collect();
        writeln!(
            f,
            "{:<24} {:>10} {:>7} {:>10} {:>7} {:>10} {:>17}",
            "client", "ops/s", "ratio", "cpu µs/op", "ratio", "cores", "ops/s, min..max"
        )?;
        let Some((_, first)) = rows.first() else { return Ok(()) };
        for (name, row) in &rows {
            writeln!(
                f,
                "{name:<24} {:>10.0} {:>7.2} {:>10.2} {:>7.2} {:>10.2} {:>8.0}..{:<8.0}",
                row.rate,
                row.rate / first.rate,
                row.processor,
                row.processor / first.processor,
                row.rate * row.processor / 1e6,
                row.slowest,
                row.fastest,
            )?;
        }
        Ok(())
    }
}

/// Of one client, over all rounds.
struct Row {
    /// Operations per second, the median.
    rate: f64,
    /// Processor time per operation in microseconds, the median.
    processor: f64,
    slowest: f64,
    fastest: f64,
}

impl Row {
    fn of(outcomes: &[Outcome]) -> Self {
        let rates = sorted(outcomes, |outcome| per_second(outcome.operations, outcome.elapsed));
        let processor = sorted(outcomes, |outcome| {
            outcome.processor.as_secs_f64() * 1e6 / outcome.operations.max(1) as f64
        });
        Self {
            rate: rates[rates.len() / 2],
            processor: processor[processor.len() / 2],
            slowest: rates[0],
            fastest: rates[rates.len() - 1],
        }
    }
}

fn per_second(operations: u64, elapsed: Duration) -> f64 {
    operations as f64 / elapsed.as_secs_f64()
}

fn sorted(outcomes: &[Outcome], number: impl Fn(&Outcome) -> f64) -> Vec<f64> {
    let mut numbers: Vec<f64> = outcomes.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}
