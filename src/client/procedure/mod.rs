//! Work of more than one request: machines that say what to ask next and are told what came of it.
//!
//! They hold every decision; a driver runs all of them with one loop, whether it waits by blocking
//! or by awaiting:
//!
//! ```
//! # use std::{collections::VecDeque, time::Duration};
//! # use zookeeper_core::{Instant, client::{Error, procedure::*}};
//! # struct Call;
//! # fn start(_: Step<'_>) -> Call { Call }
//! # fn wait(_: Call) -> Result<StepOutput, Error> { Err(Error::UnexpectedReply) }
//! # fn sleep(_: Duration) {}
//! # fn now() -> Instant { Instant::ZERO }
//! fn run<P: Procedure>(mut procedure: P) -> Result<P::Output, Error> {
//!     let mut calls = VecDeque::new();
//!     loop {
//!         match procedure.next() {
//!             Next::Run(step) => calls.push_back(start(step)),
//!             Next::Wait => {
//!                 let result = wait(calls.pop_front().expect("a step without a result"));
//!                 procedure.handle(now(), result);
//!             }
//!             Next::Pause(delay) => sleep(delay),
//!             Next::Done => return procedure.finish(),
//!         }
//!     }
//! }
//! ```
//!
//! A [`Step`] is an [`Operation`](super::Operation) like any other. Its paths are the server's
//! already: the machine knows the chroot, and whatever the driver passes is ignored.
//!
//! A machine that is dropped half-way leaves half the work done, which running it again completes.

mod create_parents;
mod create_protected;
mod delete_recursive;
mod list_subtree;
mod step;

use std::time::Duration;

pub use create_parents::{CreateWithParents, EnsurePath};
pub use create_protected::CreateProtected;
pub use delete_recursive::DeleteRecursive;
pub use list_subtree::ListSubtree;
pub use step::{Step, StepOutput};

use super::{Error, RequestError};
use crate::{time::Instant, wire::ErrorCode};

/// Requests of one procedure that wait for their replies at the same time.
const IN_FLIGHT_MAX: usize = 32;

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Next<'a> {
    /// Submit this step, and call [`Procedure::next`] again without waiting for its result.
    Run(Step<'a>),
    /// Wait for the oldest step without a result, and hand it to [`Procedure::handle`].
    Wait,
    /// Wait for this long; no step is without a result.
    Pause(Duration),
    /// All is done: [`Procedure::finish`].
    Done,
}

/// Work of more than one request. See the [module](self).
pub trait Procedure {
    /// What a success brings.
    type Output: Send + 'static;

    /// What to do next.
    fn next(&mut self) -> Next<'_>;

    /// What came of a step. Results come in the order of the steps, each once.
    fn handle(&mut self, now: Instant, result: Result<StepOutput, Error>);

    /// The outcome, after [`Next::Done`].
    ///
    /// # Errors
    ///
    /// The first failure that stopped the work. What was done until then stays done.
    fn finish(self) -> Result<Self::Output, Error>;
}

/// The path of a child.
fn child_path(parent: &str, name: &str) -> Result<String, Error> {
    // A server that names such a child would lead us astray.
    if name.is_empty() || name.contains('/') {
        return Err(Error::UnexpectedReply);
    }
    let parent = if parent == "/" { "" } else { parent };
    Ok([parent, "/", name].concat())
}

/// Whether a server said so of a request.
fn is_answer(error: &Error, code: ErrorCode) -> bool {
    *error == Error::Request(RequestError::Server(code))
}
