//! Znodes of a snapshot as `zk import` reads them.

use std::time::Duration;

use jiff::Timestamp;
use zookeeper_core::{
    tree::{Config, StoredNode},
    wire::CreateKind,
};

use super::{
    failure::OfflineError, log_dump::is_at_or_below, output::Output, snapshot_scan::shown_path,
};
use crate::client::transfer::{End, Header, Kind, Line, NodeLine, relative};

/// What servers make themselves.
const RESERVED: &str = "/zookeeper";

/// Writes an export, line by line.
pub(super) struct Exporter<'a> {
    root: &'a str,
    end: End,
}

impl<'a> Exporter<'a> {
    /// An export of this znode.
    pub(super) fn new(root: &'a str) -> Self {
        Self { root, end: End::default() }
    }

    /// The first line.
    pub(super) fn begin(&self, output: &mut Output) -> Result<(), OfflineError> {
        let exported = format!("{:.3}", Timestamp::now());
        output.value(&Line::Header(Header { root: self.root.into(), exported }).to_json())
    }

    /// The line of a znode at or below the root.
    pub(super) fn node(
        &mut self,
        stored: &StoredNode<'_>,
        output: &mut Output,
    ) -> Result<(), OfflineError> {
        let path = shown_path(stored.path);
        if is_at_or_below(path, RESERVED) {
            return Ok(());
        }
        let kind = match stored.stat.kind(&Config::default()) {
            CreateKind::Persistent => Kind::Persistent,
            CreateKind::Container => Kind::Container,
            CreateKind::Ttl(ttl_ms) => {
                Kind::Ttl(Duration::from_millis(u64::try_from(ttl_ms).unwrap_or(1)))
            }
            CreateKind::Ephemeral => {
                self.end.skipped += 1;
                return Ok(());
            }
        };
        let node = NodeLine {
            path: relative(path, self.root).into(),
            data: stored.data.clone(),
            acl: stored.acl.to_vec(),
            kind,
            stat: None,
        };
        let stat = &stored.stat;
        self.end.zxid = self.end.zxid.max(stat.czxid).max(stat.mzxid).max(stat.pzxid);
        self.end.znodes += 1;
        output.value(&Line::Node(node).to_json())
    }

    /// The last line.
    pub(super) fn end(self, output: &mut Output) -> Result<(), OfflineError> {
        if self.end == End::default() {
            let message = format!("{}: there is no such znode to export", self.root);
            return Err(OfflineError::Usage(message));
        }
        output.value(&Line::End(self.end).to_json())
    }
}
