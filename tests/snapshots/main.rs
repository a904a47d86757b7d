//! Snapshots and old files while a server serves: what is written when, and what failures do.

mod failing;
mod purging;
mod serving;
mod store;
mod triggers;
