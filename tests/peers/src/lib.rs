//! Foreign ZooKeeper programs, started and stopped for tests.
//!
//! A test runs if it is [`enabled`], asks for a server [`Kind`], gets `None` where the program is
//! not installed (see [`need`] for the rule that turns this into a failure), and starts it with
//! [`Options`]:
//!
//! ```no_run
//! use zookeeper_peers::{Kind, Options, Server};
//!
//! # fn main() -> std::io::Result<()> {
//! for kind in Kind::ALL {
//!     let Some(program) = kind.need() else { continue };
//!     let server = Server::start(&program, &Options::default().set("enforceQuota", "true"))?;
//!     println!("{kind} answers on {}", server.address());
//! } // dropping the server ends its process and removes its directory
//! # Ok(())
//! # }
//! ```
//!
//! Every server listens on a free loopback port, keeps its files in a directory of its own, and
//! is ended through its process id. Nothing here waits for a fixed time: readiness and the end of
//! a process are polled until a [`Deadline`].

pub mod client;
pub mod crash;
mod deadline;
mod ensemble;
mod group;
mod need;
mod options;
pub mod oracle;
mod ports;
mod program;
mod proxy;
pub mod relay;
pub mod scenarios;
mod scripted;
mod server;
mod shell;
mod target;
mod terminal;

pub use deadline::Deadline;
pub use ensemble::Ensemble;
pub use group::ProcessGroup;
pub use need::{enabled, in_ci, need, number, seed, skipped, trace_if_wanted};
pub use options::Options;
pub use ports::{four_letter_word, free_port};
pub use program::{Kind, Program, data_path, need_python};
pub use proxy::Proxy;
pub use scripted::{Scripted, ScriptedConnection};
pub use server::{Mode, Server};
pub use shell::Shell;
pub use target::{Target, TargetKind};
pub use terminal::Terminal;
