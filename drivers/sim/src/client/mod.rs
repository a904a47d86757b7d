//! A client session in memory: its driver, scripted servers, a real server, virtual time.
//!
//! A [`Driver`] runs one [`Session`](zookeeper_core::client::Session) by the contract to the letter
//! and relies on nothing beyond it: it reads a connection only at an edge or after `Action::Read`,
//! writes only after `Action::Transmit` or when a full socket buffer has room again. Everything the
//! session says and does is written to one [`Entry`] list in order, with its time, and what must
//! hold whatever servers do is checked on the way:
//!
//! - every accepted request completes exactly once;
//! - every connection ends in exactly one event, and nothing happens behind [`Seen::Closed`];
//! - no two equal states follow each other;
//! - behind a ConnectRequest nothing is sent before its answer has come;
//! - ordinary xids are positive and count up in a circle.
//!
//! ```text
//!              ┌────────── World: clock ───────────┐
//!   test ──▶ Script ──▶ Pipe ──cut up──▶ Driver ──▶ Session
//!   test ◀── Script ◀── Pipe ◀────────── Driver ◀── Session
//! ```

mod checks;
mod couple;
mod driver;
mod entry;
mod link;
mod play;
mod program;
mod script;
mod sent;
mod world;

pub use couple::Couple;
pub use driver::{Cutting, Driver};
pub use entry::{Entry, Seen, What};
pub use link::Attempt;
pub use program::{Outcome, Program, Step, arbitrary_program};
pub use script::{Grant, Habits, Heard, Reception, Script};
pub use sent::Sent;
pub use world::{Options, World};
