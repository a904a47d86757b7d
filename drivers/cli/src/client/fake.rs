//! A connection for tests: a set of paths, in which others meddle at chosen moments.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use zookeeper_core::{
    client::{
        MultiError, RequestError,
        operation::{Created, TransactionResult},
    },
    wire::{Acl, AddWatchMode, ErrorCode, Id, Stat, WatcherType},
};

use super::{
    connection::{Answer, Change, Connection, NewNode},
    failure::answered,
};

type Tree = BTreeSet<String>;
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
        let paths = paths.iter().map(|path| path.as_ref().to_owned());
        Self(Mutex::new(State {
            tree: paths.chain(["/".to_owned()]).collect(),
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
        self.state().tree.iter().cloned().collect()
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

fn children(tree: &Tree, path: &str) -> Result<Vec<String>, ErrorCode> {
    if !tree.contains(path) {
        return Err(ErrorCode::NO_NODE);
    }
    let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
    let names = tree.iter().filter_map(|other| other.strip_prefix(&prefix));
    Ok(names.filter(|name| !name.is_empty() && !name.contains('/')).map(Into::into).collect())
}

fn delete(tree: &mut Tree, path: &str) -> Result<(), ErrorCode> {
    if !children(tree, path)?.is_empty() {
        return Err(ErrorCode::NOT_EMPTY);
    }
    tree.remove(path);
    Ok(())
}

impl Connection for Fake {
    fn is_connected(&self) -> bool {
        let state = self.state();
        state.lost_at.is_none_or(|lost| state.requests < lost)
    }

    fn children(&self, path: &str, _watch: bool) -> Answer<(Vec<String>, Stat)> {
        let state = self.request()?;
        let names = children(&state.tree, path).map_err(answered)?;
        Ok((names, Stat::default()))
    }

    fn children_of(&self, paths: &[&str]) -> Answer<Vec<Result<Vec<String>, ErrorCode>>> {
        let state = self.request()?;
        if !state.multi_reads {
            return Err(answered(ErrorCode::UNIMPLEMENTED));
        }
        Ok(paths.iter().map(|path| children(&state.tree, path)).collect())
    }

    fn delete(&self, path: &str, _version: Option<i32>) -> Answer<()> {
        delete(&mut self.request()?.tree, path).map_err(answered)
    }

    /// Of deletes only.
    fn multi(&self, changes: &[Change]) -> Answer<Vec<TransactionResult>> {
        let mut state = self.request()?;
        let mut tree = state.tree.clone();
        for (index, change) in changes.iter().enumerate() {
            let (_, path) = change.name();
            if let Err(code) = delete(&mut tree, path) {
                let mut results = vec![ErrorCode::OK; changes.len()];
                results[index] = code;
                return Err(MultiError { index, code, results }.into());
            }
        }
        state.tree = tree;
        Ok(vec![TransactionResult::Deleted; changes.len()])
    }

    fn create(&self, node: &NewNode) -> Answer<Created> {
        let mut state = self.request()?;
        let parent = node.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        if !parent.is_empty() && !state.tree.contains(parent) {
            return Err(answered(ErrorCode::NO_NODE));
        }
        if !state.tree.insert(node.path.clone()) {
            return Err(answered(ErrorCode::NODE_EXISTS));
        }
        Ok(Created { path: node.path.clone(), stat: None })
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
    fn set_data(&self, _path: &str, _data: &Bytes, _version: Option<i32>) -> Answer<Stat> {
        unimplemented()
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
