//! A client: many requests under way on one session, which survives the loss of servers.
//!
//! [`Client`] is what applications hold; [`Driver`] does its work. [`Client::connect`] has the
//! driver run on a thread of its own; [`ClientBuilder::build_with_driver`] hands it out, to be
//! polled by any executor.
//!
//! ```
//! use futures_lite::future;
//! use zookeeper_smol::{Client, Config, Server};
//! use zookeeper_smol::client::{AddWatchMode, CreateMode, WatchUpdate};
//!
//! # let mut config = Config::default();
//! # config.listen = vec!["127.0.0.1:0".parse()?];
//! # let server = Server::spawn(config)?;
//! # let servers = server.address().to_string();
//! future::block_on(async {
//!     let client = Client::connect(&servers).await?;
//!     client.create_with_parents("/app/leader", "me", CreateMode::Ephemeral).await?;
//!     let ((), mut watch) = client.add_watch("/app/leader", AddWatchMode::Persistent).await?;
//!
//!     // Both are under way at once, and are executed in this order.
//!     let set = client.set_data("/app/leader", "you", None);
//!     let get = client.get_data("/app/leader");
//!     assert_eq!(set.await?.version, 1);
//!     assert_eq!(&get.await?.data[..], b"you");
//!     if let Some(WatchUpdate::Event(event)) = watch.next().await {
//!         println!("{:?} at {}", event.kind, event.path);
//!     }
//!     client.close().await;
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
mod driver;
mod executor;
mod handle;
mod link;
mod operations;
mod procedures;
mod requests;
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
pub use state::StateWatcher;
pub use watch::{Watch, WatchUpdate};
pub use watch_call::WatchCall;
pub use zookeeper_core::client::{
    Auth, Backoff, CloseReason, Config, ConnectString, ConnectStringError, ConnectionState,
    Credentials, Error, HostPort, MultiError, Procedure, Repetition, RequestError, RetryPolicy,
    SubmitError, WatchEventKind, WatchedEvent, operation, procedure,
};
pub use zookeeper_core::{
    SessionId, Zxid,
    wire::{Acl, AddWatchMode, CreateMode, ErrorCode, Id, Stat, WatcherType, perms},
};
