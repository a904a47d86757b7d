//! All that a server's clients can see of its tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use futures_lite::future::block_on;
use zookeeper_core::SessionId;
use zookeeper_core::client::Error;
use zookeeper_core::wire::{Acl, Stat};
use zookeeper_smol::Client;

use super::load::client;
use crate::client::Settings;
use crate::oracle::pools::SUPERUSER;

/// How many differences are shown.
const SHOWN: usize = 20;

/// A znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    /// Its data; `None` is null.
    pub data: Option<Vec<u8>>,
    /// Everything about it.
    pub stat: Stat,
    /// Who may do what with it.
    pub acl: Vec<Acl>,
}

/// Every znode, those of the server itself included, seen by the superuser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    znodes: BTreeMap<String, Znode>,
}

impl Picture {
    /// Reads the tree. Nobody else may write meanwhile.
    ///
    /// # Panics
    ///
    /// If the server cannot be read.
    #[must_use]
    pub fn take(server: SocketAddr) -> Self {
        let mut settings = Settings::new(server);
        settings.auth.push(("digest".to_owned(), SUPERUSER.as_bytes().to_vec()));
        let client = client(&settings);
        let mut picture = Self::default();
        // Level by level: all reads of one are under way at once.
        let mut level = vec!["/".to_owned()];
        while !level.is_empty() {
            level = picture.read(&client, level).expect("the superuser may read everything");
        }
        block_on(client.close());
        picture
    }

    /// Reads these znodes; their children.
    fn read(&mut self, client: &Client, level: Vec<String>) -> Result<Vec<String>, Error> {
        let calls: Vec<_> = level
            .iter()
            .map(|path| (client.get_data(path), client.get_acl(path), client.get_children(path)))
            .collect();
        let mut next = Vec::new();
        for (path, (data, acl, children)) in level.into_iter().zip(calls) {
            let data = block_on(data)?;
            let acl = block_on(acl)?;
            let prefix = if path == "/" { "" } else { &path };
            next.extend(block_on(children)?.iter().map(|name| format!("{prefix}/{name}")));
            let bytes = (!data.is_null).then(|| data.data.to_vec());
            self.znodes.insert(path, Znode { data: bytes, stat: data.stat, acl: acl.acl });
        }
        Ok(next)
    }

    /// How many znodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.znodes.len()
    }

    /// Whether there are none, which no server can say of itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.znodes.is_empty()
    }

    /// A znode.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)
    }

    /// Every session that has ephemeral znodes, with their paths in order.
    #[must_use]
    pub fn ephemerals(&self) -> BTreeMap<i64, Vec<String>> {
        let mut all: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (path, znode) in &self.znodes {
            if znode.stat.ephemeral_owner != SessionId::NONE {
                all.entry(znode.stat.ephemeral_owner.0).or_default().push(path.clone());
            }
        }
        all
    }

    /// # Panics
    ///
    /// If `other` is not the same picture; says what differs.
    pub fn assert_same(&self, other: &Self, what: &str) {
        if self == other {
            return;
        }
        let mut text = String::new();
        let paths: BTreeSet<_> = self.znodes.keys().chain(other.znodes.keys()).collect();
        let unlike = paths.into_iter().filter(|path| self.get(path) != other.get(path));
        let mut count = 0;
        for path in unlike {
            count += 1;
            if count <= SHOWN {
                let (one, two) = (self.get(path), other.get(path));
                let _ = writeln!(text, "{path:?}\n  before {one:?}\n  after  {two:?}");
            }
        }
        panic!("{what}: {count} znodes differ\n{text}");
    }
}
