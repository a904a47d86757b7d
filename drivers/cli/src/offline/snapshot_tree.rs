//! A snapshot as a tree.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use serde_json::Value;
use zookeeper_core::{storage::SnapshotItem, tree::StoredNode};

use super::{
    command::{EXIT_STATUS, Outcome},
    log_dump::is_at_or_below,
    output::Output,
    snapshot::Limits,
    snapshot_scan::{scan, shown_path},
    snapshot_stat::Size,
    verdict::Verdict,
};
use crate::client::{ZnodePath, visible};

/// Show the znodes of a snapshot as a tree, each with the number and size of all that is below it,
/// itself included.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXIT_STATUS)]
pub(crate) struct SnapshotTree {
    /// The file, as version-2/snapshot.100000001; .gz and .snappy are decompressed.
    file: PathBuf,

    /// How deep; what is below that is only counted.
    #[arg(short, long, value_name = "LEVELS", default_value_t = 2)]
    depth: usize,

    /// Begin at this znode.
    #[arg(long, default_value = "/")]
    path: ZnodePath,

    #[command(flatten)]
    limits: Limits,
}

impl SnapshotTree {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let ZnodePath(root) = &self.path;
        let mut branches = Branches::new(root, self.depth);
        let limit = self.limits.record_length_max();
        let scanned = scan(&self.file, limit, false, |item| {
            if let SnapshotItem::Node(node) = item {
                branches.add(&node);
            }
            Ok(())
        })?;
        for (parts, size) in &branches.sizes {
            let depth = parts.len();
            output.show(
                || {
                    let mut value = size.json();
                    value["path"] = branches.path(parts);
                    value["depth"] = depth.into();
                    value
                },
                || {
                    let name = match parts.last() {
                        Some(name) => visible(name.as_bytes(), ""),
                        None => visible(root.as_bytes(), ""),
                    };
                    format!("{}{name} ({})", "  ".repeat(depth), size.text())
                },
            )?;
        }
        if let Some(damage) = scanned.damage {
            output.remark(&format!("{}: {damage}", scanned.file))?;
            return Ok(Verdict::Damaged);
        }
        Ok(Verdict::Fine)
    }
}

/// Sizes of all znodes down to a depth, by the parts of their paths: so a child follows its parent.
struct Branches<'a> {
    root: &'a str,
    depth: usize,
    sizes: BTreeMap<Vec<String>, Size>,
}

impl<'a> Branches<'a> {
    fn new(root: &'a str, depth: usize) -> Self {
        Self { root, depth, sizes: BTreeMap::new() }
    }

    fn add(&mut self, node: &StoredNode<'_>) {
        let path = shown_path(node.path);
        if !is_at_or_below(path, self.root) {
            return;
        }
        let below = path[self.root.trim_end_matches('/').len()..].split('/');
        let parts: Vec<String> =
            below.filter(|part| !part.is_empty()).take(self.depth).map(Into::into).collect();
        for depth in (0..=parts.len()).rev() {
            self.sizes.entry(parts[..depth].to_vec()).or_default().add(node);
        }
    }

    fn path(&self, parts: &[String]) -> Value {
        match parts {
            [] => self.root.into(),
            parts => format!("{}/{}", self.root.trim_end_matches('/'), parts.join("/")).into(),
        }
    }
}
