//! The client of `zookeeper-mio`: its blocking calls, with callbacks that fill queues.

use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zookeeper_core::SessionId;
use zookeeper_core::client::operation::{
    AccessList, AclAndStat, Children, CreateOptions, Created, Data, GetData, MultiRead, Payload,
    ReadResult, Reconfig, Transaction, TransactionResult,
};
use zookeeper_core::client::{CloseReason, Credentials, RetryPolicy};
use zookeeper_core::wire::{AddWatchMode, ErrorCode, Id, Stat, WatcherType};
use zookeeper_mio::client::{
    Client, ClientBuilder, ConnectionState, Watch, WatchUpdate, WatcherHandle,
};

use super::{Feed, Link, Outcome, PATIENCE, Settings, TestClient, TestWatch, Update};
use crate::deadline::Deadline;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct MioClient {
    client: Client,
    history: Arc<History>,
}

/// Every state that a listener was told, the oldest first.
#[derive(Debug)]
struct History {
    states: Mutex<Vec<Link>>,
    changed: Condvar,
}

impl MioClient {
    fn builder(settings: &Settings) -> (ClientBuilder, Arc<History>) {
        let mut builder = Client::builder(&settings.servers)
            .expect("a connect string")
            .session_timeout(settings.session_timeout)
            .can_be_read_only(settings.can_be_read_only);
        builder.config_mut().backoff = settings.backoff;
        for (scheme, credentials) in &settings.auth {
            builder = builder.auth(scheme, credentials.clone());
        }
        if let Some(credentials) = &settings.resume {
            builder = builder.resume(credentials.clone());
        }
        let states = Mutex::new(vec![Link::Suspended]);
        let history = Arc::new(History { states, changed: Condvar::new() });
        let told = Arc::clone(&history);
        let builder = builder.on_state(move |state| {
            told.lock().push(state.into());
            told.changed.notify_all();
        });
        (builder, history)
    }

    fn watched<T>(
        &self,
        ask: impl FnOnce(&Client, WatcherHandle) -> Outcome<(T, Watch)>,
    ) -> Outcome<(T, MioWatch)> {
        let (watcher, updates) = watcher();
        let (output, watch) = ask(&self.client, watcher)?;
        Ok((output, MioWatch { watch: Some(watch), updates }))
    }
}

/// A watcher that fills a queue.
fn watcher() -> (WatcherHandle, Receiver<Update>) {
    let (sender, updates) = mpsc::channel();
    let watcher = WatcherHandle::new(move |update: WatchUpdate| {
        // Whoever does not look any more misses nothing.
        let _ = sender.send(update.into());
    });
    (watcher, updates)
}

impl TestClient for MioClient {
    const NAME: &'static str = "mio";
    type Watch = MioWatch;
    type States = MioStates;

    fn build(settings: &Settings) -> Self {
        let (builder, history) = Self::builder(settings);
        Self { client: builder.build().expect("threads"), history }
    }

    fn connect(settings: &Settings) -> Result<Self, String> {
        let (builder, history) = Self::builder(settings);
        let connected = builder.connect_timeout(PATIENCE).connect();
        connected.map(|client| Self { client, history }).map_err(|error| error.to_string())
    }

    fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        self.client.create(path, data, options)
    }

    fn create_with_parents(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        self.client.create_with_parents(path, data, options)
    }

    fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        self.client.create_protected(path, data, options, RetryPolicy::default())
    }

    fn create_null(&self, path: &str) -> Outcome<Created> {
        self.client.create(path, Payload::Null, CreateOptions::default())
    }

    fn delete(&self, path: &str, version: Option<i32>) -> Outcome<()> {
        self.client.delete(path, version)
    }

    fn delete_recursive(&self, path: &str) -> Outcome<()> {
        self.client.delete_recursive(path).map(drop)
    }

    fn exists(&self, path: &str) -> Outcome<Option<Stat>> {
        self.client.exists(path)
    }

    fn exists_and_watch(&self, path: &str) -> Outcome<(Option<Stat>, MioWatch)> {
        self.watched(|client, watcher| client.exists_and_watch(path, watcher))
    }

    fn get_data(&self, path: &str) -> Outcome<Data> {
        self.client.get_data(path)
    }

    fn get_data_and_watch(&self, path: &str) -> Outcome<(Data, MioWatch)> {
        self.watched(|client, watcher| client.get_data_and_watch(path, watcher))
    }

    /// A blocking call does not wait for the callbacks before it; a callback comes behind them.
    fn get_data_in_order(&self, path: &str) -> Outcome<Data> {
        let (sender, outcome) = mpsc::channel();
        self.client.submit(&GetData::new(path), move |result| drop(sender.send(result)));
        outcome.recv_timeout(PATIENCE).expect("nothing was told")
    }

    fn set_data(&self, path: &str, data: &[u8], version: Option<i32>) -> Outcome<Stat> {
        self.client.set_data(path, data, version)
    }

    fn get_acl(&self, path: &str) -> Outcome<AclAndStat> {
        self.client.get_acl(path)
    }

    fn set_acl(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Outcome<Stat> {
        self.client.set_acl(path, acl, version)
    }

    fn get_children(&self, path: &str) -> Outcome<Vec<String>> {
        self.client.get_children(path)
    }

    fn get_children_and_watch(&self, path: &str) -> Outcome<(Vec<String>, MioWatch)> {
        self.watched(|client, watcher| client.get_children_and_watch(path, watcher))
    }

    fn get_children_and_stat(&self, path: &str) -> Outcome<Children> {
        self.client.get_children_and_stat(path)
    }

    fn list_subtree(&self, path: &str) -> Outcome<Vec<String>> {
        self.client.list_subtree(path)
    }

    fn sync(&self, path: &str) -> Outcome<()> {
        self.client.sync(path)
    }

    fn get_ephemerals(&self, prefix: &str) -> Outcome<Vec<String>> {
        self.client.get_ephemerals(prefix)
    }

    fn get_all_children_number(&self, path: &str) -> Outcome<u32> {
        self.client.get_all_children_number(path)
    }

    fn get_config(&self) -> Outcome<Data> {
        self.client.get_config()
    }

    fn get_config_and_watch(&self) -> Outcome<(Data, MioWatch)> {
        let (watcher, updates) = watcher();
        let config = self.client.get_config_and_watch(watcher)?;
        Ok((config, MioWatch { watch: None, updates }))
    }

    fn reconfig(&self, change: Reconfig) -> Outcome<Data> {
        self.client.reconfig(&change)
    }

    fn who_am_i(&self) -> Outcome<Vec<Id>> {
        self.client.who_am_i()
    }

    fn multi(&self, transaction: Transaction<'_>) -> Outcome<Vec<TransactionResult>> {
        self.client.multi(&transaction)
    }

    fn multi_read(&self, reads: MultiRead<'_>) -> Outcome<Vec<Result<ReadResult, ErrorCode>>> {
        self.client.multi_read(&reads)
    }

    fn add_watch(&self, path: &str, mode: AddWatchMode) -> Outcome<MioWatch> {
        let added = self.watched(|client, watcher| {
            client.add_watch(path, mode, watcher).map(|watch| ((), watch))
        });
        added.map(|((), watch)| watch)
    }

    fn remove_all_watches(&self, path: &str, kind: WatcherType, local: bool) -> Outcome<()> {
        self.client.remove_all_watches(path, kind, local)
    }

    fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Outcome<()> {
        self.client.add_auth(scheme, credentials)
    }

    fn chroot(&self, path: &str) -> Self {
        let client = self.client.chroot(path).expect("a path");
        Self { client, history: Arc::clone(&self.history) }
    }

    fn link(&self) -> Link {
        self.client.state().into()
    }

    /// The callback thread may be behind; the feed begins when it has caught up.
    fn states(&self) -> MioStates {
        let caught_up = Deadline::after(PATIENCE).poll("the listener", || {
            let states = self.history.lock();
            Ok((states.last() == Some(&self.link())).then_some(states.len() - 1))
        });
        MioStates { history: Arc::clone(&self.history), next: caught_up.expect("a listener") }
    }

    fn credentials(&self) -> Option<Credentials> {
        self.client.credentials()
    }

    fn session_id(&self) -> SessionId {
        self.client.session_id()
    }

    fn session_timeout(&self) -> Option<Duration> {
        self.client.negotiated_timeout()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.client.peer()
    }

    fn update_hosts(&self, servers: &str) {
        let servers = servers.parse().expect("a connect string");
        self.client.update_hosts(servers).expect("a session");
    }

    fn close(&self) -> CloseReason {
        self.client.close()
    }

    fn detach(&self) -> CloseReason {
        self.client.detach();
        self.ended()
    }

    fn ended(&self) -> CloseReason {
        self.wait_for(Link::Lost);
        self.client.close()
    }
}

impl From<ConnectionState> for Link {
    fn from(state: ConnectionState) -> Self {
        match state {
            ConnectionState::Connected { read_only: false } => Self::Connected,
            ConnectionState::Connected { read_only: true } => Self::ReadOnly,
            ConnectionState::Suspended => Self::Suspended,
            ConnectionState::Lost => Self::Lost,
        }
    }
}

impl From<WatchUpdate> for Update {
    fn from(update: WatchUpdate) -> Self {
        match update {
            WatchUpdate::Event(event) => {
                Self::Event { kind: event.kind, path: event.path, zxid: event.zxid.0 }
            }
            WatchUpdate::Suspended => Self::Suspended,
            WatchUpdate::Restored => Self::Restored,
            WatchUpdate::Lost => Self::Lost,
            other => panic!("{other:?} is not for watches"),
        }
    }
}

/// A watch of [`MioClient`].
#[derive(Debug)]
pub struct MioWatch {
    /// None for the ensemble's configuration, whose watch is not handed out.
    watch: Option<Watch>,
    updates: Receiver<Update>,
}

impl Feed for MioWatch {
    type Item = Update;

    fn next_within(&mut self, patience: Duration) -> Option<Update> {
        if patience.is_zero() {
            return self.updates.try_recv().ok();
        }
        self.updates.recv_timeout(patience).ok()
    }
}

impl TestWatch for MioWatch {
    const TELLS_ITS_REMOVAL: bool = true;

    fn remove(&mut self) -> Outcome<()> {
        self.watch.as_ref().expect("a watch that can be removed").remove()
    }
}

/// The states of a [`MioClient`].
pub struct MioStates {
    history: Arc<History>,
    next: usize,
}

impl fmt::Debug for MioStates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MioStates({:?} from {})", self.history.lock(), self.next)
    }
}

impl Feed for MioStates {
    type Item = Link;

    fn next_within(&mut self, patience: Duration) -> Option<Link> {
        let until = Instant::now() + patience;
        let mut states = self.history.lock();
        while states.len() <= self.next {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.history.changed.wait_timeout(states, left);
            states = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.next += 1;
        Some(states[self.next - 1])
    }
}

impl History {
    fn lock(&self) -> MutexGuard<'_, Vec<Link>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
