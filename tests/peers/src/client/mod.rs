//! One face for both drivers' clients, so that what is tested is written once.
//!
//! Everything blocks; the client of `zookeeper-smol` runs under `smol::block_on`. The types that
//! both drivers share are the core's; those that each has for itself are told here by [`Link`] and
//! [`Update`].

mod mio;
mod smol;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use zookeeper_core::SessionId;
use zookeeper_core::client::operation::{
    AccessList, AclAndStat, Children, CreateOptions, Created, Data, MultiRead, ReadResult,
    Reconfig, Transaction, TransactionResult,
};
use zookeeper_core::client::{Backoff, CloseReason, Credentials, Error, WatchEventKind};
use zookeeper_core::wire::{AddWatchMode, ErrorCode, Id, Stat, WatcherType};

pub use mio::{MioClient, MioStates, MioWatch};
pub use smol::{SmolClient, SmolStates, SmolWatch};

/// Only something that hangs takes this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a client is begun with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The connect string.
    pub servers: String,
    /// The session time-out to ask for.
    pub session_timeout: Duration,
    /// Whether a read-only server will do for a while.
    pub can_be_read_only: bool,
    /// Identities to take on from the beginning: scheme and credentials.
    pub auth: Vec<(String, Vec<u8>)>,
    /// A session to go on with.
    pub resume: Option<Credentials>,
    /// The pauses between two attempts to connect.
    pub backoff: Backoff,
}

impl Settings {
    /// A new session on these servers that loses no time.
    #[must_use]
    pub fn new(servers: impl ToString) -> Self {
        Self {
            servers: servers.to_string(),
            session_timeout: Duration::from_secs(20),
            can_be_read_only: false,
            auth: Vec::new(),
            resume: None,
            backoff: Backoff {
                failure: Duration::from_millis(20),
                round: Duration::from_millis(50),
                jitter: Duration::from_millis(50),
            },
        }
    }

    /// With this session time-out.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// With a session that was begun elsewhere.
    #[must_use]
    pub fn resume(mut self, credentials: Credentials) -> Self {
        self.resume = Some(credentials);
        self
    }
}

/// How a client stands to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// On a server that takes writes.
    Connected,
    /// On a server that does not.
    ReadOnly,
    /// On none.
    Suspended,
    /// For ever on none: the session is over.
    Lost,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A znode changed, or the watch was removed.
    Event {
        /// What happened.
        kind: WatchEventKind,
        /// To which znode, as the client names it.
        path: String,
        /// The transaction that did it; -1 where the server does not say.
        zxid: i64,
    },
    /// No server is reached.
    Suspended,
    /// The watch is set again.
    Restored,
    /// Changes were not told.
    Missed,
    /// The watch will not fire.
    Lost,
}

impl Update {
    /// What happened and to which znode; `None` where nothing did.
    #[must_use]
    pub fn change(&self) -> Option<(WatchEventKind, &str)> {
        match self {
            Self::Event { kind, path, .. } => Some((*kind, path)),
            _ => None,
        }
    }
}

/// Something that tells one thing after the other.
pub trait Feed {
    /// What it tells.
    type Item: Debug;

    /// The next item, if it comes within this time. None will if the feed has ended.
    fn next_within(&mut self, patience: Duration) -> Option<Self::Item>;

    /// The next item if it was told already.
    fn poll(&mut self) -> Option<Self::Item> {
        self.next_within(Duration::ZERO)
    }

    /// The next item.
    ///
    /// # Panics
    ///
    /// If it does not come.
    #[track_caller]
    fn next(&mut self) -> Self::Item {
        self.next_within(PATIENCE).expect("nothing was told")
    }
}

/// A watch that a client has set.
pub trait TestWatch: Feed<Item = Update> + Send {
    /// Whether the last thing it tells is its removal by [`TestWatch::remove`].
    const TELLS_ITS_REMOVAL: bool;

    /// Removes it.
    ///
    /// # Errors
    ///
    /// The operation's.
    fn remove(&mut self) -> Result<(), Error>;
}

/// What comes of an operation.
pub type Outcome<T> = Result<T, Error>;

