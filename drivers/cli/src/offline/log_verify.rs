//! Whether logs are whole, each by itself and together.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::{
    Zxid,
    storage::{follows, log_zxid},
};

use super::{
    command::{EXIT_STATUS, Outcome},
    log::LogFiles,
    log_scan::{Scanned, scan},
    number::count,
    output::Output,
    verdict::Verdict,
};

/// Check every record of logs, their ends, and that nothing is missing between them.
///
/// Several files are taken in the order of their names' zxids. What a torn or corrupt tail of an
/// older log holds is of no use to anybody if the next log begins where the good records end.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = more())]
pub(crate) struct Verify {
    #[command(flatten)]
    files: LogFiles,
}

fn more() -> String {
    format!("{EXAMPLES}\n\n{EXIT_STATUS}")
}

const EXAMPLES: &str = "\
Examples:
  zk log verify version-2/log.*
      all logs of a server that does not run
  zk log verify --json version-2/log.* | jq 'select(.verdict != \"fine\")'
      for other tools

The end of a log is one of
  clean                  nothing, or the zeros that were reserved
  torn                   a crash lost a part of it; if the disk keeps its promises, nobody was
                         told that it is stored
  corrupt                it was damaged, and nothing valid follows: see zk data repair
  damaged in the middle  valid records follow: restore the file from a backup";

impl Verify {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut paths: Vec<PathBuf> = self.files.paths().to_vec();
        paths.sort_by_key(|path| zxid_of_name(path));
        let mut scans = Vec::new();
        for path in &paths {
            scans.push(scan(path, self.files.record_length_max(), false, |_| Ok(()))?);
        }
        let mut worst = Verdict::Fine;
        for (index, scanned) in scans.iter().enumerate() {
            let next = scans[index + 1..].iter().find_map(|next| next.range);
            let before = scans[..index].iter().rev().find_map(|before| before.range);
            let finding = Finding::of(scanned, before, next);
            worst = worst.max(finding.verdict);
            output.show(|| finding.json(), || finding.text())?;
        }
        Ok(worst)
    }
}

/// What is thought of one file among others.
struct Finding<'a> {
    scanned: &'a Scanned,
    verdict: Verdict,
    complaints: Vec<String>,
}

impl<'a> Finding<'a> {
    fn of(scanned: &'a Scanned, before: Option<(Zxid, Zxid)>, next: Option<(Zxid, Zxid)>) -> Self {
        let mut verdict = scanned.verdict();
        let mut complaints: Vec<String> = scanned.complaint().into_iter().collect();
        let last = scanned.range.or(before).map(|(_, last)| last);
        if let (Some(last), Some((next, _))) = (last, next)
            && verdict != Verdict::Fine
            && follows(last, next)
        {
            verdict = Verdict::Fine;
            complaints.push(format!("harmless: the next log goes on with {next}"));
        }
        if let (Some(named), Some((first, _))) =
            (zxid_of_name(Path::new(&scanned.file)), scanned.range)
            && named != first
        {
            verdict = Verdict::Damaged;
            complaints.push(format!("it is named after {named}, and begins with {first}"));
        }
        if let (Some((_, last)), Some((first, _))) = (before, scanned.range)
            && !follows(last, first)
        {
            verdict = Verdict::Damaged;
            complaints.push(match first > last {
                true => {
                    format!("gap: the log before ends with {last}, this one begins with {first}")
                }
                false => format!(
                    "overlap: the log before ends with {last}, this one begins with {first}"
                ),
            });
        }
        Self { scanned, verdict, complaints }
    }

    fn text(&self) -> String {
        let records = count(self.scanned.records, "record");
        let range = match self.scanned.range {
            Some((first, last)) => format!(", {first} to {last}"),
            None => String::new(),
        };
        let mut text = format!("{}: {records}{range}", self.scanned.file);
        if self.complaints.is_empty() {
            text += ", in order";
        }
        for complaint in &self.complaints {
            text += "\n  ";
            text += complaint;
        }
        text
    }

    fn json(&self) -> Value {
        let mut value = self.scanned.json();
        value["verdict"] = self.verdict.name().into();
        value["complaints"] = json!(self.complaints);
        value
    }
}

/// The zxid that a log's name tells.
fn zxid_of_name(path: &Path) -> Option<Zxid> {
    log_zxid(path.file_name()?.to_str()?)
}
