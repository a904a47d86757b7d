//! The zk command line: a ZooKeeper server in one binary.
