//! What is used under a quota, kept in text where clients can read it.
//!
//! Behaviour: `org.apache.zookeeper.server.DataTree.updateQuotaStat` and `updateQuotaForPath`.

use super::{
    Tree,
    quota::{self, Track, Verdict},
    signed,
};

impl Tree {
    /// Counts what lies below a path whose statistics have just come, and writes it there.
    pub(super) fn count_usage(&mut self, subject: &str) {
        let (mut count, mut bytes) = (0, 0);
        if let Some(id) = self.nodes.find(subject.as_bytes()) {
            for (_, node) in self.nodes.subtree(id) {
                count += 1;
                bytes += signed(node.data_length());
            }
        }
        self.write_usage(subject, Track::of(count, bytes));
    }

    /// Adds a change to the statistics of the quota that covers a path. No transaction, no watch,
    /// no version: upstream has it so.
    pub(super) fn update_usage(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(subject) = self.quotas.covering(path) else { return };
        let track = |name| {
            let id = self.nodes.find(quota::node_path(subject, name).as_bytes())?;
            Some(Track::parse(self.nodes.get(id).data.as_deref().unwrap_or_default()))
        };
        let Some(used) = track(quota::STATS) else { return };
        if let Some(limits) = track(quota::LIMITS)
            && quota::judge(&limits, &used, count, bytes) != Verdict::Fits
        {
            self.soft_quota_excesses += 1;
        }
        self.write_usage(subject, used.changed(count, bytes));
    }

    fn write_usage(&mut self, subject: &str, used: Track) {
        let path = quota::node_path(subject, quota::STATS);
        if let Some(id) = self.nodes.find(path.as_bytes()) {
            self.preserve(id);
            self.nodes.set_data(id, Some(used.to_string().into()));
            self.nodes.get_mut(id).touched = self.last_zxid;
        }
    }
}
