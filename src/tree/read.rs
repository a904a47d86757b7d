//! Reads, and what is done about watches: they answer at once.
//!
//! Behaviour: `org.apache.zookeeper.server.FinalRequestProcessor` and `DataTree.setWatches`.

use std::borrow::Cow;

use super::{
    Caller, Tree, acl,
    answer::{AclEntries, Answer, Body, Identities, Names, Paths, ReadResult, Reads},
    fired::Fired,
    node::{Node, NodeId},
    watches::WatchMode,
};
use crate::{
    ids::Zxid,
    wire::{
        AddWatchMode, ErrorCode, EventKind, MultiOp, MultiOps, ReadRequest, Request, SetWatches2,
        Text, WatchRequest, WatcherType, perms,
    },
};

/// What a child's name counts for, in bytes, before its length is looked at.
const CHILD_LENGTH: usize = 16;

/// Why a read failed, and the newest transaction that this shows.
struct Failure {
    error: ErrorCode,
    hold: Zxid,
}

impl From<ErrorCode> for Failure {
    /// For errors that show nothing of the tree.
    fn from(error: ErrorCode) -> Self {
        Self { error, hold: Zxid::ZERO }
    }
}

impl Tree {
    /// Answers a read, sets and removes watches. What `setWatches` finds out of date is added to
    /// `fired`: events for the caller alone.
    pub fn read<'t>(
        &'t mut self,
        caller: &Caller<'_>,
        request: &Request<'_>,
        fired: &mut Fired,
    ) -> Answer<'t> {
        let result = match request {
            Request::Exists(request) => self.exists(caller, request),
            Request::GetData(request) => self.get_data(caller, request),
            Request::GetChildren(request) => self.get_children(caller, request, false),
            Request::GetChildren2(request) => self.get_children(caller, request, true),
            Request::GetAcl(request) => self.get_acl(caller, request.path),
            Request::Sync(request) => {
                let path = request.path.map(|path| Cow::Owned(path.as_bytes().to_vec()));
                Ok(Answer::new(self.last_zxid, Body::Path(path)))
            }
            Request::MultiRead(operations) => Ok(self.multi_read(caller, operations)),
            Request::CheckWatches(request) => self.check_watches(caller, request),
            Request::RemoveWatches(request) => self.remove_watches(caller, request),
            Request::AddWatch(request) => self.add_watch(caller, request),
            Request::SetWatches(request) => {
                let request = SetWatches2 {
                    relative_zxid: request.relative_zxid,
                    data: request.data,
                    exist: request.exist,
                    child: request.child,
                    persistent: Some(crate::wire::List::new(&[])),
                    recursive: Some(crate::wire::List::new(&[])),
                };
                self.set_watches(caller, &request, fired)
            }
            Request::SetWatches2(request) => self.set_watches(caller, request, fired),
            Request::GetEphemerals(request) => Ok(self.get_ephemerals(caller, request.path)),
            Request::GetAllChildrenNumber(request) => self.count_all(caller, request.path),
            Request::WhoAmI => {
                let ids = Identities(caller.identities.to_vec());
                Ok(Answer::new(Zxid::ZERO, Body::Identities(ids)))
            }
            _ => {
                debug_assert!(false, "{} is no read", request.op());
                Err(ErrorCode::UNIMPLEMENTED.into())
            }
        };
        result.unwrap_or_else(|failure| Answer::failed(failure.hold, failure.error))
    }

    fn exists(
        &mut self,
        caller: &Caller<'_>,
        request: &ReadRequest<'_>,
    ) -> Result<Answer<'_>, Failure> {
        let path = request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        if path.as_bytes().contains(&0) {
            return Err(ErrorCode::BAD_ARGUMENTS.into());
        }
        let found = self.nodes.find(path.as_bytes());
        if let Some(id) = found {
            self.check_permission(id, perms::READ, caller)?;
        }
        // A znode may be waited for before it is there.
        self.leave_watch(caller, path, WatchMode::Data, request.watch)?;
        let node = self.nodes.get(found.ok_or_else(|| self.no_node())?);
        Ok(Answer::new(node.touched, Body::Stat(node.stat())))
    }

    fn get_data(
        &mut self,
        caller: &Caller<'_>,
        request: &ReadRequest<'_>,
    ) -> Result<Answer<'_>, Failure> {
        let path = request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let id = self.readable(caller, path)?;
        self.leave_watch(caller, path, WatchMode::Data, request.watch)?;
        let node = self.nodes.get(id);
        Ok(Answer::new(node.touched, Body::Data(node)))
    }

    fn get_children(
        &mut self,
        caller: &Caller<'_>,
        request: &ReadRequest<'_>,
        with_stat: bool,
    ) -> Result<Answer<'_>, Failure> {
        let path = request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let id = self.readable(caller, path)?;
        self.leave_watch(caller, path, WatchMode::Child, request.watch)?;
        let node = self.nodes.get(id);
        let children = Names { nodes: &self.nodes, node };
        let stat = with_stat.then(|| node.stat());
        Ok(Answer::new(node.touched, Body::Children { children, stat }))
    }

    fn get_acl(&self, caller: &Caller<'_>, path: Option<Text<'_>>) -> Result<Answer<'_>, Failure> {
        let path = path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let id = self.nodes.find(path.as_bytes()).ok_or_else(|| self.no_node())?;
        self.check_permission(id, perms::READ | perms::ADMIN, caller)?;
        let node = self.nodes.get(id);
        let acl = if self.allows(&node.acl, perms::ADMIN, caller.identities) {
            Cow::Borrowed(&*node.acl)
        } else {
            Cow::Owned(acl::without_hashes(&node.acl))
        };
        Ok(Answer::new(node.touched, Body::Acl { acl: AclEntries(acl), stat: node.stat() }))
    }

    fn multi_read(&self, caller: &Caller<'_>, operations: &MultiOps<'_>) -> Answer<'_> {
        let (mut results, mut length) = (Vec::new(), 0);
        for operation in operations.iter() {
            let (path, is_data) = match operation {
                MultiOp::GetData(ReadRequest { path: Some(path), .. }) => (path, true),
                MultiOp::GetChildren(ReadRequest { path: Some(path), .. }) => (path, false),
                // As upstream, with what was read so far behind the error.
                _ => {
                    return Answer::new(self.last_zxid, Body::Reads(Reads(results)))
                        .with_error(ErrorCode::MARSHALLING_ERROR);
                }
            };
            let node = self.readable(caller, path).map(|id| self.nodes.get(id));
            length += match node {
                Ok(node) if is_data => node.data_length(),
                Ok(node) => node.children.len() * CHILD_LENGTH,
                Err(_) => 0,
            };
            if length > self.config.multi_read_length_max {
                return Answer::failed(self.last_zxid, ErrorCode::MARSHALLING_ERROR);
            }
            results.push(match node {
                Ok(node) if is_data => ReadResult::Data(node),
                Ok(node) => ReadResult::Children(Names { nodes: &self.nodes, node }),
                Err(failure) => ReadResult::Error(failure.error),
            });
        }
        Answer::new(self.last_zxid, Body::Reads(Reads(results)))
    }

    fn get_ephemerals(&self, caller: &Caller<'_>, prefix: Option<Text<'_>>) -> Answer<'_> {
        let prefix = prefix.unwrap_or_default().as_bytes();
        // Java trims control characters, too.
        let is_blank = |byte: &u8| *byte <= b' ';
        let start = prefix.iter().position(|byte| !is_blank(byte)).unwrap_or(prefix.len());
        let end = prefix.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
        let is_all = matches!(&prefix[start..end], b"" | b"/");
        let ids: Vec<NodeId> = self
            .sessions
            .ephemerals(caller.session)
            .iter()
            .copied()
            .filter(|&id| is_all || self.nodes.get(id).path.as_bytes().starts_with(prefix))
            .collect();
        Answer::new(self.last_zxid, Body::Ephemerals(Paths { nodes: &self.nodes, ids }))
    }

    fn count_all(
        &self,
        caller: &Caller<'_>,
        path: Option<Text<'_>>,
    ) -> Result<Answer<'_>, Failure> {
        let path = path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let id = self.readable(caller, path)?;
        // By its other name, the empty one, the root counts as its own descendant: upstream goes by
        // what starts with the path and a slash.
        let itself = usize::from(path.as_bytes().is_empty());
        let below = self.nodes.get(id).descendants();
        let count = i32::try_from(below.saturating_add(itself)).unwrap_or(i32::MAX);
        Ok(Answer::new(self.last_zxid, Body::Count(count)))
    }

    fn check_watches(
        &self,
        caller: &Caller<'_>,
        request: &WatchRequest<'_>,
    ) -> Result<Answer<'_>, Failure> {
        let (path, kind) = watcher_type(request)?;
        if !self.watches.contains(path.as_bytes(), caller.watcher, kind) {
            return Err(ErrorCode::NO_WATCHER.into());
        }
        Ok(Answer::new(Zxid::ZERO, Body::Empty))
    }

    fn remove_watches(
        &mut self,
        caller: &Caller<'_>,
        request: &WatchRequest<'_>,
    ) -> Result<Answer<'_>, Failure> {
        // Where a check stumbles over a null path, upstream's removal just finds nothing.
        if request.path.is_none() && WatcherType::from_code(request.mode).is_some() {
            return Err(ErrorCode::NO_WATCHER.into());
        }
        let (path, kind) = watcher_type(request)?;
        if !self.watches.remove(path.as_bytes(), caller.watcher, kind) {
            return Err(ErrorCode::NO_WATCHER.into());
        }
        Ok(Answer::new(Zxid::ZERO, Body::Empty))
    }

    fn add_watch(
        &mut self,
        caller: &Caller<'_>,
        request: &WatchRequest<'_>,
    ) -> Result<Answer<'_>, Failure> {
        let path = request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
        let mode = match AddWatchMode::from_code(request.mode) {
            Some(AddWatchMode::Persistent) => WatchMode::Persistent,
            Some(AddWatchMode::PersistentRecursive) => WatchMode::PersistentRecursive,
            None => return Err(ErrorCode::MARSHALLING_ERROR.into()),
        };
        self.leave_watch(caller, path, mode, true)?;
        Ok(Answer::new(Zxid::ZERO, Body::Registered))
    }

    /// Restores watches after a reconnect: what changed since becomes an event at once.
    fn set_watches(
        &mut self,
        caller: &Caller<'_>,
        request: &SetWatches2<'_>,
        fired: &mut Fired,
    ) -> Result<Answer<'_>, Failure> {
        let lists = [
            (request.data, Restored::Data),
            (request.exist, Restored::Exist),
            (request.child, Restored::Child),
            (request.persistent, Restored::Persistent),
            (request.recursive, Restored::PersistentRecursive),
        ];
        let is_null = |(list, _): &(Option<crate::wire::Paths<'_>>, Restored)| match list {
            Some(list) => list.iter().any(|path| path.is_none()),
            None => true,
        };
        if lists.iter().any(is_null) {
            return Err(ErrorCode::MARSHALLING_ERROR.into());
        }
        let since = Zxid(request.relative_zxid);
        for (list, kind) in lists {
            for path in list.iter().flat_map(|list| list.iter()).flatten() {
                let node = self.nodes.find(path.as_bytes()).map(|id| self.nodes.get(id));
                match kind.judge(node, since) {
                    Some(event) => {
                        let start = fired.watchers.len();
                        fired.watchers.push(caller.watcher);
                        fired.push(event, &path.to_str_lossy(), None, start);
                    }
                    None => self.leave_watch(caller, path, kind.mode(), true)?,
                }
            }
        }
        Ok(Answer::new(self.last_zxid, Body::Empty))
    }

    /// The znode of a path that the caller may READ.
    fn readable(&self, caller: &Caller<'_>, path: Text<'_>) -> Result<NodeId, Failure> {
        let id = self.nodes.find(path.as_bytes()).ok_or_else(|| self.no_node())?;
        self.check_permission(id, perms::READ, caller)?;
        Ok(id)
    }

    fn check_permission(
        &self,
        id: NodeId,
        permission: i32,
        caller: &Caller<'_>,
    ) -> Result<(), Failure> {
        let node = self.nodes.get(id);
        if self.allows(&node.acl, permission, caller.identities) {
            Ok(())
        } else {
            Err(Failure { error: ErrorCode::NO_AUTH, hold: node.touched })
        }
    }

    fn leave_watch(
        &mut self,
        caller: &Caller<'_>,
        path: Text<'_>,
        mode: WatchMode,
        wanted: bool,
    ) -> Result<(), Failure> {
        if !wanted {
            return Ok(());
        }
        // Rather an error than a watch that is not there.
        self.watches
            .add(path.as_bytes(), caller.watcher, mode)
            .map_err(|_| ErrorCode::QUOTA_EXCEEDED.into())
    }

    const fn no_node(&self) -> Failure {
        Failure { error: ErrorCode::NO_NODE, hold: self.newest_removal }
    }
}

