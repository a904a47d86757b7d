//! A session with real servers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use bytes::Bytes;
use zookeeper_mio::client::{
    Acl, AddWatchMode, Chroot, Client, ClientBuilder, CloseReason, ConnectError, ConnectionState,
    ErrorCode, Id, RequestError, Stat, WatchUpdate, WatcherHandle, WatcherType,
    operation::{
        AclAndStat, CreateOptions, Created, Data, Exists, GetAcl, GetData, MultiRead, Operation,
        Payload, ReadResult, SetAcl, Transaction, TransactionResult,
    },
};

use super::{
    connection::{Answer, Change, Connection, NewNode, Node, Notice, Reach},
    failure::{CommandError, answered},
    options::ClientOptions,
};

/// How long a command may take to end its session; the server ends it anyway, later.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// A connected session. All that it watches is told to one listener.
pub(super) struct Live {
    client: Client,
    chroot: Chroot,
    watcher: WatcherHandle,
    is_closing: Arc<AtomicBool>,
}

/// How a session is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// For one command: its end is the end, and the beginning is not worth a notice.
    OneCommand,
    /// As long as somebody types: an expired session is followed by a new one.
    Shell,
}

impl Live {
    /// Connects, and waits for that as long as the options say. The listener must not block for
    /// long, or requests may time out.
    pub(super) fn connect(
        options: &ClientOptions,
        life: Life,
        listener: impl Fn(Notice) + Clone + Send + 'static,
    ) -> Result<Self, CommandError> {
        let is_closing = Arc::new(AtomicBool::new(false));
        let mut changes =
            Changes { life, was_connected: false, is_closing: Arc::clone(&is_closing) };
        let tell = listener.clone();
        let on_state = move |state| {
            if let Some(notice) = changes.notice(reach(state)) {
                tell(notice);
            }
        };
        let servers = options.servers()?;
        let chroot = servers.chroot.clone();
        let mut builder = ClientBuilder::new(servers)
            .session_timeout(options.timeout)
            .request_timeout(options.timeout)
            .connect_timeout(options.timeout)
            .close_timeout(options.timeout.min(FAREWELL_MAX))
            .can_be_read_only(options.read_only)
            .on_expiry_renew(life == Life::Shell)
            .on_state(on_state);
        for auth in &options.auth {
            builder = builder.auth(&auth.scheme, auth.credentials.as_bytes());
        }
        let client = builder.connect().map_err(|error| unreachable(options, &error))?;
        let watcher = WatcherHandle::new(move |update| {
            if let Some(notice) = notice(update) {
                listener(notice);
            }
        });
        Ok(Self { client, chroot, watcher, is_closing })
    }

    /// Ends the session on the server, and waits for that.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        // Whatever there was to lose is lost either way.
        let _ = self.client.close();
    }
}

impl Connection for Live {
    fn is_connected(&self) -> bool {
        self.client.state().is_connected()
    }

    fn create(&self, node: &NewNode) -> Answer<Created> {
        let (data, options) = parts(node);
        self.client.create(&node.path, data, options)
    }

    fn delete(&self, path: &str, version: Option<i32>) -> Answer<()> {
        self.client.delete(path, version)
    }

    fn exists(&self, path: &str, watch: bool) -> Answer<Option<Stat>> {
        match watch {
            false => self.client.exists(path),
            true => self.client.exists_and_watch(path, self.watcher.clone()).map(first),
        }
    }

    fn data(&self, path: &str, watch: bool) -> Answer<(Bytes, Stat)> {
        let Data { data, stat, .. } = match watch {
            false => self.client.get_data(path)?,
            true => self.client.get_data_and_watch(path, self.watcher.clone()).map(first)?,
        };
        Ok((data, stat))
    }

    fn set_data(&self, path: &str, data: Option<&Bytes>, version: Option<i32>) -> Answer<Stat> {
        self.client.set_data(path, payload(data), version)
    }

