//! The connect string: which servers, and where the client's root is.
//!
//! Behaviour: `org.apache.zookeeper.client.ConnectStringParser` and `common.NetUtils`, except that
//! a host without a name is refused, and so is an address with colons outside of brackets: where
//! its port begins is a guess. Names of SRV records (`dns-srv://`) are refused too.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::Chroot;
use crate::path::PathError;

/// The port of a host that names none.
const DEFAULT_PORT: u16 = 2181;

/// A server by name: where to connect to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// The server at `port` of `host`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A parsed connect string, such as `one:2181,[::1]:2182,three/app`.
///
/// Hosts are separated by commas and may be followed by a port. The first slash begins the chroot;
/// a slash alone is none. Nothing is resolved.
///
/// ```
/// use zookeeper_core::client::{ConnectString, HostPort};
///
/// let parsed: ConnectString = "one, [::1]:2182/app".parse()?;
/// assert_eq!(parsed.hosts, [HostPort::new("one", 2181), HostPort::new("::1", 2182)]);
/// assert_eq!(parsed.chroot.as_str(), Some("/app"));
/// # Ok::<(), zookeeper_core::client::ConnectStringError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConnectString {
    /// The servers, in the order given; at least one.
    pub hosts: Vec<HostPort>,
    /// The client's root.
    pub chroot: Chroot,
}

impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<Self, ConnectStringError> {
        if text.starts_with("dns-srv://") {
            return Err(ConnectStringError::ServiceRecord);
        }
        let (hosts, chroot) = match text.find('/') {
            Some(slash) => (&text[..slash], Chroot::new(&text[slash..])?),
            None => (text, Chroot::none()),
        };
        let hosts: Vec<_> = hosts
            .split(',')
            .map(trim)
            .filter(|host| !host.is_empty())
            .map(parse_host)
            .collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err(ConnectStringError::NoHosts);
        }
        Ok(Self { hosts, chroot })
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{host}")?;
        }
        f.write_str(self.chroot.as_str().unwrap_or_default())
    }
}

/// Why a connect string cannot be used. Those about one host show it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ConnectStringError {
    /// There is nothing but blanks and commas before the chroot.
    #[error("no server is named")]
    NoHosts,
    /// It names SRV records.
    #[error("servers cannot be found by SRV records (dns-srv://)")]
    ServiceRecord,
    /// A port or brackets without a name.
    #[error("{0:?} has no host")]
    NoHost(String),
    /// A bracket is opened and not closed.
    #[error("{0:?} has no closing bracket")]
    UnclosedBracket(String),
    /// Something other than a port follows the closing bracket.
    #[error("{0:?} has text behind its closing bracket")]
    TextBehindBracket(String),
    /// A bracket where none belongs.
    #[error("{0:?} has a bracket inside its host")]
    StrayBracket(String),
    /// More than one colon, and no brackets.
    #[error("{0:?} has several colons: write an IPv6 address in brackets")]
    UnbracketedColons(String),
    /// The port is not a number from 0 to 65535.
    #[error("{0:?} has no valid port")]
    Port(String),
    /// The chroot is not a legal path.
    #[error("chroot: {0}")]
    Chroot(#[from] PathError),
}

/// One element of the list, without blanks around it.
fn parse_host(text: &str) -> Result<HostPort, ConnectStringError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => split_brackets(text, inner)?,
        None => split_colon(text)?,
    };
    let host = trim(host);
    if host.is_empty() {
        return Err(ConnectStringError::NoHost(text.to_owned()));
    }
    if host.contains(['[', ']']) {
        return Err(ConnectStringError::StrayBracket(text.to_owned()));
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| ConnectStringError::Port(text.to_owned()))?,
        None => DEFAULT_PORT,
    };
    Ok(HostPort::new(host, port))
}

/// Host and port of `text`, whose part behind the opening bracket is `inner`.
fn split_brackets<'a>(
    text: &str,
    inner: &'a str,
) -> Result<(&'a str, Option<&'a str>), ConnectStringError> {
    let Some((host, rest)) = inner.rsplit_once(']') else {
        return Err(ConnectStringError::UnclosedBracket(text.to_owned()));
    };
    if rest.is_empty() {
        return Ok((host, None));
    }
    match rest.strip_prefix(':') {
        // Unlike without brackets, a colon promises a port.
        Some(port) => Ok((host, Some(port))),
        None => Err(ConnectStringError::TextBehindBracket(text.to_owned())),
    }
}

fn split_colon(text: &str) -> Result<(&str, Option<&str>), ConnectStringError> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, port)) if port.contains(':') => {
            Err(ConnectStringError::UnbracketedColons(text.to_owned()))
        }
        Some((host, "")) => Ok((host, None)),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

/// What Java's `String.trim` leaves.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

#[cfg(test)]
mod tests {
    use quickcheck::{TestResult, quickcheck};

    use super::{ConnectStringError::*, *};

    fn parsed(text: &str, hosts: &[(&str, u16)], chroot: Option<&str>) {
        let parsed: ConnectString = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<_> =
            parsed.hosts.iter().map(|host| (host.host.as_str(), host.port)).collect();
        assert_eq!((&*found, parsed.chroot.as_str()), (hosts, chroot), "{text:?}");
    }

