//! ZooKeeper's state machines in a deterministic, virtual world.

pub mod client;
pub mod crash;
pub mod disk;
pub mod fuzz;
pub mod generate;
pub mod model;
pub mod pair;
pub mod replay;
pub mod snapshot;
pub mod store;
