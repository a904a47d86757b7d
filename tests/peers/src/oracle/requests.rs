//! Requests of every kind, most of them sensible.

use zookeeper_core::Rng;
use zookeeper_core::wire::{
    AclEntry, AuthRequest, Blob, CreateRequest, CreateTtlRequest, Encode, ErrorCode, List,
    MultiHeader, Op, PathRequest, ReadRequest, ReconfigRequest, SaslToken, SetAclRequest,
    SetDataRequest, Text, VersionRequest, WatchRequest,
};

use super::pools::{
    AclSpec, FLAGS, NAMES, OPEN_ACL, RESERVED, SUPERUSER, TTL_FLAGS, TTLS_MS, UNWATCHED, USERS,
    between, pick,
};
use super::script::Slot;
use super::world::{WatchKind, World};

/// A request without its header, or an operation of a multi.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The operation's number.
    pub(crate) op: i32,
    /// What it asks for, for the report.
    pub(crate) text: String,
    /// The record.
    pub(crate) record: Vec<u8>,
    /// The age of the zxid at the record's front, if there is one.
    pub(crate) zxid_age: Option<i64>,
}

/// Makes requests for one client.
#[derive(Debug)]
pub(crate) struct Maker<'a> {
    /// The source of chance.
    pub(crate) rng: &'a mut Rng,
    /// What there is.
    pub(crate) world: &'a World,
    /// The client.
    pub(crate) slot: Slot,
    /// Whether other requests travel with this one.
    pub(crate) is_pipelined: bool,
    /// Whether it should succeed, as far as that can be known.
    pub(crate) is_friendly: bool,
    /// Whether it becomes a part of a multi.
    pub(crate) is_in_multi: bool,
}

/// Every operation with its weight.
const REQUESTS: &[(u64, Op)] = &[
    (16, Op::Create),
    (7, Op::Create2),
    (3, Op::CreateContainer),
    (4, Op::CreateTtl),
    (13, Op::Delete),
    (10, Op::SetData),
    (5, Op::SetAcl),
    (6, Op::Exists),
    (7, Op::GetData),
    (4, Op::GetChildren),
    (5, Op::GetChildren2),
    (4, Op::GetAcl),
    (2, Op::Sync),
    (2, Op::GetEphemerals),
    (2, Op::GetAllChildrenNumber),
    (5, Op::AddWatch),
    (3, Op::CheckWatches),
    (3, Op::RemoveWatches),
    (3, Op::SetWatches),
    (3, Op::SetWatches2),
    (12, Op::Multi),
    (3, Op::MultiRead),
    (2, Op::Auth),
    (1, Op::Sasl),
    (1, Op::WhoAmI),
    (1, Op::Ping),
    (1, Op::Reconfig),
];

/// What a multi is made of, with weights.
const MULTI_WRITES: &[(u64, Op)] = &[
    (10, Op::Create),
    (5, Op::Create2),
    (2, Op::CreateContainer),
    (2, Op::CreateTtl),
    (7, Op::Delete),
    (7, Op::SetData),
    (5, Op::Check),
];

impl Piece {
    fn new(op: Op, detail: &str, record: Vec<u8>) -> Self {
        let text = if detail.is_empty() { op.to_string() } else { format!("{op} {detail}") };
        Self { op: op.code(), text, record, zxid_age: None }
    }
}

