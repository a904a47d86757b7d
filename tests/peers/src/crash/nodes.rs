//! Sequential znodes, persistent ones and ephemeral ones, that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use zookeeper_core::wire::{CreateMode, ErrorCode};
use zookeeper_core::{Rng, SessionId};
use zookeeper_smol::Client;

use super::gate::Gate;
use super::outcome::Outcome;
use super::view::View;

/// How many creations of one writer may be under way.
const IN_FLIGHT_MAX: u64 = 8;
/// How many znodes a writer keeps.
const KEPT_MAX: usize = 20;

/// Every name that was given out below one parent, by whichever writer.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: BTreeSet<String>,
    /// The highest one when the server was started.
    floor: String,
}

impl Names {
    /// # Panics
    ///
    /// If the name was given out before, or a later one was before the server was started.
    fn note(&mut self, path: &str) {
        assert!(self.all.insert(path.to_owned()), "{path} was given out twice");
        assert!(path > self.floor.as_str(), "{path} comes behind {}", self.floor);
    }
}

/// A writer of sequential znodes below a parent that others write, too.
#[derive(Debug)]
pub(super) struct Nodes {
    client: Client,
    rng: Rng,
    parent: &'static str,
    mode: CreateMode,
    names: Arc<Mutex<Names>>,
    /// What this writer's data begin with.
    name: String,
    count: u64,
    /// Those that were acknowledged, with their data.
    kept: BTreeMap<String, String>,
    /// Data of those that may have been made, whatever they are called.
    maybe_made: BTreeSet<String>,
    /// Those that may have been deleted.
    maybe_deleted: BTreeMap<String, String>,
}

impl Nodes {
    /// A writer without znodes. `name` must be nobody else's.
    pub(super) fn new(
        client: Client,
        rng: Rng,
        (parent, mode): (&'static str, CreateMode),
        names: &Arc<Mutex<Names>>,
        name: String,
    ) -> Self {
        Self {
            client,
            rng,
            parent,
            mode,
            names: Arc::clone(names),
            name,
            count: 0,
            kept: BTreeMap::new(),
            maybe_made: BTreeSet::new(),
            maybe_deleted: BTreeMap::new(),
        }
    }

    /// Makes and deletes znodes until something is lost.
    pub(super) async fn run(&mut self, gate: &Gate) {
        while gate.is_open() {
            let is_well = self.create(gate).await && self.delete(gate).await;
            if !is_well {
                return;
            }
        }
    }

    /// Whether nothing was lost.
    async fn create(&mut self, gate: &Gate) -> bool {
        let mut calls = Vec::new();
        for _ in 0..=self.rng.below(IN_FLIGHT_MAX) {
            self.count += 1;
            let data = format!("{} {}", self.name, self.count);
            let path = format!("{}/n-", self.parent);
            calls.push((self.client.create(&path, &data, self.mode), data));
        }
        let mut is_well = true;
        for (call, data) in calls {
            match call.await.into() {
                Outcome::Done(created) => {
                    self.names.lock().unwrap_or_else(PoisonError::into_inner).note(&created.path);
                    self.kept.insert(created.path, data);
                    gate.acknowledge();
                }
                Outcome::Refused(code) => panic!("{}: {code}", self.name),
                Outcome::InDoubt => {
                    is_well = false;
                    self.maybe_made.insert(data);
                }
                Outcome::Unsent => is_well = false,
            }
        }
        is_well
    }

    /// Whether nothing was lost.
    async fn delete(&mut self, gate: &Gate) -> bool {
        let mut calls = Vec::new();
        while self.kept.len() > KEPT_MAX {
            let Some((path, data)) = self.kept.pop_first() else { break };
            calls.push((self.client.delete(&path, Some(0)), path, data));
        }
        let mut is_well = true;
        for (call, path, data) in calls {
            match call.await.into() {
                Outcome::Done(()) => gate.acknowledge(),
                Outcome::Refused(ErrorCode::NO_NODE) => panic!("{path} is gone"),
                Outcome::Refused(code) => panic!("{path}: {code}"),
                Outcome::InDoubt => {
                    is_well = false;
                    self.maybe_deleted.insert(path, data);
                }
                Outcome::Unsent => {
                    is_well = false;
                    self.kept.insert(path, data);
                }
            }
        }
        is_well
    }

    /// Compares, and goes on from what there is.
    pub(super) fn check(&mut self, view: &View) {
        let owner =
            if self.mode.is_ephemeral() { self.client.session_id() } else { SessionId::NONE };
        let prefix = format!("{} ", self.name);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = BTreeMap::new();
        for (path, data, stat) in view.children(self.parent) {
            if !data.starts_with(&prefix) {
                continue;
            }
            assert_eq!((stat.ephemeral_owner, stat.version), (owner, 0), "{path}");
            let known = self.kept.get(path).or_else(|| self.maybe_deleted.get(path));
            match known {
                Some(known) => assert_eq!(known, data, "{path}"),
                None => {
                    assert!(self.maybe_made.remove(data), "{path} with {data:?} is nobody's");
                    names.note(path);
                }
            }
            found.insert(path.to_owned(), data.to_owned());
        }
        for path in self.kept.keys() {
            assert!(found.contains_key(path), "{path} is gone, {}", self.name);
        }
        self.kept = found;
        // What was not made by now never is.
        self.maybe_made.clear();
        self.maybe_deleted.clear();
    }

    /// Behind all checks: every later name is higher.
    pub(super) fn raise_floor(&self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = names.all.last().cloned() {
            names.floor = last;
        }
    }
}
