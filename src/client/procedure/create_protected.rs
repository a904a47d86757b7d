//! Makes a znode once, even if replies are lost.
//!
//! Behaviour: Curator's `CreateBuilder.withProtection`, which does not wait for the server to catch
//! up and so can miss its own znode on a server that lags.

use std::{borrow::Cow, time::Duration};

use super::{Next, Procedure, Step, StepOutput, child_path, is_answer};
use crate::{
    client::{
        ArgumentError, Chroot, Error, ProtectionId, Repetition, RequestError, Retry, RetryPolicy,
        SubmitError,
        operation::{Create, Created, GetChildren, Sync},
    },
    time::Instant,
    wire::ErrorCode,
};

/// Makes a znode with a name of its own, `_c_<id>-name`, and finds out after a lost reply whether
/// it is there: for ephemeral and numbered ones, which would be left behind or made twice.
///
/// The output is what [`Create`] brings; a znode that had to be looked for comes without a stat.
/// The end of the session is never repeated: a new session must not take on what the old one made.
///
/// ```text
///          not sent          lost
///   create -------> pause   ------> pause -> sync -> list -> found
///     ^               |                               | not there
///     '---------------'-------------------------------'
/// ```
#[derive(Debug)]
#[must_use]
pub struct CreateProtected<'a> {
    chroot: Chroot,
    /// What is to be made, by its server path.
    target: Create<'a>,
    /// The length of the parent's path in it.
    parent: usize,
    id: ProtectionId,
    retry: Retry,
    state: State,
    /// The failure of a create that nobody knows the outcome of.
    doubt: Option<Error>,
    /// How long to wait before the next step.
    pause: Option<Duration>,
}

#[derive(Debug)]
enum State {
    Due(Task),
    InFlight(Task),
    Done(Result<Created, Error>),
}

#[derive(Clone, Copy, Debug)]
enum Task {
    Create,
    Sync,
    List,
}

impl<'a> CreateProtected<'a> {
    /// For this znode, which gets an id in front of its name; `id` has to be drawn at random.
    /// `retry` begins now, and says how often to try.
    ///
    /// # Errors
    ///
    /// What is wrong with its arguments.
    pub fn new(
        chroot: &Chroot,
        create: Create<'a>,
        id: ProtectionId,
        retry: RetryPolicy,
        now: Instant,
    ) -> Result<Self, ArgumentError> {
        create.server_path(chroot)?;
        // A path that may be sent holds a slash; the name behind the last one may be empty.
        let (parent, name) = create.path.rsplit_once('/').unwrap_or(("", &create.path));
        let server_parent = if parent.is_empty() {
            chroot.as_str().map_or(Cow::Borrowed(""), Cow::Borrowed)
        } else {
            chroot.apply(parent)
        };
        let path = format!("{server_parent}/{}", id.protect(name));
        let policy = RetryPolicy { repeats_expired: false, ..retry };
        Ok(Self {
            chroot: chroot.clone(),
            parent: server_parent.len(),
            target: Create { path: path.into(), ..create },
            id,
            retry: Retry::new(policy, now, seed_of(id)),
            state: State::Due(Task::Create),
            doubt: None,
            pause: None,
        })
    }

    /// The id in front of the znode's name.
    #[must_use]
    pub const fn id(&self) -> ProtectionId {
        self.id
    }

    fn parent_path(&self) -> &str {
        if self.parent == 0 { "/" } else { &self.target.path[..self.parent] }
    }

