//! A connection for tests: znodes, in which others meddle at chosen moments.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use zookeeper_core::{
    SessionId,
    client::{
        MultiError, RequestError,
        operation::{Created, TransactionResult},
    },
    wire::{Acl, AddWatchMode, CreateMode, ErrorCode, Id, Stat, WatcherType},
};

use super::{
    connection::{Answer, Change, Connection, NewNode, Node},
    failure::answered,
    value::open_acl,
};

/// Znodes by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Puts an empty znode there, unless there is one; whether there was none.
    pub(crate) fn insert(&mut self, path: String) -> bool {
        let is_new = !self.contains(&path);
        if is_new {
            self.put(path, None, open_acl());
        }
        is_new
    }

    /// Puts a znode there.
    pub(crate) fn put(&mut self, path: String, data: Option<Bytes>, acl: Vec<Acl>) {
        self.0.insert(path, Node { data, acl, stat: Stat::default() });
    }

    /// Gives a znode to a session.
    pub(crate) fn make_ephemeral(&mut self, path: &str) {
        self.0.get_mut(path).expect(path).stat.ephemeral_owner = SessionId(7);
    }

    /// Takes a znode away; whether it was there.
    pub(crate) fn remove(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some()
    }

    /// A znode, if it is there.
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// The paths, sorted.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn find(&mut self, path: &str) -> Result<&mut Node, ErrorCode> {
        self.0.get_mut(path).ok_or(ErrorCode::NO_NODE)
    }

    fn children(&self, path: &str) -> Result<Vec<String>, ErrorCode> {
        if !self.contains(path) {
            return Err(ErrorCode::NO_NODE);
        }
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let names = self.0.keys().filter_map(|other| other.strip_prefix(&prefix));
        Ok(names.filter(|name| !name.is_empty() && !name.contains('/')).map(Into::into).collect())
    }

    fn delete(&mut self, path: &str) -> Result<(), ErrorCode> {
        if !self.children(path)?.is_empty() {
            return Err(ErrorCode::NOT_EMPTY);
        }
        self.remove(path);
        Ok(())
    }

    fn create(&mut self, node: &NewNode) -> Result<Created, ErrorCode> {
        let parent = node.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        if !parent.is_empty() && !self.contains(parent) {
            return Err(ErrorCode::NO_NODE);
        }
        if self.contains(&node.path) {
            return Err(ErrorCode::NODE_EXISTS);
        }
        self.put(node.path.clone(), node.data.clone(), node.acl.clone());
        if node.mode == CreateMode::Ephemeral {
            self.make_ephemeral(&node.path);
        }
        Ok(Created { path: node.path.clone(), stat: None })
    }

    fn change(&mut self, change: &Change) -> Result<TransactionResult, ErrorCode> {
        Ok(match change {
            Change::Create(node) => TransactionResult::Created(self.create(node)?),
            Change::Set { path, data, .. } => {
                let node = self.find(path)?;
                node.data.clone_from(data);
                TransactionResult::DataSet(node.stat)
            }
            Change::Delete { path, .. } => {
                self.delete(path)?;
                TransactionResult::Deleted
            }
            Change::Check { path, .. } => {
                self.find(path)?;
                TransactionResult::Checked
            }
        })
    }
}

type Meddler = Box<dyn FnMut(&mut Tree) + Send>;

/// Paths, and what is to go wrong.
pub(crate) struct Fake(Mutex<State>);

struct State {
    tree: Tree,
    requests: usize,
    meddler: Option<(usize, Meddler)>,
    lost_at: Option<usize>,
    multi_reads: bool,
}

impl Fake {
    /// The root and these.
    pub(crate) fn new(paths: &[impl AsRef<str>]) -> Self {
        let mut tree = Tree::default();
        tree.insert("/".into());
        for path in paths {
            tree.insert(path.as_ref().into());
        }
        Self(Mutex::new(State {
            tree,
            requests: 0,
            meddler: None,
            lost_at: None,
            multi_reads: true,
        }))
    }

    /// Something that happens before request `number`, counted from zero.
    pub(crate) fn on_request(
        &self,
        number: usize,
        meddler: impl FnMut(&mut Tree) + Send + 'static,
    ) {
        self.state().meddler = Some((number, Box::new(meddler)));
    }

    /// Nothing is answered from request `number` on.
    pub(crate) fn lose_at(&self, number: usize) {
        self.state().lost_at = Some(number);
    }

    /// It is a server from before 3.6.
    pub(crate) fn refuse_multi_reads(&self) {
        self.state().multi_reads = false;
    }

    /// What is there.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state().tree.paths()
    }

    /// All of it.
    pub(crate) fn tree(&self) -> Tree {
        self.state().tree.clone()
    }

    /// Changes something.
    pub(crate) fn meddle(&self, meddler: impl FnOnce(&mut Tree)) {
        meddler(&mut self.state().tree);
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.state().requests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics in here")
    }

    /// Begins a request.
    fn request(&self) -> Answer<MutexGuard<'_, State>> {
        let mut state = self.state();
        let number = state.requests;
        state.requests += 1;
        if state.lost_at.is_some_and(|lost| number >= lost) {
            return Err(RequestError::ConnectionLoss { maybe_executed: true }.into());
        }
        if let Some((when, mut meddler)) = state.meddler.take() {
            if when == number {
                meddler(&mut state.tree);
            } else {
                state.meddler = Some((when, meddler));
            }
        }
        Ok(state)
    }
}

