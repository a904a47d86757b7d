//! ZooKeeper's state machines on real sockets, as futures.
//!
//! The futures run under [smol](https://docs.rs/smol) and under every other executor: sockets and
//! timers are [`async_io`]'s, whose reactor all of a process share, and nothing here belongs to a
//! thread. Every decision of the protocol is [`zookeeper_core`]'s.
//!
//! A [`Server`] is one future:
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream};
//! use zookeeper_smol::{Config, Server};
//!
//! let mut config = Config::default();
//! config.listen = vec!["127.0.0.1:0".parse()?];
//! let server = Server::bind(config)?;
//! let (address, handle) = (server.local_addr(), server.handle());
//!
//! // Or `smol::spawn(server.run())`, or whatever else runs futures.
//! let thread = std::thread::spawn(|| async_io::block_on(server.run()));
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"srvr")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("Zookeeper version: "));
//! handle.shutdown();
//! thread.join().expect("no panic")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
mod server;

pub use client::{Client, ClientBuilder};
pub use server::Server;
pub use zookeeper_common::{BindError, Config, Handle, RunError, Running, disk};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
