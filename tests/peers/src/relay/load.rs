//! A mixed load on one server, by sessions that outlive it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future::block_on;
use zookeeper_core::Rng;
use zookeeper_core::client::operation::{CreateOptions, Payload, Transaction};
use zookeeper_core::client::{Error, RequestError};
use zookeeper_core::wire::{Acl, CreateMode, perms};
use zookeeper_smol::Client;

use crate::client::{PATIENCE, Settings};
use crate::deadline::Deadline;
use crate::oracle::pools::{LIMITS, NAMES, PERMS, PREFIXES, SUPERUSER, USERS, between, pick};

/// Longer than any test.
const TIMEOUT: Duration = Duration::from_secs(600);
/// As short as a session may be with [`options`](super::options).
const SHORT_TIMEOUT: Duration = Duration::from_millis(400);
/// How many znodes are remembered to be worked on.
const KNOWN_MAX: usize = 200;
/// Longer than any run.
const TTL: Duration = Duration::from_secs(100_000);

const MODES: [CreateMode; 10] = [
    CreateMode::Persistent,
    CreateMode::Persistent,
    CreateMode::Persistent,
    CreateMode::PersistentSequential,
    CreateMode::PersistentSequential,
    CreateMode::Ephemeral,
    CreateMode::EphemeralSequential,
    CreateMode::Container,
    CreateMode::PersistentWithTtl,
    CreateMode::PersistentSequentialWithTtl,
];

/// Directories with a quota.
const QUOTAS: [&str; 2] = ["/q0", "/q1"];

/// What the load does, with weights.
const ACTIONS: [(u64, Action); 11] = [
    (30, Action::Create),
    (12, Action::Delete),
    (20, Action::SetData),
    (10, Action::SetAcl),
    (8, Action::Multi),
    (6, Action::FailingMulti),
    (6, Action::QuotaChild),
    (2, Action::QuotaLimit),
    (2, Action::CloseSession),
    (1, Action::ExpireSession),
    (1, Action::SetLarge),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Create,
    Delete,
    SetData,
    SetAcl,
    Multi,
    FailingMulti,
    QuotaChild,
    QuotaLimit,
    CloseSession,
    ExpireSession,
    SetLarge,
}

/// A client that is connected.
///
/// # Panics
///
/// If it finds no server, or no session.
pub(crate) fn client(settings: &Settings) -> Client {
    let mut builder = Client::builder(&settings.servers)
        .expect("a connect string")
        .session_timeout(settings.session_timeout)
        .configure(|config| config.backoff = settings.backoff);
    for (scheme, credentials) in &settings.auth {
        builder = builder.auth(scheme, credentials);
    }
    if let Some(credentials) = &settings.resume {
        builder = builder.resume(credentials.clone());
    }
    block_on(builder.connect()).expect("a session")
}

/// A session that lives as long as the load.
#[derive(Debug)]
struct Actor {
    /// With what it takes to go on.
    settings: Settings,
    client: Client,
}

/// The sessions and what they know of the tree.
#[derive(Debug)]
pub struct Load {
    rng: Rng,
    settings: Settings,
    actors: Vec<Actor>,
    known: Vec<String>,
    /// How often each action was answered with success, and with an error.
    done: BTreeMap<Action, (usize, usize)>,
}

impl Load {
    /// Sessions of several users on this server, which nobody has used before.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    #[must_use]
    pub fn start(server: SocketAddr, seed: u64) -> Self {
        let settings = Settings::new(server).session_timeout(TIMEOUT);
        let users = [None, Some(USERS[0].0), Some(USERS[1].0), Some(SUPERUSER)];
        let actors = users.map(|user| {
            let mut settings = settings.clone();
            settings.auth.extend(user.map(|user| ("digest".to_owned(), user.as_bytes().to_vec())));
            Actor { client: client(&settings), settings }
        });
        let load = Self {
            rng: Rng::new(seed),
            settings,
            actors: actors.into(),
            known: Vec::new(),
            done: BTreeMap::new(),
        };
        for (path, limits) in QUOTAS.iter().zip(LIMITS) {
            load.begin_quota(path, limits).expect("the superuser may");
        }
        load
    }

