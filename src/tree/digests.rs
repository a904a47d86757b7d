//! The history of tree digests that the `hash` command prints.
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.logZxidDigest`.

use std::collections::VecDeque;

use crate::ids::Zxid;

/// One in this many transactions is kept.
const INTERVAL: i64 = 128;

/// How many are kept.
const KEPT: usize = 1024;

/// The tree's digest after some of the newest transactions, live or replayed.
#[derive(Debug, Default)]
pub struct Digests(VecDeque<(Zxid, u64)>);

impl Digests {
    pub(super) fn record(&mut self, zxid: Zxid, digest: Option<u64>) {
        let Some(digest) = digest else { return };
        if zxid.0 % INTERVAL != 0 {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((zxid, digest));
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_of_every_128th() {
        let mut digests = Digests::default();
        for zxid in 1..=(1025 * 128) {
            digests.record(Zxid(zxid), Some(zxid.cast_unsigned()));
        }
        let kept: Vec<_> = digests.iter().collect();
        assert_eq!((kept.len(), kept[0]), (1024, (Zxid(256), 256)));
        digests.record(Zxid(1026 * 128), None);
        assert_eq!(digests.iter().count(), 1024, "no digest, no entry");
    }
}
