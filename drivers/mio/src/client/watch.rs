//! Watches: reads that leave a watcher behind.

use std::borrow::Cow;

use zookeeper_core::{
    client::{
        Error,
        operation::{
            AddWatch, Children, Data, Exists, GetChildren, GetChildren2, GetConfig, GetData,
            RemoveWatches, Watchable,
        },
    },
    wire::{AddWatchMode, Stat, WatcherType},
};

use super::{Client, WatcherHandle, call::Later, handle::View};

/// A watch that was set. Dropping this leaves the watch as it is; it keeps no session open.
#[derive(Clone, Debug)]
pub struct Watch {
    view: View,
    watcher: WatcherHandle,
    path: String,
    kind: WatcherType,
}

impl Watch {
    /// Removes the watch: its watcher is told so, and then nothing more of this watch. It is
    /// removed here even if the server cannot be asked. The server's side stays as long as another
    /// watcher of this session may depend on it, and that of a one-shot watch until it has fired.
    /// See [`Client::remove_all_watches`] for both sides at once.
    ///
    /// # Errors
    ///
    /// `NO_WATCHER` if it has fired or was lost; or the request could not be made.
    pub fn remove(&self) -> Result<(), Error> {
        let request = RemoveWatches::new(Cow::Borrowed(&*self.path), self.kind).local();
        self.view.remove_watches(&request, Some(self.watcher.clone()))
    }

    /// Who watches.
    #[must_use]
    pub const fn watcher(&self) -> &WatcherHandle {
        &self.watcher
    }
}

impl Client {
    /// As [`Client::call`], and leaves a watch: `watcher` is told of it on the callback thread. A
    /// watch is left only if the operation succeeds, or finds no znode that it could wait for.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn call_and_watch<O: Watchable>(
        &self,
        operation: &O,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<O::Output, Error> {
        self.view.call(operation, Some(watcher.into()))
    }

    /// As [`Client::submit`], and leaves a watch.
    pub fn submit_and_watch<O: Watchable>(
        &self,
        operation: &O,
        watcher: impl Into<WatcherHandle>,
        callback: impl FnOnce(Result<O::Output, Error>) + Send + 'static,
    ) {
        self.view.ask(operation, Some(watcher.into()), Later(callback));
    }

    /// A znode's stat, or that there is none; the watch waits for it to come, to change or to go.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn exists_and_watch(
        &self,
        path: &str,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<(Option<Stat>, Watch), Error> {
        self.watch(&Exists::new(path), path, WatcherType::Data, watcher.into())
    }

    /// A znode's data; the watch waits for them to change or to go.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_data_and_watch(
        &self,
        path: &str,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<(Data, Watch), Error> {
        self.watch(&GetData::new(path), path, WatcherType::Data, watcher.into())
    }

    /// The names of a znode's children; the watch waits for one to come or go, or for the znode to
    /// go.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_children_and_watch(
        &self,
        path: &str,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<(Vec<String>, Watch), Error> {
        self.watch(&GetChildren::new(path), path, WatcherType::Children, watcher.into())
    }

    /// As [`Client::get_children_and_watch`], with the znode's stat.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_children_and_stat_and_watch(
        &self,
        path: &str,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<(Children, Watch), Error> {
        self.watch(&GetChildren2::new(path), path, WatcherType::Children, watcher.into())
    }

    /// The ensemble's configuration; the watch waits for another one. See [`Client::get_config`].
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_config_and_watch(&self, watcher: impl Into<WatcherHandle>) -> Result<Data, Error> {
        self.call_and_watch(&GetConfig, watcher)
    }

    /// Watches a znode, which need not exist, until the watch is removed.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn add_watch(
        &self,
        path: &str,
        mode: AddWatchMode,
        watcher: impl Into<WatcherHandle>,
    ) -> Result<Watch, Error> {
        let kind = match mode {
            AddWatchMode::Persistent => WatcherType::Persistent,
            AddWatchMode::PersistentRecursive => WatcherType::PersistentRecursive,
        };
        let ((), watch) = self.watch(&AddWatch::new(path, mode), path, kind, watcher.into())?;
        Ok(watch)
    }

    /// Removes one watcher's watches of a znode. `local` removes them here even if the server
    /// cannot be asked. At the server a persistent watch goes with its last watcher here.
    ///
    /// # Errors
    ///
    /// `NO_WATCHER` if there is no such watch; or as [`Client::call`].
    pub fn remove_watches(
        &self,
        path: &str,
        watcher: &WatcherHandle,
        kind: WatcherType,
        local: bool,
    ) -> Result<(), Error> {
        let mut request = RemoveWatches::new(path, kind);
        request.local = local;
        self.view.remove_watches(&request, Some(watcher.clone()))
    }

    /// Removes everybody's watches of a znode, here and at the server. `local` removes them here
    /// even if the server cannot be asked.
    ///
    /// # Errors
    ///
    /// `NO_WATCHER` if there is no such watch; or as [`Client::call`].
    pub fn remove_all_watches(
        &self,
        path: &str,
        kind: WatcherType,
        local: bool,
    ) -> Result<(), Error> {
        let mut request = RemoveWatches::new(path, kind);
        request.local = local;
        self.view.remove_watches(&request, None)
    }

    fn watch<O: Watchable>(
        &self,
        operation: &O,
        path: &str,
        kind: WatcherType,
        watcher: WatcherHandle,
    ) -> Result<(O::Output, Watch), Error> {
        let output = self.view.call(operation, Some(watcher.clone()))?;
        let view = self.view.clone();
        Ok((output, Watch { view, watcher, path: path.to_owned(), kind }))
    }
}
