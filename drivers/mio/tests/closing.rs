//! The ends of connections and of servers.

mod common;

#[path = "../../common/tests/server/closing.rs"]
mod closing;
