//! What the tests that all drivers share have to know of this one.
#![allow(unused_imports, dead_code, reason = "no test needs all of it")]

#[path = "../../../common/tests/server/client.rs"]
mod client;

pub(crate) use zookeeper_smol::{BindError, Config, RunError, Running, Server, disk};

pub(crate) use self::client::*;

/// Runs the server on this thread.
pub(crate) fn run(server: Server) -> Result<(), RunError> {
    async_io::block_on(server.run())
}
