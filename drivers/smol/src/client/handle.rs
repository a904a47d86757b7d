//! The client: what applications hold.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use zookeeper_core::{
    PathError, SessionId, Zxid,
    client::{
        Chroot, CloseReason, ConnectString, ConnectStringError, ConnectionState, Credentials,
        Operation, operation::RemoveWatches,
    },
    wire::WatcherType,
};

use super::{Call, ClientBuilder, ConnectError, StateWatcher, WatchCall, shared::Shared};

/// A client of ZooKeeper: one session, shared by all its clones and views.
///
/// Requests are sent in the order in which the methods are called, from wherever, and without
/// their futures being polled; many of them may be under way. Every future is independent of the
/// client and of any executor, and can be dropped at any time: the request is executed all the
/// same, its outcome is forgotten. When the last client is gone the session is closed, behind
/// everything that was asked for.
#[derive(Clone, Debug)]
#[must_use = "the session is closed when its last client is dropped"]
pub struct Client {
    lease: Arc<Lease>,
    chroot: Chroot,
    timeout: Option<Duration>,
}

/// What keeps a session open.
#[derive(Debug)]
struct Lease(Arc<Shared>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, chroot: Chroot) -> Self {
        Self { lease: Arc::new(Lease(shared)), chroot, timeout: None }
    }

    /// Settings for a client of these servers, such as `one:2181,two:2181/app`: what follows the
    /// hosts is the client's root.
    ///
    /// # Errors
    ///
    /// What is wrong with the connect string.
    pub fn builder(connect_string: &str) -> Result<ClientBuilder, ConnectStringError> {
        ClientBuilder::new(connect_string)
    }

    /// A client with a session on one of these servers.
    ///
    /// Its work is done on a thread that all such clients share, so that nothing keeps a session
    /// from its pings. Where every microsecond counts,
    /// [`ClientBuilder::build_with_driver`] saves the way from thread to thread.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect`]'s, or the connect string is wrong.
    pub fn connect(
        connect_string: &str,
    ) -> impl Future<Output = Result<Self, ConnectError>> + Send + 'static {
        let connecting = Self::builder(connect_string).map(ClientBuilder::connect);
        async move { connecting?.await }
    }

    /// A view of the same session with another root, below this one's. The znode need not be there.
    ///
    /// # Errors
    ///
    /// What is wrong with the path.
    pub fn chroot(&self, path: &str) -> Result<Self, PathError> {
        let chroot = self.chroot.join(&Chroot::new(path)?);
        Ok(Self { chroot, ..self.clone() })
    }

    /// The client's root; `/` is the server's.
    #[must_use]
    pub fn root(&self) -> &str {
        self.chroot.as_str().unwrap_or("/")
    }

    /// A view of the same session whose requests may take so long, and no longer.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.clone() }
    }

    /// Submits an operation: what all the methods named after operations do.
    pub fn call<O: Operation>(&self, operation: O) -> Call<O::Output> {
        self.call_ref(&operation)
    }

    pub(crate) fn call_ref<O: Operation>(&self, operation: &O) -> Call<O::Output> {
        self.shared().submit(operation, &self.chroot, self.timeout)
    }

    /// Submits an operation that sets a watch, too.
    pub fn call_and_watch<O>(&self, operation: O) -> WatchCall<O::Output>
    where
        O: zookeeper_core::client::operation::Watchable,
    {
        let (call, watch) = self.shared().submit_watch(&operation, &self.chroot, self.timeout);
        WatchCall::new(call, watch)
    }

    /// Takes on an identity, on this connection and all later ones. It is done when the server has
    /// accepted it; a refusal ends the session.
    pub fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Call<()> {
        self.shared().add_auth(scheme, credentials)
    }

    /// Removes all watches of this kind that the session has on a znode, here and on the server.
    /// `local` removes them here even if the server cannot be asked. Each [`Watch`](super::Watch)
    /// is told, and ends.
    pub fn remove_all_watches(&self, path: &str, kind: WatcherType, local: bool) -> Call<()> {
        let removal = RemoveWatches::new(path, kind);
        removal
            .with_path(&self.chroot, |path| self.shared().remove_watches(path, kind, local))
            .unwrap_or_else(Call::refused)
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.shared().lock().states.current()
    }

    /// Tells where the session stands, and every change of it.
    #[must_use]
    pub fn state_watcher(&self) -> StateWatcher {
        StateWatcher::new(Arc::clone(self.shared()))
    }

    /// Waits until a server is reached.
    ///
    /// # Errors
    ///
    /// Why none ever will be.
    pub fn connected(&self) -> impl Future<Output = Result<(), CloseReason>> + Send + 'static {
        self.state_watcher().connected()
    }

    /// What it takes to go on with the session in another client; `None` before it has begun.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        self.shared().lock().session.credentials()
    }

    /// The session's id; [`SessionId::NONE`] before it has begun.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.shared().lock().session.session_id()
    }

    /// The session time-out that the server granted; `None` before it did.
    #[must_use]
    pub fn negotiated_timeout(&self) -> Option<Duration> {
        self.shared().lock().session.negotiated_timeout()
    }

    /// The server that the session is connected to, or was last.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.shared().lock().session.peer()
    }

    /// The highest zxid that a reply has shown.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.shared().lock().session.last_zxid()
    }

    /// Why the session is over for good, if it is.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared().lock().close_reason()
    }

    /// Replaces the list of servers; whether the session moves to another one at once, so that
    /// the load spreads evenly over the new list. A root in the connect string is ignored.
    ///
    /// # Errors
    ///
    /// What is wrong with the connect string.
    pub fn update_hosts(&self, connect_string: &str) -> Result<bool, ConnectStringError> {
        let ConnectString { hosts, .. } = connect_string.parse()?;
        Ok(self.shared().update_hosts(hosts))
    }

    /// Ends the session on the server, behind everything submitted so far; its ephemeral znodes go.
    /// It begins at once, and takes a [bounded time](ClientBuilder::close_timeout). What is
    /// submitted later is refused. The future tells how the session ended.
    pub fn close(&self) -> impl Future<Output = CloseReason> + Send + 'static {
        self.shared().close();
        self.state_watcher().ended()
    }

    /// Leaves the session alone at once: it stays on the server, with its ephemeral znodes, until
    /// it times out there, or somebody [resumes](ClientBuilder::resume) it with the credentials
    /// handed back. Requests that were not answered fail.
    pub fn detach(&self) -> impl Future<Output = Option<Credentials>> + Send + 'static {
        let credentials = self.shared().command(|inner, now| {
            let credentials = inner.session.credentials();
            inner.detach(now);
            credentials
        });
        let ended = self.state_watcher().ended();
        async move {
            ended.await;
            credentials
        }
    }

    pub(crate) const fn root_chroot(&self) -> &Chroot {
        &self.chroot
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.lease.0
    }
}
