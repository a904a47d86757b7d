//! Everything in snapshots, a line each; or as an export.

use clap::Args;
use serde_json::{Value, json};
use zookeeper_core::{
    Zxid,
    storage::SnapshotItem,
    tree::{Config, StoredNode, StoredStat},
    wire::CreateKind,
};

use super::{
    command::{EXIT_STATUS, Outcome},
    export::Exporter,
    failure::OfflineError,
    log_dump::is_at_or_below,
    number::time,
    output::Output,
    snapshot::SnapshotFiles,
    snapshot_scan::{scan, shown_path},
    txn::{acl_text, data_text, kind_name, kind_text},
    verdict::Verdict,
};
use crate::client::{ZnodePath, acl_value, data_value, visible};

/// Print every session and every znode of snapshots, one a line.
///
/// Of data only the beginning is shown; --json has all of it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = more())]
pub(crate) struct Dump {
    #[command(flatten)]
    files: SnapshotFiles,

    /// Only this znode and what is below it.
    #[arg(long)]
    path: Option<ZnodePath>,

    /// Print what `zk import` reads: with the kinds of znodes, without ephemeral ones.
    #[arg(long)]
    export: bool,
}

fn more() -> String {
    format!("{EXAMPLES}\n\n{EXIT_STATUS}")
}

const EXAMPLES: &str = "\
Examples:
  zk snapshot dump version-2/snapshot.1f
      everything
  zk snapshot dump --json snapshot.1f.gz | jq -r 'select(.kind == \"container\") | .path'
      for other tools
  zk snapshot dump --export --path /app snapshot.1f | zk import --into /restored
      back into a server that runs";

impl Dump {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        if self.export && self.files.paths().len() > 1 {
            let message = "an export is of one snapshot: name one file with --export";
            return Err(OfflineError::Usage(message.into()));
        }
        let mut verdict = Verdict::Fine;
        for path in self.files.paths() {
            let root = self.path.as_ref().map(|ZnodePath(path)| &**path);
            let mut exporter = self.export.then(|| Exporter::new(root.unwrap_or("/")));
            if let Some(exporter) = &mut exporter {
                exporter.begin(output)?;
            }
            let quiet = output.is_terminal();
            let limit = self.files.record_length_max();
            let scanned = scan(path, limit, quiet, |item| match item {
                SnapshotItem::Node(node)
                    if root.is_some_and(|root| !is_at_or_below(shown_path(node.path), root)) =>
                {
                    Ok(())
                }
                SnapshotItem::Node(node) => match &mut exporter {
                    Some(exporter) => exporter.node(&node, output),
                    None => output.show(|| node_json(&node), || node_text(&node)),
                },
                _ if exporter.is_some() || root.is_some() => Ok(()),
                item => match (text(&item), output.json()) {
                    (None, _) => Ok(()),
                    (Some(_), true) => output.value(&json(&item)),
                    (Some(text), false) => output.line(&text),
                },
            })?;
            match (scanned.damage, exporter) {
                (Some(damage), _) => {
                    output.remark(&format!("{}: {damage}", scanned.file))?;
                    verdict = Verdict::Damaged;
                }
                (None, Some(exporter)) => exporter.end(output)?,
                (None, None) => {}
            }
        }
        Ok(verdict)
    }
}

/// A line for what is no znode; the table of ACLs is told with the znodes.
fn text(item: &SnapshotItem<'_>) -> Option<String> {
    Some(match item {
        SnapshotItem::Session { session, timeout_ms } => {
            format!("session {session} timeout {timeout_ms} ms")
        }
        SnapshotItem::Digest { zxid: Zxid::ZERO, .. } => "no digest".into(),
        SnapshotItem::Digest { zxid, digest: Some(digest) } => {
            format!("digest {digest:#x} at {zxid}")
        }
        SnapshotItem::Digest { zxid, digest: None } => {
            format!("digest of an unknown algorithm at {zxid}")
        }
        SnapshotItem::LastZxid(zxid) => format!("last zxid {zxid}"),
        _ => return None,
    })
}

fn json(item: &SnapshotItem<'_>) -> Value {
    match item {
        SnapshotItem::Session { session, timeout_ms } => {
            json!({ "type": "session", "session": session.to_string(), "timeoutMs": timeout_ms })
        }
        SnapshotItem::Digest { zxid, digest } => {
            let digest = digest.map(|digest| format!("{digest:#x}"));
            json!({ "type": "digest", "zxid": zxid.to_string(), "digest": digest })
        }
        SnapshotItem::LastZxid(zxid) => json!({ "type": "lastZxid", "zxid": zxid.to_string() }),
        _ => Value::Null,
    }
}

fn node_text(node: &StoredNode<'_>) -> String {
    let StoredStat { czxid, mzxid, pzxid, ctime_ms, mtime_ms, version, cversion, aversion, owner } =
        node.stat;
    let kind = node.stat.kind(&Config::default());
    let owner = match kind {
        CreateKind::Ephemeral => format!(" of 0x{owner:x}"),
        _ => String::new(),
    };
    let path = visible(shown_path(node.path).as_bytes(), "");
    let (data, kind) = (data_text(node.data.as_deref()), kind_text(kind));
    let (acl, ctime, mtime) = (acl_text(&node.acl), time(ctime_ms), time(mtime_ms));
    format!(
        "znode {path} {data} {kind}{owner} {acl} czxid {czxid} mzxid {mzxid} pzxid {pzxid} \
         ctime {ctime} mtime {mtime} version {version} cversion {cversion} aversion {aversion}"
    )
}

fn node_json(node: &StoredNode<'_>) -> Value {
    let stat = &node.stat;
    let kind = stat.kind(&Config::default());
    let mut value = json!({
        "type": "znode",
        "path": shown_path(node.path),
        "acl": node.acl.iter().map(acl_value).collect::<Vec<_>>(),
        "kind": kind_name(kind),
        "czxid": stat.czxid.to_string(),
        "mzxid": stat.mzxid.to_string(),
        "pzxid": stat.pzxid.to_string(),
        "ctime": stat.ctime_ms,
        "mtime": stat.mtime_ms,
        "version": stat.version,
        // What is stored counts creations only; what clients see counts removals, too.
        "storedCversion": stat.cversion,
        "aversion": stat.aversion,
    });
    data_value(&mut value, node.data.as_deref());
    match kind {
        CreateKind::Ephemeral => value["ephemeralOwner"] = format!("0x{:x}", stat.owner).into(),
        CreateKind::Ttl(ttl_ms) => value["ttlMs"] = ttl_ms.into(),
        CreateKind::Persistent | CreateKind::Container => {}
    }
    value
}