/// What the clients of both drivers can do. The methods are named as theirs.
#[expect(missing_docs, reason = "the names say it, and the drivers' docs say more")]
#[expect(clippy::missing_errors_doc, reason = "the operation's error")]
pub trait TestClient: Clone + Send + Sync + 'static {
    /// The driver's name.
    const NAME: &'static str;
    type Watch: TestWatch;
    type States: Feed<Item = Link> + Send;

    /// A client that looks for a server.
    fn build(settings: &Settings) -> Self;
    /// A client that has found one.
    fn connect(settings: &Settings) -> Result<Self, String>;

    fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created>;
    fn create_with_parents(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created>;
    fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Outcome<Created>;
    /// A znode whose data are null.
    fn create_null(&self, path: &str) -> Outcome<Created>;
    fn delete(&self, path: &str, version: Option<i32>) -> Outcome<()>;
    fn delete_recursive(&self, path: &str) -> Outcome<()>;
    fn exists(&self, path: &str) -> Outcome<Option<Stat>>;
    fn exists_and_watch(&self, path: &str) -> Outcome<(Option<Stat>, Self::Watch)>;
    fn get_data(&self, path: &str) -> Outcome<Data>;
    fn get_data_and_watch(&self, path: &str) -> Outcome<(Data, Self::Watch)>;
    /// As `get_data`, but told in the same order as watches are.
    fn get_data_in_order(&self, path: &str) -> Outcome<Data>;
    fn set_data(&self, path: &str, data: &[u8], version: Option<i32>) -> Outcome<Stat>;
    fn get_acl(&self, path: &str) -> Outcome<AclAndStat>;
    fn set_acl(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Outcome<Stat>;
    fn get_children(&self, path: &str) -> Outcome<Vec<String>>;
    fn get_children_and_watch(&self, path: &str) -> Outcome<(Vec<String>, Self::Watch)>;
    fn get_children_and_stat(&self, path: &str) -> Outcome<Children>;
    fn list_subtree(&self, path: &str) -> Outcome<Vec<String>>;
    fn sync(&self, path: &str) -> Outcome<()>;
    fn get_ephemerals(&self, prefix: &str) -> Outcome<Vec<String>>;
    fn get_all_children_number(&self, path: &str) -> Outcome<u32>;
    fn get_config(&self) -> Outcome<Data>;
    fn get_config_and_watch(&self) -> Outcome<(Data, Self::Watch)>;
    fn reconfig(&self, change: Reconfig) -> Outcome<Data>;
    fn who_am_i(&self) -> Outcome<Vec<Id>>;
    fn multi(&self, transaction: Transaction<'_>) -> Outcome<Vec<TransactionResult>>;
    fn multi_read(&self, reads: MultiRead<'_>) -> Outcome<Vec<Result<ReadResult, ErrorCode>>>;
    fn add_watch(&self, path: &str, mode: AddWatchMode) -> Outcome<Self::Watch>;
    fn remove_all_watches(&self, path: &str, kind: WatcherType, local: bool) -> Outcome<()>;
    fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Outcome<()>;

    /// A view of the same session below this znode.
    fn chroot(&self, path: &str) -> Self;
    fn link(&self) -> Link;
    /// Tells where the session stands, and every change of it.
    fn states(&self) -> Self::States;
    fn credentials(&self) -> Option<Credentials>;
    fn session_id(&self) -> SessionId;
    fn session_timeout(&self) -> Option<Duration>;
    /// The server it is connected to, or was last.
    fn peer(&self) -> Option<SocketAddr>;
    fn update_hosts(&self, servers: &str);
    /// Ends the session on the server, and waits until it is over.
    fn close(&self) -> CloseReason;
    /// Leaves the session alone, and waits until it is over here.
    fn detach(&self) -> CloseReason;
    /// Waits until the session is over, without asking for it.
    fn ended(&self) -> CloseReason;

    /// Waits until the session stands so.
    ///
    /// # Panics
    ///
    /// If it never does.
    fn wait_for(&self, link: Link) {
        let mut states = self.states();
        while states.next() != link {}
    }
}
