//! A simulated disk: file operations, and what a power cut leaves of them.
//!
//! A [`Disk`] executes [`FileOp`](zookeeper_core::storage::FileOp)s and promises only what a disk
//! and a file system promise. Until a file is synced each of its 512-byte sectors may be there, be
//! lost, or be torn, whatever became of its neighbours, and so may its length. Until a directory is
//! synced each of its changes may have happened or not, whatever became of the files' contents:
//!
//! ```text
//!   operations ─▶ live ──Sync────▶ durable      of a file: sectors, length
//!                      ──SyncDir─▶ durable      of a directory: names
//!                          │
//!                        Crash  (which of it arrived, and which did not)
//!                          ▼
//!                        Image  what the next start finds
//! ```
//!
//! What was synced stays, unless the [`Fault`] was a sync that lied. Writing again to a sector that
//! was synced keeps what it held: disks write sectors as a whole.
//!
//! A [`DiskStore`] puts a disk behind a [`World`](crate::pair::World)'s server: both lanes, each in
//! its order, interleaved by a seed, with faults where they are planned.

mod contents;
mod crash;
mod fault;
mod filesystem;
mod image;
mod lanes;
mod marks;
mod names;

pub use crash::{Crash, Data, Entries, Rest};
pub use fault::{Fault, Plan};
pub use filesystem::{Disk, Reserve};
pub use image::Image;
pub use lanes::{Checkpoint, DiskStore, Pace};
pub use marks::{Mark, Marks};
