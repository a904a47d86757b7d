//! One method for each operation.

use zookeeper_core::{
    client::operation::{
        AccessList, AclAndStat, AddWatch, Children, Create, CreateOptions, Created, Data, Delete,
        Exists, GetAcl, GetAllChildrenNumber, GetChildren, GetChildren2, GetConfig, GetData,
        GetEphemerals, MultiRead, Payload, ReadResult, Reconfig, SetAcl, SetData, Sync,
        Transaction, TransactionResult, WhoAmI,
    },
    wire::{AddWatchMode, ErrorCode, Id, Stat},
};

use super::{Call, Client, WatchCall};

impl Client {
    /// Makes a znode.
    pub fn create<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> Call<Created> {
        self.call(Create::new(path, data, options))
    }

    /// Removes a znode without children, if its data have this version; `None` is any.
    pub fn delete(&self, path: &str, version: Option<i32>) -> Call<()> {
        self.call(Delete::new(path, version))
    }

    /// Reads a znode's stat; `None` if there is no such znode.
    pub fn exists(&self, path: &str) -> Call<Option<Stat>> {
        self.call(Exists::new(path))
    }

    /// As [`Client::exists`], and watches for the znode to come, to change or to go, once.
    pub fn exists_and_watch(&self, path: &str) -> WatchCall<Option<Stat>> {
        self.call_and_watch(Exists::new(path))
    }

    /// Reads a znode's data and stat.
    pub fn get_data(&self, path: &str) -> Call<Data> {
        self.call(GetData::new(path))
    }

    /// As [`Client::get_data`], and watches for the data to change or the znode to go, once.
    pub fn get_data_and_watch(&self, path: &str) -> WatchCall<Data> {
        self.call_and_watch(GetData::new(path))
    }

    /// Replaces a znode's data, if the present ones have this version; `None` is any.
    pub fn set_data<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        version: Option<i32>,
    ) -> Call<Stat> {
        self.call(SetData::new(path, data, version))
    }

    /// Reads a znode's ACL.
    pub fn get_acl(&self, path: &str) -> Call<AclAndStat> {
        self.call(GetAcl::new(path))
    }

    /// Replaces a znode's ACL, if the present one has this version (`aversion`); `None` is any.
    pub fn set_acl(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Call<Stat> {
        self.call(SetAcl::new(path, acl, version))
    }

    /// Lists the names of a znode's children, in no order.
    pub fn get_children(&self, path: &str) -> Call<Vec<String>> {
        self.call(GetChildren::new(path))
    }

    /// As [`Client::get_children`], and watches for children to come or go, or for the znode to
    /// go, once.
    pub fn get_children_and_watch(&self, path: &str) -> WatchCall<Vec<String>> {
        self.call_and_watch(GetChildren::new(path))
    }

    /// Lists the names of a znode's children, in no order, and reads its stat.
    pub fn get_children_and_stat(&self, path: &str) -> Call<Children> {
        self.call(GetChildren2::new(path))
    }

    /// Waits until the server has applied whatever any client wrote before, so that the next read
    /// shows it. Between servers of an ensemble reads may otherwise be stale.
    pub fn sync(&self, path: &str) -> Call<()> {
        self.call(Sync::new(path))
    }

    /// Lists the session's own ephemeral znodes whose paths begin with this text. Here paths are
    /// the server's, whatever the client's root.
    pub fn get_ephemerals(&self, prefix: &str) -> Call<Vec<String>> {
        self.call(GetEphemerals::new(prefix))
    }

    /// Counts everything below a znode.
    pub fn get_all_children_number(&self, path: &str) -> Call<u32> {
        self.call(GetAllChildrenNumber::new(path))
    }

    /// Reads the ensemble's configuration.
    pub fn get_config(&self) -> Call<Data> {
        self.call(GetConfig)
    }

    /// As [`Client::get_config`], and watches for it to change, once.
    pub fn get_config_and_watch(&self) -> WatchCall<Data> {
        self.call_and_watch(GetConfig)
    }

    /// Changes the ensemble's membership; the new configuration.
    pub fn reconfig(&self, change: Reconfig) -> Call<Data> {
        self.call(change)
    }

    /// Lists the identities of this connection.
    pub fn who_am_i(&self) -> Call<Vec<Id>> {
        self.call(WhoAmI)
    }

    /// Does all of a transaction, or nothing of it.
    pub fn multi(&self, transaction: Transaction<'_>) -> Call<Vec<TransactionResult>> {
        self.call(transaction)
    }

    /// Does several reads of one state of the tree.
    pub fn multi_read(&self, reads: MultiRead<'_>) -> Call<Vec<Result<ReadResult, ErrorCode>>> {
        self.call(reads)
    }

    /// Watches a znode, or it and everything below it, until the watch is removed. The znode need
    /// not be there.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> WatchCall<()> {
        self.call_and_watch(AddWatch::new(path, mode))
    }
}
