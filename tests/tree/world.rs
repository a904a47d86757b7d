//! A tree, a clock and a zxid counter; requests go in, owned replies come out.

use zookeeper_core::{
    Rng, SessionId, Zxid,
    tree::{Caller, Config, Fired, Outcome, Tree, Watcher},
    wire::{
        AclEntry, Blob, CreateRequest, CreateTtlRequest, Encode, ErrorCode, EventKind, Id, List,
        MultiOp, MultiOps, MultiResult, Op, PathRequest, ReadRequest, Reader, Request, Response,
        SetAclRequest, SetDataRequest, Stat, Text, Txn, TxnHeader, VersionRequest, WatchRequest,
        perms,
    },
};

pub(crate) const ME: SessionId = SessionId(0x11);
pub(crate) const OTHER: SessionId = SessionId(0x22);
/// No transaction has made this one.
pub(crate) const STRANGER: SessionId = SessionId(0x33);

pub(crate) const OPEN: &[AclEntry<'static>] = &[entry(perms::ALL, "world", "anyone")];
pub(crate) const READ_ONLY: &[AclEntry<'static>] = &[entry(perms::READ, "world", "anyone")];
/// Nothing for anybody but `digest:me:hash`.
pub(crate) const MINE: &[AclEntry<'static>] = &[entry(perms::ALL, "digest", "me:hash")];

pub(crate) const fn entry(perms: i32, scheme: &'static str, id: &'static str) -> AclEntry<'static> {
    let (scheme, id) = (Some(Text::from_static(scheme)), Some(Text::from_static(id)));
    AclEntry { perms, scheme, id }
}

/// What the caller that owns [`MINE`] has.
pub(crate) fn my_id() -> Vec<Id> {
    vec![Id::new("digest", "me:hash")]
}

pub(crate) type Event = (EventKind, String, Vec<u64>);

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reply {
    op: Op,
    pub error: ErrorCode,
    pub hold: Zxid,
    pub body: Vec<u8>,
    pub events: Vec<Event>,
}

impl Reply {
    pub(crate) fn response(&self) -> Response<'_> {
        assert_eq!(self.error, ErrorCode::OK, "{:?}", self.op);
        Response::decode(self.op, &mut Reader::new(&self.body)).expect("our replies are readable")
    }

    pub(crate) fn stat(&self) -> Stat {
        match self.response() {
            Response::Stat(stat)
            | Response::Data { stat, .. }
            | Response::Acl { stat, .. }
            | Response::Children2 { stat, .. }
            | Response::Create2 { stat, .. } => stat,
            other => panic!("no stat in {other:?}"),
        }
    }

    pub(crate) fn path(&self) -> String {
        match self.response() {
            Response::Path(Some(path)) | Response::Create2 { path: Some(path), .. } => {
                path.to_str().unwrap().to_owned()
            }
            other => panic!("no path in {other:?}"),
        }
    }

    pub(crate) fn data(&self) -> Option<Vec<u8>> {
        match self.response() {
            Response::Data { data, .. } => data.map(|data| data[..].to_vec()),
            other => panic!("no data in {other:?}"),
        }
    }

    /// Names or paths, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let (Response::Names(Some(names)) | Response::Children2 { children: Some(names), .. }) =
            self.response()
        else {
            panic!("no names in {:?}", self.response())
        };
        let mut names: Vec<_> = names.iter().map(|name| name.unwrap().to_string()).collect();
        names.sort_unstable();
        names
    }

    /// What each operation of a multi came to: its error, or its kind in short.
    pub(crate) fn results(&self) -> Vec<String> {
        let Response::Multi(results) = self.response() else { panic!("no multi") };
        results
            .iter()
            .map(|result| match result {
                MultiResult::Create { path } => format!("create {}", path.unwrap()),
                MultiResult::Create2 { path, .. } => format!("create2 {}", path.unwrap()),
                MultiResult::Delete => "delete".into(),
                MultiResult::SetData { stat } => format!("set v{}", stat.version),
                MultiResult::Check => "check".into(),
                MultiResult::GetData { data, .. } => {
                    format!("data {}", String::from_utf8_lossy(&data.unwrap()))
                }
                MultiResult::GetChildren { children } => {
                    format!("{} children", children.unwrap().len())
                }
                MultiResult::Error(error) => error.0.to_string(),
            })
            .collect()
    }
}

