//! The operations as blocking calls.

use zookeeper_core::{
    Secret,
    client::{
        ConnectString, Error,
        operation::{
            AccessList, AclAndStat, AddAuth, Children, Create, CreateOptions, Created, Data,
            Delete, Exists, GetAcl, GetAllChildrenNumber, GetChildren, GetChildren2, GetConfig,
            GetData, GetEphemerals, MultiRead, Payload, ReadResult, Reconfig, SetAcl, SetData,
            Sync, Transaction, TransactionResult, WhoAmI,
        },
    },
    wire::{ErrorCode, Id, Stat},
};

use super::{Client, commands::Work};

/// Every call here is [`Client::call`] with the operation of its name, and fails as it does.
impl Client {
    /// Creates a znode, by default a persistent one that everybody may use.
    ///
    /// # Errors
    ///
    /// `NODE_EXISTS`, `NO_NODE` for the parent, `NO_CHILDREN_FOR_EPHEMERALS`, or as
    /// [`Client::call`].
    pub fn create<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> Result<Created, Error> {
        self.call(&Create::new(path, data, options))
    }

    /// Removes a znode that has no children, if its data have this version; `None` is any.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, `NOT_EMPTY`, `BAD_VERSION`, or as [`Client::call`].
    pub fn delete(&self, path: &str, version: Option<i32>) -> Result<(), Error> {
        self.call(&Delete::new(path, version))
    }

    /// A znode's stat, or that there is none.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn exists(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.call(&Exists::new(path))
    }

    /// A znode's data and stat.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn get_data(&self, path: &str) -> Result<Data, Error> {
        self.call(&GetData::new(path))
    }

    /// Replaces a znode's data, if they have this version; `None` is any.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, `BAD_VERSION`, or as [`Client::call`].
    pub fn set_data<'a>(
        &self,
        path: &'a str,
        data: impl Into<Payload<'a>>,
        version: Option<i32>,
    ) -> Result<Stat, Error> {
        self.call(&SetData::new(path, data, version))
    }

    /// A znode's access control list and stat.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn get_acl(&self, path: &str) -> Result<AclAndStat, Error> {
        self.call(&GetAcl::new(path))
    }

    /// Replaces a znode's access control list, if it has this version; `None` is any.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, `BAD_VERSION`, `INVALID_ACL`, or as [`Client::call`].
    pub fn set_acl(
        &self,
        path: &str,
        acl: impl Into<AccessList>,
        version: Option<i32>,
    ) -> Result<Stat, Error> {
        self.call(&SetAcl::new(path, acl, version))
    }

    /// The names of a znode's children, in no order.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn get_children(&self, path: &str) -> Result<Vec<String>, Error> {
        self.call(&GetChildren::new(path))
    }

    /// The names of a znode's children, and its stat.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn get_children_and_stat(&self, path: &str) -> Result<Children, Error> {
        self.call(&GetChildren2::new(path))
    }

    /// How many znodes there are below this one, at any depth.
    ///
    /// # Errors
    ///
    /// `NO_NODE`, or as [`Client::call`].
    pub fn get_all_children_number(&self, path: &str) -> Result<u32, Error> {
        self.call(&GetAllChildrenNumber::new(path))
    }

    /// The paths of the session's own ephemeral znodes that begin with `prefix`, as text. Both are
    /// the server's paths: they know no chroot.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_ephemerals(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.call(&GetEphemerals::new(prefix))
    }

    /// Waits until the server has caught up with the ensemble's leader: what is read then is as new
    /// as this call.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn sync(&self, path: &str) -> Result<(), Error> {
        self.call(&Sync::new(path))
    }

    /// Does all of a transaction or nothing of it. The results stand in the order of its
    /// operations.
    ///
    /// # Errors
    ///
    /// [`Error::Multi`] says which operation failed, or as [`Client::call`].
    pub fn multi(&self, transaction: &Transaction<'_>) -> Result<Vec<TransactionResult>, Error> {
        self.call(transaction)
    }

    /// Several reads at once. Each has a result of its own.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn multi_read(
        &self,
        reads: &MultiRead<'_>,
    ) -> Result<Vec<Result<ReadResult, ErrorCode>>, Error> {
        self.call(reads)
    }

    /// The ensemble's configuration.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn get_config(&self) -> Result<Data, Error> {
        self.call(&GetConfig)
    }

    /// Changes the ensemble, and returns its new configuration.
    ///
    /// # Errors
    ///
    /// `RECONFIG_DISABLED`, `NEW_CONFIG_NO_QUORUM`, or as [`Client::call`].
    pub fn reconfig(&self, change: &Reconfig) -> Result<Data, Error> {
        self.call(change)
    }

    /// The identities that the server knows this session by.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn who_am_i(&self) -> Result<Vec<Id>, Error> {
        self.call(&WhoAmI)
    }

    /// Takes on an identity, now and after every reconnect.
    ///
    /// # Errors
    ///
    /// As [`Client::call`]. A refusal ends the session; a lost connection does not take it back.
    pub fn add_auth(&self, scheme: &str, credentials: impl Into<Vec<u8>>) -> Result<(), Error> {
        let credentials = Secret(credentials.into());
        let work = Work::AddAuth { scheme: scheme.to_owned(), credentials };
        self.view.call_session(work, |_, result| AddAuth::output(result))
    }

    /// Replaces the list of servers. The client may move to another one at once, with some
    /// probability, so that clients spread evenly. The chroot of `servers` does not matter.
    ///
    /// # Errors
    ///
    /// The session is over.
    pub fn update_hosts(&self, servers: ConnectString) -> Result<(), Error> {
        self.view.call_session(Work::UpdateHosts(servers.hosts), |_, result| {
            result.map(drop).map_err(Error::from)
        })
    }
}
