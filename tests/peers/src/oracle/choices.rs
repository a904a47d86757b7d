//! What a request is filled with: paths, ACLs, data, versions.

use super::pools::{
    AclSpec, BAD_IDS, GOOD_IDS, NAMES, ODD_PATHS, OPEN_ACL, PERMS, PREFIXES, QUOTA_PATHS, RESERVED,
    UNWATCHED, VERSIONS, between, pick,
};
use super::requests::Maker;
use super::world::{WatchKind, World};

impl Maker<'_> {
    /// A path that often exists.
    pub(crate) fn path(&mut self) -> Option<String> {
        if self.is_friendly {
            return Some(self.known_path());
        }
        Some(match self.rng.below(40) {
            0 => return None,
            1 | 2 => pick(self.rng, &ODD_PATHS).to_owned(),
            3..=5 => pick(self.rng, &RESERVED).to_owned(),
            6..=11 => format!("/{}", pick(self.rng, &NAMES)),
            12 | 13 => join(&self.known_path(), pick(self.rng, &NAMES)),
            14 if !self.is_pipelined => self.quota_path(),
            _ => self.known_path(),
        })
    }

    /// A path to create.
    pub(super) fn new_path(&mut self, is_sequential: bool) -> Option<String> {
        if !self.is_friendly {
            match self.rng.below(30) {
                0 => return None,
                1 | 2 => return Some(pick(self.rng, &ODD_PATHS).to_owned()),
                // Below `/zookeeper/quota` only quotas are made, for upstream reads whatever
                // stands there.
                3 => return Some(join("/zookeeper", pick(self.rng, &NAMES))),
                4 => return Some(self.known_path()),
                _ => {}
            }
        }
        let parent = if self.rng.one_in(3) { "/".to_owned() } else { self.known_path() };
        let names: &[&str] = if is_sequential { &PREFIXES } else { &NAMES };
        Some(join(&parent, pick(self.rng, names)))
    }

    fn known_path(&mut self) -> String {
        for _ in 0..8 {
            let Some(last) = self.world.known.len().checked_sub(1) else { break };
            let path = &self.world.known[between(self.rng, 0, last)];
            if !self.is_pipelined || !path.starts_with("/q") {
                return path.clone();
            }
        }
        format!("/{}", pick(self.rng, &NAMES))
    }

    fn quota_path(&mut self) -> String {
        let path = pick(self.rng, &QUOTA_PATHS);
        let name = pick(self.rng, &["", "/zookeeper_limits", "/zookeeper_stats"]);
        format!("/zookeeper/quota{path}{name}")
    }

    pub(super) fn acl(&mut self) -> Option<Vec<AclSpec>> {
        if self.is_friendly || !self.rng.one_in(3) {
            return Some(OPEN_ACL.into());
        }
        match self.rng.below(24) {
            0 => return None,
            1 => return Some(Vec::new()),
            _ => {}
        }
        let count = between(self.rng, 1, 3);
        let mut acl = Vec::new();
        for _ in 0..count {
            let perms = pick(self.rng, &PERMS);
            if self.rng.one_in(8) {
                let (scheme, id) = pick(self.rng, &BAD_IDS);
                acl.push((perms, scheme, id));
            } else {
                let (scheme, id) = pick(self.rng, &GOOD_IDS);
                acl.push((perms, Some(scheme), id));
            }
        }
        if self.rng.one_in(6) {
            acl.extend_from_within(..1);
        }
        // Upstream trips over a null when it looks for an equal entry before it. In a multi it
        // then forgets to take back what the operations before have prepared.
        let has_null = |&(_, scheme, id): &AclSpec| scheme.is_none() || id.is_none();
        if self.is_in_multi {
            acl.retain(|entry| !has_null(entry));
        }
        if let Some(at) = acl.iter().position(has_null) {
            acl.swap(0, at);
            let rest = acl.split_off(1);
            acl.extend(rest.into_iter().filter(|entry| !has_null(entry)));
        }
        Some(acl)
    }

    pub(super) fn data(&mut self) -> Option<Vec<u8>> {
        let length = match self.rng.below(40) {
            0 | 1 => return None,
            2..=6 => 0,
            7 => between(self.rng, 1000, 9000),
            _ => between(self.rng, 1, 30),
        };
        let letter = b'a' + u8::try_from(self.rng.below(26)).unwrap_or(0);
        Some(vec![letter; length])
    }

    pub(super) fn version(&mut self) -> i32 {
        if self.is_friendly { -1 } else { pick(self.rng, &VERSIONS) }
    }

    pub(super) fn may_watch(&self, path: &str, kind: WatchKind) -> bool {
        path != UNWATCHED && World::watch_kind(self.slot, path) == kind
    }

    /// A path on which this client may set such a watch, most often one on which it has.
    pub(super) fn watch_path(&mut self, kind: WatchKind) -> Option<String> {
        let watched = &self.world.watched[self.slot];
        let watched: Vec<&String> =
            watched.iter().filter(|path| self.may_watch(path, kind)).collect();
        if !watched.is_empty() && self.rng.one_in(2) {
            return Some(pick(self.rng, &watched).clone());
        }
        for _ in 0..6 {
            match self.path() {
                Some(path) if self.may_watch(&path, kind) => return Some(path),
                _ => {}
            }
        }
        None
    }
}

/// A child's path.
#[must_use]
pub(crate) fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.strip_suffix('/').unwrap_or(parent))
}
