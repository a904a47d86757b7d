//! Servers that send what they should not: each kind has a typed reason, every request its outcome,
//! and the session goes on elsewhere or ends.

mod handshakes;
mod replies;
mod silence;
mod table;
