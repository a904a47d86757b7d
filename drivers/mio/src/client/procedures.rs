//! Work of more than one request, and trying again.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::debug;
use zookeeper_core::client::{
    Error, Operation, Procedure, ProtectionId, Repetition, Retry, RetryPolicy,
    operation::{AccessList, Create, CreateOptions, Created, Payload},
    procedure::{
        CreateProtected, CreateWithParents, DeleteRecursive, EnsurePath, ListSubtree, Next,
        StepOutput,
    },
};

use super::{Client, call::Slot};

impl Client {
    /// Creates a znode and its missing parents, which are persistent and get the same ACL.
    ///
    /// # Errors
    ///
    /// As [`Client::create`].
    pub fn create_with_parents<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> Result<Created, Error> {
        let create = Create::new(path, data, options);
        self.run(CreateWithParents::new(self.root(), create)?)
    }

    /// Makes the znodes of a path that are missing, persistent and without data. Whether the
    /// last one had to be made.
    ///
    /// # Errors
    ///
    /// As [`Client::create`].
    pub fn ensure_path(&self, path: &str, acl: impl Into<AccessList>) -> Result<bool, Error> {
        self.run(EnsurePath::new(self.root(), path, acl)?)
    }

    /// Creates a znode whose name gets a random id in front, by which it is found again when the
    /// connection is lost and nobody knows whether the znode was made: for ephemeral and numbered
    /// ones, which would be left behind or made twice. It tries again as `policy` says.
    ///
    /// # Errors
    ///
    /// As [`Client::create`].
    pub fn create_protected<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
        policy: RetryPolicy,
    ) -> Result<Created, Error> {
        let create = Create::new(path, data, options);
        let id = ProtectionId::from_random(u128::from(random()) << 64 | u128::from(random()));
        let now = self.view.shared.clock.now();
        self.run(CreateProtected::new(self.root(), create, id, policy, now)?)
    }

    /// Removes a znode and everything below it, and returns how many that were. It is not done at
    /// once: others may see a part of it gone.
    ///
    /// # Errors
    ///
    /// As [`Client::delete`]. What was removed until then is gone.
    pub fn delete_recursive(&self, path: &str) -> Result<u64, Error> {
        self.run(DeleteRecursive::new(self.root(), path)?)
    }

    /// The paths of a znode and of everything below it, parents before children.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn list_subtree(&self, path: &str) -> Result<Vec<String>, Error> {
        self.run(ListSubtree::new(self.root(), path)?)
    }

    /// Does work of several requests, and waits for its end.
    ///
    /// # Errors
    ///
    /// The procedure's.
    pub fn run<P: Procedure>(&self, procedure: P) -> Result<P::Output, Error> {
        self.run_with(procedure, |_| ())
    }

    /// The same; `progress` looks at the procedure each time that a request of it is done.
    ///
    /// # Errors
    ///
    /// The procedure's.
    pub fn run_with<P: Procedure>(
        &self,
        mut procedure: P,
        mut progress: impl FnMut(&mut P),
    ) -> Result<P::Output, Error> {
        let mut calls: VecDeque<Arc<Slot<StepOutput>>> = VecDeque::new();
        loop {
            match procedure.next() {
                Next::Run(step) => {
                    let (slot, filler) = Slot::new();
                    self.view.ask(&step, None, filler);
                    calls.push_back(slot);
                }
                Next::Wait => {
                    // A procedure waits only for what it has asked.
                    let Some(slot) = calls.pop_front() else { return procedure.finish() };
                    let lifted = self.view.shared.callbacks.lift();
                    let result = slot.wait();
                    drop(lifted);
                    procedure.handle(self.view.shared.clock.now(), result);
                    progress(&mut procedure);
                }
                Next::Pause(delay) => self.pause(delay),
                Next::Done => return procedure.finish(),
            }
        }
    }

    /// Does something, again and again while it fails for reasons that may pass, as often and as
    /// long as `policy` allows. `repetition` says what happens when it is done again although it
    /// was done already, of which nobody can be sure when a connection is lost. It blocks in
    /// between.
    ///
    /// ```no_run
    /// # use zookeeper_mio::client::{Error, Repetition, RetryPolicy};
    /// # fn example(client: zookeeper_mio::Client) -> Result<(), Error> {
    /// let policy = RetryPolicy::default();
    /// let names = client.retry(policy, Repetition::Harmless, || client.get_children("/"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The last try's.
    pub fn retry<T>(
        &self,
        policy: RetryPolicy,
        repetition: Repetition,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let clock = self.view.shared.clock;
        let mut retry = Retry::new(policy, clock.now(), random());
        loop {
            let error = match attempt() {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let Some(delay) = retry.handle_failure(clock.now(), &error, repetition) else {
                return Err(error);
            };
            debug!(%error, ?delay, "trying again");
            self.pause(delay);
        }
    }

    /// Does an operation again and again, while it fails for reasons that may pass and its
    /// [`repetition`](Operation::repetition) allows it.
    ///
    /// # Errors
    ///
    /// The last try's.
    pub fn call_retrying<O: Operation>(
        &self,
        policy: RetryPolicy,
        operation: &O,
    ) -> Result<O::Output, Error> {
        self.retry(policy, operation.repetition(), || self.call(operation))
    }

    /// Waits; not longer than the session lives.
    fn pause(&self, delay: Duration) {
        let _lifted = self.view.shared.callbacks.lift();
        let until = Instant::now().checked_add(delay);
        self.view.shared.status.wait(until, |snapshot| snapshot.closed.is_some());
    }
}

/// Different each time.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
