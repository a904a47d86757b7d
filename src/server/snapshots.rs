//! When a snapshot is taken, what happens around it, and when old files go.
//!
//! A snapshot is due after a number of transactions, or of bytes of the log, that chance moves
//! between half of the limit and all of it: servers started together then do not write together. It
//! begins between two commit groups, and the log goes on in another file, so old files can go as a
//! whole. One that is due while another is being written is skipped. One that failed is tried again
//! when the next one is due, or once a file of the log is full: never at once, since each one has
//! the log make a file.
//!
//! A tree that snapshots and logs on disk do not tell gets a snapshot of its own first: until it is
//! there for good, no record is written that would count on it.
//!
//! Behaviour: `org.apache.zookeeper.server.SyncRequestProcessor` and `DatadirCleanupManager`.

use std::{mem, time::Duration};

use super::{Event, Failure, Server};
use crate::{
    endpoint::Latency,
    ids::{Ticket, Zxid},
    rng::Rng,
    storage::{
        Config, FileOp, KnownFiles, Progress, Purge, Retention, Setback, SnapshotWriter,
        StorageError,
    },
    time::Instant,
};

/// Bytes of one chunk: what a request may have to wait for.
const CHUNK_LENGTH: usize = 256 << 10;

/// What storage has done since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct StorageStats {
    /// How long snapshots took, from their begin to their name; its count is how many there were.
    pub snapshot_times: Latency,
    /// How long the newest one took.
    pub newest_snapshot: Option<Duration>,
    /// Snapshots that failed.
    pub snapshots_failed: u64,
    /// Bytes of znodes, ACLs and sessions that changed during a snapshot and wait for their place in
    /// it.
    pub snapshot_waiting: usize,
    /// Bytes of records written to the log.
    pub log_bytes: u64,
}

/// The snapshots of one server.
#[derive(Debug)]
pub(super) struct Snapshots {
    writer: SnapshotWriter,
    transactions: Trigger,
    bytes: Option<Trigger>,
    rng: Rng,
    /// Full files of the log when a snapshot failed: with the next one it is due again.
    failed_at: Option<u64>,
    /// When the one that is being written began.
    started: Instant,
    /// Whether the log waits for it.
    is_base: bool,
    /// Whether the next chunk may be made in this turn.
    may_step: bool,
    is_closing: bool,
    purges: Purges,
    stats: StorageStats,
}

/// Something that is due when a count has grown by so much.
#[derive(Debug)]
struct Trigger {
    limit: u64,
    from: i64,
    target: i64,
}

/// When old files go.
#[derive(Debug)]
struct Purges {
    retention: Option<Retention>,
    /// With an interval: the next time.
    next: Option<Instant>,
    is_due: bool,
}

impl Snapshots {
    /// `recovered` is the newest transaction on disk.
    pub(super) fn new(
        config: &Config,
        now: Instant,
        mut rng: Rng,
        recovered: Zxid,
        files: &mut KnownFiles,
    ) -> Self {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let writer = SnapshotWriter::new(
            mem::take(&mut files.snapshots),
            mem::take(&mut files.leftovers),
            config.last_zxid_in_snapshot,
        );
        let from = recovered.0.saturating_sub(signed(files.transactions_replayed));
        let transactions = Trigger::new(config.snapshot_transactions, from, &mut rng);
        let from = -signed(files.bytes_replayed);
        let bytes = config.snapshot_bytes.map(|limit| Trigger::new(limit, from, &mut rng));
        Self {
            writer,
            transactions,
            bytes,
            rng,
            failed_at: None,
            started: now,
            is_base: false,
            may_step: true,
            is_closing: false,
            purges: Purges::new(config.retention, now),
            stats: StorageStats::default(),
        }
    }

    /// When old files are looked at again.
    pub(super) const fn timeout(&self) -> Option<Instant> {
        self.purges.next
    }

    /// Whether the next turn has something to do, although nothing happens until then.
    pub(super) const fn has_more(&self) -> bool {
        self.writer.wants_chunk()
    }

