//! Whole branches of the tree at once.
//!
//! Behaviour: `org.apache.zookeeper.ZKUtil`, except that many requests are under way at a time.

use std::{collections::VecDeque, future::Future};

use zookeeper_core::{
    client::{
        ArgumentError, Error, RequestError,
        operation::{Create, CreateOptions, Created, Payload},
    },
    wire::{CreateMode, ErrorCode},
};

use super::{Call, Client};

/// Requests of one call that are under way at a time.
const CALLS_MAX: usize = 256;

/// How often to begin again when others work on the same branch.
const ROUNDS_MAX: usize = 16;

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
        let client = self.clone();
        let create = Create::new(path.to_owned(), owned(data.into()), options);
        let mut creating = self.call_ref(&create);
        async move {
            for _ in 1..ROUNDS_MAX {
                match creating.await {
                    Err(error) if error.code() == ErrorCode::NO_NODE => {}
                    result => return result,
                }
                let parents = client.create_parents(&create);
                creating = client.call_ref(&create);
                for parent in parents {
                    match parent.await {
                        Err(error) if error.code() != ErrorCode::NODE_EXISTS => return Err(error),
                        _ => {}
                    }
                }
            }
            creating.await
        }
    }

    /// Removes a znode and everything below it, children before their parents. What others remove
    /// meanwhile is not missed, and what they make is removed, too.
    ///
    /// # Errors
    ///
    /// `NO_NODE` when there is no such znode, or why something could not be removed; then some of
    /// it may be gone.
    pub fn delete_recursive(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let client = self.clone();
        let path = path.to_owned();
        async move {
            // Everything below would be gone before the root itself is refused.
            if path == "/" {
                return Err(ArgumentError::DeleteRoot.into());
            }
            let mut failure = None;
            for round in 0..ROUNDS_MAX {
                let branch = match client.list_subtree(&path).await {
                    Err(error) if round > 0 && is(&error, ErrorCode::NO_NODE) => return Ok(()),
                    branch => branch?,
                };
                failure = client.delete_all(&branch).await?;
                if failure.is_none() {
                    return Ok(());
                }
            }
            failure.map_or(Ok(()), Err)
        }
    }

    /// Lists a znode and everything below it: each level before the next, and siblings in order of
    /// their names. It is no snapshot: what comes or goes meanwhile may be listed or not.
    ///
    /// # Errors
    ///
    /// `NO_NODE` when there is no such znode, or why something could not be listed.
    pub fn list_subtree(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send + 'static {
        let client = self.clone();
        let mut calls = VecDeque::from([self.get_children(path)]);
        let mut found = vec![path.to_owned()];
        async move {
            let mut gone = Vec::new();
            let mut answered = 0;
            while let Some(call) = calls.pop_front() {
                match call.await {
                    Ok(mut names) => {
                        names.sort_unstable();
                        let parent = found[answered].clone();
                        found.extend(names.iter().map(|name| child(&parent, name)));
                    }
                    Err(error) if answered > 0 && is(&error, ErrorCode::NO_NODE) => {
                        gone.push(answered);
                    }
                    Err(error) => return Err(error),
                }
                answered += 1;
                let asked = answered + calls.len();
                let free = CALLS_MAX - calls.len();
                let next = found.iter().skip(asked).take(free);
                calls.extend(next.map(|path| client.get_children(path)));
            }
            let mut index = 0;
            found.retain(|_| {
                index += 1;
                gone.binary_search(&(index - 1)).is_err()
            });
            Ok(found)
        }
    }

    /// Begins to make all parents of a znode, from the top.
    fn create_parents(&self, create: &Create<'_>) -> Vec<Call<Created>> {
        let view = self.server_view();
        let path = self.server_path(&create.path);
        let options = CreateOptions::new(CreateMode::Persistent).acl(create.options.acl.clone());
        let slashes = path.match_indices('/').map(|(index, _)| index).skip(1);
        slashes.map(|end| view.create(&path[..end], Payload::Null, options.clone())).collect()
    }

    /// Removes what [`Client::list_subtree`] listed, from the end. What made it fail because of
    /// others is handed back.
    async fn delete_all(&self, branch: &[String]) -> Result<Option<Error>, Error> {
        let mut failure = None;
        let mut paths = branch.iter().rev();
        let mut calls: VecDeque<Call<()>> = VecDeque::new();
        loop {
            let free = CALLS_MAX - calls.len();
            calls.extend(paths.by_ref().take(free).map(|path| self.delete(path, None)));
            let Some(call) = calls.pop_front() else { return Ok(failure) };
            match call.await {
                Err(error) if is(&error, ErrorCode::NOT_EMPTY) => failure = Some(error),
                Err(error) if !is(&error, ErrorCode::NO_NODE) => return Err(error),
                _ => {}
            }
        }
    }
}

/// Whether it is this answer of the server's.
fn is(error: &Error, code: ErrorCode) -> bool {
    *error == Error::Request(RequestError::Server(code))
}

/// The path of a child.
pub(super) fn child(parent: &str, name: &str) -> String {
    let parent = if parent == "/" { "" } else { parent };
    format!("{parent}/{name}")
}

/// The same data, owned.
pub(super) fn owned(data: Payload<'_>) -> Payload<'static> {
    match data {
        Payload::Null => Payload::Null,
        Payload::Slice(bytes) => Payload::from(bytes.to_vec()),
        Payload::Shared(bytes) => Payload::Shared(bytes),
    }
}
