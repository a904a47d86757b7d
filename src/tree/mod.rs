//! The data tree: znodes, sessions, ACLs, quotas, watches.
