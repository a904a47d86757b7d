//! Quotas: how many znodes and bytes a subtree may have, and how many it has.
//!
//! Limits and usage are text in two znodes that clients make, `zookeeper_limits` and
//! `zookeeper_stats` below `/zookeeper/quota` and the subtree's path.
//!
//! Behaviour: `org.apache.zookeeper.Quotas`, `StatsTrack`, `common.PathTrie`, and
//! `ZooKeeperServer.checkQuota`.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use crate::{
    hash::{Keys, Map},
    wire::ErrorCode,
};

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "/zookeeper_limits";
const STATS: &str = "/zookeeper_stats";

/// What the text of a quota znode says: numbers with names. A missing one counts as -1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Track {
    values: BTreeMap<Box<str>, i64>,
}

impl Track {
    /// Real usage.
    pub(crate) fn usage(count: i64, bytes: i64) -> Self {
        let mut track = Self::default();
        track.set("count", count);
        track.set("bytes", bytes);
        track
    }

    /// Reads `key=value` pairs between `,` and `;`. `None` where upstream would stumble: such text
    /// limits nothing and is left as it is.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(data);
        let mut track = Self::default();
        let pairs = text.trim_end_matches([',', ';']);
        if pairs.is_empty() {
            // Separators alone are no pairs; neither is nothing.
            return Some(track);
        }
        if pairs.starts_with([',', ';']) {
            return None;
        }
        for pair in pairs.split([',', ';']).filter(|pair| !pair.is_empty()) {
            let mut parts = pair.split('=');
            let (key, value) = (parts.next()?, parts.next()?);
            track.values.insert(key.into(), value.parse().ok()?);
        }
        Some(track)
    }

    /// Znodes; as a limit the soft one.
    pub(crate) fn count(&self) -> i64 {
        self.value("count")
    }

    /// Bytes of data; as a limit the soft one.
    pub(crate) fn bytes(&self) -> i64 {
        self.value("bytes")
    }

    /// This usage after a change.
    #[must_use]
    pub(crate) fn plus(mut self, count_change: i64, bytes_change: i64) -> Self {
        self.set("count", self.count().saturating_add(count_change));
        self.set("bytes", self.bytes().saturating_add(bytes_change));
        self
    }

    fn value(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, key: &str, value: i64) {
        self.values.insert(key.into(), value);
    }
}

impl fmt::Display for Track {
    /// `count` and `bytes`, and behind a second `=`, which old parsers need, whatever else there is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count(), self.bytes())?;
        let mut others =
            self.values.iter().filter(|(key, _)| !matches!(&***key, "count" | "bytes")).peekable();
        if others.peek().is_some() {
            f.write_char('=')?;
        }
        others.try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

/// Whether a change stays within a quota.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use]
pub(crate) enum Verdict {
    /// It does.
    Within,
    /// It exceeds a soft limit: worth a word, no more.
    SoftExceeded,
    /// It exceeds a hard limit.
    HardExceeded,
}

impl Verdict {
    /// Judges a change of usage. Text that is no quota limits nothing.
    pub(crate) fn of(limits: &[u8], usage: &[u8], count_change: i64, bytes_change: i64) -> Self {
        let (Some(limits), Some(usage)) = (Track::parse(limits), Track::parse(usage)) else {
            return Self::Within;
        };
        let count = Self::of_one(
            limits.value("countHardLimit"),
            limits.count(),
            usage.count(),
            count_change,
        );
        let bytes = Self::of_one(
            limits.value("byteHardLimit"),
            limits.bytes(),
            usage.bytes(),
            bytes_change,
        );
        count.max(bytes)
    }

    /// What it means for the request.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::QUOTA_EXCEEDED`] where hard limits are enforced.
    pub(crate) const fn enforce(self, enforced: bool) -> Result<(), ErrorCode> {
        match self {
            Self::HardExceeded if enforced => Err(ErrorCode::QUOTA_EXCEEDED),
            _ => Ok(()),
        }
    }