    /// Does so many things, one after the other; all are answered when it returns.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub fn run(&mut self, actions: usize) {
        let sum = ACTIONS.iter().map(|(weight, _)| weight).sum();
        for _ in 0..actions {
            let mut at = self.rng.below(sum);
            let action = ACTIONS.iter().find(|(weight, _)| {
                let is_here = at < *weight;
                at = at.saturating_sub(*weight);
                is_here
            });
            let (_, action) = action.expect("it is below the sum");
            self.act(*action);
        }
    }

    /// Sends so many writes and returns at once; what becomes of them nobody knows.
    pub fn burst(&mut self, writes: usize) {
        for _ in 0..writes {
            // See `multi` on the root.
            let (path, data) = (pick(&mut self.rng, &self.known), self.data());
            let client = self.actor();
            match self.rng.below(4) {
                0 => drop(client.create(&path, payload(data.as_deref()), CreateOptions::default())),
                1 => {
                    let path = format!("{path}/burst-");
                    drop(client.create(&path, "", CreateMode::EphemeralSequential));
                }
                _ => drop(client.set_data(&path, payload(data.as_deref()), None)),
            }
        }
    }

    /// Ends every connection and leaves the sessions alone.
    ///
    /// A client that meets Apache's server while it starts may be neither served nor turned away,
    /// and would wait for its time-out.
    ///
    /// # Panics
    ///
    /// If a session is over.
    pub fn leave(&mut self) {
        for actor in &mut self.actors {
            let credentials = block_on(actor.client.detach());
            actor.settings.resume = Some(credentials.expect("the session lives"));
        }
    }

    /// Goes on with every session.
    ///
    /// # Panics
    ///
    /// If the server does not know one of them.
    pub fn come_back(&mut self) {
        for actor in &mut self.actors {
            let session = actor.client.session_id();
            actor.client = client(&actor.settings);
            assert_eq!(actor.client.session_id(), session, "the session is another one");
        }
    }

    /// Each session's ephemeral znodes as the server lists them, where there are any.
    ///
    /// # Panics
    ///
    /// If the server does not say.
    #[must_use]
    pub fn ephemerals(&self) -> BTreeMap<i64, Vec<String>> {
        let mut all = BTreeMap::new();
        for Actor { client, .. } in &self.actors {
            let mut paths = block_on(client.get_ephemerals("/")).expect("a list");
            paths.sort_unstable();
            if !paths.is_empty() {
                all.insert(client.session_id().0, paths);
            }
        }
        all
    }

    /// # Panics
    ///
    /// If there is an action that never succeeded, or none that failed.
    pub fn assert_complete(&self) {
        for (_, action) in ACTIONS {
            let (well, _) = self.done.get(&action).copied().unwrap_or_default();
            // It is made to fail.
            assert_eq!(well > 0, action != Action::FailingMulti, "{self}");
        }
        assert!(self.done.values().map(|(_, failed)| failed).sum::<usize>() > 20, "{self}");
    }

    fn act(&mut self, action: Action) {
        let outcome = match action {
            Action::Create => self.create(),
            Action::Delete => self.delete(),
            Action::SetData => self.set_data(),
            Action::SetAcl => self.set_acl(),
            Action::Multi => self.multi(),
            Action::FailingMulti => self.failing_multi(),
            Action::QuotaChild => self.quota_child(),
            Action::QuotaLimit => self.quota_limit(),
            Action::CloseSession => self.close_session(),
            Action::ExpireSession => self.expire_session(),
            Action::SetLarge => self.set_large(),
        };
        let (well, failed) = self.done.entry(action).or_default();
        match outcome {
            Ok(()) => *well += 1,
            Err(Error::Request(RequestError::Server(_)) | Error::Multi(_)) => *failed += 1,
            Err(error) => panic!("{action:?}: {error}"),
        }
    }

    fn create(&mut self) -> Result<(), Error> {
        let mode = pick(&mut self.rng, &MODES);
        let path = self.new_path(mode);
        let (data, options) = (self.data(), self.options(mode));
        let created = block_on(self.actor().create(&path, payload(data.as_deref()), options))?;
        self.note(created.path);
        Ok(())
    }

    fn delete(&mut self) -> Result<(), Error> {
        let (path, version) = (self.known_path(), self.version());
        if path == "/" {
            return Ok(());
        }
        block_on(self.actor().delete(&path, version))?;
        self.known.retain(|known| *known != path);
        Ok(())
    }

    fn set_data(&mut self) -> Result<(), Error> {
        let (path, data, version) = (self.known_path(), self.data(), self.version());
        block_on(self.actor().set_data(&path, payload(data.as_deref()), version)).map(drop)
    }

    fn set_large(&mut self) -> Result<(), Error> {
        let path = self.known_path();
        let data = vec![b'L'; between(&mut self.rng, 50_000, 200_000)];
        block_on(self.superuser().set_data(&path, data, None)).map(drop)
    }

    fn set_acl(&mut self) -> Result<(), Error> {
        let (path, acl, version) = (self.known_path(), self.acl(), self.version());
        if path == "/" {
            return Ok(());
        }
        block_on(self.actor().set_acl(&path, acl, version)).map(drop)
    }

    /// Everything that can be in one. Not the root itself: where a transaction makes a child of it
    /// and changes it, too, Apache's server writes a digest that is not its own tree's.
    fn multi(&mut self) -> Result<(), Error> {
        let directory = format!("/m{:x}", self.rng.next_u64());
        let data = self.data();
        let (child, container) = (format!("{directory}/s-"), format!("{directory}/c"));
        let gone = format!("{directory}/gone");
        let ttl = self.options(CreateMode::PersistentWithTtl);
        let transaction = Transaction::new()
            .create(&directory, "", CreateMode::Persistent)
            .create(&child, payload(data.as_deref()), CreateMode::PersistentSequential)
            .create(&child, "", CreateMode::EphemeralSequential)
            .create(&container, "", CreateMode::Container)
            .create(format!("{directory}/t"), "", ttl)
            .create(&gone, "", CreateMode::Persistent)
            .check(&directory, Some(0))
            .set_data(&directory, payload(data.as_deref()), Some(0))
            .delete(&gone, Some(0));
        block_on(self.superuser().multi(transaction))?;
        self.note(directory);
        self.note(container);
        Ok(())
    }

    /// The last of its operations fails, so the others must not leave a trace.
    fn failing_multi(&mut self) -> Result<(), Error> {
        let (path, data) = (self.known_path(), self.data());
        let transaction = Transaction::new()
            .create("/never", "", CreateMode::Persistent)
            .create("/never/", "", CreateMode::PersistentSequential)
            .set_data(&path, payload(data.as_deref()), None)
            .check("/never", Some(7));
        block_on(self.superuser().multi(transaction)).map(drop)
    }

    fn begin_quota(&self, path: &str, limits: &str) -> Result<(), Error> {
        let quota = format!("/zookeeper/quota{path}");
        let client = self.superuser();
        block_on(client.create(path, "", CreateMode::Persistent))?;
        block_on(client.create(&quota, "", CreateMode::Persistent))?;
        let limits_path = format!("{quota}/zookeeper_limits");
        block_on(client.create(&limits_path, limits, CreateMode::Persistent))?;
        let stats = "count=0,bytes=0";
        block_on(client.create(&format!("{quota}/zookeeper_stats"), stats, CreateMode::Persistent))
            .map(drop)
    }

    fn quota_child(&mut self) -> Result<(), Error> {
        let path = format!("{}/n{}", pick(&mut self.rng, &QUOTAS), self.rng.below(6));
        let data = self.data();
        let client = self.actor();
        match self.rng.below(3) {
            0 => block_on(client.delete(&path, None)),
            1 => block_on(client.set_data(&path, payload(data.as_deref()), None)).map(drop),
            _ => block_on(client.create(&path, payload(data.as_deref()), CreateMode::Persistent))
                .map(drop),
        }
    }

    fn quota_limit(&mut self) -> Result<(), Error> {
        let path = pick(&mut self.rng, &QUOTAS);
        let limits = pick(&mut self.rng, &LIMITS);
        let path = format!("/zookeeper/quota{path}/zookeeper_limits");
        block_on(self.superuser().set_data(&path, limits, None)).map(drop)
    }

    /// A session that takes its ephemeral znodes with it.
    fn close_session(&self) -> Result<(), Error> {
        let client = client(&self.settings);
        for _ in 0..3 {
            block_on(client.create("/closed-", "", CreateMode::EphemeralSequential))?;
        }
        block_on(client.close());
        Ok(())
    }

    /// A session that is left alone, until it is over.
    fn expire_session(&self) -> Result<(), Error> {
        let client = client(&self.settings.clone().session_timeout(SHORT_TIMEOUT));
        let mut paths = Vec::new();
        for _ in 0..3 {
            let mode = CreateMode::EphemeralSequential;
            paths.push(block_on(client.create("/expired-", "", mode))?.path);
        }
        block_on(client.detach());
        let superuser = self.superuser();
        let gone = Deadline::after(PATIENCE).poll("a session to expire", || {
            let found = block_on(superuser.exists(&paths[2])).expect("it is read");
            Ok(found.is_none().then_some(()))
        });
        gone.expect("it expires");
        Ok(())
    }

    fn superuser(&self) -> &Client {
        &self.actors[self.actors.len() - 1].client
    }

    fn actor(&mut self) -> Client {
        let place = between(&mut self.rng, 0, self.actors.len() - 1);
        self.actors[place].client.clone()
    }

    fn note(&mut self, path: String) {
        if self.known.len() >= KNOWN_MAX {
            let place = between(&mut self.rng, 0, KNOWN_MAX - 1);
            self.known.swap_remove(place);
        }
        self.known.push(path);
    }

    fn known_path(&mut self) -> String {
        match self.rng.below(20) {
            0 => "/".to_owned(),
            1 => format!("/{}", pick(&mut self.rng, &NAMES)),
            _ if self.known.is_empty() => "/".to_owned(),
            _ => pick(&mut self.rng, &self.known),
        }
    }

    fn new_path(&mut self, mode: CreateMode) -> String {
        let parent = if self.rng.one_in(2) { self.known_path() } else { "/".to_owned() };
        let parent = if parent == "/" { "" } else { &parent };
        let name = if mode.is_sequential() {
            pick(&mut self.rng, &PREFIXES)
        } else {
            pick(&mut self.rng, &NAMES)
        };
        format!("{parent}/{name}")
    }

    fn options(&mut self, mode: CreateMode) -> CreateOptions {
        let mut options = CreateOptions::new(mode);
        if mode.has_ttl() {
            options = options.ttl(TTL);
        }
        if self.rng.one_in(3) {
            options = options.acl(self.acl());
        }
        if self.rng.one_in(3) {
            options = options.with_stat();
        }
        options
    }

    /// Lists of every scheme. `auth` becomes whoever asks.
    fn acl(&mut self) -> Vec<Acl> {
        let mut acl = Vec::new();
        for _ in 0..between(&mut self.rng, 1, 4) {
            let bits = pick(&mut self.rng, &PERMS);
            let (scheme, id) = pick(
                &mut self.rng,
                &[
                    ("world", "anyone"),
                    ("auth", ""),
                    ("digest", USERS[0].1),
                    ("digest", USERS[1].1),
                    ("digest", USERS[2].1),
                    ("ip", "127.0.0.1"),
                    ("ip", "10.0.0.0/8"),
                ],
            );
            acl.push(Acl::new(bits, scheme, id));
        }
        if !self.rng.one_in(4) {
            acl.push(Acl::new(perms::ALL, "world", "anyone"));
        }
        acl
    }

    fn data(&mut self) -> Option<Vec<u8>> {
        match self.rng.below(8) {
            0 => None,
            1 => Some(Vec::new()),
            _ => {
                let byte = self.rng.next_u64().to_be_bytes()[0];
                Some(vec![byte; between(&mut self.rng, 1, 300)])
            }
        }
    }

    fn version(&mut self) -> Option<i32> {
        pick(&mut self.rng, &[None, None, None, Some(0), Some(1), Some(9)])
    }
}

fn payload(data: Option<&[u8]>) -> Payload<'_> {
    data.map_or(Payload::Null, Payload::Slice)
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self
            .done
            .iter()
            .map(|(action, (well, failed))| format!("{action:?} {well} done and {failed} refused"));
        f.write_str(&counts.collect::<Vec<_>>().join(", "))
    }
}