    fn acl(&self, path: &str) -> Answer<(Vec<Acl>, Stat)> {
        self.client.get_acl(path).map(|answer| (answer.acl, answer.stat))
    }

    fn set_acl(&self, path: &str, acl: &[Acl], version: Option<i32>) -> Answer<Stat> {
        self.client.set_acl(path, acl, version)
    }

    fn children(&self, path: &str, watch: bool) -> Answer<(Vec<String>, Stat)> {
        let watcher = || self.watcher.clone();
        let answer = match watch {
            false => self.client.get_children_and_stat(path)?,
            true => self.client.get_children_and_stat_and_watch(path, watcher()).map(first)?,
        };
        Ok((answer.names, answer.stat))
    }

    fn children_of(&self, paths: &[&str]) -> Answer<Vec<Result<Vec<String>, ErrorCode>>> {
        let reads = paths.iter().fold(MultiRead::new(), |reads, path| reads.get_children(*path));
        let names = |answer| match answer {
            Ok(ReadResult::Children(names)) => Ok(names),
            Ok(_) => Err(ErrorCode::DATA_INCONSISTENCY),
            Err(code) => Err(code),
        };
        Ok(self.client.multi_read(&reads)?.into_iter().map(names).collect())
    }

    fn nodes(&self, paths: &[&str]) -> Vec<Answer<Node>> {
        let data = Replies::of(&self.client, paths.iter().map(|path| GetData::new(*path)));
        let acls = Replies::of(&self.client, paths.iter().map(|path| GetAcl::new(*path)));
        data.wait().into_iter().zip(acls.wait()).map(|(data, acl)| node(data?, acl?)).collect()
    }

    fn stats(&self, paths: &[&str]) -> Vec<Answer<Option<Stat>>> {
        Replies::of(&self.client, paths.iter().map(|path| Exists::new(*path))).wait()
    }

    fn set_acls(&self, acls: &[(&str, &[Acl])]) -> Vec<Answer<Stat>> {
        let operations = acls.iter().map(|(path, acl)| SetAcl::new(*path, *acl, None));
        Replies::of(&self.client, operations).wait()
    }

    fn is_reserved(&self, path: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        self.chroot.apply(path).strip_prefix("/zookeeper").is_some_and(below)
    }

    fn count(&self, path: &str) -> Answer<u32> {
        self.client.get_all_children_number(path)
    }

    fn sync(&self, path: &str) -> Answer<()> {
        self.client.sync(path)
    }

    fn ephemerals(&self, prefix: &str) -> Answer<Vec<String>> {
        self.client.get_ephemerals(prefix)
    }

    fn config(&self, watch: bool) -> Answer<(Bytes, Stat)> {
        let Data { data, stat, .. } = match watch {
            false => self.client.get_config()?,
            true => self.client.get_config_and_watch(self.watcher.clone())?,
        };
        Ok((data, stat))
    }

    fn identities(&self) -> Answer<Vec<Id>> {
        self.client.who_am_i()
    }

    fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Answer<()> {
        self.client.add_auth(scheme, credentials)
    }

    fn multi(&self, changes: &[Change]) -> Answer<Vec<TransactionResult>> {
        let transaction = changes.iter().fold(Transaction::new(), |all, change| match change {
            Change::Create(node) => {
                let (data, options) = parts(node);
                all.create(&node.path, data, options)
            }
            Change::Set { path, data, version } => {
                all.set_data(path, payload(data.as_ref()), *version)
            }
            Change::Delete { path, version } => all.delete(path, *version),
            Change::Check { path, version } => all.check(path, *version),
        });
        self.client.multi(&transaction)
    }

    fn add_watch(&self, path: &str, mode: AddWatchMode) -> Answer<()> {
        self.client.add_watch(path, mode, self.watcher.clone()).map(drop)
    }

    fn remove_watches(&self, path: &str, kind: WatcherType, local: bool) -> Answer<()> {
        self.client.remove_all_watches(path, kind, local)
    }
}

