//! ZooKeeper's state machines on real sockets, driven by [`mio`].
//!
//! A [`Server`] is one event loop on the thread that calls [`Server::run`]. A [`Client`] makes
//! blocking calls and runs callbacks; [`client`] tells more. Every decision of the protocol is
//! [`zookeeper_core`]'s; here are sockets, readiness and clocks, nothing else.
//!
//! ```
//! use zookeeper_mio::{Client, Config, Server, client::CreateMode};
//!
//! let mut config = Config::default();
//! config.listen = vec!["127.0.0.1:0".parse()?];
//! let running = Server::spawn(config)?;
//!
//! let client = Client::connect(&running.address().to_string())?;
//! client.create("/a", "data", CreateMode::Persistent)?;
//! assert_eq!(&client.get_data("/a")?.data[..], b"data");
//! client.close();
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
mod event_loop;
mod poll;
mod server;
mod token;

pub use client::Client;
pub use server::Server;
pub use zookeeper_common::{BindError, Config, Handle, RunError, Running, disk};