/// Who asks: a session, its watcher and its identities.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub session: SessionId,
    pub watcher: u64,
    pub identities: Vec<Id>,
}

pub(crate) fn me() -> Who {
    Who { session: ME, watcher: 1, identities: Vec::new() }
}

pub(crate) fn me_with_id() -> Who {
    Who { identities: my_id(), ..me() }
}

pub(crate) fn other() -> Who {
    Who { session: OTHER, watcher: 2, identities: Vec::new() }
}

pub(crate) fn stranger() -> Who {
    Who { session: STRANGER, watcher: 3, identities: Vec::new() }
}

pub(crate) struct World {
    pub tree: Tree,
    pub zxid: i64,
    pub now_ms: i64,
    fired: Fired,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A tree with two sessions, whose settings `set` has changed.
    pub(crate) fn with(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        set(&mut config);
        let tree = Tree::new(config, &mut Rng::new(7));
        let mut world = Self { tree, zxid: 0, now_ms: 1_000_000, fired: Fired::default() };
        world.apply(ME, &Txn::CreateSession { timeout_ms: 4_000 });
        world.apply(OTHER, &Txn::CreateSession { timeout_ms: 5_000 });
        world
    }

    /// Applies a transaction of the server's own.
    pub(crate) fn apply(&mut self, session: SessionId, txn: &Txn<'_>) -> Vec<Event> {
        let (outcome, events) = self.commit(session, txn);
        assert_ne!(outcome, Outcome::Inconsistent);
        events
    }

    pub(crate) fn commit(&mut self, session: SessionId, txn: &Txn<'_>) -> (Outcome, Vec<Event>) {
        self.zxid += 1;
        self.now_ms += 10;
        let zxid = Zxid(self.zxid);
        let header = TxnHeader { session, cxid: 0, zxid, time_ms: self.now_ms };
        let outcome = self.tree.apply(&header, txn, &mut self.fired);
        (outcome, self.take_events())
    }

    /// Sends a request, as a server would.
    pub(crate) fn send(&mut self, who: &Who, request: &Request<'_>) -> Reply {
        let caller = Caller {
            session: who.session,
            watcher: Watcher(who.watcher),
            identities: &who.identities,
        };
        let op = request.op();
        if op.is_write() {
            let txn = self.tree.prepare(&caller, request).unwrap_or_else(Txn::Error);
            let (outcome, events) = self.commit(who.session, &txn);
            assert_ne!(outcome, Outcome::Inconsistent, "{txn:?}");
            let answer = self.tree.answer(&outcome);
            let (error, hold) = (answer.error(), answer.hold());
            return Reply { op, error, hold, body: answer.response().to_vec(), events };
        }
        let answer = self.tree.read(&caller, request, &mut self.fired);
        let (error, hold, body) = (answer.error(), answer.hold(), answer.response().to_vec());
        Reply { op, error, hold, body, events: self.take_events() }
    }

    /// Sends a request that must succeed.
    pub(crate) fn ok(&mut self, request: &Request<'_>) -> Reply {
        let reply = self.send(&me(), request);
        assert_eq!(reply.error, ErrorCode::OK, "{request:?}");
        reply
    }

    pub(crate) fn stat(&mut self, path: &str) -> Stat {
        self.ok(&exists(path)).stat()
    }

    pub(crate) fn make(&mut self, path: &str) -> Reply {
        self.ok(&create(path, b"", 0))
    }

    /// Every znode with all that is stored of it, sorted by path.
    pub(crate) fn nodes(&self) -> Vec<String> {
        nodes_of(&self.tree)
    }

