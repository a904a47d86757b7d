//! Whether a server can start from a directory, and what it would find.

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::storage::{Recovered, RecoveryError, RecoveryEvent};

use super::{
    command::{EXIT_STATUS, Outcome},
    data::DataDirectory,
    number::count,
    output::Output,
    store::{Changes, Reading},
    verdict::Verdict,
};

/// Read a directory as a server does when it starts, and say what it would find.
///
/// Nothing is changed. The newest snapshot that is whole is read, and all logs behind it; others
/// are not looked at: see `zk snapshot verify` and `zk log verify`. While the directory is read no
/// zk server can start on it; that no server of Apache ZooKeeper runs is for you to see.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXIT_STATUS)]
pub(crate) struct Verify {
    #[command(flatten)]
    data: DataDirectory,
}

impl Verify {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let disk = self.data.open()?;
        let reading = Changes::default().read(&disk, self.data.config())?;
        show(&reading, output)?;
        Ok(reading.verdict())
    }
}

impl Reading {
    /// What is to be thought of the directory.
    pub(super) fn verdict(&self) -> Verdict {
        if self.outcome.is_err() {
            return Verdict::Damaged;
        }
        self.events.iter().map(verdict).max().unwrap_or_default()
    }
}

/// What an event says about the files. Not every one is about them.
fn verdict(event: &RecoveryEvent) -> Verdict {
    match event {
        RecoveryEvent::TornTail { .. } | RecoveryEvent::EmptyLog { .. } => Verdict::Torn,
        RecoveryEvent::SnapshotUnusable { .. } => Verdict::Damaged,
        _ => Verdict::Fine,
    }
}

/// Shows what was read.
pub(super) fn show(
    reading: &Reading,
    output: &mut Output,
) -> Result<(), super::failure::OfflineError> {
    if output.json() {
        return output.value(&json(reading));
    }
    for event in &reading.events {
        output.line(&event.to_string())?;
    }
    output.line(&outcome_text(&reading.outcome))
}

fn outcome_text(outcome: &Result<Recovered, RecoveryError>) -> String {
    match outcome {
        Ok(recovered) => {
            let znodes = recovered.tree().map_or(0, |tree| tree.node_count() as u64 - 1);
            format!(
                "recovered up to transaction {}: {}, {}",
                recovered.zxid(),
                count(znodes, "znode"),
                count(recovered.session_count() as u64, "session")
            )
        }
        Err(error) => format!("not recoverable: {error}"),
    }
}

fn json(reading: &Reading) -> Value {
    let events: Vec<String> = reading.events.iter().map(ToString::to_string).collect();
    let mut value = json!({ "verdict": reading.verdict().name(), "events": events });
    match &reading.outcome {
        Err(error) => value["error"] = error.to_string().into(),
        Ok(recovered) => {
            let summary = recovered.summary();
            value["zxid"] = recovered.zxid().to_string().into();
            value["time"] = recovered.newest_ms().into();
            value["sessions"] = recovered.session_count().into();
            value["snapshot"] = summary.snapshot.as_ref().map(ToString::to_string).into();
            value["logsRead"] = summary.logs_read.into();
            value["transactionsReplayed"] = recovered.transactions_replayed().into();
            value["bytesReplayed"] = recovered.bytes_replayed().into();
            if let Some(tree) = recovered.tree() {
                // The root counts twice there.
                value["znodes"] = (tree.node_count() - 1).into();
                value["ephemerals"] = tree.ephemeral_count().into();
                value["digest"] = tree.digest().map(|digest| format!("{digest:#x}")).into();
            }
        }
    }
    value
}
