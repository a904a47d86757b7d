//! What snapshots hold, in numbers.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
};

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::{
    Zxid,
    storage::SnapshotItem,
    tree::{Config, StoredNode},
    wire::CreateKind,
};

use super::{
    command::{EXIT_STATUS, Outcome},
    number::count,
    output::Output,
    snapshot::SnapshotFiles,
    snapshot_scan::{Scanned, scan, shown_path},
    txn::kind_name,
    verdict::Verdict,
};
use crate::client::visible;

/// Count what is in snapshots, each by itself.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXIT_STATUS)]
pub(crate) struct SnapshotStat {
    #[command(flatten)]
    files: SnapshotFiles,

    /// How many of the largest znodes and subtrees are named.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    top: usize,
}

impl SnapshotStat {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut verdict = Verdict::Fine;
        for path in self.files.paths() {
            let mut numbers = Numbers { top: self.top, ..Numbers::default() };
            let limit = self.files.record_length_max();
            let scanned = scan(path, limit, false, |item| {
                numbers.add(item);
                Ok(())
            })?;
            if let Some(damage) = &scanned.damage {
                output.remark(&format!("{}: {damage}", scanned.file))?;
                verdict = Verdict::Damaged;
            }
            output.show(|| numbers.json(&scanned), || numbers.text(&scanned))?;
        }
        Ok(verdict)
    }
}

/// Znodes, and the bytes of their paths and data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) znodes: u64,
}

impl Size {
    /// Counts a znode.
    pub(super) fn add(&mut self, node: &StoredNode<'_>) {
        self.znodes += 1;
        self.bytes += (node.path.len() + node.data.as_ref().map_or(0, |data| data.len())) as u64;
    }

    pub(super) fn json(self) -> Value {
        json!({ "znodes": self.znodes, "bytes": self.bytes })
    }

    pub(super) fn text(self) -> String {
        format!("{}, {}", count(self.znodes, "znode"), count(self.bytes, "byte"))
    }
}

/// What was counted.
#[derive(Debug, Default)]
struct Numbers {
    top: usize,
    all: Size,
    kinds: BTreeMap<&'static str, u64>,
    owners: HashSet<i64>,
    sessions: u64,
    acls: u64,
    depths: BTreeMap<usize, Size>,
    /// By the first part of the path.
    subtrees: BTreeMap<String, Size>,
    /// The largest data; the least of them first.
    largest: BinaryHeap<Reverse<(usize, String)>>,
    newest: Zxid,
    digest: Option<(Zxid, Option<u64>)>,
    last_zxid: Option<Zxid>,
}

impl Numbers {
    fn add(&mut self, item: SnapshotItem<'_>) {
        match item {
            SnapshotItem::Session { .. } => self.sessions += 1,
            SnapshotItem::Acl { .. } => self.acls += 1,
            SnapshotItem::Node(node) => self.add_node(&node),
            SnapshotItem::Digest { zxid, digest } => self.digest = Some((zxid, digest)),
            SnapshotItem::LastZxid(zxid) => self.last_zxid = Some(zxid),
            _ => {}
        }
    }

    fn add_node(&mut self, node: &StoredNode<'_>) {
        self.all.add(node);
        let kind = node.stat.kind(&Config::default());
        *self.kinds.entry(kind_name(kind)).or_default() += 1;
        if kind == CreateKind::Ephemeral {
            self.owners.insert(node.stat.owner);
        }
        let depth = node.path.matches('/').count();
        self.depths.entry(depth).or_default().add(node);
        if let Some(first) = node.path.split('/').nth(1) {
            match self.subtrees.get_mut(first) {
                Some(size) => size.add(node),
                None => self.subtrees.entry(first.into()).or_default().add(node),
            }
        }
        let length = node.data.as_ref().map_or(0, |data| data.len());
        let is_large = self.largest.len() < self.top
            || self.largest.peek().is_some_and(|Reverse((least, _))| length > *least);
        if length > 0 && is_large && self.top > 0 {
            self.largest.push(Reverse((length, node.path.into())));
            if self.largest.len() > self.top {
                self.largest.pop();
            }
        }
        self.newest = self.newest.max(node.stat.czxid).max(node.stat.mzxid).max(node.stat.pzxid);
    }