    /// Whether the log waits for a snapshot.
    pub(super) const fn is_base(&self) -> bool {
        self.is_base
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.may_step = true;
        self.purges.handle_timeout(now);
    }

    pub(super) fn check_invariants(&self) {
        self.writer.check_invariants();
        assert!(!self.is_base || self.writer.has_begun(), "the log waits for something");
    }
}

impl Server {
    /// Takes the snapshot that the log's first record waits for.
    pub(super) fn begin_base_snapshot(&mut self) {
        self.start_snapshot();
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.is_base = true;
        }
    }

    /// Begins a snapshot if one is due: between two groups of the log, which goes on in another
    /// file.
    pub(super) fn begin_due_snapshot(&mut self) {
        let Some(snapshots) = &mut self.snapshots else { return };
        let (applied, bytes) = (self.gate.applied().0, self.gate.log_bytes());
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let retries =
            || snapshots.failed_at.is_some_and(|full| full < self.gate.log_files_filled());
        let is_due = snapshots.transactions.is_due(applied)
            || snapshots.bytes.as_ref().is_some_and(|trigger| trigger.is_due(bytes))
            || retries();
        if !is_due || snapshots.is_closing || self.gate.has_open_group() {
            return;
        }
        // A removal of old files ends soon; then it is time.
        if !snapshots.writer.can_begin() && !snapshots.writer.has_begun() {
            return;
        }
        snapshots.transactions.reset(applied, &mut snapshots.rng);
        if let Some(trigger) = &mut snapshots.bytes {
            trigger.reset(bytes, &mut snapshots.rng);
        }
        self.gate.roll_log();
        if snapshots.writer.can_begin() {
            self.start_snapshot();
        }
    }

    fn start_snapshot(&mut self) {
        let Some(snapshots) = &mut self.snapshots else { return };
        let mark = self.tree.begin_snapshot();
        debug_assert_eq!(mark.zxid, self.gate.applied(), "of everything applied");
        snapshots.writer.begin(mark);
        snapshots.started = self.now;
        snapshots.failed_at = None;
        self.events.push_back(Event::SnapshotStarted { zxid: mark.zxid });
    }

    /// The next operation for the snapshot lane. Encodes one chunk at most, and no other before
    /// that one is stored.
    pub(super) fn poll_snapshots(&mut self) -> Option<(Ticket, FileOp)> {
        self.begin_due_snapshot();
        let snapshots = self.snapshots.as_mut()?;
        snapshots.writer.log_is_durable(self.gate.durable());
        if snapshots.may_step && snapshots.writer.wants_chunk() {
            snapshots.may_step = false;
            let tree = &mut self.tree;
            snapshots.writer.write_chunk(|out| tree.snapshot_chunk(CHUNK_LENGTH, out));
        }
        if snapshots.purges.is_due && snapshots.writer.can_purge() {
            snapshots.purges.is_due = false;
            let keep = snapshots.purges.retention.map_or(usize::MAX, |kept| kept.snapshots);
            let purge = Purge::plan(keep, snapshots.writer.snapshots(), self.gate.logs());
            snapshots.writer.purge(purge);
        }
        snapshots.writer.poll()
    }

    /// Every operation of the snapshot lane up to `ticket` is done.
    pub(super) fn snapshots_stored(&mut self, ticket: Ticket) {
        let Some(snapshots) = &mut self.snapshots else { return };
        snapshots.may_step = true;
        match snapshots.writer.stored(ticket) {
            None => {}
            Some(Progress::Stored { zxid, length }) => {
                let duration = self.now.saturating_duration_since(snapshots.started);
                let stats = &mut snapshots.stats;
                stats
                    .snapshot_times
                    .record(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
                stats.newest_snapshot = Some(duration);
                if mem::take(&mut snapshots.is_base) {
                    self.gate.open();
                }
                snapshots.purges.snapshot_stored();
                self.events.push_back(Event::SnapshotStored { zxid, bytes: length, duration });
            }
            Some(Progress::Purged(purge)) => {
                self.gate.forget_logs(&purge.logs);
                let files = [purge.snapshots, purge.logs].concat();
                self.events.push_back(Event::FilesPurged { files });
            }
        }
    }

    /// An operation of the snapshot lane failed. The server goes on, unless the log waits for this
    /// snapshot.
    pub(super) fn snapshots_failed(&mut self, ticket: Ticket, error: StorageError) {
        let Some(snapshots) = &mut self.snapshots else { return };
        let setback = snapshots.writer.failed(ticket, &error);
        if matches!(setback, Some(Setback::Snapshot(_))) {
            snapshots.stats.snapshots_failed += 1;
        }
        match setback {
            None => {}
            Some(Setback::Snapshot(_)) if snapshots.is_base => self.fail(Failure::Storage(error)),
            Some(Setback::Snapshot(zxid)) => {
                snapshots.failed_at = Some(self.gate.log_files_filled());
                self.tree.end_snapshot();
                self.events.push_back(Event::SnapshotFailed { zxid, error });
            }
            Some(Setback::Removal) => self.events.push_back(Event::PurgeFailed { error }),
        }
    }

    /// The server shuts down: no more snapshots, and none of which parts are missing still, unless
    /// the log waits for it.
    pub(super) fn close_snapshots(&mut self) {
        let Some(snapshots) = &mut self.snapshots else { return };
        snapshots.is_closing = true;
        if !snapshots.is_base {
            snapshots.writer.abandon();
            self.tree.end_snapshot();
        }
    }

    /// What storage has done since the start; `None` in memory.
    #[must_use]
    pub fn storage_stats(&self) -> Option<StorageStats> {
        let snapshots = self.snapshots.as_ref()?;
        Some(StorageStats {
            snapshot_waiting: self.tree.snapshot_waiting(),
            log_bytes: self.gate.log_bytes(),
            ..snapshots.stats.clone()
        })
    }
}

