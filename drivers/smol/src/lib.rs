//! ZooKeeper's state machines on real sockets, as futures.
//!
//! The futures run under [smol](https://docs.rs/smol) and under every other executor: sockets and
//! timers are [`async_io`]'s, which has a thread of its own, and nothing here belongs to a thread.

pub mod client;
mod server;

pub use client::{Client, ClientBuilder};
