//! Containers and TTL znodes whose time has come.
//!
//! Behaviour: `org.apache.zookeeper.server.ContainerManager.getCandidates`.

use super::{
    Tree,
    node::{Node, NodeId, Owner},
};

/// Where a look at all candidates stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RemovalCursor {
    /// The last one looked at.
    after: Option<NodeId>,
}

impl Tree {
    /// Looks at up to `budget` containers and TTL znodes and adds the paths of those to remove to
    /// `out`. `never_used_ms` is how long a container may wait for its first child, 0 for ever.
    /// Returns whether there are more to look at.
    pub fn removal_candidates(
        &self,
        cursor: &mut RemovalCursor,
        budget: usize,
        now_ms: i64,
        never_used_ms: i64,
        out: &mut Vec<Box<str>>,
    ) -> bool {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = cursor.after.map_or(Unbounded, Excluded);
        let mut looked_at = 0;
        for &id in self.removable.range((from, Unbounded)).take(budget) {
            looked_at += 1;
            cursor.after = Some(id);
            let node = self.nodes.get(id);
            if node.is_outlived(now_ms, never_used_ms) {
                out.push(node.path.clone());
            }
        }
        looked_at == budget
    }

    /// Whether a candidate is one still: it may have got a child or new data, or gone.
    #[must_use]
    pub fn is_removal_candidate(&self, path: &str, now_ms: i64, never_used_ms: i64) -> bool {
        self.nodes
            .find(path.as_bytes())
            .is_some_and(|id| self.nodes.get(id).is_outlived(now_ms, never_used_ms))
    }
}

impl Node {
    fn is_outlived(&self, now_ms: i64, never_used_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(self.mtime_ms);
        if !self.children.is_empty() {
            return false;
        }
        match self.owner {
            // The count may have wrapped.
            Owner::Container if self.created_children != 0 => true,
            Owner::Container => never_used_ms > 0 && age_ms > never_used_ms,
            Owner::Ttl(ttl_ms) => age_ms > ttl_ms,
            Owner::Nobody | Owner::Session(_) => false,
        }
    }
}
