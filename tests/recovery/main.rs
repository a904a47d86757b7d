//! From files to a tree: what Apache ZooKeeper left, what crashes leave, and every kind of damage.

#[path = "../fixtures/mod.rs"]
mod fixtures;

mod apache;
mod chain;
mod damage;
mod snapshots;
mod support;
mod torn;
