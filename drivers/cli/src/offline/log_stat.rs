//! What logs hold, in numbers.

use std::collections::{BTreeMap, HashSet};

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::{
    SessionId, Zxid,
    storage::LogRecord,
    wire::{Op, Txn},
};

use super::{
    command::{EXIT_STATUS, Outcome},
    log::LogFiles,
    log_scan::scan,
    number::{count, time},
    output::Output,
    txn,
    verdict::Verdict,
};
use crate::client::visible;

/// Count what is in logs, all of them together.
///
/// Operations inside of a multi count as such, and the multi, too.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXIT_STATUS)]
pub(crate) struct LogStat {
    #[command(flatten)]
    files: LogFiles,
}

impl LogStat {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (mut numbers, mut verdict) = (Numbers::default(), Verdict::Fine);
        for path in self.files.paths() {
            let scanned = scan(path, self.files.record_length_max(), false, |record| {
                numbers.add(record);
                Ok(())
            })?;
            numbers.files += 1;
            numbers.bytes += scanned.length;
            numbers.rest_bytes += scanned.tail.length;
            if let Some(complaint) = scanned.complaint() {
                output.remark(&format!("{}: {complaint}", scanned.file))?;
            }
            verdict = verdict.max(scanned.verdict());
        }
        output.show(|| numbers.json(), || numbers.text())?;
        Ok(verdict)
    }
}

/// What was counted.
#[derive(Debug, Default)]
struct Numbers {
    files: u64,
    bytes: u64,
    /// Behind the records: reserved, or damaged.
    rest_bytes: u64,
    records: u64,
    record_bytes: u64,
    types: BTreeMap<&'static str, u64>,
    zxids: Option<(Zxid, Zxid)>,
    times: Option<(i64, i64)>,
    sessions: HashSet<SessionId>,
    largest: Option<Largest>,
    /// The second in which most records were written, and how many.
    busiest: Option<(i64, u64)>,
    /// The second of the record before, and how many it had so far.
    second: (i64, u64),
}

#[derive(Debug)]
struct Largest {
    bytes: u64,
    zxid: Zxid,
    op: Op,
    path: Option<String>,
}

impl Numbers {
    fn add(&mut self, record: &LogRecord<'_>) {
        let header = &record.header;
        self.records += 1;
        self.record_bytes += record.length;
        self.count(&record.txn);
        self.zxids = widen(self.zxids, header.zxid);
        self.times = widen(self.times, header.time_ms);
        if header.session != SessionId::NONE {
            self.sessions.insert(header.session);
        }
        if self.largest.as_ref().is_none_or(|largest| record.length > largest.bytes) {
            self.largest = Some(Largest {
                bytes: record.length,
                zxid: header.zxid,
                op: record.txn.op(),
                path: txn::path(&record.txn).map(Into::into),
            });
        }
        let second = header.time_ms.div_euclid(1_000);
        self.second = match self.second {
            (current, count) if current == second => (second, count + 1),
            _ => (second, 1),
        };
        if self.busiest.is_none_or(|(_, count)| self.second.1 > count) {
            self.busiest = Some(self.second);
        }
    }

    fn count(&mut self, txn: &Txn<'_>) {
        *self.types.entry(txn.op().name()).or_default() += 1;
        if let Txn::Multi(parts) = txn {
            parts.iter().for_each(|part| self.count(part));
        }
    }

    /// Records in a second, on average.
    fn rate(&self) -> Option<f64> {
        let (first, last) = self.times?;
        let milliseconds = last.checked_sub(first).filter(|span| *span > 0)?;
        Some(as_float(self.records) * 1_000.0 / as_float(milliseconds.unsigned_abs()))
    }

    fn json(&self) -> Value {
        let largest = self.largest.as_ref().map(|largest| {
            json!({
                "bytes": largest.bytes,
                "zxid": largest.zxid.to_string(),
                "type": largest.op.name(),
                "path": largest.path,
            })
        });
        json!({
            "files": self.files,
            "bytes": self.bytes,
            "recordBytes": self.record_bytes,
            "restBytes": self.rest_bytes,
            "records": self.records,
            "types": self.types,
            "firstZxid": self.zxids.map(|(first, _)| first.to_string()),
            "lastZxid": self.zxids.map(|(_, last)| last.to_string()),
            "firstTime": self.times.map(|(first, _)| first),
            "lastTime": self.times.map(|(_, last)| last),
            "sessions": self.sessions.len(),
            "largest": largest,
            "recordsPerSecond": self.rate(),
            "busiestSecond": self.busiest.map(|(second, records)| {
                json!({ "time": second * 1_000, "records": records })
            }),
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("{} in {}", count(self.records, "record"), count(self.files, "file")),
            format!(
                "{} bytes: records {}, behind them {}",
                self.bytes, self.record_bytes, self.rest_bytes
            ),
        ];
        if let (Some((first, last)), Some((start, end))) = (self.zxids, self.times) {
            lines.push(format!("zxid {first} to {last}"));
            lines.push(format!("time {} to {}", time(start), time(end)));
        }
        lines.push(count(self.sessions.len() as u64, "session"));
        if let Some(rate) = self.rate() {
            lines.push(format!("{rate:.1} records per second"));
        }
        if let Some((second, records)) = self.busiest {
            let time = time(second.saturating_mul(1_000));
            lines.push(format!("busiest second {time}: {}", count(records, "record")));
        }
        if let Some(Largest { bytes, zxid, op, path }) = &self.largest {
            let path = path
                .as_deref()
                .map_or_else(String::new, |path| format!(" {}", visible(path.as_bytes(), "")));
            lines.push(format!("largest record {bytes} bytes: {zxid} {op}{path}"));
        }
        lines.extend(self.types.iter().map(|(name, count)| format!("{count:>10} {name}")));
        lines.join("\n")
    }
}

/// A range that reaches to `value`, too.
fn widen<T: Ord + Copy>(range: Option<(T, T)>, value: T) -> Option<(T, T)> {
    Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
}

/// As near as it gets; nobody reads more than a few digits.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
