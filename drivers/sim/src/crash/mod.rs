//! Crashes at every byte: whatever a power cut leaves of a server's files, the next start finds the
//! tree as it was after some transaction, and everything that a client knows of is in it.
//!
//! A [`Life`] is a server under load over a [`Disk`](crate::disk::Disk) that is looked at after
//! every operation. A [`History`] knows what the tree was after every transaction: it replays, on
//! its own, what the server gave to its store.

mod boot;
mod check;
mod dump;
mod history;
mod life;
mod load;
mod run;

pub use boot::recover;
pub use check::{Effort, Known, crashes, list, must_hold, start};
pub use dump::{describe, difference, dump};
pub use history::History;
pub use life::{Credentials, Life, Settings};
pub use run::{Run, Script};
