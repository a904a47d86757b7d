//! Keys that upstream parses itself: strict, and a mistake keeps the server from starting.
//!
//! Behaviour: `org.apache.zookeeper.server.quorum.QuorumPeerConfig.parseProperties`.

use super::{
    Builder, Mistake,
    value::{strict_boolean, strict_integer},
};

impl Builder {
    /// Applies the key if it is one of these.
    pub(super) fn apply_field(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<bool, Mistake> {
        match key {
            "clientPort" => self.config.client_port = port(line, key, value)?,
            "clientPortAddress" => self.config.client_address = Some(value.to_owned()),
            "clientPortListenBacklog" => self.backlog(line, key, value)?,
            "tickTime" => {
                self.tick_ms = match strict_integer(line, key, value)? {
                    tick_ms @ 1.. => u64::from(tick_ms.unsigned_abs()),
                    _ => return Err(Mistake::At(line, "tickTime must be above zero".into())),
                };
            }
            "minSessionTimeout" => self.timeout_min_ms = strict_integer(line, key, value)?.into(),
            "maxSessionTimeout" => self.timeout_max_ms = strict_integer(line, key, value)?.into(),
            "maxClientCnxns" => {
                // Below zero is unlimited too.
                let max = strict_integer(line, key, value)?.max(0).unsigned_abs();
                self.config.server.endpoint.connections_per_address_max = max as usize;
            }
            "reconfigEnabled" => {
                self.config.server.tree.reconfig_enabled = strict_boolean(line, key, value)?;
            }
            "standaloneEnabled" => {
                if !strict_boolean(line, key, value)? {
                    self.warn(line, key, "this server always stands alone");
                }
            }
            _ if key.starts_with("server.") => self.servers.push(line),
            _ => return self.check_ignored_field(line, key, value),
        }
        Ok(true)
    }

    /// Keys whose value has to be right although it has no effect.
    fn check_ignored_field(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<bool, Mistake> {
        match key {
            "secureClientPort" => {
                port(line, key, value)?;
                self.warn(line, key, "there is no TLS here yet; no secure port is opened");
            }
            "initLimit" | "syncLimit" | "connectToLearnerMasterLimit" | "electionAlg" => {
                strict_integer(line, key, value)?;
                self.warn(line, key, super::ignored::ENSEMBLE);
            }
            "localSessionsEnabled"
            | "localSessionsUpgradingEnabled"
            | "syncEnabled"
            | "quorumListenOnAllIPs"
            | "sslQuorum"
            | "portUnification"
            | "sslQuorumReloadCertFiles"
            | "multiAddress.enabled"
            | "multiAddress.reachabilityCheckEnabled"
            | "quorum.auth.enableSasl" => {
                strict_boolean(line, key, value)?;
                self.warn(line, key, super::ignored::ENSEMBLE);
            }
            "peerType" => {
                if !value.eq_ignore_ascii_case("participant")
                    && !value.eq_ignore_ascii_case("observer")
                {
                    let message =
                        format!("peerType must be participant or observer, not {value:?}");
                    return Err(Mistake::At(line, message));
                }
                self.warn(line, key, super::ignored::ENSEMBLE);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn backlog(&mut self, line: usize, key: &str, value: &str) -> Result<(), Mistake> {
        let backlog = strict_integer(line, key, value)?;
        self.config.server.about.listen_backlog = backlog;
        self.config.backlog = match u16::try_from(backlog) {
            Ok(1..) => Some(u16::try_from(backlog).unwrap_or(u16::MAX)),
            _ if backlog > 0 => Some(u16::MAX),
            _ => None,
        };
        Ok(())
    }

    /// What only all fields together tell.
    pub(super) fn finish_fields(&mut self) -> Result<(), Mistake> {
        if let [_, second, ..] = self.servers[..] {
            // Each server of the ensemble would serve data of its own.
            let message = "this is the configuration of an ensemble, and this server stands alone";
            return Err(Mistake::At(second, message.into()));
        }
        if let Some(line) = self.servers.first().copied() {
            self.warn(line, "server", "a single server stands alone; its ports are not opened");
        }
        let tick_ms = i64::try_from(self.tick_ms).unwrap_or(i64::MAX);
        let chosen = |ms: i64, ticks: i64| if ms == -1 { tick_ms * ticks } else { ms };
        let (min, max) = (chosen(self.timeout_min_ms, 2), chosen(self.timeout_max_ms, 20));
        if min > max {
            let message = format!("minSessionTimeout ({min}) is above maxSessionTimeout ({max})");
            return Err(Mistake::Whole(message));
        }
        let endpoint = &mut self.config.server.endpoint;
        endpoint.tick = Self::duration(tick_ms);
        endpoint.session_timeout_min = Some(Self::duration(min));
        endpoint.session_timeout_max = Some(Self::duration(max));
        if self.config.client_address.is_some() && self.config.client_port.is_none() {
            return Err(Mistake::Whole("clientPortAddress is set but clientPort is not".into()));
        }
        Ok(())
    }
}

/// A port; zero is none.
fn port(line: usize, key: &str, value: &str) -> Result<Option<u16>, Mistake> {
    match u16::try_from(strict_integer(line, key, value)?) {
        Ok(0) => Ok(None),
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(Mistake::At(line, format!("{key} must be a port, not {value:?}"))),
    }
}