impl Maker<'_> {
    /// Any request.
    pub(crate) fn request(&mut self) -> Piece {
        self.weighted(REQUESTS)
    }

    /// A request for `op`.
    fn of(&mut self, op: Op) -> Piece {
        match op {
            Op::Create | Op::Create2 | Op::CreateContainer => self.create(op),
            Op::CreateTtl => self.create_ttl(),
            Op::Delete | Op::Check => self.versioned(op),
            Op::SetData => self.set_data(),
            Op::SetAcl => self.set_acl(),
            Op::Exists | Op::GetData | Op::GetChildren | Op::GetChildren2 => self.read(op),
            Op::GetAcl | Op::Sync | Op::GetEphemerals | Op::GetAllChildrenNumber => {
                self.path_only(op)
            }
            Op::AddWatch => self.add_watch(),
            Op::CheckWatches | Op::RemoveWatches => self.watch_type(op),
            Op::SetWatches | Op::SetWatches2 => self.set_watches(op),
            Op::Multi => self.multi(),
            Op::MultiRead => self.multi_read(),
            Op::Auth => self.auth(),
            Op::Sasl => self.sasl(),
            Op::Reconfig => self.reconfig(),
            other => Piece::new(other, "", Vec::new()),
        }
    }

    /// `create`, `create2` or `createContainer` anywhere.
    pub(crate) fn create(&mut self, op: Op) -> Piece {
        let flags = match op {
            // With other flags, what a multi makes of it depends on the version, and one that is
            // called ephemeral counts as such until it is applied.
            Op::CreateContainer if self.is_in_multi || !self.rng.one_in(4) => 4,
            Op::CreateContainer => pick(self.rng, &[0, 2, 5, 6, 7, -1]),
            _ if self.is_friendly => pick(self.rng, &[0, 0, 1, 2, 3]),
            _ => pick(self.rng, &FLAGS),
        };
        // Upstream stumbles over these and then forgets to take back what the multi has prepared,
        // which what is pipelined behind it may see.
        let is_forgotten = self.is_in_multi && self.is_pipelined && matches!(flags, 5 | 6);
        let flags = if is_forgotten { 7 } else { flags };
        let path = self.new_path(matches!(flags, 2 | 3 | 6));
        let acl = self.acl();
        self.create_of(op, path.as_deref(), acl.as_deref(), flags)
    }

    /// `create` with everything given but the data.
    pub(crate) fn create_of(
        &mut self,
        op: Op,
        path: Option<&str>,
        acl: Option<&[AclSpec]>,
        flags: i32,
    ) -> Piece {
        let data = self.data();
        let entries = acl.map(entries);
        let record = CreateRequest {
            path: path.map(Text::from),
            data: blob(data.as_deref()),
            acl: entries.as_deref().map(List::new),
            flags,
        };
        let length = data.as_ref().map(Vec::len);
        let detail = format!("{path:?} {length:?} bytes, flags {flags}, acl {acl:?}");
        Piece::new(op, &detail, record.to_vec())
    }

    fn create_ttl(&mut self) -> Piece {
        let flags = if self.is_friendly { 5 } else { pick(self.rng, &TTL_FLAGS) };
        let mut ttl_ms = if self.is_friendly { TTLS_MS[0] } else { pick(self.rng, &TTLS_MS) };
        if !matches!(flags, 5 | 6) {
            // With a negative one, upstream writes a log record that ends it.
            ttl_ms = ttl_ms.max(0);
        }
        let path = self.new_path(flags == 6);
        let (data, acl) = (self.data(), self.acl());
        let entries = acl.as_deref().map(entries);
        let record = CreateTtlRequest {
            path: path.as_deref().map(Text::from),
            data: blob(data.as_deref()),
            acl: entries.as_deref().map(List::new),
            flags,
            ttl_ms,
        };
        let detail = format!("{path:?} flags {flags}, ttl {ttl_ms}, acl {acl:?}");
        Piece::new(Op::CreateTtl, &detail, record.to_vec())
    }

    fn versioned(&mut self, op: Op) -> Piece {
        let (path, version) = (self.path(), self.version());
        let record = VersionRequest { path: path.as_deref().map(Text::from), version };
        Piece::new(op, &format!("{path:?} version {version}"), record.to_vec())
    }

    fn set_data(&mut self) -> Piece {
        // Upstream does not survive a quota that it cannot read.
        let path = self.path().filter(|path| !path.starts_with("/zookeeper/quota/"));
        self.set_data_of(path.as_deref())
    }

    /// `setData` on `path`.
    pub(crate) fn set_data_of(&mut self, path: Option<&str>) -> Piece {
        let (data, version) = (self.data(), self.version());
        let record =
            SetDataRequest { path: path.map(Text::from), data: blob(data.as_deref()), version };
        let length = data.as_ref().map(Vec::len);
        let detail = format!("{path:?} {length:?} bytes, version {version}");
        Piece::new(Op::SetData, &detail, record.to_vec())
    }

    fn set_acl(&mut self) -> Piece {
        // Nobody but the superuser would come past a closed root: that is a scene of its own.
        let path = self.path().filter(|path| !RESERVED.contains(&path.as_str()));
        let (acl, version) = (self.acl(), self.version());
        self.set_acl_of(path.as_deref(), acl.as_deref(), version)
    }

    /// `setACL` with everything given.
    #[expect(clippy::unused_self, reason = "one of the makers")]
    pub(crate) fn set_acl_of(
        &self,
        path: Option<&str>,
        acl: Option<&[AclSpec]>,
        version: i32,
    ) -> Piece {
        let entries = acl.map(entries);
        let record = SetAclRequest {
            path: path.map(Text::from),
            acl: entries.as_deref().map(List::new),
            version,
        };
        Piece::new(Op::SetAcl, &format!("{path:?} {acl:?} version {version}"), record.to_vec())
    }

    fn read(&mut self, op: Op) -> Piece {
        let path = self.path();
        self.read_of(op, path.as_deref())
    }

    /// A read of `path`, with a watch where this client may set one.
    pub(crate) fn read_of(&mut self, op: Op, path: Option<&str>) -> Piece {
        let may_watch = path.is_some_and(|path| self.may_watch(path, WatchKind::Standard));
        let watch = may_watch && self.rng.one_in(2);
        let record = ReadRequest { path: path.map(Text::from), watch };
        let detail = format!("{path:?}{}", if watch { " and watch" } else { "" });
        Piece::new(op, &detail, record.to_vec())
    }

    fn path_only(&mut self, op: Op) -> Piece {
        let path = if op == Op::GetEphemerals && self.rng.one_in(2) {
            [None, Some("/"), Some(""), Some("/a")][between(self.rng, 0, 3)].map(str::to_owned)
        } else {
            self.path()
        };
        let record = PathRequest { path: path.as_deref().map(Text::from) };
        Piece::new(op, &format!("{path:?}"), record.to_vec())
    }

    fn add_watch(&mut self) -> Piece {
        let kind = pick(self.rng, &[WatchKind::Persistent, WatchKind::Recursive]);
        match self.watch_path(kind) {
            Some(path) if !self.rng.one_in(12) => {
                let mode = i32::from(kind == WatchKind::Recursive);
                self.watch_of(Op::AddWatch, Some(&path), mode)
            }
            path => {
                let mode = pick(self.rng, &[2, -1, 7]);
                self.watch_of(Op::AddWatch, path.as_deref(), mode)
            }
        }
    }

    /// `checkWatches` or `removeWatches`. 3.8.0 takes every mode for a standard watch, so those
    /// types are asked for only where this client sets no other.
    fn watch_type(&mut self, op: Op) -> Piece {
        match pick(self.rng, &[1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 0, 6, -1]) {
            mode @ (1 | 2) => {
                let path = self.watch_path(WatchKind::Standard);
                self.watch_of(op, Some(path.as_deref().unwrap_or(UNWATCHED)), mode)
            }
            mode @ (4 | 5) => self.watch_of(op, Some(UNWATCHED), mode),
            mode => {
                let kinds = [WatchKind::Standard, WatchKind::Persistent, WatchKind::Recursive];
                let kind = pick(self.rng, &kinds);
                let path = self.watch_path(kind);
                self.watch_of(op, path.as_deref(), mode)
            }
        }
    }

    #[expect(clippy::unused_self, reason = "one of the makers")]
    fn watch_of(&self, op: Op, path: Option<&str>, mode: i32) -> Piece {
        let record = WatchRequest { path: path.map(Text::from), mode };
        Piece::new(op, &format!("{path:?} {mode}"), record.to_vec())
    }

    /// `setWatches` or `setWatches2`, as after a reconnect.
    pub(crate) fn set_watches(&mut self, op: Op) -> Piece {
        let age = pick(self.rng, &[0, 1, 2, 5, 20, 1_000_000]);
        let mut record = 0_i64.to_vec();
        let mut detail = format!("{age} zxids ago");
        let lists = if op == Op::SetWatches2 { 5 } else { 3 };
        for index in 0..lists {
            let kind = match index {
                3 => WatchKind::Persistent,
                4 => WatchKind::Recursive,
                _ => WatchKind::Standard,
            };
            // Upstream works through the lists before a null one, and only then fails: to compare
            // what follows, nothing may stand before it.
            let is_null = index == 0 && self.rng.one_in(20);
            let list = (!is_null).then(|| self.watch_list(kind));
            detail.push_str(&format!(" {list:?}"));
            let paths: Option<Vec<Option<Text<'_>>>> = list
                .as_ref()
                .map(|list| list.iter().map(|path| Some(Text::from(&**path))).collect());
            record.extend(paths.as_deref().map(List::new).to_vec());
        }
        Piece { zxid_age: Some(age), ..Piece::new(op, &detail, record) }
    }

    fn watch_list(&mut self, kind: WatchKind) -> Vec<String> {
        (0..between(self.rng, 0, 4)).filter_map(|_| self.watch_path(kind)).collect()
    }

    /// A transaction of several operations.
    pub(crate) fn multi(&mut self) -> Piece {
        let was_friendly = self.is_friendly;
        self.is_friendly |= !self.rng.one_in(3);
        self.is_in_multi = true;
        let count = between(self.rng, 0, 5);
        let mut pieces: Vec<Piece> = (0..count).map(|_| self.weighted(MULTI_WRITES)).collect();
        // Something that was made in the same multi is set and removed in it.
        if let (true, Some(made)) = (self.rng.one_in(4), pieces.first().cloned()) {
            let name = format!("/{}", pick(self.rng, &NAMES));
            if made.op == Op::Create.code() {
                let acl = Some(OPEN_ACL.as_slice());
                pieces.push(self.create_of(Op::Create, Some(&name), acl, 0));
                pieces.push(self.set_data_of(Some(&name)));
                let record = VersionRequest { path: Some(Text::from(&*name)), version: -1 };
                pieces.push(Piece::new(Op::Delete, &format!("{name:?}"), record.to_vec()));
            }
        }
        if !self.is_friendly && self.rng.one_in(8) {
            let odd = self.odd_sub_operation();
            pieces.push(odd);
        }
        self.is_friendly = was_friendly;
        self.is_in_multi = false;
        multi_of(Op::Multi, &pieces)
    }

    fn multi_read(&mut self) -> Piece {
        let count = between(self.rng, 0, 4);
        let mut pieces: Vec<Piece> = (0..count)
            .map(|_| {
                let op = pick(self.rng, &[Op::GetData, Op::GetChildren]);
                self.read(op)
            })
            .collect();
        if self.rng.one_in(8) {
            let odd = self.odd_sub_operation();
            pieces.push(odd);
        }
        multi_of(Op::MultiRead, &pieces)
    }

    /// Something that does not belong into the multi at hand, or into any.
    fn odd_sub_operation(&mut self) -> Piece {
        match self.rng.below(5) {
            0 => self.read(Op::GetData),
            1 => self.versioned(Op::Delete),
            2 => self.read(Op::Exists),
            3 => multi_of(Op::Multi, &[]),
            _ => Piece {
                op: 77,
                text: "operation 77".to_owned(),
                record: vec![0; 20],
                zxid_age: None,
            },
        }
    }

    /// Credentials that every server takes.
    pub(crate) fn auth(&mut self) -> Piece {
        let choice = self.rng.below(20);
        let (scheme, credentials) = match choice {
            0 => ("digest", SUPERUSER),
            1 => ("ip", ""),
            2 => ("digest", ""),
            3 => ("digest", "nocolon"),
            _ => ("digest", pick(self.rng, &USERS).0),
        };
        auth_of(Some(scheme), Some(credentials.as_bytes()))
    }

    fn sasl(&mut self) -> Piece {
        let token = self.rng.next_u64().to_be_bytes();
        let token = &token[..between(self.rng, 0, 8)];
        let record = SaslToken { token: Some(Blob::Slice(token)) };
        Piece::new(Op::Sasl, &format!("{} bytes", token.len()), record.to_vec())
    }

    fn reconfig(&mut self) -> Piece {
        let record = ReconfigRequest {
            joining: Some(Text::from("server.1=localhost:1:2;3")),
            leaving: None,
            new_members: None,
            config_id: i64::from(self.version()),
        };
        Piece::new(Op::Reconfig, "", record.to_vec())
    }

    fn weighted(&mut self, table: &[(u64, Op)]) -> Piece {
        let mut left = self.rng.below(table.iter().map(|(weight, _)| weight).sum());
        for &(weight, op) in table {
            if left < weight {
                return self.of(op);
            }
            left -= weight;
        }
        self.of(Op::Ping)
    }
}

