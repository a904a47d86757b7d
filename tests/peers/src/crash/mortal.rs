//! Sessions that end: closed, or left to expire.

use std::time::Duration;

use zookeeper_core::Rng;
use zookeeper_core::client::{CloseReason, Error, RequestError};
use zookeeper_core::wire::CreateMode;
use zookeeper_smol::{Client, ClientBuilder};

use super::gate::Gate;
use super::outcome::Outcome;
use super::view::View;

/// How long a session lives that nobody closes.
const TIMEOUT: Duration = Duration::from_millis(200);
const ZNODES: usize = 3;

/// A writer whose sessions do not last.
#[derive(Debug)]
pub(super) struct Mortal {
    builder: ClientBuilder,
    rng: Rng,
    parent: &'static str,
    name: String,
    count: u64,
    /// Sessions whose znodes may be there.
    left: Vec<Session>,
    /// Paths of znodes that were gone when somebody looked, or whose end was acknowledged.
    gone: Vec<String>,
}

#[derive(Debug)]
struct Session {
    /// Znodes that were acknowledged.
    paths: Vec<String>,
    /// Znodes that may have been made, all behind the others.
    maybe: Vec<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may expire.
    Left,
    /// Its end was acknowledged.
    Closed,
}

impl Mortal {
    /// A writer without sessions. `builder` makes clients, `name` must be nobody else's.
    pub(super) fn new(
        builder: &ClientBuilder,
        rng: Rng,
        parent: &'static str,
        name: String,
    ) -> Self {
        let builder = builder.clone().session_timeout(TIMEOUT);
        Self { builder, rng, parent, name, count: 0, left: Vec::new(), gone: Vec::new() }
    }

    /// Begins and ends sessions until something is lost.
    pub(super) async fn run(&mut self, gate: &Gate) {
        while gate.is_open() {
            let client = self.builder.clone().connect().await.expect("a session");
            let session = self.live(&client, gate).await;
            let is_lost = !session.maybe.is_empty();
            self.left.push(session);
            if is_lost {
                return;
            }
        }
    }

    async fn live(&mut self, client: &Client, gate: &Gate) -> Session {
        let mut session = Session { paths: Vec::new(), maybe: Vec::new(), state: State::Left };
        let mut calls = Vec::new();
        for _ in 0..ZNODES {
            self.count += 1;
            let path = format!("{}/{}-{}", self.parent, self.name, self.count);
            calls.push((client.create(&path, "", CreateMode::Ephemeral), path));
        }
        for (call, path) in calls {
            let result = call.await;
            if let Err(Error::Request(RequestError::SessionExpired { maybe_executed })) = result {
                // On a busy machine it may not be given its time.
                session.maybe.extend(maybe_executed.then_some(path));
                continue;
            }
            match result.into() {
                Outcome::Done(_) => {
                    session.paths.push(path);
                    gate.acknowledge();
                }
                Outcome::Refused(code) => panic!("{path}: {code}"),
                Outcome::InDoubt => session.maybe.push(path),
                Outcome::Unsent => {}
            }
        }
        if session.maybe.is_empty() && !self.rng.one_in(4) {
            if client.close().await == (CloseReason::Closed { confirmed: true }) {
                session.state = State::Closed;
                gate.acknowledge();
            }
        } else {
            client.detach().await;
        }
        session
    }

    /// Compares, and remembers what is gone for good.
    pub(super) fn check(&mut self, view: &View) {
        for path in &self.gone {
            assert!(!view.lists(path), "{path} has come back");
        }
        for session in std::mem::take(&mut self.left) {
            let is_there = |path: &&String| view.lists(path);
            let there = session.paths.iter().filter(is_there).count();
            let maybe_there = session.maybe.iter().filter(is_there).count();
            if there + maybe_there == 0 {
                self.gone.extend(session.paths);
                self.gone.extend(session.maybe);
                continue;
            }
            // They go together, and those that were not acknowledged were made in order.
            assert_eq!(session.state, State::Left, "{session:?}: its end was acknowledged");
            assert_eq!(there, session.paths.len(), "{session:?}: some of its znodes are gone");
            let prefix = session.maybe.iter().take_while(is_there).count();
            assert_eq!(maybe_there, prefix, "{session:?}: made in another order");
            self.left.push(session);
        }
    }

    /// Whether all sessions are over.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty()
    }
}
