//! ZooKeeper's client/server network layer as sans-IO state machines.

mod conn;
pub mod endpoint;
mod hash;
mod ids;
mod limits;
mod path;
mod rng;
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
pub use time::Instant;