impl Trigger {
    fn new(limit: u64, from: i64, rng: &mut Rng) -> Self {
        let mut trigger = Self { limit: limit.max(2), from: 0, target: 0 };
        trigger.reset(from, rng);
        trigger
    }

    fn reset(&mut self, from: i64, rng: &mut Rng) {
        let half = self.limit / 2;
        let target = half + rng.below(self.limit - half);
        self.target = i64::try_from(target).unwrap_or(i64::MAX);
        self.from = from;
    }

    const fn is_due(&self, count: i64) -> bool {
        count.saturating_sub(self.from) >= self.target
    }
}

impl Purges {
    fn new(retention: Option<Retention>, now: Instant) -> Self {
        let interval = retention.map(|kept| kept.interval).filter(|interval| !interval.is_zero());
        Self { retention, next: interval.map(|interval| now + interval), is_due: false }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let (Some(next), Some(kept)) = (self.next, self.retention)
            && next <= now
        {
            self.next = Some(now + kept.interval);
            self.is_due = true;
        }
    }

    const fn snapshot_stored(&mut self) {
        self.is_due |= self.retention.is_some() && self.next.is_none();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        server::{Action, Durability, Recovered},
        storage::{Dir, File, Lane},
        tree::Tree,
    };

    /// A server over a store that has all it needs, and this besides.
    fn recovered(set: impl FnOnce(&mut KnownFiles), config: Config) -> Server {
        let mut tree = Tree::new(crate::tree::Config::default(), &mut Rng::new(1));
        tree.restore_zxid(Zxid(100));
        let mut recovered = Recovered::new(tree, 1);
        recovered.files.is_reproducible = true;
        set(&mut recovered.files);
        let mut whole = crate::server::Config::default();
        whole.durability = Durability::Logged(config);
        Server::new(Arc::new(whole), Instant::from_millis(1), 1, recovered)
    }

    /// What the server asks for, by lane.
    fn asked(server: &mut Server) -> Vec<(Lane, &'static str)> {
        let mut asked = Vec::new();
        while let Some(action) = server.poll_action() {
            if let Action::Store { lane, op, .. } = action {
                asked.push((lane, op.name()));
            }
        }
        server.check_invariants();
        asked
    }