    /// A hard limit hides the soft one. What does not change is not judged.
    const fn of_one(hard: i64, soft: i64, usage: i64, change: i64) -> Self {
        let usage = usage.saturating_add(change);
        if change == 0 {
            Self::Within
        } else if hard > -1 {
            if usage > hard { Self::HardExceeded } else { Self::Within }
        } else if soft > -1 && usage > soft {
            Self::SoftExceeded
        } else {
            Self::Within
        }
    }
}

/// The subtrees that have a quota.
#[derive(Debug)]
pub(crate) struct QuotaPaths {
    paths: Map<Box<str>, ()>,
}

impl QuotaPaths {
    pub(crate) fn new(keys: &Keys) -> Self {
        Self { paths: keys.map() }
    }

    /// A limits znode for `path` came.
    pub(crate) fn insert(&mut self, path: &str) {
        self.paths.insert(path.into(), ());
    }

    /// The limits znode for `path` went.
    pub(crate) fn remove(&mut self, path: &str) {
        self.paths.remove(path);
    }

    /// The deepest of `path` and its ancestors that has a quota. The root has none, whatever
    /// znodes there are.
    pub(crate) fn deepest<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.paths.is_empty() {
            return None;
        }
        let mut path = path;
        while path.len() > 1 {
            if self.paths.contains_key(path) {
                return Some(path);
            }
            path = &path[..path.rfind('/')?];
        }
        None
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }
}

/// The subtree that a znode with this path limits, if it is a limits znode.
///
/// `/zookeeper/quota/zookeeper_limits` is an ordinary znode: upstream dies of it.
#[must_use]
pub(crate) fn limited_by(path: &str) -> Option<&str> {
    subtree(path.strip_suffix(LIMITS)?)
}

/// The subtree whose usage a znode with this path shows, if it is a stats znode.
#[must_use]
pub(crate) fn shown_by(path: &str) -> Option<&str> {
    subtree(path.strip_suffix(STATS)?)
}

/// Where the limits of a subtree stand.
#[must_use]
pub(crate) fn limits_path(path: &str) -> String {
    format!("{ROOT}{path}{LIMITS}")
}

/// Where the usage of a subtree stands.
#[must_use]
pub(crate) fn stats_path(path: &str) -> String {
    format!("{ROOT}{path}{STATS}")
}

