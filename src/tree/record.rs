//! The records of which a snapshot is made.
//!
//! Behaviour: `org.apache.zookeeper.server.util.SerializeUtils.serializeSnapshot`,
//! `ReferenceCountedACLCache.serialize` and `org.apache.zookeeper.data.StatPersisted`.

use super::StoredStat;
use crate::{
    ids::SessionId,
    wire::{Acl, Blob, Encode, Sink, encode_acl},
};

/// Appends a session.
pub(crate) fn encode_session<S: Sink + ?Sized>(session: SessionId, timeout_ms: i32, out: &mut S) {
    session.0.encode(out);
    timeout_ms.encode(out);
}

/// Appends an entry of the table of ACLs.
pub(crate) fn encode_listed_acl<S: Sink + ?Sized>(index: i64, acl: &[Acl], out: &mut S) {
    index.encode(out);
    encode_acl(acl, out);
}

/// Appends a znode; the root's path is empty.
pub(crate) fn encode_node<S: Sink + ?Sized>(
    path: &str,
    data: Option<&[u8]>,
    acl_index: i64,
    stat: &StoredStat,
    out: &mut S,
) {
    path.encode(out);
    data.map(Blob::Slice).encode(out);
    acl_index.encode(out);
    stat.encode(out);
}

impl Encode for StoredStat {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.czxid.0.encode(out);
        self.mzxid.0.encode(out);
        self.ctime_ms.encode(out);
        self.mtime_ms.encode(out);
        self.version.encode(out);
        self.cversion.encode(out);
        self.aversion.encode(out);
        self.owner.encode(out);
        self.pzxid.0.encode(out);
    }
}
