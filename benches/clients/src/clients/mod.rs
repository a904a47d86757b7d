//! The clients in Rust. What is common to all: each request under way is a loop of its own, which
//! asks again when it has its answer.

mod mio;
mod smol;
mod tokio_zookeeper;
mod zookeeper_client;

use std::{error::Error, sync::Arc};

use crate::load::{Counter, Load, Outcome};

/// Those in this program. The ones in C are programs of their own.
pub const KINDS: [&str; 6] =
    ["smol", "smol-thread", "mio", "tokio-zookeeper", "zookeeper-client", "zookeeper-client-tokio"];

/// Runs the client of this name.
pub fn run(kind: &str, load: Load) -> Result<Outcome, Box<dyn Error>> {
    let counter = Arc::new(Counter::default());
    match kind {
        "smol" => smol::run(&load, &counter),
        "smol-thread" => smol::run_on_a_thread(&load, &counter),
        "mio" => mio::run(&load, &counter),
        "tokio-zookeeper" => tokio_zookeeper::run(load, counter),
        "zookeeper-client" => zookeeper_client::run(&load, &counter),
        "zookeeper-client-tokio" => zookeeper_client::run_on_tokio(load, counter),
        _ => Err(format!("{kind}: no such client; there are {}", KINDS.join(" ")).into()),
    }
}