fn subtree(parent: &str) -> Option<&str> {
    parent.strip_prefix(ROOT).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn written(text: &str) -> Option<String> {
        Track::parse(text.as_bytes()).map(|track| track.to_string())
    }

    #[test]
    fn text_is_parsed_and_written_as_upstream_does() {
        for (text, expected) in [
            ("", "count=-1,bytes=-1"),
            (",;", "count=-1,bytes=-1"),
            ("count=4,bytes=5", "count=4,bytes=5"),
            ("bytes=5", "count=-1,bytes=5"),
            ("count=4,;;,bytes=5;;", "count=4,bytes=5"),
            ("count=4,bytes=10=", "count=4,bytes=10"),
            (
                "count=4,bytes=10=;countHardLimit=7;byteHardLimit=20",
                "count=4,bytes=10=;byteHardLimit=20;countHardLimit=7",
            ),
            ("count=+4,bytes=-7", "count=4,bytes=-7"),
            ("zeta=1;alpha=2", "count=-1,bytes=-1=;alpha=2;zeta=1"),
            ("count=1,count=2", "count=2,bytes=-1"),
            ("count=1=9,bytes=2", "count=1,bytes=2"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
            assert_eq!(written(expected).as_deref(), Some(expected), "what is written is read");
        }
        for malformed in ["count", "count=", "=", "count=x", ",count=1", "count=1,x", "count==1"] {
            assert_eq!(written(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn usage_follows_changes() {
        assert_eq!(Track::usage(1, 0).plus(2, 30).to_string(), "count=3,bytes=30");
        let odd = Track::parse(b"other=1").unwrap().plus(1, -5);
        assert_eq!(odd.to_string(), "count=0,bytes=-6=;other=1");
    }

    #[test]
    fn only_what_changes_and_exceeds_is_judged() {
        use Verdict::{HardExceeded, SoftExceeded, Within};
        for (limits, usage, count, bytes, verdict) in [
            ("count=3,bytes=-1", "count=2,bytes=0", 1, 0, Within),
            ("count=3,bytes=-1", "count=3,bytes=0", 1, 0, SoftExceeded),
            ("count=3,bytes=-1", "count=9,bytes=0", 0, 5, Within),
            ("count=-1,bytes=5", "count=9,bytes=5", 1, 1, SoftExceeded),
            ("count=-1,bytes=5", "count=9,bytes=9", 1, 0, Within),
            ("count=3,bytes=5=;countHardLimit=9", "count=8,bytes=0", 1, 5, Within),
            ("count=3,bytes=5=;countHardLimit=9", "count=9,bytes=0", 1, 0, HardExceeded),
            ("count=3,bytes=5=;byteHardLimit=9", "count=1,bytes=9", 0, 1, HardExceeded),
            ("count=0,bytes=5=;byteHardLimit=9", "count=1,bytes=9", 1, 1, HardExceeded),
            ("countHardLimit=0", "count=0,bytes=0", 1, 0, HardExceeded),
            ("countHardLimit=3", "count=9,bytes=0", -1, 0, HardExceeded),
            ("nonsense", "count=9,bytes=9", 1, 1, Within),
            ("countHardLimit=0", "nonsense", 1, 1, Within),
            ("", "", 1, 1, Within),
        ] {
            let found = Verdict::of(limits.as_bytes(), usage.as_bytes(), count, bytes);
            assert_eq!(found, verdict, "{limits} {usage} {count} {bytes}");
        }
        assert_eq!(HardExceeded.enforce(true), Err(ErrorCode::QUOTA_EXCEEDED));
        assert_eq!(HardExceeded.enforce(false), Ok(()));
        assert_eq!(SoftExceeded.enforce(true), Ok(()));
    }

    #[test]
    fn the_deepest_quota_applies_by_components() {
        let mut paths = QuotaPaths::new(&Keys::new(&mut Rng::new(1)));
        assert_eq!(paths.deepest("/a"), None);
        for path in ["/a", "/a/b/c", "/"] {
            paths.insert(path);
        }
        assert_eq!(paths.deepest("/a"), Some("/a"));
        assert_eq!(paths.deepest("/a/b"), Some("/a"));
        assert_eq!(paths.deepest("/a/b/c/d"), Some("/a/b/c"));
        assert_eq!(paths.deepest("/ab"), None);
        assert_eq!(paths.deepest("/x"), None);
        assert_eq!(paths.deepest("/"), None);
        paths.remove("/a");
        assert_eq!(paths.deepest("/a/b"), None);
        assert_eq!(paths.len(), 2);
    }

    #[test]
    fn quota_znodes_are_told_by_their_path() {
        assert_eq!(limited_by("/zookeeper/quota/a/b/zookeeper_limits"), Some("/a/b"));
        assert_eq!(shown_by("/zookeeper/quota/a/zookeeper_stats"), Some("/a"));
        assert_eq!(limited_by(&limits_path("/a")), Some("/a"));
        assert_eq!(shown_by(&stats_path("/a")), Some("/a"));
        for other in [
            "/zookeeper/quota/zookeeper_limits",
            "/zookeeper/quotas/zookeeper_limits",
            "/zookeeper/quota/a/zookeeper_limits/x",
            "/a/zookeeper_limits",
            "/zookeeper/quota/a/zookeeper_stats",
            "/zookeeper/quota/azookeeper_limits",
        ] {
            assert_eq!(limited_by(other), None, "{other}");
        }
    }
}
