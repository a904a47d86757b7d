//! The data tree through its public surface.

mod acls;
mod errors;
mod lifetimes;
mod multis;
mod operations;
mod quotas;
mod random;
mod recovery;
mod snapshots;
mod watches;
mod world;
