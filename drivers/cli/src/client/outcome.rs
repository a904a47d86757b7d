//! What a command found or did, before anybody decides how to show it.

use bytes::Bytes;
use zookeeper_core::{
    client::operation::{Created, TransactionResult},
    wire::{Acl, Id, Stat},
};

use super::transfer::{End, Progress};

/// The outcome of one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Everything was shown on the way.
    Shown,
    /// It is done, to this znode.
    Done { path: String },
    /// The server took the credentials.
    Authenticated { scheme: String },
    /// The children of a znode, sorted.
    Children { path: String, names: Vec<String>, stat: Option<Stat> },
    /// Paths, in an order of their own.
    Paths(Vec<String>),
    /// Data.
    Data { path: String, data: Bytes, stat: Option<Stat>, stat_wanted: bool },
    /// A stat.
    Stat { path: String, stat: Stat },
    /// A znode came.
    Created { created: Created, stat_wanted: bool },
    /// Data or an ACL was set.
    Set { path: String, stat: Stat, stat_wanted: bool },
    /// An ACL.
    Acl { path: String, acl: Vec<Acl>, stat: Stat, stat_wanted: bool },
    /// Znodes went; some had gone before they were reached.
    Deleted { path: String, deleted: u64, gone: u64 },
    /// Znodes got an ACL; some had gone before they were reached.
    AclSet { path: String, changed: u64, gone: u64 },
    /// Znodes were written to a file.
    Exported { file: String, end: End },
    /// Znodes were made, or would be.
    Imported { into: String, progress: Progress, is_dry: bool },
    /// A number of znodes.
    Count { path: String, count: u32 },
    /// Identities.
    Identities(Vec<Id>),
    /// What each operation of a multi did: its name, its path, and what came of it.
    Multi(Vec<(&'static str, String, TransactionResult)>),
    /// Something is on or off.
    Switch { name: &'static str, is_on: bool },
    /// What a server said to a four-letter word.
    Answer { server: String, text: Bytes },
}
