//! Requests that own what they say, for scripts.

use zookeeper_core::{
    Zxid,
    wire::{
        AclEntry, Blob, CreateRequest, CreateTtlRequest, Encode, ErrorCode, List, MultiHeader, Op,
        PathRequest, Paths, ReadRequest, ReconfigRequest, SetAclRequest, SetDataRequest,
        SetWatches, SetWatches2, Text, VersionRequest, WatchRequest,
    },
};

/// An entry of an ACL as a client sends it: permissions, scheme, id.
pub type Entry = (i32, Option<String>, Option<String>);

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `create`, `create2`, `createContainer`, `createTTL`.
    Create {
        /// Which of them.
        op: Op,
        /// The path or its prefix.
        path: Option<String>,
        /// The data.
        data: Option<Vec<u8>>,
        /// The ACL.
        acl: Option<Vec<Entry>>,
        /// The create mode.
        flags: i32,
        /// Sent with `createTTL` only.
        ttl_ms: i64,
    },
    /// `delete`, `check`.
    Versioned {
        /// Which of them.
        op: Op,
        /// The znode.
        path: Option<String>,
        /// The expected version.
        version: i32,
    },
    /// `setData`.
    SetData {
        /// The znode.
        path: Option<String>,
        /// The data.
        data: Option<Vec<u8>>,
        /// The expected version.
        version: i32,
    },
    /// `setACL`.
    SetAcl {
        /// The znode.
        path: Option<String>,
        /// The ACL.
        acl: Option<Vec<Entry>>,
        /// The expected ACL version.
        version: i32,
    },
    /// `exists`, `getData`, `getChildren`, `getChildren2`.
    Read {
        /// Which of them.
        op: Op,
        /// The znode.
        path: Option<String>,
        /// Whether to leave a watch.
        watch: bool,
    },
    /// `getACL`, `sync`, `getEphemerals`, `getAllChildrenNumber`.
    OnPath {
        /// Which of them.
        op: Op,
        /// The znode or prefix.
        path: Option<String>,
    },
    /// `checkWatches`, `removeWatches`, `addWatch`.
    OnWatch {
        /// Which of them.
        op: Op,
        /// Where.
        path: String,
        /// The type or mode.
        code: i32,
    },
    /// `setWatches` (the first three lists), `setWatches2` (all five).
    SetWatches {
        /// Which of them.
        op: Op,
        /// What the client has seen.
        since: i64,
        /// Data, exist, child, persistent, recursive.
        lists: [Option<Vec<String>>; 5],
    },
    /// `multi`, `multiRead`.
    Multi {
        /// Which of them.
        op: Op,
        /// The operations.
        parts: Vec<Self>,
    },
    /// `whoAmI`.
    WhoAmI,
    /// `reconfig`.
    Reconfig,
}

impl Operation {
    /// The operation code.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Create { op, .. }
            | Self::Versioned { op, .. }
            | Self::Read { op, .. }
            | Self::OnPath { op, .. }
            | Self::OnWatch { op, .. }
            | Self::SetWatches { op, .. }
            | Self::Multi { op, .. } => *op,
            Self::SetData { .. } => Op::SetData,
            Self::SetAcl { .. } => Op::SetAcl,
            Self::WhoAmI => Op::WhoAmI,
            Self::Reconfig => Op::Reconfig,
        }
    }

    /// The record as a client sends it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Create { op, path, data, acl, flags, ttl_ms } => {
                let (path, data, acl) = (text(path), blob(data), entries(acl));
                let (acl, flags) = (acl.as_deref().map(List::new), *flags);
                if *op == Op::CreateTtl {
                    let ttl_ms = *ttl_ms;
                    CreateTtlRequest { path, data, acl, flags, ttl_ms }.to_vec()
                } else {
                    CreateRequest { path, data, acl, flags }.to_vec()
                }
            }
            Self::Versioned { path, version, .. } => {
                VersionRequest { path: text(path), version: *version }.to_vec()
            }
            Self::SetData { path, data, version } => {
                SetDataRequest { path: text(path), data: blob(data), version: *version }.to_vec()
            }
            Self::SetAcl { path, acl, version } => {
                let acl = entries(acl);
                let acl = acl.as_deref().map(List::new);
                SetAclRequest { path: text(path), acl, version: *version }.to_vec()
            }
            Self::Read { path, watch, .. } => {
                ReadRequest { path: text(path), watch: *watch }.to_vec()
            }
            Self::OnPath { path, .. } => PathRequest { path: text(path) }.to_vec(),
            Self::OnWatch { path, code, .. } => {
                WatchRequest { path: Some((&**path).into()), mode: *code }.to_vec()
            }
            Self::SetWatches { op, since, lists } => set_watches(*op, Zxid(*since), lists),
            Self::Multi { parts, .. } => {
                let mut bytes = Vec::new();
                for part in parts {
                    let op = part.op().code();
                    MultiHeader { op, done: false, error: ErrorCode(-1) }.encode(&mut bytes);
                    bytes.extend(part.to_bytes());
                }
                MultiHeader::END.encode(&mut bytes);
                bytes
            }
            Self::WhoAmI => Vec::new(),
            Self::Reconfig => {
                let (joining, leaving, new_members) = (None, None, None);
                ReconfigRequest { joining, leaving, new_members, config_id: -1 }.to_vec()
            }
        }
    }
}

fn set_watches(op: Op, since: Zxid, lists: &[Option<Vec<String>>; 5]) -> Vec<u8> {
    let lists = lists.each_ref().map(texts);
    let [data, exist, child, persistent, recursive] =
        lists.each_ref().map(|list| -> Option<Paths<'_>> { list.as_deref().map(List::new) });
    let relative_zxid = since.0;
    if op == Op::SetWatches {
        SetWatches { relative_zxid, data, exist, child }.to_vec()
    } else {
        SetWatches2 { relative_zxid, data, exist, child, persistent, recursive }.to_vec()
    }
}

fn texts(list: &Option<Vec<String>>) -> Option<Vec<Option<Text<'_>>>> {
    Some(list.as_ref()?.iter().map(|path| Some((&**path).into())).collect())
}

fn text(text: &Option<String>) -> Option<Text<'_>> {
    text.as_deref().map(Text::from)
}

fn blob(data: &Option<Vec<u8>>) -> Option<Blob<'_>> {
    data.as_deref().map(Blob::from)
}

fn entries(acl: &Option<Vec<Entry>>) -> Option<Vec<AclEntry<'_>>> {
    let mut entries = Vec::new();
    for (perms, scheme, id) in acl.as_ref()? {
        entries.push(AclEntry { perms: *perms, scheme: text(scheme), id: text(id) });
    }
    Some(entries)
}
