//! Quotas, looked up afresh each time.

use std::collections::BTreeMap;

use super::Model;

const ROOT: &str = "/zookeeper/quota";

impl Model {
    /// Refuses a change of so many znodes and bytes below a path if it exceeds a hard limit.
    pub(super) fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), i32> {
        let model = self.before.as_deref().unwrap_or(self);
        let Some(subject) = model.covering(path).filter(|_| model.settings.enforce_quota) else {
            return Ok(());
        };
        let (Some(limits), Some(used)) =
            (model.numbers(&subject, "limits"), model.numbers(&subject, "stats"))
        else {
            return Ok(());
        };
        let number = |of: &BTreeMap<String, i64>, key: &str| of.get(key).copied().unwrap_or(-1);
        for (change, key, hard_key) in
            [(count, "count", "countHardLimit"), (bytes, "bytes", "byteHardLimit")]
        {
            let hard = number(&limits, hard_key);
            if change != 0 && hard > -1 && number(&used, key) + change > hard {
                return Err(-125);
            }
        }
        Ok(())
    }

    /// Adds a change below a path to the statistics of its quota.
    pub(super) fn use_quota(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(subject) = self.covering(path) else { return };
        let Some(mut used) = self.numbers(&subject, "stats") else { return };
        add(&mut used, count, bytes);
        self.write_numbers(&subject, &used);
    }

    /// If the path is of a statistics znode: counts afresh what it speaks of.
    pub(super) fn count_quota(&mut self, path: &str) {
        let Some(subject) = path.strip_prefix(ROOT) else { return };
        let Some(subject) = subject.strip_suffix("/zookeeper_stats") else { return };
        if subject.is_empty() {
            return;
        }
        let (mut count, mut bytes) = (0, 0);
        for (path, node) in &self.nodes {
            if path == subject || path.starts_with(&format!("{subject}/")) {
                count += 1;
                bytes += length(&node.data);
            }
        }
        let used = BTreeMap::from([("count".to_owned(), count), ("bytes".to_owned(), bytes)]);
        self.write_numbers(subject, &used);
    }

    /// The deepest of a path and its ancestors that has a limits znode.
    fn covering(&self, path: &str) -> Option<String> {
        let mut path = path;
        while path.len() > 1 {
            if self.nodes.contains_key(&format!("{ROOT}{path}/zookeeper_limits")) {
                return Some(path.to_owned());
            }
            path = &path[..path.rfind('/')?];
        }
        None
    }

    fn numbers(&self, subject: &str, which: &str) -> Option<BTreeMap<String, i64>> {
        let node = self.nodes.get(&format!("{ROOT}{subject}/zookeeper_{which}"))?;
        let text = String::from_utf8_lossy(node.data.as_deref().unwrap_or_default());
        let mut numbers = BTreeMap::new();
        for pair in text.split([',', ';']) {
            let parts: Vec<&str> = pair.split('=').collect();
            if let [key, value, ..] = parts[..]
                && let Ok(value) = value.parse()
            {
                numbers.insert(key.to_owned(), value);
            }
        }
        Some(numbers)
    }

    fn write_numbers(&mut self, subject: &str, used: &BTreeMap<String, i64>) {
        let number = |key: &str| used.get(key).copied().unwrap_or(-1);
        let mut text = format!("count={},bytes={}", number("count"), number("bytes"));
        let others = used.iter().filter(|(key, _)| *key != "count" && *key != "bytes");
        for (place, (key, value)) in others.enumerate() {
            text += &format!("{};{key}={value}", if place == 0 { "=" } else { "" });
        }
        if let Some(node) = self.nodes.get_mut(&format!("{ROOT}{subject}/zookeeper_stats")) {
            node.data = Some(text.into_bytes());
        }
    }
}

fn add(used: &mut BTreeMap<String, i64>, count: i64, bytes: i64) {
    for (key, change) in [("count", count), ("bytes", bytes)] {
        *used.entry(key.to_owned()).or_insert(-1) += change;
    }
}

pub(super) fn length(data: &Option<Vec<u8>>) -> i64 {
    i64::try_from(data.as_ref().map_or(0, Vec::len)).expect("short data")
}
