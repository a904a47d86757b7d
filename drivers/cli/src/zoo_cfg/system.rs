//! Keys that upstream makes JVM properties of: lenient, what cannot be read leaves the default.
//!
//! Those at the end of the table are bare JVM properties upstream, without effect in its `zoo.cfg`;
//! they have no other place here, so they are honoured.

use std::time::Duration;

use zookeeper_core::{
    Secret,
    endpoint::{CommandWhitelist, ConnectionThrottle, DigestAlgorithm},
    wire::Command,
};

use super::{Builder, Mistake};

/// Authentication schemes that a connection can have an identity of.
const SCHEMES: [&str; 2] = ["ip", "digest"];

const MILLISECONDS: std::ops::RangeInclusive<i64> = 0..=i32::MAX as i64;

/// `connection_throttle_*`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    tokens: u32,
    fill_count: u32,
    fill_time_ms: i64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { tokens: 0, fill_count: 1, fill_time_ms: 1 }
    }
}

impl Builder {
    /// Applies the key if it is one of these.
    pub(super) fn apply_system(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<bool, Mistake> {
        Ok(self.apply_tree(line, key, value)
            || self.apply_limit(line, key, value)
            || self.apply_authentication(line, key, value)?
            || self.apply_bare(line, key, value))
    }

    fn apply_tree(&mut self, line: usize, key: &str, value: &str) -> bool {
        match key {
            "extendedTypesEnabled" => {
                self.config.server.tree.extended_types = self.boolean(line, key, value);
            }
            "enforceQuota" => {
                self.config.server.tree.enforce_quota = self.boolean(line, key, value)
            }
            "skipACL" => {
                let is_skipped = value == "yes";
                if is_skipped {
                    self.warn(line, key, "everybody may do everything: ACLs are not checked");
                }
                self.config.server.tree.skip_acl = is_skipped;
            }
            "digest.enabled" => self.config.server.tree.digest = self.boolean(line, key, value),
            "closeSessionTxn.enabled" => {
                self.config.server.tree.close_session_paths = self.boolean(line, key, value);
            }
            _ => return false,
        }
        true
    }

    fn apply_limit(&mut self, line: usize, key: &str, value: &str) -> bool {
        match key {
            "4lw.commands.whitelist" => self.whitelist = Some((line, value.to_owned())),
            "clientTcpKeepAlive" => self.config.keep_alive = self.boolean(line, key, value),
            "maxCnxns" => {
                if let Some(max) = self.count(line, key, value) {
                    self.config.server.endpoint.connections_max = max;
                }
            }
            "globalOutstandingLimit" => {
                if let Some(max) = self.count(line, key, value) {
                    self.config.server.endpoint.requests_max = max;
                }
            }
            "nio.sessionlessCnxnTimeout" => {
                if let Some(ms) = self.integer(line, key, value, 1..=i64::from(i32::MAX)) {
                    self.config.server.endpoint.handshake_timeout = Some(Self::duration(ms));
                }
            }
            "nio.shutdownTimeout" => {
                if let Some(ms) = self.integer(line, key, value, MILLISECONDS) {
                    self.config.server.endpoint.linger = Self::duration(ms);
                }
            }
            "largeRequestThreshold" => {
                let length = self.integer(line, key, value, -1..=i64::from(i32::MAX));
                self.config.server.endpoint.large_request_length =
                    length.filter(|&length| length > 0).and_then(|length| length.try_into().ok());
            }
            "largeRequestMaxBytes" => {
                if let Some(max) = self.count(line, key, value).filter(|&max| max > 0) {
                    self.config.server.endpoint.large_requests_total_max = max;
                }
            }
            _ => return self.apply_throttle(line, key, value),
        }
        true
    }

    fn apply_throttle(&mut self, line: usize, key: &str, value: &str) -> bool {
        match key {
            "connection_throttle_tokens" => {
                if let Some(tokens) = self.count(line, key, value) {
                    self.throttle.tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                }
            }
            "connection_throttle_fill_count" => {
                if let Some(count) = self.count(line, key, value) {
                    self.throttle.fill_count = u32::try_from(count).unwrap_or(u32::MAX);
                }
            }
            "connection_throttle_fill_time" => {
                if let Some(ms) = self.integer(line, key, value, 1..=i64::from(i32::MAX)) {
                    self.throttle.fill_time_ms = ms;
                }
            }
            _ => return false,
        }
        true
    }

    fn apply_authentication(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<bool, Mistake> {
        match key {
            "DigestAuthenticationProvider.enabled" => {
                let is_enabled = self.boolean(line, key, value);
                self.config.server.endpoint.digest_enabled = is_enabled;
                self.config.server.tree.digest_enabled = is_enabled;
            }
            "DigestAuthenticationProvider.digestAlg" => {
                let algorithm = algorithm(value).ok_or_else(|| {
                    Mistake::At(line, format!("there is no digest algorithm {value:?} here"))
                })?;
                self.config.server.endpoint.digest_algorithm = algorithm;
            }
            "DigestAuthenticationProvider.superDigest" => {
                self.config.server.endpoint.super_digest = Some(Secret(value.into()));
            }
            "enforce.auth.enabled" => {
                self.enforced = self.boolean(line, key, value).then_some(line);
            }
            "enforce.auth.schemes" => self.schemes = Some(value.to_owned()),
            "sessionRequireClientSASLAuth" => {
                self.sasl_required = self.boolean(line, key, value).then_some(line);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn apply_bare(&mut self, line: usize, key: &str, value: &str) -> bool {
        const NOTE: &str = "honoured here; Apache ZooKeeper takes it from the JVM's options only";
        match key {
            "jute.maxbuffer" => {
                self.frame_length_max = self.count(line, key, value).filter(|&max| max > 0);
            }
            "znode.container.checkIntervalMs" => {
                if let Some(ms) = self.integer(line, key, value, 1..=i64::from(i32::MAX)) {
                    self.config.server.containers.check_interval = Self::duration(ms);
                }
            }
            "znode.container.maxPerMinute" => {
                if let Some(max) = self.integer(line, key, value, 1..=i64::from(i32::MAX)) {
                    let max = u32::try_from(max).unwrap_or(u32::MAX);
                    self.config.server.containers.per_minute_max = max;
                }
            }
            "znode.container.maxNeverUsedIntervalMs" => {
                if let Some(ms) = self.integer(line, key, value, MILLISECONDS) {
                    self.config.server.containers.never_used_max = Self::duration(ms);
                }
            }
            "readonlymode.enabled" => {
                self.config.server.endpoint.read_only_mode = self.boolean(line, key, value);
            }
            _ => return false,
        }
        self.warn(line, key, NOTE);
        true
    }

    /// What only all properties together tell.
    pub(super) fn finish_system(&mut self) -> Result<(), Mistake> {
        if let Some(max) = self.frame_length_max {
            self.config.server.endpoint.frame_length_max = max;
            self.config.server.tree.transaction_length_max = max.saturating_mul(2);
        }
        let Throttle { tokens, fill_count, fill_time_ms } = self.throttle;
        if tokens > 0 {
            let fill_time = Duration::from_millis(u64::try_from(fill_time_ms).unwrap_or(1));
            let mut throttle = ConnectionThrottle::new(tokens);
            throttle.fill_count = fill_count;
            throttle.fill_time = fill_time;
            self.config.server.endpoint.connection_throttle = Some(throttle);
        }
        self.finish_whitelist();
        self.finish_enforcement()
    }

    fn finish_whitelist(&mut self) {
        let mut commands = Vec::new();
        if self.config.server.endpoint.read_only_mode {
            commands.push(Command::Isro);
        }
        if let Some((line, words)) = self.whitelist.take() {
            for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                if word == "*" {
                    self.config.server.endpoint.commands = CommandWhitelist::all();
                    return;
                }
                match Command::ALL.iter().find(|command| command.name() == word) {
                    Some(&command) => commands.push(command),
                    None => self.warn(
                        line,
                        "4lw.commands.whitelist",
                        format!("there is no command {word:?}"),
                    ),
                }
            }
        }
        self.config.server.endpoint.commands = CommandWhitelist::new(&commands);
    }

    /// A scheme that nobody can satisfy would lock everybody out.
    fn finish_enforcement(&mut self) -> Result<(), Mistake> {
        if let Some(line) = self.sasl_required {
            let message = "sessionRequireClientSASLAuth needs SASL, which is not there yet";
            return Err(Mistake::At(line, message.into()));
        }
        let Some(line) = self.enforced else { return Ok(()) };
        let schemes = self.schemes.take().unwrap_or_default();
        let mut enforced = Vec::new();
        for scheme in schemes.split(',').map(str::trim).filter(|scheme| !scheme.is_empty()) {
            let is_off = scheme == "digest" && !self.config.server.endpoint.digest_enabled;
            if !SCHEMES.contains(&scheme) || is_off {
                let message = format!("enforce.auth.schemes: there is no scheme {scheme:?} here");
                return Err(Mistake::At(line, message));
            }
            enforced.push(scheme.into());
        }
        if enforced.is_empty() {
            let message = "enforce.auth.enabled is true but enforce.auth.schemes names no scheme";
            return Err(Mistake::At(line, message.into()));
        }
        self.config.server.endpoint.enforced_schemes = enforced;
        Ok(())
    }
}

/// The algorithms by the names Java knows them by.
fn algorithm(name: &str) -> Option<DigestAlgorithm> {
    match name.to_ascii_uppercase().as_str() {
        "SHA1" | "SHA-1" | "SHA" => Some(DigestAlgorithm::Sha1),
        "SHA-256" => Some(DigestAlgorithm::Sha256),
        "SHA-384" => Some(DigestAlgorithm::Sha384),
        "SHA-512" => Some(DigestAlgorithm::Sha512),
        _ => None,
    }
}
