//! Every record of logs, a line each.

use clap::Args;
use zookeeper_core::{SessionId, Zxid, storage::LogRecord};

use super::{
    command::{EXIT_STATUS, Outcome},
    log::LogFiles,
    log_scan::scan,
    number,
    output::Output,
    txn,
    verdict::Verdict,
};
use crate::client::ZnodePath;

/// Print every transaction, one a line.
///
/// A line has zxid, time, session, cxid and type, and the path and what else belongs to the type.
/// Of data only the beginning is shown; --json has all of it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = more())]
pub(crate) struct Dump {
    #[command(flatten)]
    files: LogFiles,

    /// Only from this transaction on.
    #[arg(long, value_name = "ZXID", value_parser = number::zxid)]
    from: Option<Zxid>,

    /// Only up to this transaction.
    #[arg(long, value_name = "ZXID", value_parser = number::zxid)]
    to: Option<Zxid>,

    /// Only what is about this znode, or one below it.
    #[arg(long)]
    path: Option<ZnodePath>,

    /// Only what this session did.
    #[arg(long, value_name = "ID", value_parser = number::session, allow_negative_numbers = true)]
    session: Option<SessionId>,
}

fn more() -> String {
    format!("{EXAMPLES}\n\n{EXIT_STATUS}")
}

const EXAMPLES: &str = "\
Examples:
  zk log dump version-2/log.1
      everything
  zk log dump --path /app/config --from 0x100000000 version-2/log.*
      who changed a znode, and when
  zk log dump --json version-2/log.1 | jq -r 'select(.type == \"set_data\") | .path'
      for other tools";

impl Dump {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut verdict = Verdict::Fine;
        for path in self.files.paths() {
            let quiet = output.is_terminal();
            let scanned = scan(path, self.files.record_length_max(), quiet, |record| {
                if !self.wants(record) {
                    return Ok(());
                }
                output.show(|| txn::json(record), || txn::text(record))
            })?;
            if let Some(complaint) = scanned.complaint() {
                output.remark(&format!("{}: {complaint}", scanned.file))?;
            }
            verdict = verdict.max(scanned.verdict());
        }
        Ok(verdict)
    }

    fn wants(&self, record: &LogRecord<'_>) -> bool {
        let header = &record.header;
        self.from.is_none_or(|from| header.zxid >= from)
            && self.to.is_none_or(|to| header.zxid <= to)
            && self.session.is_none_or(|session| header.session == session)
            && self.path.as_ref().is_none_or(|ZnodePath(wanted)| {
                txn::any_path(&record.txn, &|path| is_at_or_below(path, wanted))
            })
    }
}

/// Whether a znode is `above`, or below it.
pub(super) fn is_at_or_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_below_and_not_beside() {
        for (path, above, expected) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a/b", false),
            ("/a", "/", true),
            ("/", "/", true),
        ] {
            assert_eq!(is_at_or_below(path, above), expected, "{path} {above}");
        }
    }
}
