//! A client: blocking calls and callbacks, watchers, and a form for somebody else's loop.
//!
//! A [`Client`] is a handle on one session. Its calls block until the server has answered;
//! [`Client::submit`] takes a callback instead. It has two threads: a loop that does all input and
//! output, and one that runs every callback; a third looks names up when there are any.
//!
//! # Order
//!
//! - Requests are sent in the order in which they were given, by whatever thread.
//! - Callbacks, [watchers](Watcher) and [state listeners](Client::on_state) run one after the other
//!   in the session's order: a watcher before the callback of any request that shows the newer
//!   state; the failures of a lost connection before the change of state.
//! - A blocking call returns without waiting for callbacks that came before it. So it can be made
//!   from within a callback, which then sees what later callbacks were not told yet.
//!
//! A slow callback makes later ones wait, but no blocking call and no ping, as long as there is
//! [room](ClientBuilder::callbacks_max) for what is to be told. After that the client reads only
//! as much from the server as keeps the session alive.
//!
//! # Somebody else's loop
//!
//! [`Steppable`] is the same session and its sockets without any thread.

mod builder;
mod call;
mod callbacks;
mod commands;
mod delivery;
mod error;
mod event_loop;
mod handle;
mod operations;
mod procedures;
mod resolver;
mod shared;
mod socket;
mod state;
mod steppable;
mod watch;
mod watchers;

pub use builder::ClientBuilder;
pub use error::ConnectError;
pub use handle::{Client, WeakClient};
pub use shared::ListenerId;
pub use steppable::{Resolve, Steppable, Tokens};
pub use watch::Watch;
pub use watchers::{WatchUpdate, Watcher, WatcherHandle};
pub use zookeeper_core::{
    client::*,
    wire::{Acl, AddWatchMode, CreateMode, ErrorCode, Id, Stat, WatcherType, perms},
};
