//! The configuration that both server kinds are started with.

use std::fmt::Write as _;
use std::path::Path;

use crate::program::Kind;

/// What goes into `zoo.cfg` besides the address and the data directory, and the properties that
/// Apache's server takes only on its command line.
///
/// [`Options::default`] suits most tests: short ticks, every four-letter word, no limit on
/// connections per address, TTL nodes, and a superuser `super:test`.
#[derive(Clone, Debug)]
pub struct Options {
    entries: Vec<(String, String)>,
    properties: Vec<(String, String)>,
    heap: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { entries: Vec::new(), properties: Vec::new(), heap: None }
            .set("tickTime", "2000")
            .set("maxClientCnxns", "0")
            .set("4lw.commands.whitelist", "*")
            .set("extendedTypesEnabled", "true")
            .set("DigestAuthenticationProvider.superDigest", SUPER_DIGEST)
            .set("admin.enableServer", "false")
    }
}

/// The digest id of user `super` with password `test`.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

impl Options {
    /// Sets a `zoo.cfg` key, replacing an earlier value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        put(&mut self.entries, key, value);
        self
    }

    /// Sets a bare JVM property such as `znode.container.checkIntervalMs`. Our server, which has
    /// no JVM, reads it from `zoo.cfg`.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        put(&mut self.properties, key, value);
        self
    }

    /// Apache's server for measurements: with so much heap, such as `2g`, and everything else as a
    /// virtual machine is by default. Our server has nothing of the kind.
    #[must_use]
    pub fn full_speed(mut self, heap: &str) -> Self {
        self.heap = Some(heap.to_owned());
        self
    }

    /// A member of an ensemble that finds no quorum serves reads, also to new sessions, which are
    /// its own until they make an ephemeral.
    #[must_use]
    pub fn read_only_mode(self) -> Self {
        self.property("readonlymode.enabled", "true")
            .set("localSessionsEnabled", "true")
            .set("localSessionsUpgradingEnabled", "true")
    }

    /// Whether the file names the servers of an ensemble.
    pub(crate) fn is_ensemble(&self) -> bool {
        self.entries.iter().any(|(key, _)| key.starts_with("server."))
    }

    /// The heap of a server that is measured.
    pub(crate) fn heap(&self) -> Option<&str> {
        self.heap.as_deref()
    }

    /// The JVM properties for Apache's command line.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The text of `zoo.cfg` for a server of this kind.
    pub(crate) fn render(&self, kind: Kind, data: &Path, port: u16) -> String {
        let mut text = format!("dataDir={}\n", data.display());
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key}={value}");
        };
        for (key, value) in &self.entries {
            line(key, value);
        }
        match kind {
            Kind::Apache => {
                line("clientPortAddress", "127.0.0.1");
                line("clientPort", &port.to_string());
            }
            // The address comes from its command line.
            Kind::Ours => {
                for (key, value) in self.properties() {
                    line(key, value);
                }
            }
        }
        text
    }
}

fn put(list: &mut Vec<(String, String)>, key: &str, value: &str) {
    match list.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => value.clone_into(old),
        None => list.push((key.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_value_replaces_an_earlier_one() {
        let options = Options::default().set("tickTime", "500");
        let text = options.render(Kind::Ours, Path::new("/d"), 1);
        assert_eq!(text.matches("tickTime").count(), 1);
        assert!(text.contains("tickTime=500\n"));
    }

    #[test]
    fn properties_reach_our_server_through_the_file() {
        let options = Options::default().property("jute.maxbuffer", "5");
        assert!(options.render(Kind::Ours, Path::new("/d"), 1).contains("jute.maxbuffer=5\n"));
        assert!(!options.render(Kind::Apache, Path::new("/d"), 1).contains("jute.maxbuffer"));
    }
}
