//! Transactions that keep several znodes alike.

use zookeeper_core::Rng;
use zookeeper_core::client::operation::Transaction;
use zookeeper_core::wire::{CreateMode, ErrorCode};
use zookeeper_smol::Client;

use super::gate::Gate;
use super::outcome::Outcome;
use super::view::View;

/// How many transactions of one writer may be under way.
const IN_FLIGHT_MAX: u64 = 4;

/// Two znodes of the same data and version, and a third whose name says which.
#[derive(Debug)]
pub(super) struct Pair {
    client: Client,
    rng: Rng,
    directory: String,
    acknowledged: i32,
    asked: i32,
}

impl Pair {
    /// Makes it.
    pub(super) async fn new(client: Client, rng: Rng, directory: String) -> Self {
        let transaction = Transaction::new()
            .create(&directory, "", CreateMode::Persistent)
            .create(format!("{directory}/one"), "0", CreateMode::Persistent)
            .create(format!("{directory}/two"), "0", CreateMode::Persistent)
            .create(format!("{directory}/at-0"), "", CreateMode::Persistent);
        client.multi(transaction).await.expect("made");
        Self { client, rng, directory, acknowledged: 0, asked: 0 }
    }

    /// Goes on until something is lost.
    pub(super) async fn run(&mut self, gate: &Gate) {
        let mut is_lost = false;
        while gate.is_open() && !is_lost {
            let count = 1 + self.rng.below(IN_FLIGHT_MAX);
            let calls: Vec<_> = (self.acknowledged..)
                .zip(0..count)
                .map(|(version, _)| (version, self.client.multi(self.step(version))))
                .collect();
            for (version, call) in calls {
                match call.await.into() {
                    Outcome::Done(_) => {
                        self.acknowledged = version + 1;
                        self.asked = self.asked.max(version + 1);
                        gate.acknowledge();
                    }
                    Outcome::InDoubt => {
                        is_lost = true;
                        self.asked = self.asked.max(version + 1);
                    }
                    Outcome::Unsent => is_lost = true,
                    Outcome::Refused(ErrorCode::BAD_VERSION) if is_lost => {}
                    Outcome::Refused(code) => panic!("{} at {version}: {code}", self.directory),
                }
            }
            if !is_lost && self.rng.one_in(4) {
                is_lost = !self.fail().await;
            }
        }
    }

    fn step(&self, version: i32) -> Transaction<'static> {
        let Self { directory, .. } = self;
        let (old, new) = (version, version + 1);
        Transaction::new()
            .set_data(format!("{directory}/one"), new.to_string(), Some(old))
            .create(format!("{directory}/at-{new}"), "", CreateMode::Persistent)
            .delete(format!("{directory}/at-{old}"), None)
            .set_data(format!("{directory}/two"), new.to_string(), Some(old))
    }

    /// A transaction whose last operation fails. Whether nothing was lost.
    async fn fail(&self) -> bool {
        let Self { directory, .. } = self;
        let transaction = Transaction::new()
            .set_data(format!("{directory}/one"), "never", None)
            .create(format!("{directory}/never"), "", CreateMode::Persistent)
            .check(directory, Some(7));
        match self.client.multi(transaction).await.into() {
            Outcome::Refused(ErrorCode::BAD_VERSION) => true,
            Outcome::InDoubt | Outcome::Unsent => false,
            other => panic!("{directory}: {other:?}"),
        }
    }

    /// Compares, and goes on from what there is.
    pub(super) fn check(&mut self, view: &View) {
        let Self { directory, acknowledged, asked, .. } = self;
        let paths: Vec<&str> = view.children(directory).map(|(path, ..)| path).collect();
        let (data, stat) = view.expect(&format!("{directory}/one"));
        let version = stat.version;
        let what =
            format!("{directory}: {acknowledged} acknowledged, {asked} asked for: {paths:?}");
        assert!((*acknowledged..=*asked).contains(&version), "{version}, {what}");
        assert_eq!(data, version.to_string(), "{what}");
        let (data, stat) = view.expect(&format!("{directory}/two"));
        assert_eq!((data, stat.version), (version.to_string().as_str(), version), "{what}");
        let wanted = [format!("at-{version}"), "one".to_owned(), "two".to_owned()];
        assert_eq!(paths, wanted.map(|name| format!("{directory}/{name}")), "{what}");
        (self.acknowledged, self.asked) = (version, version);
    }
}
