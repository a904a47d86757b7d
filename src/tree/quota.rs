//! Quotas: their text, who is under which, and when one is exceeded.
//!
//! A quota on `/app` is the znode `/zookeeper/quota/app/zookeeper_limits`; what is used stands in
//! `zookeeper_stats` beside it.
//!
//! Behaviour: `org.apache.zookeeper.Quotas`, `StatsTrack`, `org.apache.zookeeper.common.PathTrie`
//! and `ZooKeeperServer.checkQuota`.

use std::fmt;

use crate::{
    hash::{Keys, Map},
    path,
};

/// The root of all quotas.
pub(super) const ROOT: &str = "/zookeeper/quota";

/// The names below a quota's path.
pub(super) const LIMITS: &str = "zookeeper_limits";
pub(super) const STATS: &str = "zookeeper_stats";

/// The path that a znode named [`LIMITS`] or [`STATS`] below `parent` speaks of.
pub(super) fn subject(parent: &str) -> Option<&str> {
    let subject = parent.strip_prefix(ROOT)?;
    subject.starts_with('/').then_some(subject)
}

/// The znode of `name` for a path under quota.
pub(super) fn node_path(subject: &str, name: &str) -> String {
    [ROOT, subject, "/", name].concat()
}

/// Numbers of a quota: limits, or what is used. -1 is "none".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Track {
    pub(super) count: i64,
    pub(super) bytes: i64,
    pub(super) count_hard: i64,
    pub(super) bytes_hard: i64,
}

impl Track {
    /// Reads the text; what is missing or no number is -1.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut track = Self { count: -1, bytes: -1, count_hard: -1, bytes_hard: -1 };
        for pair in text.split(|byte| matches!(byte, b',' | b';')) {
            let mut parts = pair.split(|&byte| byte == b'=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let Some(value) = str::from_utf8(value).ok().and_then(|value| value.parse().ok())
            else {
                continue;
            };
            match key {
                b"count" => track.count = value,
                b"bytes" => track.bytes = value,
                b"countHardLimit" => track.count_hard = value,
                b"byteHardLimit" => track.bytes_hard = value,
                _ => {}
            }
        }
        track
    }

    /// What is used, after a change.
    pub(super) const fn changed(self, count: i64, bytes: i64) -> Self {
        let used = self;
        Self {
            count: used.count.saturating_add(count),
            bytes: used.bytes.saturating_add(bytes),
            ..used
        }
    }
}

impl fmt::Display for Track {
    /// As upstream writes it: the soft numbers always, the hard ones by key where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)?;
        if self.bytes_hard != -1 || self.count_hard != -1 {
            f.write_str("=")?;
        }
        if self.bytes_hard != -1 {
            write!(f, ";byteHardLimit={}", self.bytes_hard)?;
        }
        if self.count_hard != -1 {
            write!(f, ";countHardLimit={}", self.count_hard)?;
        }
        Ok(())
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
pub(super) fn judge(limits: Track, used: Track, count: i64, bytes: i64) -> Verdict {
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
        judge_one(limits.count, limits.count_hard, used.count, count),
        judge_one(limits.bytes, limits.bytes_hard, used.bytes, bytes),
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
        let track =
            |count, bytes, count_hard, bytes_hard| Track { count, bytes, count_hard, bytes_hard };
        for (text, expected) in [
            ("count=5,bytes=10", track(5, 10, -1, -1)),
            ("bytes=10=", track(-1, 10, -1, -1)),
            ("count=5,,;bytes=10", track(5, 10, -1, -1)),
            ("count=4,bytes=5=;byteHardLimit=7;countHardLimit=6", track(4, 5, 6, 7)),
            ("", track(-1, -1, -1, -1)),
            ("nonsense", track(-1, -1, -1, -1)),
        ] {
            assert_eq!(Track::parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn text_is_written_as_upstream_writes_it() {
        for text in [
            "count=5,bytes=10",
            "count=4,bytes=5=;byteHardLimit=7;countHardLimit=6",
            "count=-1,bytes=-1=;countHardLimit=6",
        ] {
            assert_eq!(Track::parse(text.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn hard_limits_win_over_soft_ones() {
        let used = Track::parse(b"count=3,bytes=10");
        let judge_text =
            |limits: &str, count, bytes| judge(Track::parse(limits.as_bytes()), used, count, bytes);
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
