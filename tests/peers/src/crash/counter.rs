//! Counters: data that are the version's number, written only over the version before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use zookeeper_core::wire::{CreateMode, ErrorCode, Stat};
use zookeeper_core::{Rng, Zxid};
use zookeeper_smol::Client;

use super::gate::Gate;
use super::outcome::Outcome;
use super::view::View;

/// How many writes of one counter may be under way.
const IN_FLIGHT_MAX: u64 = 8;

/// A counter that one writer has for itself.
#[derive(Debug)]
pub(super) struct Counter {
    client: Client,
    rng: Rng,
    path: String,
    /// The newest version that was acknowledged.
    acknowledged: i32,
    /// The newest version that was asked for.
    asked: i32,
    newest: Zxid,
}

impl Counter {
    /// Makes it.
    pub(super) async fn new(client: Client, rng: Rng, path: String) -> Self {
        client.create(&path, "0", CreateMode::Persistent).await.expect("made");
        Self { client, rng, path, acknowledged: 0, asked: 0, newest: Zxid::ZERO }
    }

    /// Counts until something is lost.
    pub(super) async fn run(&mut self, gate: &Gate) {
        let mut is_lost = false;
        while gate.is_open() && !is_lost {
            let count = 1 + self.rng.below(IN_FLIGHT_MAX);
            let calls: Vec<_> = (self.acknowledged..)
                .zip(0..count)
                .map(|(version, _)| {
                    let data = (version + 1).to_string();
                    (version, self.client.set_data(&self.path, data, Some(version)))
                })
                .collect();
            for (version, call) in calls {
                match call.await.into() {
                    Outcome::Done(stat) => self.acknowledge(&stat, version + 1, gate),
                    Outcome::InDoubt => {
                        is_lost = true;
                        self.asked = self.asked.max(version + 1);
                    }
                    Outcome::Unsent => is_lost = true,
                    // Those behind one that was lost may be sent to the next server.
                    Outcome::Refused(ErrorCode::BAD_VERSION) if is_lost => {}
                    Outcome::Refused(code) => panic!("{} at {version}: {code}", self.path),
                }
            }
        }
    }

    fn acknowledge(&mut self, stat: &Stat, version: i32, gate: &Gate) {
        assert_eq!(stat.version, version, "{}", self.path);
        assert!(stat.mzxid > self.newest, "{}: {:?} again", self.path, stat.mzxid);
        self.acknowledged = version;
        self.asked = self.asked.max(version);
        self.newest = stat.mzxid;
        gate.acknowledge();
    }

    /// Compares, and goes on from what there is.
    pub(super) fn check(&mut self, view: &View) {
        let (data, stat) = view.expect(&self.path);
        let Self { path, acknowledged, asked, .. } = self;
        assert!(
            (*acknowledged..=*asked).contains(&stat.version),
            "{path} has version {}, acknowledged {acknowledged}, asked for {asked}",
            stat.version
        );
        assert_eq!(data, stat.version.to_string(), "{path}");
        (self.acknowledged, self.asked) = (stat.version, stat.version);
        self.newest = stat.mzxid;
    }
}

/// What is known of a counter for which several writers contend.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every version that somebody was told to have made.
    acknowledged: BTreeSet<i32>,
    /// The highest version that anybody was shown.
    shown: i32,
    in_doubt: i32,
}

/// A writer that contends with others for a counter.
#[derive(Debug)]
pub(super) struct Contender {
    client: Client,
    path: String,
    ledger: Arc<Mutex<Ledger>>,
}

impl Contender {
    /// One writer of the counter.
    pub(super) fn new(client: Client, path: &str, ledger: &Arc<Mutex<Ledger>>) -> Self {
        Self { client, path: path.to_owned(), ledger: Arc::clone(ledger) }
    }

    /// Reads and counts until something is lost.
    pub(super) async fn run(&self, gate: &Gate) {
        while gate.is_open() {
            let read = match self.client.get_data(&self.path).await.into() {
                Outcome::Done(read) => read,
                Outcome::Refused(code) => panic!("{}: {code}", self.path),
                Outcome::InDoubt | Outcome::Unsent => return,
            };
            let version = read.stat.version;
            self.note(|ledger| ledger.shown = ledger.shown.max(version));
            let data = (version + 1).to_string();
            match self.client.set_data(&self.path, data, Some(version)).await.into() {
                Outcome::Done(stat) => {
                    assert_eq!(stat.version, version + 1, "{}", self.path);
                    let is_new = self.note(|ledger| ledger.acknowledged.insert(stat.version));
                    assert!(is_new, "{}: version {} was made twice", self.path, stat.version);
                    gate.acknowledge();
                }
                Outcome::Refused(ErrorCode::BAD_VERSION) => {}
                Outcome::Refused(code) => panic!("{}: {code}", self.path),
                Outcome::InDoubt => return self.note(|ledger| ledger.in_doubt += 1),
                Outcome::Unsent => return,
            }
        }
    }

    /// Compares.
    pub(super) fn check(&self, view: &View) {
        let (data, stat) = view.expect(&self.path);
        let version = stat.version;
        assert_eq!(data, version.to_string(), "{}", self.path);
        self.note(|ledger| {
            let newest = ledger.acknowledged.last().copied().unwrap_or(0);
            let Ledger { shown, in_doubt, .. } = *ledger;
            let path = &self.path;
            assert!(version >= newest, "{path}: {version}, but {newest} was acknowledged");
            assert!(version >= shown, "{path}: {version}, but {shown} was shown");
            let max = newest.max(shown) + in_doubt;
            assert!(version <= max, "{path}: {version}, and nobody asked for more than {max}");
            (ledger.shown, ledger.in_doubt) = (version, 0);
        });
    }

    fn note<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        note(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
