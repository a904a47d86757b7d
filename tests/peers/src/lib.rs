//! Foreign ZooKeeper programs run against this project's server.
