//! A directory that keeps what [`zookeeper_core`] stores, in Apache ZooKeeper's layout.
//!
//! Nothing is decided here. A server asks for file operations; each of its two lanes is a thread
//! that executes them in the order given and says when they are done, or why not. Which order keeps
//! data safe is the core's knowledge, so that a simulated disk can prove it.
//!
//! ```text
//!  Disk::open     makes, checks and locks the directories
//!  Disk::recover  reads them: what a server starts from
//!  Disk::start    Lanes: submit(lane, ticket, operation) … poll() → Done
//! ```
//!
//! ```
//! use zookeeper_core::{Ticket, storage::{Dir, File, FileOp, Lane}};
//! use zookeeper_disk::{Config, Disk};
//!
//! let directory = tempfile::tempdir()?;
//! let disk = Disk::open(&Config::new(directory.path()))?;
//! let (wake, woken) = std::sync::mpsc::channel();
//! let lanes = disk.start(move || {
//!     let _ = wake.send(());
//! })?;
//!
//! let file = File { dir: Dir::Log, name: "log.1".into() };
//! lanes.submit(Lane::Log, Ticket(1), FileOp::Create { file: file.clone(), reserve: 0 });
//! lanes.submit(Lane::Log, Ticket(2), FileOp::Sync { file });
//! let mut stored = Ticket(0);
//! while stored < Ticket(2) {
//!     woken.recv()?;
//!     while let Some(done) = lanes.poll() {
//!         done.result?;
//!         stored = done.ticket;
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aside;
mod config;
mod directories;
mod disk;
mod error;
#[cfg(test)]
mod faults;
mod lanes;
mod lock;
mod meter;
mod queue;
mod recover;
mod system;
mod worker;

pub use config::Config;
pub use disk::Disk;
pub use error::{OpenError, RecoverError};
pub use lanes::{Done, Lanes};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