    fn connect(server: &mut Server) {
        let now = Instant::from_millis(2);
        let conn = server.handle_accept(now, ([127, 0, 0, 1], 1).into()).unwrap();
        server.handle_input(now, conn, &[&[0, 0, 0, 44][..], &[0; 44]].concat());
    }

    #[test]
    fn what_was_replayed_counts_towards_the_next_snapshot() {
        let config = || Config { snapshot_transactions: 1_000, ..Config::default() };
        let begins = |replayed: u64, bytes: u64| {
            let mut server = recovered(
                |files| {
                    files.transactions_replayed = replayed;
                    files.bytes_replayed = bytes;
                },
                config(),
            );
            assert_eq!(server.poll_event(), None, "nothing has come to the log");
            connect(&mut server);
            asked(&mut server);
            let is_begin = |event| matches!(event, Event::SnapshotStarted { zxid: Zxid(101) });
            std::iter::from_fn(|| server.poll_event()).any(is_begin)
        };
        assert!(!begins(0, 0) && !begins(498, 0));
        assert!(begins(999, 0) && begins(0, 4 << 30));
    }

    #[test]
    fn what_an_earlier_start_left_is_repaired_and_removed_at_once() {
        let log = File { dir: Dir::Log, name: "log.5".into() };
        let leftover = File { dir: Dir::Snapshot, name: "tmp.snapshot.7".into() };
        let mut server = recovered(
            |files| {
                files.logs = vec![(Zxid(5), log.clone())];
                files.repairs = vec![
                    FileOp::Truncate { file: log.clone(), length: 99 },
                    FileOp::Sync { file: log },
                ];
                files.leftovers = vec![leftover];
            },
            Config::default(),
        );
        connect(&mut server);
        let asked = asked(&mut server);
        let of = |wanted| asked.iter().filter(move |(lane, _)| *lane == wanted).map(|(_, op)| *op);
        let before = ["truncate", "sync", "sync directory", "sync directory"];
        let group = ["create", "append", "sync", "sync directory"];
        assert_eq!(of(Lane::Log).collect::<Vec<_>>(), [before, group].concat());
        assert_eq!(of(Lane::Snapshot).collect::<Vec<_>>(), ["remove", "sync directory"]);
    }

    #[test]
    fn a_trigger_is_due_between_half_of_its_limit_and_all_of_it() {
        let mut rng = Rng::new(1);
        let mut targets = Vec::new();
        for limit in [0, 2, 3, 10, 100_000] {
            for _ in 0..200 {
                let trigger = Trigger::new(limit, -5, &mut rng);
                let limit = i64::try_from(limit.max(2)).unwrap();
                assert!((limit / 2..limit).contains(&trigger.target));
                assert!(trigger.is_due(trigger.target - 5) && !trigger.is_due(trigger.target - 6));
                targets.push(trigger.target);
            }
        }
        targets.sort_unstable();
        targets.dedup();
        assert!(targets.len() > 150, "chance moves it");
        let far = Trigger::new(u64::MAX, i64::MIN, &mut rng);
        assert!(far.is_due(i64::MAX), "counts that no server reaches do not overflow");
    }

    #[test]
    fn old_files_go_after_each_snapshot_or_in_an_interval() {
        let kept = |interval| Some(Retention { snapshots: 3, interval });
        let minute = Duration::from_secs(60);
        let mut always = Purges::new(kept(Duration::ZERO), Instant::ZERO);
        let mut timed = Purges::new(kept(minute), Instant::ZERO);
        let mut never = Purges::new(None, Instant::ZERO);
        for purges in [&mut always, &mut timed, &mut never] {
            purges.snapshot_stored();
        }
        assert_eq!([always.is_due, timed.is_due, never.is_due], [true, false, false]);
        timed.handle_timeout(Instant::ZERO + minute - Duration::from_micros(1));
        assert!(!timed.is_due);
        timed.handle_timeout(Instant::ZERO + minute);
        assert!(timed.is_due && timed.next == Some(Instant::ZERO + minute + minute));
    }
}
