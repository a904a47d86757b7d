//! Which old files may go.
//!
//! Only a snapshot that this process has read or written as a whole counts: until there are as many
//! of those as are to be kept, nothing goes. Then everything older than the oldest kept one does,
//! and every log but those that this one, or a later one, may have to be brought up to date with.
//!
//! Behaviour: `org.apache.zookeeper.server.PurgeTxnLog`.

use super::{KnownSnapshot, operation::File};
use crate::ids::Zxid;

/// Fewer snapshots are never kept.
const SNAPSHOTS_MIN: usize = 3;

/// What goes, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Purge {
    /// Snapshots; they go before the logs behind them do.
    pub(crate) snapshots: Vec<File>,
    pub(crate) logs: Vec<File>,
}

impl Purge {
    /// What goes if `keep` snapshots stay. Snapshots and logs are given oldest first.
    pub(crate) fn plan(keep: usize, snapshots: &[KnownSnapshot], logs: &[(Zxid, File)]) -> Self {
        let valid = snapshots.iter().rev().filter(|snapshot| snapshot.is_valid);
        let Some(oldest) = valid.map(|snapshot| snapshot.zxid).nth(keep.max(SNAPSHOTS_MIN) - 1)
        else {
            return Self::default();
        };
        let snapshots = snapshots.iter().filter(|snapshot| snapshot.zxid < oldest);
        // A log's name is its first transaction: the newest that begins by then has the next ones.
        let needed = logs.iter().map(|&(first, _)| first).filter(|&first| first <= oldest).max();
        let logs = logs.iter().filter(|&&(first, _)| needed.is_some_and(|needed| first < needed));
        Self {
            snapshots: snapshots.map(|snapshot| snapshot.file.clone()).collect(),
            logs: logs.map(|(_, file)| file.clone()).collect(),
        }
    }

    /// Whether nothing goes.
    pub(crate) fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.logs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Dir;

    fn snapshots(zxids: &[(i64, bool)]) -> Vec<KnownSnapshot> {
        let snapshot = |&(zxid, is_valid): &(i64, bool)| KnownSnapshot {
            zxid: Zxid(zxid),
            file: File { dir: Dir::Snapshot, name: format!("snapshot.{zxid:x}").into() },
            is_valid,
        };
        zxids.iter().map(snapshot).collect()
    }

    fn logs(firsts: &[i64]) -> Vec<(Zxid, File)> {
        let log = |&first: &i64| {
            (Zxid(first), File { dir: Dir::Log, name: format!("log.{first:x}").into() })
        };
        firsts.iter().map(log).collect()
    }

    fn plan(keep: usize, given: &[(i64, bool)], firsts: &[i64]) -> (Vec<String>, Vec<String>) {
        let plan = Purge::plan(keep, &snapshots(given), &logs(firsts));
        let names = |files: &[File]| files.iter().map(|file| file.name.to_string()).collect();
        (names(&plan.snapshots), names(&plan.logs))
    }

    fn none() -> (Vec<String>, Vec<String>) {
        (vec![], vec![])
    }

    #[test]
    fn nothing_goes_before_there_are_enough_valid_snapshots() {
        let two = [(0, false), (1, false), (2, false), (3, true), (4, true)];
        assert_eq!(plan(3, &two, &[1, 2, 3, 4]), none());
        assert_eq!(plan(3, &[], &[1, 2, 3]), none());
    }

    #[test]
    fn what_is_older_than_the_oldest_kept_goes_whether_it_is_valid_or_not() {
        let given = [(0, true), (2, false), (4, true), (6, false), (8, true), (9, true)];
        let (snapshots, logs) = plan(3, &given, &[1, 3, 5, 7, 9]);
        assert_eq!(snapshots, ["snapshot.0", "snapshot.2"]);
        assert_eq!(logs, ["log.1"], "log.3 has what follows snapshot.4");
    }

    #[test]
    fn a_log_that_begins_with_the_snapshots_own_transaction_is_the_oldest_needed() {
        let given = [(4, true), (8, true), (9, true)];
        assert_eq!(plan(3, &given, &[1, 4, 5]).1, ["log.1"]);
        assert_eq!(plan(3, &given, &[1, 5]).1, [] as [&str; 0]);
        assert_eq!(plan(3, &given, &[5, 7]).1, [] as [&str; 0], "none begins by then");
    }

    #[test]
    fn at_least_three_stay() {
        let given = [(1, true), (2, true), (3, true), (4, true)];
        assert_eq!(plan(0, &given, &[]).0, ["snapshot.1"]);
        assert_eq!(plan(1, &given, &[]).0, ["snapshot.1"]);
        assert_eq!(plan(4, &given, &[]).0, [] as [&str; 0]);
    }
}