/// What a client says it had watched.
#[derive(Clone, Copy)]
enum Restored {
    Data,
    Exist,
    Child,
    Persistent,
    PersistentRecursive,
}

impl Restored {
    /// The event that the client has missed, if it has missed one.
    fn judge(self, node: Option<&Node>, since: Zxid) -> Option<EventKind> {
        match (self, node) {
            (Self::Data | Self::Child, None) => Some(EventKind::NodeDeleted),
            (Self::Data, Some(node)) if node.mzxid > since => Some(EventKind::NodeDataChanged),
            (Self::Child, Some(node)) if node.pzxid > since => Some(EventKind::NodeChildrenChanged),
            (Self::Exist, Some(_)) => Some(EventKind::NodeCreated),
            _ => None,
        }
    }

    const fn mode(self) -> WatchMode {
        match self {
            Self::Data | Self::Exist => WatchMode::Data,
            Self::Child => WatchMode::Child,
            Self::Persistent => WatchMode::Persistent,
            Self::PersistentRecursive => WatchMode::PersistentRecursive,
        }
    }
}

fn watcher_type<'a>(request: &WatchRequest<'a>) -> Result<(Text<'a>, WatcherType), Failure> {
    let path = request.path.ok_or(ErrorCode::MARSHALLING_ERROR)?;
    let kind = WatcherType::from_code(request.mode).ok_or(ErrorCode::MARSHALLING_ERROR)?;
    Ok((path, kind))
}