    fn take_events(&mut self) -> Vec<Event> {
        let events = self
            .fired
            .iter()
            .map(|change| {
                let mut watchers: Vec<_> =
                    change.watchers.iter().map(|watcher| watcher.0).collect();
                watchers.sort_unstable();
                (change.kind, change.path.to_owned(), watchers)
            })
            .collect();
        self.fired.clear();
        events
    }
}

pub(crate) fn nodes_of(tree: &Tree) -> Vec<String> {
    let mut nodes: Vec<_> = tree.stored_nodes().map(|node| format!("{node:?}")).collect();
    nodes.sort_unstable();
    nodes
}

pub(crate) fn text(text: &str) -> Option<Text<'_>> {
    Some(text.into())
}

pub(crate) fn blob(data: &[u8]) -> Option<Blob<'_>> {
    Some(data.into())
}

pub(crate) fn create_record<'a>(path: &'a str, data: &'a [u8], flags: i32) -> CreateRequest<'a> {
    CreateRequest { path: text(path), data: blob(data), acl: Some(List::new(OPEN)), flags }
}

pub(crate) fn create<'a>(path: &'a str, data: &'a [u8], flags: i32) -> Request<'a> {
    Request::Create(create_record(path, data, flags))
}

pub(crate) fn create_with<'a>(path: &'a str, acl: &'a [AclEntry<'a>]) -> Request<'a> {
    Request::Create(CreateRequest { acl: Some(List::new(acl)), ..create_record(path, b"", 0) })
}

pub(crate) fn create_ttl(path: &str, flags: i32, ttl_ms: i64) -> Request<'_> {
    let acl = Some(List::new(OPEN));
    Request::CreateTtl(CreateTtlRequest { path: text(path), data: None, acl, flags, ttl_ms })
}

pub(crate) fn delete(path: &str, version: i32) -> Request<'_> {
    Request::Delete(VersionRequest { path: text(path), version })
}

pub(crate) fn set_data<'a>(path: &'a str, data: &'a [u8], version: i32) -> Request<'a> {
    Request::SetData(SetDataRequest { path: text(path), data: blob(data), version })
}

pub(crate) fn set_acl<'a>(path: &'a str, acl: &'a [AclEntry<'a>], version: i32) -> Request<'a> {
    Request::SetAcl(SetAclRequest { path: text(path), acl: Some(List::new(acl)), version })
}

pub(crate) fn check(path: &str, version: i32) -> MultiOp<'_> {
    MultiOp::Check(VersionRequest { path: text(path), version })
}

/// The operations outlive the test: a list of borrowed ones cannot be lent for less than it borrows.
pub(crate) fn multi(operations: impl Into<Vec<MultiOp<'static>>>) -> Request<'static> {
    Request::Multi(MultiOps::new(operations.into().leak()))
}

pub(crate) fn multi_read(operations: impl Into<Vec<MultiOp<'static>>>) -> Request<'static> {
    Request::MultiRead(MultiOps::new(operations.into().leak()))
}

fn read_record(path: &str, watch: bool) -> ReadRequest<'_> {
    ReadRequest { path: text(path), watch }
}

pub(crate) fn exists(path: &str) -> Request<'_> {
    Request::Exists(read_record(path, false))
}

pub(crate) fn exists_watch(path: &str) -> Request<'_> {
    Request::Exists(read_record(path, true))
}

pub(crate) fn get_data(path: &str) -> Request<'_> {
    Request::GetData(read_record(path, false))
}

pub(crate) fn get_data_watch(path: &str) -> Request<'_> {
    Request::GetData(read_record(path, true))
}

pub(crate) fn get_children(path: &str) -> Request<'_> {
    Request::GetChildren(read_record(path, false))
}

pub(crate) fn get_children2(path: &str) -> Request<'_> {
    Request::GetChildren2(read_record(path, false))
}

pub(crate) fn get_children_watch(path: &str) -> Request<'_> {
    Request::GetChildren(read_record(path, true))
}

pub(crate) fn path_request(path: &str) -> PathRequest<'_> {
    PathRequest { path: text(path) }
}

pub(crate) fn add_watch(path: &str, mode: i32) -> Request<'_> {
    Request::AddWatch(WatchRequest { path: text(path), mode })
}
