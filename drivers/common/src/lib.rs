//! What the socket drivers of [`zookeeper_core`] share. Not meant to be used directly.
//!
//! A driver is a way to wait for sockets: a [`Poll`]. The [`EventLoop`] does everything else, in
//! turns:
//!
//! 1. [`EventLoop::wait`] says until when there is nothing to do, and the driver waits;
//! 2. [`EventLoop::begin_turn`] reads the clock;
//! 3. [`EventLoop::notice`] takes down what the system says, for every event;
//! 4. [`EventLoop::work`] reads, decides and writes.

mod accept;
mod clock;
mod closing;
mod config;
mod connection;
mod environment;
mod error;
mod event_loop;
mod handle;
mod listen;
mod log;
mod poll;
mod store;

pub use clock::Clock;
pub use config::Config;
pub use connection::{Connection, Input, Output, Written};
pub use error::{BindError, RunError};
pub use event_loop::{EventLoop, Pause};
pub use handle::{Handle, Running, Signal};
pub use poll::{Interest, Poll, Readiness, Source, Stream};
pub use zookeeper_disk as disk;
