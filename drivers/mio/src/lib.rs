//! ZooKeeper's state machines on real sockets, driven by [`mio`].
//!
//! A [`Server`] is one event loop on the thread that calls [`Server::run`]. Every decision of the
//! protocol is [`zookeeper_core`]'s; here are sockets, readiness and clocks, nothing else.
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream};
//! use zookeeper_mio::{Config, Server};
//!
//! let mut config = Config::default();
//! config.listen = vec!["127.0.0.1:0".parse()?];
//! let running = Server::spawn(config)?;
//!
//! let mut client = TcpStream::connect(running.address())?;
//! client.write_all(b"srvr")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("Zookeeper version: "));
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
pub use zookeeper_common::{BindError, Config, Handle, RunError, Running};
