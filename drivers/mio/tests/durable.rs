//! Servers that keep their data in a directory, and go on with them.

mod common;

#[path = "../../common/tests/server/durable.rs"]
mod durable;