    /// The largest first.
    fn largest(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<(usize, &str)> =
            self.largest.iter().map(|Reverse((length, path))| (*length, &**path)).collect();
        all.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
        all
    }

    fn largest_subtrees(&self) -> Vec<(String, Size)> {
        let mut all: Vec<(String, Size)> =
            self.subtrees.iter().map(|(name, size)| (format!("/{name}"), *size)).collect();
        all.sort_by_key(|(_, size)| Reverse(*size));
        all.truncate(self.top);
        all
    }

    fn json(&self, scanned: &Scanned) -> Value {
        let depths: Vec<Value> = self
            .depths
            .iter()
            .map(|(depth, size)| {
                let mut value = size.json();
                value["depth"] = (*depth).into();
                value
            })
            .collect();
        let subtrees: Vec<Value> = self
            .largest_subtrees()
            .iter()
            .map(|(path, size)| {
                let mut value = size.json();
                value["path"] = path.as_str().into();
                value
            })
            .collect();
        let largest: Vec<Value> = self
            .largest()
            .iter()
            .map(|(length, path)| json!({ "path": shown_path(path), "dataLength": length }))
            .collect();
        let digest = self.digest.and_then(|(_, digest)| digest);
        json!({
            "file": scanned.file,
            "fileBytes": scanned.length,
            "plainBytes": scanned.plain_length,
            "znodes": self.all.znodes,
            "bytes": self.all.bytes,
            "kinds": self.kinds,
            "ephemeralOwners": self.owners.len(),
            "sessions": self.sessions,
            "acls": self.acls,
            "lastZxid": self.last_zxid.map(|zxid| zxid.to_string()),
            "newestZxid": self.newest.to_string(),
            "digest": digest.map(|digest| format!("{digest:#x}")),
            "digestZxid": self.digest.map(|(zxid, _)| zxid.to_string()),
            "depths": depths,
            "subtrees": subtrees,
            "largest": largest,
        })
    }

    fn text(&self, scanned: &Scanned) -> String {
        let mut lines = vec![scanned.file.clone()];
        lines.push(match scanned.plain_length == scanned.length {
            true => count(scanned.length, "byte"),
            false => {
                let plain = count(scanned.plain_length, "byte");
                format!("{}, decompressed {plain}", count(scanned.length, "byte"))
            }
        });
        lines.push(format!("paths and data: {}", self.all.text()));
        let kinds = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
        lines.push(format!("kinds: {}", kinds.collect::<Vec<_>>().join(", ")));
        let owners = count(self.owners.len() as u64, "owner");
        let (sessions, acls) = (count(self.sessions, "session"), count(self.acls, "ACL"));
        lines.push(format!("{sessions}, {owners} of ephemerals, {acls}"));
        if let Some(zxid) = self.last_zxid {
            lines.push(format!("last zxid {zxid}"));
        }
        lines.push(format!("newest zxid {}", self.newest));
        if let Some((zxid, Some(digest))) = self.digest.filter(|(zxid, _)| *zxid != Zxid::ZERO) {
            lines.push(format!("digest {digest:#x} at {zxid}"));
        }
        for (depth, size) in &self.depths {
            lines.push(format!("depth {depth}: {}", size.text()));
        }
        for (path, size) in self.largest_subtrees() {
            lines.push(format!("below {}: {}", visible(path.as_bytes(), ""), size.text()));
        }
        for (length, path) in self.largest() {
            let path = visible(shown_path(path).as_bytes(), "");
            lines.push(format!("data of {path}: {}", count(length as u64, "byte")));
        }
        lines.join("\n")
    }
}