/// Answers to requests that are all under way at once.
struct Replies<T> {
    replies: Receiver<(usize, Answer<T>)>,
    count: usize,
}

impl<T: Send + 'static> Replies<T> {
    fn of<O: Operation<Output = T>>(
        client: &Client,
        operations: impl ExactSizeIterator<Item = O>,
    ) -> Self {
        let (sender, replies) = channel();
        let count = operations.len();
        for (index, operation) in operations.enumerate() {
            let sender = sender.clone();
            client.submit(&operation, move |reply| {
                // Whoever waits does so until all are there.
                let _ = sender.send((index, reply));
            });
        }
        Self { replies, count }
    }

    /// All answers, in the order of the requests.
    fn wait(self) -> Vec<Answer<T>> {
        let closed = || Err(RequestError::Closed { maybe_executed: true }.into());
        let mut all: Vec<Answer<T>> = std::iter::repeat_with(closed).take(self.count).collect();
        for (index, reply) in self.replies {
            all[index] = reply;
        }
        all
    }
}

/// Of two answers, if they are about the same znode.
fn node(data: Data, acl: AclAndStat) -> Answer<Node> {
    if data.stat.czxid != acl.stat.czxid {
        return Err(answered(ErrorCode::NO_NODE));
    }
    let Data { data, is_null, stat } = data;
    Ok(Node { data: (!is_null).then_some(data), acl: acl.acl, stat })
}

/// Which changes of the state are worth a notice.
struct Changes {
    life: Life,
    was_connected: bool,
    is_closing: Arc<AtomicBool>,
}

impl Changes {
    /// A session that never began is the failure of whoever wanted it, and the end that was asked
    /// for is none.
    fn notice(&mut self, reach: Reach) -> Option<Notice> {
        let was_connected = self.was_connected;
        let is_connected = matches!(reach, Reach::Connected { .. });
        self.was_connected |= is_connected;
        let is_beginning = is_connected && self.life == Life::Shell;
        let is_wanted = was_connected || is_beginning;
        (is_wanted && !self.is_closing.load(Ordering::Relaxed)).then_some(Notice::State(reach))
    }
}

fn parts(node: &NewNode) -> (Payload<'_>, CreateOptions) {
    let mut options = CreateOptions::new(node.mode).acl(&node.acl[..]);
    if let Some(ttl) = node.ttl {
        options = options.ttl(ttl);
    }
    if node.with_stat {
        options = options.with_stat();
    }
    (payload(node.data.as_ref()), options)
}

fn payload(data: Option<&Bytes>) -> Payload<'_> {
    data.map_or(Payload::Null, |data| Payload::Shared(data.clone()))
}

/// What there is to say of an update. The state is told by its own listener.
fn notice(update: WatchUpdate) -> Option<Notice> {
    match update {
        WatchUpdate::Event(event) => {
            Some(Notice::Event { kind: event.kind, path: event.path, zxid: event.zxid })
        }
        WatchUpdate::Restored => Some(Notice::Restored),
        WatchUpdate::Lost => Some(Notice::WatchesLost),
        _ => None,
    }
}

fn reach(state: ConnectionState) -> Reach {
    match state {
        ConnectionState::Connected { read_only } => Reach::Connected { read_only },
        ConnectionState::Suspended => Reach::Suspended,
        ConnectionState::Lost => Reach::Lost,
    }
}

fn unreachable(options: &ClientOptions, error: &ConnectError) -> CommandError {
    let code = match error {
        ConnectError::Closed(CloseReason::AuthFailed | CloseReason::SaslFailed(_)) => {
            ErrorCode::AUTH_FAILED
        }
        ConnectError::Closed(CloseReason::AuthRequired) => ErrorCode::SESSION_CLOSED_REQUIRE_AUTH,
        _ => ErrorCode::CONNECTION_LOSS,
    };
    let servers = options.server.clone();
    CommandError::Unreachable { servers, reason: error.to_string(), code }
}

fn first<A, B>((first, _): (A, B)) -> A {
    first
}
