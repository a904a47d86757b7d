//! ZooKeeper's state machines in a deterministic, virtual world.