impl Connection for Fake {
    fn is_connected(&self) -> bool {
        let state = self.state();
        state.lost_at.is_none_or(|lost| state.requests < lost)
    }

    fn children(&self, path: &str, _watch: bool) -> Answer<(Vec<String>, Stat)> {
        let state = self.request()?;
        let names = state.tree.children(path).map_err(answered)?;
        Ok((names, Stat::default()))
    }

    fn children_of(&self, paths: &[&str]) -> Answer<Vec<Result<Vec<String>, ErrorCode>>> {
        let state = self.request()?;
        if !state.multi_reads {
            return Err(answered(ErrorCode::UNIMPLEMENTED));
        }
        Ok(paths.iter().map(|path| state.tree.children(path)).collect())
    }

    fn delete(&self, path: &str, _version: Option<i32>) -> Answer<()> {
        self.request()?.tree.delete(path).map_err(answered)
    }

    fn multi(&self, changes: &[Change]) -> Answer<Vec<TransactionResult>> {
        let mut state = self.request()?;
        let mut tree = state.tree.clone();
        let mut done = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            match tree.change(change) {
                Ok(result) => done.push(result),
                Err(code) => {
                    let mut results = vec![ErrorCode::OK; changes.len()];
                    results[index] = code;
                    return Err(MultiError { index, code, results }.into());
                }
            }
        }
        state.tree = tree;
        Ok(done)
    }

    fn create(&self, node: &NewNode) -> Answer<Created> {
        self.request()?.tree.create(node).map_err(answered)
    }

    fn nodes(&self, paths: &[&str]) -> Vec<Answer<Node>> {
        let state = self.request();
        let node = |path: &&str| match &state {
            Ok(state) => state.tree.get(path).cloned().ok_or(answered(ErrorCode::NO_NODE)),
            Err(error) => Err(error.clone()),
        };
        paths.iter().map(node).collect()
    }

    fn stats(&self, paths: &[&str]) -> Vec<Answer<Option<Stat>>> {
        let state = self.request();
        let stat = |path: &&str| match &state {
            Ok(state) => Ok(state.tree.get(path).map(|node| node.stat)),
            Err(error) => Err(error.clone()),
        };
        paths.iter().map(stat).collect()
    }

    fn set_acls(&self, acls: &[(&str, &[Acl])]) -> Vec<Answer<Stat>> {
        let mut state = self.request();
        let set = |(path, acl): &(&str, &[Acl])| {
            let state = state.as_mut().map_err(|error| error.clone())?;
            let node = state.tree.find(path).map_err(answered)?;
            node.acl = acl.to_vec();
            Ok(node.stat)
        };
        acls.iter().map(set).collect()
    }

    fn is_reserved(&self, path: &str) -> bool {
        path == "/zookeeper" || path.starts_with("/zookeeper/")
    }

    fn exists(&self, path: &str, _watch: bool) -> Answer<Option<Stat>> {
        Ok(self.request()?.tree.contains(path).then(Stat::default))
    }

    fn add_watch(&self, _path: &str, _mode: AddWatchMode) -> Answer<()> {
        self.request().map(drop)
    }

    fn data(&self, _path: &str, _watch: bool) -> Answer<(Bytes, Stat)> {
        unimplemented()
    }
    fn set_data(&self, path: &str, data: Option<&Bytes>, version: Option<i32>) -> Answer<Stat> {
        let mut state = self.request()?;
        let change = Change::Set { path: path.into(), data: data.cloned(), version };
        state.tree.change(&change).map(|_| Stat::default()).map_err(answered)
    }
    fn acl(&self, _path: &str) -> Answer<(Vec<Acl>, Stat)> {
        unimplemented()
    }
    fn set_acl(&self, _path: &str, _acl: &[Acl], _version: Option<i32>) -> Answer<Stat> {
        unimplemented()
    }
    fn count(&self, _path: &str) -> Answer<u32> {
        unimplemented()
    }
    fn sync(&self, _path: &str) -> Answer<()> {
        unimplemented()
    }
    fn ephemerals(&self, _prefix: &str) -> Answer<Vec<String>> {
        unimplemented()
    }
    fn config(&self, _watch: bool) -> Answer<(Bytes, Stat)> {
        unimplemented()
    }
    fn identities(&self) -> Answer<Vec<Id>> {
        unimplemented()
    }
    fn add_auth(&self, _scheme: &str, _credentials: &[u8]) -> Answer<()> {
        unimplemented()
    }
    fn remove_watches(&self, _path: &str, _kind: WatcherType, _local: bool) -> Answer<()> {
        unimplemented()
    }
}

/// No test needs it; a real server is as near as `tests/`.
fn unimplemented<T>() -> Answer<T> {
    Err(answered(ErrorCode::UNIMPLEMENTED))
}
