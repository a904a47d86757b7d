//! How a client is to be, before it begins.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use thiserror::Error;
use zookeeper_common::Clock;
use zookeeper_core::{
    Rng, Secret,
    client::{
        Auth, Chroot, CloseReason, Config, ConnectString, ConnectStringError, Credentials,
        SaslLogin, Session,
    },
};

use super::{
    Client, Driver, executor,
    retry::random,
    shared::{Settings, Shared},
};

/// Why there is no client.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connect string is wrong.
    #[error(transparent)]
    ConnectString(#[from] ConnectStringError),
    /// The session ended before it had begun.
    #[error("no session: {0}")]
    NoSession(CloseReason),
}

/// Settings of a [`Client`] in the making. Made by [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    config: Config,
    chroot: Chroot,
    credentials: Option<Credentials>,
    renews_expired: bool,
    settings: Settings,
    seed: Option<u64>,
}

impl ClientBuilder {
    pub(crate) fn new(connect_string: &str) -> Result<Self, ConnectStringError> {
        let ConnectString { hosts, chroot } = connect_string.parse()?;
        Ok(Self {
            config: Config::new(hosts),
            chroot,
            credentials: None,
            renews_expired: false,
            settings: Settings { watch_updates_max: 1_024, close_timeout: Duration::from_secs(10) },
            seed: None,
        })
    }

    /// The session time-out to ask for; the server grants what it likes.
    pub const fn session_timeout(mut self, timeout: Duration) -> Self {
        self.config.session_timeout = timeout;
        self
    }

    /// Whether a read-only server will do until a writable one is found. Otherwise it is passed
    /// over.
    pub const fn can_be_read_only(mut self, can_be: bool) -> Self {
        self.config.can_be_read_only = can_be;
        self
    }

    /// Takes on an identity in every connection, such as `digest` with `user:password`.
    pub fn auth(mut self, scheme: &str, credentials: &[u8]) -> Self {
        let credentials = Secret(Bytes::copy_from_slice(credentials));
        self.config.auth.push(Auth { scheme: scheme.into(), credentials });
        self
    }

    /// Logs in by SASL DIGEST-MD5 in every connection.
    pub fn sasl(mut self, user: &str, password: &str) -> Self {
        self.config.sasl = Some(SaslLogin {
            user: user.into(),
            password: Secret(password.into()),
            client_nonce: None,
        });
        self
    }

    /// Goes on with a session that exists already: see [`Client::credentials`].
    pub fn resume(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// How long a request may take, unless it brings its own time
    /// ([`Client::with_timeout`]). A request that is overdue costs the connection, since
    /// its reply may still come. Without it, requests wait for as long as the connection lives.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = Some(timeout);
        self
    }

    /// How long to look for a first server before the session counts as expired. Without it, for
    /// ever.
    pub const fn new_session_timeout(mut self, timeout: Duration) -> Self {
        self.config.new_session_timeout = Some(timeout);
        self
    }

    /// Whether to begin a new session when one has expired; otherwise the client is of no use then.
    /// [`ConnectionState::Lost`](super::ConnectionState::Lost) is told between the two. The new
    /// session has the identities of the old one, but none of its ephemeral znodes and watches;
    /// these end with [`WatchUpdate::Lost`](super::WatchUpdate::Lost).
    pub const fn on_expiry_renew(mut self, renews: bool) -> Self {
        self.renews_expired = renews;
        self
    }

    /// How long closing may take, from [`Client::close`] or from the end of the last client. Then
    /// the session is left to time out on the server.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.settings.close_timeout = timeout;
        self
    }

    /// How many updates of one watch wait for somebody to read them; the others are counted.
    pub const fn watch_updates_max(mut self, max: usize) -> Self {
        self.settings.watch_updates_max = max;
        self
    }

    /// Seeds everything random in the session. Without it, the seed is random.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Changes what has no method of its own here, limits and pauses above all.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// A client, and the future that does its work: for an executor of one's own. Nothing happens
    /// before the driver is polled.
    pub fn build_with_driver(self) -> (Client, Driver) {
        let clock = Clock::start();
        let now = clock.now();
        let mut rng = Rng::new(self.seed.unwrap_or_else(random));
        let config = Arc::new(self.config);
        let seed = rng.next_u64();
        let session = match self.credentials {
            Some(credentials) => Session::resume(config, now, seed, credentials),
            None => Session::new(config, now, seed),
        };
        let renewal = self.renews_expired.then_some(rng);
        let shared = Shared::new(clock, session, renewal, self.settings);
        let driver = Driver::new(Arc::clone(&shared));
        (Client::new(shared, self.chroot), driver)
    }

    /// A client that looks for a server in the background, on a thread that all clients share.
    ///
    /// # Panics
    ///
    /// When the system has no thread for it.
    pub fn build(self) -> Client {
        let (client, driver) = self.build_with_driver();
        executor::spawn(driver);
        client
    }

    /// A client with a session: as [`ClientBuilder::build`], and waits for a server.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NoSession`] when the session to resume has expired, credentials are refused,
    /// or [`ClientBuilder::new_session_timeout`] is over. Servers that cannot be reached are tried
    /// again until then.
    ///
    /// # Panics
    ///
    /// As [`ClientBuilder::build`] does.
    pub fn connect(self) -> impl Future<Output = Result<Client, ConnectError>> + Send + 'static {
        let client = self.build();
        async move {
            client.connected().await.map_err(ConnectError::NoSession)?;
            Ok(client)
        }
    }
}
