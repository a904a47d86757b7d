//! Bodies of the fuzz targets: each takes the fuzzer's bytes and panics when something is wrong.
//!
//! They stand here and not in the fuzzing crate so that every build compiles them, and so that the
//! committed corpus runs as a test.

mod client;
pub mod corpus;
mod crash;
mod files;
mod records;
mod server;
mod storage;
mod stream;
mod world;

pub use client::client;
pub use crash::crash;
pub use records::{request_decode, response_decode, txn_decode};
pub use server::server;
pub use storage::{log, recovery, snapshot};
pub use stream::{frames, handshake};

/// A target's body.
pub type Body = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Body)] = &[
    ("request_decode", request_decode),
    ("response_decode", response_decode),
    ("txn_decode", txn_decode),
    ("handshake", handshake),
    ("frames", frames),
    ("server", server),
    ("client", client),
    ("crash", crash),
    ("log", log),
    ("snapshot", snapshot),
    ("recovery", recovery),
];
