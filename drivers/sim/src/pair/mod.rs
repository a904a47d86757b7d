//! Machines and their peers talking in memory: virtual time, byte streams, a store, and checks.
//!
//! A [`World`] is the driver of one [`Server`](zookeeper_core::server::Server). It keeps the
//! contract to the letter and relies on nothing beyond it: it reads a connection only at an edge or
//! after `Action::Read`, writes only after `Action::Transmit` or when a full socket buffer has room
//! again. Whoever is forgotten by the machine is therefore forgotten for good, and that is found out
//! when the world comes to rest.
//!
//! ```text
//!   Client ──send──▶ Pipe ──cut up──▶ handle_input ┐        ┌─▶ TestStore ─▶ handle_stored
//!   Client ◀──cut up── Pipe ◀──poll_transmit ◀──── Server ──┘
//!          (a socket buffer of limited size)
//! ```
//!
//! A [`Pipe`] knows nothing about who is at its ends, so a client machine stands where a scripted
//! [`Client`] does with the same pipes under it.

mod answer;
mod client;
mod drive;
mod journal;
mod pipe;
pub mod request;
mod script;
mod store;
mod tap;
mod world;

pub use answer::{Answer, Body, Handshake, Message, WatchEvent};
pub use client::Client;
pub use journal::{Journal, Record};
pub use pipe::{Chunking, Pipe};
pub use store::{Acknowledge, Done, Said, Store, TestStore};
pub use world::{ClientId, End, Options, World};
