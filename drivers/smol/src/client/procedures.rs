//! Work of more than one request.

use std::{collections::VecDeque, future::Future, time::Duration};

use async_io::Timer;
use zookeeper_core::client::{
    Error, Procedure, ProtectionId, RetryPolicy,
    operation::{AccessList, Create, CreateOptions, Created, Payload},
    procedure::{
        CreateProtected, CreateWithParents, DeleteRecursive, EnsurePath, ListSubtree, Next,
        StepOutput,
    },
};

use super::{Call, Client, retry::random};

impl Client {
    /// Makes a znode, and its parents where they are missing: persistent ones without data, with
    /// the same ACL. The client's root is made, too.
    ///
    /// # Errors
    ///
    /// Why the znode, or a parent of it, could not be made.
    pub fn create_with_parents<'a>(
        &self,
        path: &str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> impl Future<Output = Result<Created, Error>> + Send + 'static {
        let create = Create::new(path.to_owned(), owned(data.into()), options);
        self.begin(CreateWithParents::new(self.root_chroot(), create))
    }

    /// Makes the znodes of a path that are missing, persistent and without data. Whether the last
    /// one had to be made.
    ///
    /// # Errors
    ///
    /// Why one of them could not be made.
    pub fn ensure_path(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
    ) -> impl Future<Output = Result<bool, Error>> + Send + 'static {
        let (client, path, acl) = (self.clone(), path.to_owned(), acl.into());
        async move {
            let procedure = EnsurePath::new(client.root_chroot(), &path, acl)?;
            client.clone().proceed(procedure).await
        }
    }

    /// Makes a znode with a name that can be found again: `_c_<32 hex digits>-` stands before it.
    /// When the connection is lost, the znode is looked for, and made again only if it is not
    /// there; as often as `policy` allows. It is meant for ephemeral sequential znodes, such as
    /// those of locks and elections.
    ///
    /// # Errors
    ///
    /// Why the znode could not be made. It may be there all the same if nobody could look for it
    /// ([`Error::maybe_executed`]); an ephemeral one goes with the session.
    pub fn create_protected<'a>(
        &self,
        path: &str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
        policy: RetryPolicy,
    ) -> impl Future<Output = Result<Created, Error>> + Send + 'static {
        let create = Create::new(path.to_owned(), owned(data.into()), options);
        let id = ProtectionId::from_random(u128::from(random()) << 64 | u128::from(random()));
        let now = self.shared().clock.now();
        self.begin(CreateProtected::new(self.root_chroot(), create, id, policy, now))
    }

    /// Removes a znode and everything below it, and tells how many that were. Others may see a part
    /// of it gone. What they remove meanwhile is not missed, and what they make is removed, too.
    ///
    /// # Errors
    ///
    /// `NO_NODE` when there is no such znode, or why something could not be removed; then some of
    /// it may be gone.
    pub fn delete_recursive(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<u64, Error>> + Send + 'static {
        self.begin(DeleteRecursive::new(self.root_chroot(), path))
    }

    /// Lists the paths of a znode and of everything below it, parents before children. It is no
    /// snapshot: what comes or goes meanwhile may be listed or not.
    ///
    /// # Errors
    ///
    /// `NO_NODE` when there is no such znode, or why something could not be listed.
    pub fn list_subtree(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send + 'static {
        self.begin(ListSubtree::new(self.root_chroot(), path))
    }

    /// Does work of several requests. The first of them are sent at once, the others while the
    /// future is polled; dropping it leaves the work half done.
    ///
    /// # Errors
    ///
    /// The procedure's.
    pub fn run<P>(
        &self,
        procedure: P,
    ) -> impl Future<Output = Result<P::Output, Error>> + Send + 'static + use<P>
    where
        P: Procedure + Send + 'static,
    {
        self.clone().proceed(procedure)
    }

    /// Runs a procedure whose arguments may be wrong.
    fn begin<P>(
        &self,
        procedure: Result<P, impl Into<Error>>,
    ) -> impl Future<Output = Result<P::Output, Error>> + Send + 'static
    where
        P: Procedure + Send + 'static,
    {
        let running = procedure.map(|procedure| self.run(procedure)).map_err(Into::into);
        async move { running?.await }
    }

    fn proceed<P: Procedure>(
        self,
        mut procedure: P,
    ) -> impl Future<Output = Result<P::Output, Error>> {
        let mut calls = VecDeque::new();
        let mut due = self.submit_steps(&mut procedure, &mut calls);
        async move {
            loop {
                match due {
                    Due::Result => {
                        // A procedure waits only for what it has asked.
                        let Some(call) = calls.pop_front() else { return procedure.finish() };
                        let result = call.await;
                        procedure.handle(self.shared().clock.now(), result);
                    }
                    Due::Time(delay) => {
                        Timer::after(delay).await;
                    }
                    Due::End => return procedure.finish(),
                }
                due = self.submit_steps(&mut procedure, &mut calls);
            }
        }
    }

    /// Submits what the procedure can do without waiting.
    fn submit_steps(
        &self,
        procedure: &mut impl Procedure,
        calls: &mut VecDeque<Call<StepOutput>>,
    ) -> Due {
        loop {
            match procedure.next() {
                Next::Run(step) => calls.push_back(self.call_ref(&step)),
                Next::Wait => return Due::Result,
                Next::Pause(delay) => return Due::Time(delay),
                Next::Done => return Due::End,
            }
        }
    }
}

/// What a procedure waits for.
#[derive(Debug)]
enum Due {
    Result,
    Time(Duration),
    End,
}

/// The same data, owned.
fn owned(data: Payload<'_>) -> Payload<'static> {
    match data {
        Payload::Null => Payload::Null,
        Payload::Slice(bytes) => Payload::from(bytes.to_vec()),
        Payload::Shared(bytes) => Payload::Shared(bytes),
    }
}
