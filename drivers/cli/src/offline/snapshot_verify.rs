//! Whether snapshots are whole, and are trees.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::{
    Rng, Zxid,
    storage::{SnapshotItem, snapshot_zxid},
    tree::{Config, RestoreError, Tree},
};

use super::{
    command::{EXIT_STATUS, Outcome},
    number::count,
    output::Output,
    snapshot::SnapshotFiles,
    snapshot_scan::{Scanned, scan, shown_path},
    verdict::Verdict,
};
use crate::client::visible;

/// Check snapshots: every record and seal, that every znode has its parent and its ACL, and the
/// digest of the tree.
///
/// The tree is built in memory for that. Apache ZooKeeper takes snapshots while the tree changes;
/// such a one has no digest of its own, and only its logs make it whole.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXIT_STATUS)]
pub(crate) struct Verify {
    #[command(flatten)]
    files: SnapshotFiles,
}

impl Verify {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut worst = Verdict::Fine;
        for path in self.files.paths() {
            let mut check = Check::new();
            let limit = self.files.record_length_max();
            let scanned = scan(path, limit, false, |item| {
                check.add(item);
                Ok(())
            })?;
            let finding = check.finish(path, scanned);
            worst = worst.max(finding.verdict());
            output.show(|| finding.json(), || finding.text())?;
        }
        Ok(worst)
    }
}

/// A tree as it is read, and what does not fit into it.
struct Check {
    tree: Tree,
    sessions: u64,
    acls: u64,
    znodes: u64,
    misfits: u64,
    first_misfit: Option<(String, RestoreError)>,
    digest: Option<(Zxid, Option<u64>)>,
    last_zxid: Option<Zxid>,
}

/// What the digest says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DigestCheck {
    /// There is none.
    Absent,
    /// It is that of the tree.
    Right,
    /// The tree changed while it was written.
    Fuzzy,
    /// It is not that of the tree, and should be.
    Wrong { expected: u64, found: u64 },
}

/// What is thought of one file.
struct Finding {
    scanned: Scanned,
    sessions: u64,
    acls: u64,
    znodes: u64,
    zxid: Option<Zxid>,
    digest: DigestCheck,
    complaints: Vec<String>,
}

impl Check {
    fn new() -> Self {
        Self {
            // What is seen of it does not depend on the seed.
            tree: Tree::new(Config::default(), &mut Rng::new(0)),
            sessions: 0,
            acls: 0,
            znodes: 0,
            misfits: 0,
            first_misfit: None,
            digest: None,
            last_zxid: None,
        }
    }

    fn add(&mut self, item: SnapshotItem<'_>) {
        match item {
            SnapshotItem::Session { session, timeout_ms } => {
                self.sessions += 1;
                self.tree.restore_session(session, timeout_ms);
            }
            SnapshotItem::Acl { .. } => self.acls += 1,
            SnapshotItem::Node(node) => {
                self.znodes += 1;
                let path = node.path;
                if let Err(error) = self.tree.restore_node(node) {
                    self.misfits += 1;
                    self.first_misfit.get_or_insert_with(|| (shown_path(path).into(), error));
                }
            }
            SnapshotItem::Digest { zxid, digest } => self.digest = Some((zxid, digest)),
            SnapshotItem::LastZxid(zxid) => self.last_zxid = Some(zxid),
            _ => {}
        }
    }

    fn finish(self, path: &Path, scanned: Scanned) -> Finding {
        let mut complaints: Vec<String> = Vec::new();
        let named = zxid_of_name(path);
        let zxid = self.last_zxid.or(named);
        complaints.extend(scanned.damage.map(|damage| damage.to_string()));
        if let Some((path, error)) = &self.first_misfit {
            let path = visible(path.as_bytes(), "");
            let others = match self.misfits - 1 {
                0 => String::new(),
                others => format!(", and {} more that do not fit", count(others, "znode")),
            };
            complaints.push(format!("{path}: {error}{others}"));
        }
        if let (Some(named), Some(last)) = (named, self.last_zxid)
            && named != last
        {
            complaints.push(format!("it is named after {named}, and says that it is of {last}"));
        }
        let digest = match complaints.is_empty() {
            true => self.check_digest(zxid),
            false => DigestCheck::Absent,
        };
        if let DigestCheck::Wrong { expected, found } = digest {
            complaints.push(format!("expected the digest {expected:#x}, found {found:#x}"));
        }
        let Self { sessions, acls, znodes, .. } = self;
        Finding { scanned, sessions, acls, znodes, zxid, digest, complaints }
    }

    fn check_digest(&self, zxid: Option<Zxid>) -> DigestCheck {
        let Some((at, Some(expected))) = self.digest.filter(|(at, _)| *at != Zxid::ZERO) else {
            return DigestCheck::Absent;
        };
        let Some(found) = self.tree.digest() else { return DigestCheck::Absent };
        match zxid {
            _ if found == expected => DigestCheck::Right,
            Some(zxid) if zxid == at && self.is_all() => DigestCheck::Wrong { expected, found },
            _ => DigestCheck::Fuzzy,
        }
    }

    /// Whether the tree holds nothing that is not of the snapshot: a fresh one has znodes of its
    /// own, which very old servers did not have. The root counts twice.
    fn is_all(&self) -> bool {
        self.tree.node_count() as u64 == self.znodes + 1
    }
}

impl Finding {
    fn verdict(&self) -> Verdict {
        if self.complaints.is_empty() { Verdict::Fine } else { Verdict::Damaged }
    }

    fn text(&self) -> String {
        let Self { scanned, sessions, acls, znodes, zxid, digest, complaints } = self;
        let mut text = format!(
            "{}: {}, {}, {}",
            scanned.file,
            count(*znodes, "znode"),
            count(*sessions, "session"),
            count(*acls, "ACL")
        );
        if let Some(zxid) = zxid {
            text += &format!(", of {zxid}");
        }
        if complaints.is_empty() {
            text += match digest {
                DigestCheck::Right => ", in order, the digest too",
                DigestCheck::Fuzzy => ", in order; the tree changed while it was written",
                DigestCheck::Absent | DigestCheck::Wrong { .. } => ", in order",
            };
        }
        for complaint in complaints {
            text += "\n  ";
            text += complaint;
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "file": self.scanned.file,
            "bytes": self.scanned.length,
            "znodes": self.znodes,
            "sessions": self.sessions,
            "acls": self.acls,
            "zxid": self.zxid.map(|zxid| zxid.to_string()),
            "digest": match self.digest {
                DigestCheck::Absent => "absent",
                DigestCheck::Right => "right",
                DigestCheck::Fuzzy => "fuzzy",
                DigestCheck::Wrong { .. } => "wrong",
            },
            "offset": self.scanned.damage.map(|damage| damage.offset),
            "verdict": self.verdict().name(),
            "complaints": self.complaints,
        })
    }
}

/// The zxid that a snapshot's name tells.
fn zxid_of_name(path: &Path) -> Option<Zxid> {
    snapshot_zxid(path.file_name()?.to_str()?).map(|(zxid, _)| zxid)
}
