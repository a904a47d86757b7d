//! The client of `zookeeper-smol`, blocking.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future::{block_on, or, poll_once};
use zookeeper_core::SessionId;
use zookeeper_core::client::operation::{
    AccessList, AclAndStat, Children, CreateOptions, Created, Data, MultiRead, Payload, ReadResult,
    Reconfig, Transaction, TransactionResult,
};
use zookeeper_core::client::{CloseReason, Credentials, RetryPolicy};
use zookeeper_core::wire::{AddWatchMode, ErrorCode, Id, Stat, WatcherType};
use zookeeper_smol::client::{StateWatcher, Watch, WatchUpdate};
use zookeeper_smol::{Client, ClientBuilder};

use super::{Feed, Link, Outcome, Settings, TestClient, TestWatch, Update};

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct SmolClient(Client);

impl SmolClient {
    fn builder(settings: &Settings) -> ClientBuilder {
        let mut builder = Client::builder(&settings.servers)
            .expect("a connect string")
            .session_timeout(settings.session_timeout)
            .can_be_read_only(settings.can_be_read_only)
            .configure(|config| config.backoff = settings.backoff);
        for (scheme, credentials) in &settings.auth {
            builder = builder.auth(scheme, credentials);
        }
        match &settings.resume {
            Some(credentials) => builder.resume(credentials.clone()),
            None => builder,
        }
    }

    async fn wait_until_over(&self) -> CloseReason {
        let mut states = self.0.state_watcher();
        while states.next().await.is_some() {}
        self.0.close_reason().expect("the states end when it is over")
    }
}

impl TestClient for SmolClient {
    const NAME: &'static str = "smol";
    type Watch = SmolWatch;
    type States = SmolStates;

    fn build(settings: &Settings) -> Self {
        Self(Self::builder(settings).build())
    }

    fn connect(settings: &Settings) -> Result<Self, String> {
        let connected = block_on(Self::builder(settings).connect());
        connected.map(Self).map_err(|error| error.to_string())
    }

    fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        block_on(self.0.create(path, data, options))
    }

    fn create_with_parents(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        block_on(self.0.create_with_parents(path, data, options))
    }

    fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created> {
        block_on(self.0.create_protected(path, data, options, RetryPolicy::default()))
    }

    fn create_null(&self, path: &str) -> Outcome<Created> {
        block_on(self.0.create(path, Payload::Null, CreateOptions::default()))
    }

    fn delete(&self, path: &str, version: Option<i32>) -> Outcome<()> {
        block_on(self.0.delete(path, version))
    }

    fn delete_recursive(&self, path: &str) -> Outcome<()> {
        block_on(self.0.delete_recursive(path)).map(drop)
    }

    fn exists(&self, path: &str) -> Outcome<Option<Stat>> {
        block_on(self.0.exists(path))
    }

    fn exists_and_watch(&self, path: &str) -> Outcome<(Option<Stat>, SmolWatch)> {
        watched(block_on(self.0.exists_and_watch(path)))
    }

    fn get_data(&self, path: &str) -> Outcome<Data> {
        block_on(self.0.get_data(path))
    }

    fn get_data_and_watch(&self, path: &str) -> Outcome<(Data, SmolWatch)> {
        watched(block_on(self.0.get_data_and_watch(path)))
    }

    fn get_data_in_order(&self, path: &str) -> Outcome<Data> {
        self.get_data(path)
    }

    fn set_data(&self, path: &str, data: &[u8], version: Option<i32>) -> Outcome<Stat> {
        block_on(self.0.set_data(path, data, version))
    }

    fn get_acl(&self, path: &str) -> Outcome<AclAndStat> {
        block_on(self.0.get_acl(path))
    }

    fn set_acl(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Outcome<Stat> {
        block_on(self.0.set_acl(path, acl, version))
    }

    fn get_children(&self, path: &str) -> Outcome<Vec<String>> {
        block_on(self.0.get_children(path))
    }

    fn get_children_and_watch(&self, path: &str) -> Outcome<(Vec<String>, SmolWatch)> {
        watched(block_on(self.0.get_children_and_watch(path)))
    }

    fn get_children_and_stat(&self, path: &str) -> Outcome<Children> {
        block_on(self.0.get_children_and_stat(path))
    }

    fn list_subtree(&self, path: &str) -> Outcome<Vec<String>> {
        block_on(self.0.list_subtree(path))
    }

    fn sync(&self, path: &str) -> Outcome<()> {
        block_on(self.0.sync(path))
    }

    fn get_ephemerals(&self, prefix: &str) -> Outcome<Vec<String>> {
        block_on(self.0.get_ephemerals(prefix))
    }

    fn get_all_children_number(&self, path: &str) -> Outcome<u32> {
        block_on(self.0.get_all_children_number(path))
    }

    fn get_config(&self) -> Outcome<Data> {
        block_on(self.0.get_config())
    }

    fn get_config_and_watch(&self) -> Outcome<(Data, SmolWatch)> {
        watched(block_on(self.0.get_config_and_watch()))
    }

    fn reconfig(&self, change: Reconfig) -> Outcome<Data> {
        block_on(self.0.reconfig(change))
    }

    fn who_am_i(&self) -> Outcome<Vec<Id>> {
        block_on(self.0.who_am_i())
    }

    fn multi(&self, transaction: Transaction<'_>) -> Outcome<Vec<TransactionResult>> {
        block_on(self.0.multi(transaction))
    }

    fn multi_read(&self, reads: MultiRead<'_>) -> Outcome<Vec<Result<ReadResult, ErrorCode>>> {
        block_on(self.0.multi_read(reads))
    }

    fn add_watch(&self, path: &str, mode: AddWatchMode) -> Outcome<SmolWatch> {
        watched(block_on(self.0.add_watch(path, mode))).map(|((), watch)| watch)
    }

    fn remove_all_watches(&self, path: &str, kind: WatcherType, local: bool) -> Outcome<()> {
        block_on(self.0.remove_all_watches(path, kind, local))
    }

    fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Outcome<()> {
        block_on(self.0.add_auth(scheme, credentials))
    }

    fn chroot(&self, path: &str) -> Self {
        Self(self.0.chroot(path).expect("a path"))
    }

    fn link(&self) -> Link {
        self.0.state().into()
    }

    fn states(&self) -> SmolStates {
        SmolStates(self.0.state_watcher())
    }

    fn credentials(&self) -> Option<Credentials> {
        self.0.credentials()
    }

    fn session_id(&self) -> SessionId {
        self.0.session_id()
    }

    fn session_timeout(&self) -> Option<Duration> {
        self.0.negotiated_timeout()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.peer()
    }

    fn update_hosts(&self, servers: &str) {
        self.0.update_hosts(servers).expect("a connect string");
    }

    fn close(&self) -> CloseReason {
        block_on(self.0.close())
    }

    fn detach(&self) -> CloseReason {
        block_on(self.0.detach());
        block_on(self.wait_until_over())
    }

    fn ended(&self) -> CloseReason {
        block_on(self.wait_until_over())
    }
}