    fn step(&self, task: Task) -> Step<'_> {
        match task {
            Task::Create => Step::Create(Create {
                path: Cow::Borrowed(&*self.target.path),
                data: self.target.data.clone(),
                options: self.target.options.clone(),
            }),
            Task::Sync => Step::Sync(Sync::new(self.parent_path())),
            Task::List => Step::GetChildren(GetChildren::new(self.parent_path())),
        }
    }

    /// What follows a step that succeeded.
    fn advance(&mut self, task: Task, output: StepOutput) -> State {
        match (task, output) {
            (Task::Create, StepOutput::Created(created)) => State::Done(self.stripped(created)),
            (Task::Sync, StepOutput::Created(_)) => State::Due(Task::List),
            (Task::List, StepOutput::Children(names)) => {
                let own = self.id.to_string();
                match names.iter().find(|name| name.starts_with(&own)) {
                    Some(name) => State::Done(
                        child_path(self.parent_path(), name)
                            .and_then(|path| self.stripped(Created { path, stat: None })),
                    ),
                    None => self.not_there(),
                }
            }
            _ => State::Done(Err(Error::UnexpectedReply)),
        }
    }

    /// The lost create did not happen, and cannot happen any more.
    fn not_there(&mut self) -> State {
        self.doubt = None;
        State::Due(Task::Create)
    }

    /// What follows a step that failed. Every one may be repeated: a create in doubt is looked for
    /// first.
    fn recover(&mut self, now: Instant, task: Task, error: Error) -> State {
        if matches!(task, Task::Create) && error.maybe_executed() {
            self.doubt = Some(error.clone());
        }
        match self.retry.handle_failure(now, &error, Repetition::Harmless) {
            Some(delay) => self.pause = Some(delay),
            None => return State::Done(Err(self.give_up(error))),
        }
        State::Due(if self.doubt.is_some() { Task::Sync } else { Task::Create })
    }

    /// The failure to tell: why it was given up, and that the znode may be there.
    fn give_up(&mut self, error: Error) -> Error {
        let Some(doubt) = self.doubt.take() else { return error };
        let maybe_executed = true;
        match error {
            Error::Request(RequestError::SessionExpired { .. })
            | Error::Refused(SubmitError::Expired) => {
                RequestError::SessionExpired { maybe_executed }.into()
            }
            Error::Request(RequestError::Closed { .. })
            | Error::Refused(SubmitError::Closed | SubmitError::Closing) => {
                RequestError::Closed { maybe_executed }.into()
            }
            Error::Request(RequestError::AuthFailed { .. })
            | Error::Refused(SubmitError::AuthFailed) => {
                RequestError::AuthFailed { maybe_executed }.into()
            }
            _ => doubt,
        }
    }

    fn stripped(&self, created: Created) -> Result<Created, Error> {
        match self.chroot.strip(&created.path) {
            Some(path) => Ok(Created { path: path.to_owned(), ..created }),
            None => Err(Error::OutsideChroot(created.path.into())),
        }
    }
}

impl Procedure for CreateProtected<'_> {
    type Output = Created;

    fn next(&mut self) -> Next<'_> {
        if let Some(delay) = self.pause.take() {
            return Next::Pause(delay);
        }
        match self.state {
            State::Due(task) => {
                self.state = State::InFlight(task);
                Next::Run(self.step(task))
            }
            State::InFlight(_) => Next::Wait,
            State::Done(_) => Next::Done,
        }
    }

    fn handle(&mut self, now: Instant, result: Result<StepOutput, Error>) {
        let State::InFlight(task) = self.state else {
            return debug_assert!(false, "a result without a step");
        };
        self.state = match (task, result) {
            (_, Ok(output)) => self.advance(task, output),
            // The parent is gone, and the znode with it.
            (Task::List, Err(error)) if is_answer(&error, ErrorCode::NO_NODE) => self.not_there(),
            (_, Err(error)) => self.recover(now, task, error),
        };
    }

    fn finish(self) -> Result<Created, Error> {
        match self.state {
            State::Done(outcome) => outcome,
            State::Due(_) | State::InFlight(_) => Err(Error::UnexpectedReply),
        }
    }
}

/// Half of the id: clients that failed together come back apart.
#[expect(clippy::cast_possible_truncation, reason = "the other half is not needed")]
fn seed_of(id: ProtectionId) -> u64 {
    id.bits() as u64
}
