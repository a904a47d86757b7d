//! Quotas: their text, who is under which, and when one is exceeded.
//!
//! A quota on `/app` is the znode `/zookeeper/quota/app/zookeeper_limits`; what is used stands in
//! `zookeeper_stats` beside it.
//!
//! Behaviour: `org.apache.zookeeper.Quotas`, `StatsTrack`, `org.apache.zookeeper.common.PathTrie`
//! and `ZooKeeperServer.checkQuota`.

use std::{collections::BTreeMap, fmt};

use crate::{
    hash::{Keys, Map},
    path,
};

/// The root of all quotas.
pub(super) const ROOT: &str = "/zookeeper/quota";

/// The names below a quota's path.
pub(super) const LIMITS: &str = "zookeeper_limits";
pub(super) const STATS: &str = "zookeeper_stats";

/// The longest text that is read, in bytes: all keys with all digits need a tenth of it.
const TEXT_LENGTH_MAX: usize = 1024;

/// The path that a znode named [`LIMITS`] or [`STATS`] below `parent` speaks of.
pub(super) fn subject(parent: &str) -> Option<&str> {
    let subject = parent.strip_prefix(ROOT)?;
    subject.starts_with('/').then_some(subject)
}

/// The znode of `name` for a path under quota.
pub(super) fn node_path(subject: &str, name: &str) -> String {
    [ROOT, subject, "/", name].concat()
}

/// Numbers of a quota by name: limits, or what is used. A missing one is -1, which is "none".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Track {
    count: Option<i64>,
    bytes: Option<i64>,
    /// All others, hard limits among them; whatever they are, they stay.
    others: BTreeMap<Box<str>, i64>,
}

impl Track {
    /// What is used.
    pub(super) fn of(count: i64, bytes: i64) -> Self {
        Self { count: Some(count), bytes: Some(bytes), others: BTreeMap::new() }
    }

    /// Reads the text; what is no number is left out. It is read at every change below, so a text
    /// longer than any quota's is none.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = if text.len() > TEXT_LENGTH_MAX { &[] } else { text };
        let mut track = Self::default();
        for pair in text.split(|byte| matches!(byte, b',' | b';')) {
            let mut parts = pair.split(|&byte| byte == b'=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let Some(value) = str::from_utf8(value).ok().and_then(|value| value.parse().ok())
            else {
                continue;
            };
            match key {
                b"count" => track.count = Some(value),
                b"bytes" => track.bytes = Some(value),
                _ => drop(track.others.insert(String::from_utf8_lossy(key).into(), value)),
            }
        }
        track
    }

    /// What is used, after a change.
    pub(super) fn changed(mut self, count: i64, bytes: i64) -> Self {
        self.count = Some(self.count().saturating_add(count));
        self.bytes = Some(self.bytes().saturating_add(bytes));
        self
    }

    fn count(&self) -> i64 {
        self.count.unwrap_or(-1)
    }

    fn bytes(&self) -> i64 {
        self.bytes.unwrap_or(-1)
    }

    fn hard(&self, key: &str) -> i64 {
        self.others.get(key).copied().unwrap_or(-1)
    }
}

impl fmt::Display for Track {
    /// As upstream writes it: count and bytes always, the others by name where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count(), self.bytes())?;
        if !self.others.is_empty() {
            f.write_str("=")?;
        }
        self.others.iter().try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

/// What a change does to a quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It fits.
    Fits,
    /// A soft limit is exceeded: allowed, and counted.
    ExceedsSoft,
    /// A hard limit is exceeded.
    ExceedsHard,
}

/// Judges a change of `count` znodes and `bytes` bytes.
pub(super) fn judge(limits: &Track, used: &Track, count: i64, bytes: i64) -> Verdict {
    let judge_one = |soft: i64, hard: i64, used: i64, change: i64| {
        let limit = if hard > -1 { hard } else { soft };
        if change == 0 || limit <= -1 || used.saturating_add(change) <= limit {
            Verdict::Fits
        } else if hard > -1 {
            Verdict::ExceedsHard
        } else {
            Verdict::ExceedsSoft
        }
    };
    match (
        judge_one(limits.count(), limits.hard("countHardLimit"), used.count(), count),
        judge_one(limits.bytes(), limits.hard("byteHardLimit"), used.bytes(), bytes),
    ) {
        (Verdict::ExceedsHard, _) | (_, Verdict::ExceedsHard) => Verdict::ExceedsHard,
        (Verdict::ExceedsSoft, _) | (_, Verdict::ExceedsSoft) => Verdict::ExceedsSoft,
        (Verdict::Fits, Verdict::Fits) => Verdict::Fits,
    }
}