    fn refused(text: &str) -> ConnectStringError {
        text.parse::<ConnectString>().unwrap_err()
    }

    #[test]
    fn lists_of_hosts() {
        parsed("a,b:3,c", &[("a", 2181), ("b", 3), ("c", 2181)], None);
        parsed(" a , b ", &[("a", 2181), ("b", 2181)], None);
        parsed("\ta :1", &[("a", 1)], None);
        parsed("a,,b,", &[("a", 2181), ("b", 2181)], None);
        parsed("a,a", &[("a", 2181), ("a", 2181)], None);
        parsed("a:", &[("a", 2181)], None);
        parsed("a:0,b:65535", &[("a", 0), ("b", 65535)], None);
        parsed("10.0.0.1:9", &[("10.0.0.1", 9)], None);
    }

    #[test]
    fn chroots() {
        parsed("a:1/", &[("a", 1)], None);
        parsed("a/x/y", &[("a", 2181)], Some("/x/y"));
        parsed("a/x,b", &[("a", 2181)], Some("/x,b"));
        parsed("a/x ", &[("a", 2181)], Some("/x "));
        parsed("a,b:5/x:6", &[("a", 2181), ("b", 5)], Some("/x:6"));
        assert_eq!(refused("a/x/"), Chroot(PathError::TrailingSlash));
        assert_eq!(refused("a//"), Chroot(PathError::TrailingSlash));
        assert_eq!(refused("a//x"), Chroot(PathError::EmptyComponent));
        assert_eq!(refused("a/../x"), Chroot(PathError::RelativeComponent));
        assert_eq!(refused("a/."), Chroot(PathError::RelativeComponent));
    }

    #[test]
    fn brackets() {
        parsed("[::1]", &[("::1", 2181)], None);
        parsed("[::1]:9", &[("::1", 9)], None);
        parsed("[::1],[fe80::1%eth0]:7/x", &[("::1", 2181), ("fe80::1%eth0", 7)], Some("/x"));
        parsed("[name]:9", &[("name", 9)], None);
        assert_eq!(refused("[::1]:"), Port("[::1]:".into()));
        assert_eq!(refused("[::1]:x"), Port("[::1]:x".into()));
        assert_eq!(refused("[::1]:9:8"), Port("[::1]:9:8".into()));
        assert_eq!(refused("a,[::1"), UnclosedBracket("[::1".into()));
        assert_eq!(refused("["), UnclosedBracket("[".into()));
        for text in ["[a]b]:9", "[[a]", "a]", "a[b]", "[::1]]"] {
            assert_eq!(refused(text), StrayBracket(text.into()));
        }
        assert_eq!(refused("[ ]"), NoHost("[ ]".into()));
        assert_eq!(refused("[]"), NoHost("[]".into()));
        assert_eq!(refused("[]:5"), NoHost("[]:5".into()));
        assert_eq!(refused("[::1]x"), TextBehindBracket("[::1]x".into()));
    }

    #[test]
    fn what_is_no_host_list() {
        for text in ["", "  ", "/x", ",", "/", " , ,", " /x", "\t\n"] {
            assert_eq!(refused(text), NoHosts, "{text:?}");
        }
        for text in ["a:xyz", "a:70000", "a:-1", "a:65536", "a: 1", "a:1 2"] {
            assert_eq!(refused(text), Port(text.into()));
        }
        for text in ["::1:2181", "2001:db8::1", "::", "a:1:2"] {
            assert_eq!(refused(text), UnbracketedColons(text.into()));
        }
        for text in [":2181", ":"] {
            assert_eq!(refused(text), NoHost(text.into()));
        }
        for text in ["dns-srv://zk.example.com/app", "dns-srv://x/a/", "dns-srv://"] {
            assert_eq!(refused(text), ServiceRecord);
        }
        assert_eq!(refused("DNS-SRV://x"), Chroot(PathError::EmptyComponent));
    }

    #[test]
    fn errors_show_the_host() {
        let text = "\"::1\" has several colons: write an IPv6 address in brackets";
        assert_eq!(refused("a,::1").to_string(), text);
        assert_eq!(refused("a/x/").to_string(), "chroot: path ends with '/'");
    }

    #[test]
    fn prints_what_it_means() {
        let text = " a ,[::1],b:3/x/y";
        let parsed: ConnectString = text.parse().unwrap();
        assert_eq!(parsed.to_string(), "a:2181,[::1]:2181,b:3/x/y");
        assert_eq!("a/".parse::<ConnectString>().unwrap().to_string(), "a:2181");
    }

    quickcheck! {
        /// Text of the characters that mean something, so that much of it parses.
        fn what_is_printed_means_the_same(picks: Vec<u8>) -> TestResult {
            const PIECES: [&str; 12] =
                ["a", "b", "1", "2", ":", ",", "/", "[", "]", " ", "::1", "é"];
            let text: String =
                picks.iter().map(|pick| PIECES[*pick as usize % PIECES.len()]).collect();
            let Ok(parsed) = text.parse::<ConnectString>() else { return TestResult::discard() };
            TestResult::from_bool(parsed.to_string().parse() == Ok(parsed))
        }

        fn any_text_names_a_host_or_is_refused(text: String) -> bool {
            text.parse::<ConnectString>().map_or(true, |parsed| !parsed.hosts.is_empty())
        }
    }
}
