//! The data tree: znodes, sessions, ACLs, quotas, watches.

mod acl;
mod quota;
mod watches;

pub use acl::Schemes;
pub use watches::{WatchMode, WatchRefused, WatchSummary, Watcher, Watches};
