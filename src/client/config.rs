//! What a session is told before it begins.

use std::time::Duration;

use bytes::Bytes;

use super::HostPort;
use crate::{
    ids::SessionId,
    limits,
    secret::Secret,
    wire::{PASSWORD_LENGTH, Xid},
};

/// Settings of one [`Session`](super::Session). Start from [`Config::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The servers, in any order: each session shuffles them.
    pub hosts: Vec<HostPort>,
    /// The session time-out to ask for, in every handshake; the server grants what it likes.
    pub session_timeout: Duration,
    /// Whether a read-only server will do until a writable one is found. Without it a read-only
    /// server counts as a failed attempt.
    pub can_be_read_only: bool,
    /// How long to look for a first server before giving up with `Expired`; `None` is for ever.
    /// Zero is four thirds of the session time-out.
    pub new_session_timeout: Option<Duration>,
    /// `jute.maxbuffer`: the longest reply accepted, and the longest request sent, in bytes,
    /// inclusive. A longer reply fails its request alone.
    pub frame_length_max: usize,
    /// How long a request may take, from its submission, unless it brings its own time;
    /// `zookeeper.request.timeout`. `None` is for ever. A session that closes waits as long for
    /// each answer that is due before its end, and for the session time-out where this is `None`.
    pub request_timeout: Option<Duration>,
    /// Whether watches are set again after a reconnect: the inverse of
    /// `zookeeper.disableAutoWatchReset`.
    pub auto_watch_reset: bool,
    /// Identities to take on, in every handshake.
    pub auth: Vec<Auth>,
    /// A user to log in as, by SASL DIGEST-MD5, before anything else is sent.
    pub sasl: Option<SaslLogin>,
    /// Requests that may be unfinished: waiting and in flight together.
    pub requests_max: usize,
    /// Bytes of requests that may wait: unsent ones together.
    pub request_bytes_max: usize,
    /// Watches that may be set or on their way.
    pub watches_max: usize,
    /// Bytes of the paths of all watches together.
    pub watch_bytes_max: usize,
    /// Bytes of paths in one `SetWatches` request.
    pub set_watches_bytes_max: usize,
    /// The pauses between two attempts.
    pub backoff: Backoff,
    /// The number of the first request, for tests of what follows the largest.
    pub first_xid: Xid,
}

impl Config {
    /// Upstream's defaults, and a session time-out of ten seconds.
    #[must_use]
    pub const fn new(hosts: Vec<HostPort>) -> Self {
        Self {
            hosts,
            session_timeout: Duration::from_secs(10),
            can_be_read_only: false,
            new_session_timeout: None,
            frame_length_max: limits::FRAME_LENGTH_MAX,
            request_timeout: None,
            auto_watch_reset: true,
            auth: Vec::new(),
            sasl: None,
            requests_max: 65_536,
            request_bytes_max: 64 << 20,
            watches_max: 1_000_000,
            watch_bytes_max: 64 << 20,
            set_watches_bytes_max: 128 * 1024,
            backoff: Backoff::UPSTREAM,
            first_xid: Xid(1),
        }
    }
}

/// The pauses between two attempts to connect. They add up.
///
/// Behaviour: `ClientCnxn.SendThread` and `StaticHostProvider.next`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// After every failure.
    pub failure: Duration,
    /// Each time that all servers were tried since the last good one.
    pub round: Duration,
    /// The bound of a random pause, once some server was reached.
    pub jitter: Duration,
}

impl Backoff {
    /// What the Java client does.
    pub const UPSTREAM: Self = Self {
        failure: Duration::from_millis(100),
        round: Duration::from_millis(1_000),
        jitter: Duration::from_millis(1_000),
    };
}

/// An identity to take on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    /// The scheme, such as `digest`.
    pub scheme: String,
    /// What the scheme asks for, such as `user:password`.
    pub credentials: Secret<Bytes>,
}

/// A user and a password for SASL DIGEST-MD5.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaslLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
    /// The client's nonce, for tests with known answers; `None` draws one for each exchange.
    pub client_nonce: Option<String>,
}

/// What it takes to go on with a session elsewhere: in another process, after a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// The session.
    pub session: SessionId,
    /// What proves that it is one's own.
    pub password: Secret<Bytes>,
}

impl Credentials {
    /// What a client without a session sends.
    pub(super) const NONE: Self = Self {
        session: SessionId::NONE,
        password: Secret(Bytes::from_static(&[0; PASSWORD_LENGTH])),
    };
}
