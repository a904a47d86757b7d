//! ZooKeeper's client/server network layer as sans-IO state machines.
//!
//! Nothing here touches a socket, a file, a clock, a thread or a random device: bytes and times go
//! in, bytes, deadlines and events come out. [`server::Server`] is a whole standalone ZooKeeper
//! server; [`endpoint::Endpoint`] its network half, for other backends; [`tree::Tree`] the data
//! half; [`client::Session`] a client's session; [`wire`] what both sides speak. Drivers put them on
//! real things.
//!
//! # The contract
//!
//! Every machine has the same kinds of methods, in this order: constructors, `handle_*` (network,
//! clock, disk in), commands (application in), `poll_*` (out), getters. Everything that can move a
//! deadline takes `now` first; no `poll_*` takes it.
//!
//! 1. After any `handle_*`, command or `Transmit::advance`, drain `poll_event`, `poll_request` and
//!    `poll_action`, in this order, until all return `None` in the same pass, then read
//!    `poll_timeout`. Several inputs may be given before one drain.
//! 2. `now` never goes backwards; an older `now` is treated as the newest one seen.
//! 3. `poll_timeout` does not report queued actions or events: drain first.
//! 4. After `Action::Transmit`, write until `poll_transmit` is `None` or the socket would block;
//!    after "would block", arm write interest and write again on readiness; disarm it when drained.
//!    The action is not repeated for bytes you already know about.
//! 5. After `Action::Close(c)` no call with `c` has any effect. Every connection ends in exactly
//!    one terminal event.
//! 6. Unknown ids are ignored. Nothing a peer sends can panic; a documented panic needs a
//!    programming error.
//! 7. One call's work is bounded by the request in hand (its watchers included) plus a constant;
//!    expiry, release, snapshots and clean-up go in steps, with `poll_timeout` already due or an
//!    action queued. Bytes given while `wants_read` is false are kept.
//! 8. A driver's turn is: a bounded number of reads, drain, `handle_timeout` if due, drain.
//!
//! Equal seeds and equal inputs give equal outputs, byte for byte.

pub mod client;
mod conn;
pub mod endpoint;
mod hash;
mod ids;
mod limits;
mod path;
mod rng;
mod secret;
pub mod server;
pub mod storage;
mod time;
pub mod tree;
pub mod wire;

pub use conn::{Disconnect, Transmit};
pub use ids::{ConnId, RequestId, SessionId, Ticket, Zxid};
pub use limits::{COMMAND_OUTPUT_MAX, FIRST_FRAME_LENGTH_MAX, FRAME_LENGTH_MAX};
pub use path::{PathError, validate as validate_path};
pub use rng::Rng;
pub use secret::Secret;
pub use time::Instant;