/// An `auth` request.
#[must_use]
pub(crate) fn auth_of(scheme: Option<&str>, credentials: Option<&[u8]>) -> Piece {
    let record = AuthRequest {
        kind: 0,
        scheme: scheme.map(Text::from),
        credentials: credentials.map(Blob::Slice),
    };
    let shown = credentials.map(|credentials| credentials.escape_ascii().to_string());
    Piece::new(Op::Auth, &format!("{scheme:?} {shown:?}"), record.to_vec())
}

/// A multi of these operations.
#[must_use]
pub(crate) fn multi_of(op: Op, pieces: &[Piece]) -> Piece {
    let mut record = Vec::new();
    let mut detail = String::new();
    for piece in pieces {
        MultiHeader { op: piece.op, done: false, error: ErrorCode(-1) }.encode(&mut record);
        record.extend_from_slice(&piece.record);
        detail.push_str("\n        ");
        detail.push_str(&piece.text);
    }
    MultiHeader::END.encode(&mut record);
    Piece::new(op, &format!("of {}{detail}", pieces.len()), record)
}

fn entries(acl: &[AclSpec]) -> Vec<AclEntry<'static>> {
    acl.iter()
        .map(|&(perms, scheme, id)| AclEntry {
            perms,
            scheme: scheme.map(Text::from_static),
            id: id.map(Text::from_static),
        })
        .collect()
}

fn blob(data: Option<&[u8]>) -> Option<Blob<'_>> {
    data.map(Blob::Slice)
}
