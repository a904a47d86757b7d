//! The tree as it is after a restart.

use std::collections::{BTreeMap, BTreeSet};

use zookeeper_core::wire::Stat;
use zookeeper_smol::Client;

/// Every znode: its data and stat.
#[derive(Debug)]
pub(super) struct View {
    znodes: BTreeMap<String, (String, Stat)>,
    /// Every path, as its parent's list of children has it: one list is of one moment.
    listed: BTreeSet<String>,
}

impl View {
    /// Reads everything; nobody writes meanwhile but sessions that end.
    pub(super) async fn take(client: &Client) -> Self {
        let (mut znodes, mut listed) = (BTreeMap::new(), BTreeSet::new());
        let mut level = vec!["/".to_owned()];
        while !level.is_empty() {
            let calls: Vec<_> = level
                .iter()
                .map(|path| (client.exists(path), client.get_data(path), client.get_children(path)))
                .collect();
            let mut next = Vec::new();
            for (path, (stat, data, children)) in level.into_iter().zip(calls) {
                // A session may expire between the requests.
                if stat.await.expect("an answer").is_none() {
                    continue;
                }
                let (Ok(data), Ok(children)) = (data.await, children.await) else { continue };
                let prefix = if path == "/" { "" } else { &path };
                next.extend(children.iter().map(|name| format!("{prefix}/{name}")));
                let text = String::from_utf8_lossy(&data.data).into_owned();
                znodes.insert(path, (text, data.stat));
            }
            next.retain(|path| path != "/zookeeper");
            listed.extend(next.iter().cloned());
            level = next;
        }
        Self { znodes, listed }
    }

    /// A znode that must be there.
    pub(super) fn expect(&self, path: &str) -> (&str, &Stat) {
        self.find(path).unwrap_or_else(|| panic!("{path} is gone"))
    }

    /// A znode.
    pub(super) fn find(&self, path: &str) -> Option<(&str, &Stat)> {
        self.znodes.get(path).map(|(data, stat)| (data.as_str(), stat))
    }

    /// The children of a znode with their paths, data and stats.
    pub(super) fn children(&self, path: &str) -> impl Iterator<Item = (&str, &str, &Stat)> {
        let prefix = format!("{path}/");
        let from = self.znodes.range(prefix.clone()..);
        from.take_while(move |(child, _)| child.starts_with(&prefix))
            .map(|(child, (data, stat))| (child.as_str(), data.as_str(), stat))
    }

    /// Whether the parent's list has it.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.listed.contains(path)
    }

    /// How many znodes there are.
    pub(super) fn len(&self) -> usize {
        self.znodes.len()
    }
}