fn watched<T>(outcome: Outcome<(T, Watch)>) -> Outcome<(T, SmolWatch)> {
    outcome.map(|(output, watch)| (output, SmolWatch(Some(watch))))
}

impl From<WatchUpdate> for Update {
    fn from(update: WatchUpdate) -> Self {
        match update {
            WatchUpdate::Event(event) => {
                Self::Event { kind: event.kind, path: event.path, zxid: event.zxid.0 }
            }
            WatchUpdate::Suspended => Self::Suspended,
            WatchUpdate::Restored => Self::Restored,
            WatchUpdate::Missed(_) => Self::Missed,
            WatchUpdate::Lost => Self::Lost,
            other => panic!("{other:?} is new"),
        }
    }
}

/// A watch of [`SmolClient`], until it is removed.
#[derive(Debug)]
pub struct SmolWatch(Option<Watch>);

impl Feed for SmolWatch {
    type Item = Update;

    fn next_within(&mut self, patience: Duration) -> Option<Update> {
        let watch = self.0.as_mut()?;
        within(patience, watch.next()).map(Update::from)
    }
}

impl TestWatch for SmolWatch {
    /// The removal takes the watch itself away.
    const TELLS_ITS_REMOVAL: bool = false;

    fn remove(&mut self) -> Outcome<()> {
        block_on(self.0.take().expect("a watch that was not removed").remove())
    }
}

/// The states of a [`SmolClient`].
pub struct SmolStates(StateWatcher);

impl fmt::Debug for SmolStates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SmolStates")
    }
}

impl Feed for SmolStates {
    type Item = Link;

    fn next_within(&mut self, patience: Duration) -> Option<Link> {
        within(patience, self.0.next()).map(Link::from)
    }
}

fn within<T>(patience: Duration, next: impl Future<Output = Option<T>>) -> Option<T> {
    block_on(async {
        if patience.is_zero() {
            return poll_once(next).await.flatten();
        }
        let timer = async {
            async_io::Timer::after(patience).await;
            None
        };
        or(next, timer).await
    })
}
