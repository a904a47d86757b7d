//! The data tree: znodes, sessions, ACLs, quotas, watches.

mod watches;

pub use watches::{Mode, WatchRefused, WatchSummary, Watcher, Watches};
