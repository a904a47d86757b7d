//! A client: many requests under way on one session, which survives the loss of servers.
//!
//! [`Client`] is what applications hold; [`Driver`] does its work. [`Client::connect`] has the
//! driver run on a thread of its own; [`ClientBuilder::build_with_driver`] hands it out, to be
//! polled by any executor.
//!
//! # Order
//!
//! Requests are sent in the order in which methods are called. A change is put into its [`Watch`]
//! before any reply that shows the newer state is given to its caller.
//!
//! # Sessions
//!
//! A connection that is lost is made again, to whichever server answers: the session goes on, with
//! its ephemeral znodes and its watches. Requests under way when it is lost fail, saying whether
//! they may have been executed ([`Error::maybe_executed`]); they are not repeated, but for those
//! who ask for it ([`Client::retry`]). [`ConnectionState`] and [`StateWatcher`] tell how it goes.

mod builder;
mod call;
mod clock;
mod driver;
mod executor;
mod handle;
mod link;
mod operations;
mod protected;
mod recursive;
mod resolve;
mod retry;
mod shared;
mod state;
mod watch;
mod watch_call;

pub use builder::{ClientBuilder, ConnectError};
pub use call::Call;
pub use driver::Driver;
pub use handle::Client;
pub use state::{ConnectionState, StateWatcher};
pub use watch::{Watch, WatchUpdate, WatchedEvent};
pub use watch_call::WatchCall;
pub use zookeeper_core::client::{
    Auth, Backoff, CloseReason, Config, ConnectString, ConnectStringError, Credentials, Error,
    HostPort, MultiError, Repetition, RequestError, RetryPolicy, SubmitError, WatchEventKind,
    operation,
};