/// The paths that have a quota.
#[derive(Debug)]
pub(super) struct Quotas {
    paths: Map<Box<str>, ()>,
}

impl Quotas {
    pub(super) fn new(keys: &Keys) -> Self {
        Self { paths: keys.map() }
    }

    pub(super) fn add(&mut self, subject: &str) {
        self.paths.insert(subject.into(), ());
    }

    pub(super) fn remove(&mut self, subject: &str) {
        self.paths.remove(subject);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The deepest path with a quota that `path` is, or lies below.
    pub(super) fn covering<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.paths.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() && at != "/" {
            if self.paths.contains_key(at) {
                return Some(at);
            }
            at = path::split(at)?.0;
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.paths.keys().map(|path| &**path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn text_is_read_leniently() {
        for (text, expected) in [
            ("count=5,bytes=10", (5, 10, -1, -1)),
            ("bytes=10=", (-1, 10, -1, -1)),
            ("count=5,,;bytes=10", (5, 10, -1, -1)),
            ("count=4,bytes=5=;byteHardLimit=7;countHardLimit=6", (4, 5, 6, 7)),
            ("", (-1, -1, -1, -1)),
            ("nonsense", (-1, -1, -1, -1)),
        ] {
            let track = Track::parse(text.as_bytes());
            let hard = (track.hard("countHardLimit"), track.hard("byteHardLimit"));
            assert_eq!((track.count(), track.bytes(), hard.0, hard.1), expected, "{text:?}");
        }
        let padded = |length: usize| format!("{:,<length$}", "count=5");
        assert_eq!(Track::parse(padded(1024).as_bytes()).count(), 5);
        assert_eq!(Track::parse(padded(1025).as_bytes()).count(), -1);
    }

    #[test]
    fn text_is_written_as_upstream_writes_it() {
        for text in [
            "count=5,bytes=10",
            "count=4,bytes=5=;byteHardLimit=7;countHardLimit=6",
            "count=-1,bytes=-1=;countHardLimit=-1",
            "count=1,bytes=2=;other=3",
        ] {
            assert_eq!(Track::parse(text.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn hard_limits_win_over_soft_ones() {
        let used = Track::parse(b"count=3,bytes=10");
        let judge_text = |limits: &str, count, bytes| {
            judge(&Track::parse(limits.as_bytes()), &used, count, bytes)
        };
        assert_eq!(judge_text("count=3", 1, 0), Verdict::ExceedsSoft);
        assert_eq!(judge_text("count=4", 1, 0), Verdict::Fits);
        assert_eq!(judge_text("count=3", 0, 99), Verdict::Fits);
        assert_eq!(judge_text("countHardLimit=3,count=99", 1, 0), Verdict::ExceedsHard);
        assert_eq!(judge_text("byteHardLimit=11,count=3", 1, 1), Verdict::ExceedsSoft);
        assert_eq!(judge_text("byteHardLimit=11", 0, 2), Verdict::ExceedsHard);
        assert_eq!(judge_text("byteHardLimit=9", 0, -1), Verdict::Fits);
        assert_eq!(judge_text("", 1, 1), Verdict::Fits);
    }

    #[test]
    fn the_deepest_quota_covers_a_path() {
        let mut quotas = Quotas::new(&Keys::new(&mut Rng::new(1)));
        assert_eq!(quotas.covering("/a/b"), None);
        quotas.add("/a");
        quotas.add("/a/b");
        quotas.add("/");
        assert_eq!(quotas.covering("/a/b/c"), Some("/a/b"));
        assert_eq!(quotas.covering("/a/b"), Some("/a/b"));
        assert_eq!(quotas.covering("/a/bc"), Some("/a"));
        assert_eq!(quotas.covering("/b"), None, "a quota on the root is ignored");
        quotas.remove("/a/b");
        assert_eq!(quotas.covering("/a/b/c"), Some("/a"));
        assert_eq!(subject("/zookeeper/quota/a"), Some("/a"));
        assert_eq!(subject("/zookeeper/quota"), None);
        assert_eq!(subject("/zookeeper/quotas/a"), None);
    }
}
