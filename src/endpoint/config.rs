//! Settings of an endpoint.

use std::time::Duration;

use crate::{
    limits::{FIRST_FRAME_LENGTH_MAX, FRAME_LENGTH_MAX},
    secret::Secret,
    wire::Command,
};

/// Settings of an [`Endpoint`](super::Endpoint). The default is upstream's where upstream has one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `jute.maxbuffer`: the longest frame a client may send, in bytes, inclusive.
    pub frame_length_max: usize,
    /// The longest first frame of a connection, in bytes, inclusive.
    pub first_frame_length_max: usize,
    /// `maxClientCnxns`: connections from one address; 0 is unlimited.
    pub connections_per_address_max: usize,
    /// `maxCnxns`: connections in total; 0 is unlimited.
    pub connections_max: usize,
    /// `tickTime`: the width of expiry buckets.
    pub tick: Duration,
    /// `minSessionTimeout`; `None` is twice the tick.
    pub session_timeout_min: Option<Duration>,
    /// `maxSessionTimeout`; `None` is twenty times the tick.
    pub session_timeout_max: Option<Duration>,
    /// How long a client may take for its handshake; `None` is the shortest session time-out.
    pub handshake_timeout: Option<Duration>,
    /// How long a closing connection may take to read what was promised to it.
    pub linger: Duration,
    /// Unanswered requests of one connection.
    pub requests_per_connection_max: usize,
    /// `globalOutstandingLimit`: unanswered requests in total. A connection with none is always
    /// served.
    pub requests_max: usize,
    /// Unsent bytes of one connection at which its requests are no longer read.
    pub output_soft_max: usize,
    /// Unsent bytes of one connection at which it is closed; what waits for storage does not count.
    pub output_hard_max: usize,
    /// Unsent bytes in total at which the connection with the most is closed.
    pub output_total_max: usize,
    /// `largeRequestThreshold`: a frame of more bytes is large; `None` switches the limit off.
    pub large_request_length: Option<usize>,
    /// `largeRequestMaxBytes`: bytes of large requests waiting in total.
    pub large_requests_total_max: usize,
    /// `connection_throttle_*`: a limit on the rate of handshakes; `None` switches it off.
    pub connection_throttle: Option<ConnectionThrottle>,
    /// `4lw.commands.whitelist`.
    pub commands: CommandWhitelist,
    /// Whether the scheme `digest` is known.
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.digestAlg`.
    pub digest_algorithm: DigestAlgorithm,
    /// `DigestAuthenticationProvider.superDigest`: the digest whose owner may do everything.
    pub super_digest: Option<Secret<Box<str>>>,
    /// `enforce.auth.schemes`: a connection must have an identity of one of these; empty is off.
    pub enforced_schemes: Vec<Box<str>>,
    /// Bytes of identities of one connection; an `auth` that would bring more of them fails.
    pub identities_length_max: usize,
    /// `readonlymode.enabled`, which also allows the command `isro`.
    pub read_only_mode: bool,
}

impl Config {
    /// The shortest session time-out granted.
    #[must_use]
    pub fn timeout_min(&self) -> Duration {
        self.session_timeout_min.unwrap_or(self.tick * 2)
    }

    /// The longest session time-out granted.
    #[must_use]
    pub fn timeout_max(&self) -> Duration {
        self.session_timeout_max.unwrap_or(self.tick * 20)
    }

    /// The time-out granted to a client that asks for `asked_ms`.
    #[must_use]
    pub fn negotiate(&self, asked_ms: i32) -> Duration {
        let asked = Duration::from_millis(u64::try_from(asked_ms).unwrap_or(0));
        // In this order: the maximum wins, as upstream has it.
        asked.max(self.timeout_min()).min(self.timeout_max())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_length_max: FRAME_LENGTH_MAX,
            first_frame_length_max: FIRST_FRAME_LENGTH_MAX,
            connections_per_address_max: 60,
            connections_max: 0,
            tick: Duration::from_millis(3_000),
            session_timeout_min: None,
            session_timeout_max: None,
            handshake_timeout: None,
            linger: Duration::from_secs(5),
            requests_per_connection_max: 1_024,
            requests_max: 1_000,
            output_soft_max: 1 << 20,
            output_hard_max: 64 << 20,
            output_total_max: 512 << 20,
            large_request_length: None,
            large_requests_total_max: 100 << 20,
            connection_throttle: None,
            commands: CommandWhitelist::default(),
            digest_enabled: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            super_digest: None,
            enforced_schemes: Vec::new(),
            identities_length_max: 64 << 10,
            read_only_mode: false,
        }
    }
}

/// A token bucket for handshakes, with optional early random drops.
///
/// Behaviour: `org.apache.zookeeper.server.BlueThrottle`.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct ConnectionThrottle {
    /// Tokens the bucket holds (`connection_throttle_tokens`); 0 lets everything pass.
    pub tokens: u32,
    /// Tokens added at a time (`connection_throttle_fill_count`).
    pub fill_count: u32,
    /// Time between additions (`connection_throttle_fill_time`).
    pub fill_time: Duration,
    /// The least time between two changes of the drop probability
    /// (`connection_throttle_freeze_time`); `None` switches random drops off.
    pub freeze_time: Option<Duration>,
    /// What an empty bucket adds to the drop probability (`connection_throttle_drop_increase`).
    pub drop_increase: f64,
    /// What a bucket that is full enough takes from it (`connection_throttle_drop_decrease`).
    pub drop_decrease: f64,
    /// The share of tokens in use up to which the bucket is full enough
    /// (`connection_throttle_decrease_ratio`).
    pub decrease_ratio: f64,
    /// Whether a new session costs 3 tokens and a resumed one 2, instead of 1 each
    /// (`connection_throttle_weight_enabled`).
    pub is_weighted: bool,
}

impl ConnectionThrottle {
    /// A bucket of `tokens`, and upstream's defaults for the rest.
    #[must_use]
    pub const fn new(tokens: u32) -> Self {
        Self {
            tokens,
            fill_count: 1,
            fill_time: Duration::from_millis(1),
            freeze_time: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            is_weighted: false,
        }
    }
}

/// The four-letter words that are executed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandWhitelist(Vec<Command>);

impl CommandWhitelist {
    /// Every command.
    #[must_use]
    pub fn all() -> Self {
        Self(Command::ALL.to_vec())
    }

    /// The commands given, and `srvr`, which is always allowed.
    #[must_use]
    pub fn new(commands: &[Command]) -> Self {
        let mut list = commands.to_vec();
        list.push(Command::Srvr);
        Self(list)
    }

    /// Whether `command` is executed.
    #[must_use]
    pub fn allows(&self, command: Command) -> bool {
        self.0.contains(&command)
    }
}

impl Default for CommandWhitelist {
    fn default() -> Self {
        Self::new(&[])
    }
}

/// What hashes `user:password` into an identity of the scheme `digest`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-1.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}
