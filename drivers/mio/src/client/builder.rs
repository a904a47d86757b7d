//! How clients are made.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mio::Poll;
use zookeeper_core::{
    Secret,
    client::{Auth, Chroot, Config, ConnectString, Credentials, HostPort, SaslLogin},
};

use super::{
    Client, ConnectError, ConnectionState, Watcher,
    commands::Bell,
    event_loop::{BELL, EventLoop, Settings},
    resolver::{Lookup, Resolver},
    shared::Shared,
};

type SetUp = Box<dyn FnOnce(&Shared) + Send>;

/// Settings of a [`Client`]. See [`Client::builder`].
#[must_use]
pub struct ClientBuilder {
    config: Config,
    chroot: Chroot,
    credentials: Option<Credentials>,
    settings: Settings,
    callbacks_max: usize,
    connect_timeout: Duration,
    lookup: Option<Arc<Lookup>>,
    seed: Option<u64>,
    /// Told from the first event on.
    set_up: Vec<SetUp>,
}

impl ClientBuilder {
    /// For these servers, with this root.
    pub fn new(servers: ConnectString) -> Self {
        Self {
            config: Config::new(servers.hosts),
            chroot: servers.chroot,
            credentials: None,
            settings: Settings { close_timeout: Duration::from_secs(5), renews: false },
            callbacks_max: 65_536,
            connect_timeout: Duration::from_secs(30),
            lookup: None,
            seed: None,
            set_up: Vec::new(),
        }
    }

    /// The session time-out to ask for; the server grants what it likes.
    pub const fn session_timeout(mut self, timeout: Duration) -> Self {
        self.config.session_timeout = timeout;
        self
    }

    /// Whether a read-only server will do until a writable one is found.
    pub const fn can_be_read_only(mut self, can_be_read_only: bool) -> Self {
        self.config.can_be_read_only = can_be_read_only;
        self
    }

    /// Takes on an identity, such as `user:password` in the scheme `digest`, before any request.
    pub fn auth(mut self, scheme: &str, credentials: impl Into<Vec<u8>>) -> Self {
        let credentials = Secret(Bytes::from(credentials.into()));
        self.config.auth.push(Auth { scheme: scheme.to_owned(), credentials });
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

    /// Goes on with a session that exists. If it is over on the server, the client is
    /// [lost](ConnectionState::Lost) at once.
    pub fn resume(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// How long each request may take. One that takes longer in flight costs the connection.
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

    /// Whether an expired session is followed by a new one, without the old one's ephemeral znodes
    /// and watches; at first it is not. The state is [`ConnectionState::Lost`] in between.
    pub const fn on_expiry_renew(mut self, renews: bool) -> Self {
        self.settings.renews = renews;
        self
    }

    /// Callbacks that may wait for their thread. Beyond that the client takes no new requests and
    /// reads from the server only as much as keeps the session alive, unless a callback itself
    /// waits for an answer.
    pub const fn callbacks_max(mut self, max: usize) -> Self {
        self.callbacks_max = max;
        self
    }

    /// How long [`ClientBuilder::connect`] waits.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the end of the session waits for the server's confirmation, and a dropped client
    /// for its callbacks.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.settings.close_timeout = timeout;
        self
    }

    /// Looks servers up in place of the system, on the resolver's thread, for each attempt anew.
    /// The addresses are tried in the order given.
    pub fn resolver(
        mut self,
        lookup: impl Fn(&HostPort) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Some(Arc::new(lookup));
        self
    }

    /// Seeds everything random in the client.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The default watcher from the beginning. See [`Client::register`].
    pub fn default_watcher(mut self, watcher: impl Watcher) -> Self {
        self.set_up.push(Box::new(move |shared| shared.default_watcher.replace(watcher)));
        self
    }

    /// Hears of the session's state from the beginning. See [`Client::on_state`].
    pub fn on_state(mut self, listener: impl FnMut(ConnectionState) + Send + 'static) -> Self {
        self.set_up.push(Box::new(move |shared| {
            shared.listeners.add(listener);
        }));
        self
    }

    /// The session's other settings.
    pub const fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Starts the client, which connects by itself. Requests may be given at once.
    ///
    /// # Errors
    ///
    /// The system gives no event queue or no thread.
    ///
    /// # Panics
    ///
    /// When [`ClientBuilder::config_mut`] was used to leave no server.
    pub fn build(self) -> io::Result<Client> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell::new(poll.registry(), BELL)?);
        let shared = Arc::new(Shared::new(Arc::clone(&bell), self.callbacks_max));
        for set_up in self.set_up {
            set_up(&shared);
        }
        let event_loop = EventLoop::new(
            poll,
            Arc::clone(&shared),
            Resolver::new(self.lookup, bell),
            self.settings,
            Arc::new(self.config),
            self.credentials,
            self.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
        );
        Client::start(shared, event_loop, self.chroot, self.settings.close_timeout)
    }

    /// Starts the client and waits until it is connected.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], above all when there is no server in time.
    pub fn connect(self) -> Result<Client, ConnectError> {
        let timeout = self.connect_timeout;
        let client = self.build()?;
        client.wait_connected(timeout)?;
        Ok(client)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("config", &self.config)
            .field("chroot", &self.chroot)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
