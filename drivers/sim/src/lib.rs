//! ZooKeeper's state machines in a deterministic, virtual world.

pub mod generate;
pub mod replay;
