//! Arbitrary records of the wire format.
//!
//! Records borrow, so they are made in layers: [`Material`] owns bytes, [`Leaves`] lends texts and
//! small records from it, [`Records`] lends what is made of those. [`with_records`] stacks them up.

use std::cell::OnceCell;

use zookeeper_core::{
    Rng, SessionId, Zxid,
    wire::{
        Acl, AclEntry, AclList, AuthRequest, Blob, ClientInfo, ConnectRequest, ConnectResponse,
        CreateKind, CreateRequest, CreateTtlRequest, ErrorCode, List, ListSource, MultiOp,
        MultiOps, MultiResult, MultiResults, Op, PathRequest, Paths, ReadRequest, ReconfigRequest,
        ReplyHeader, Request, RequestHeader, Response, SaslToken, SetAclRequest, SetDataRequest,
        SetWatches, SetWatches2, Stat, Text, Txn, TxnHeader, VersionRequest, WatchRequest,
        WatcherEvent, Xid,
    },
};

use super::values::{byte, character, index, long_number, name, number};

/// Makes arbitrary material from `seed` and lends records of it to `body`, with the generator to
/// draw them by. Equal seeds give equal records.
pub fn with_records<R>(seed: u64, body: impl for<'a> FnOnce(&'a Records<'a>, &mut Rng) -> R) -> R {
    let mut rng = Rng::new(seed);
    let material = Material::new(&mut rng);
    let leaves = Leaves::new(&material, &mut rng);
    let records = Records::new(&leaves, &mut rng);
    body(&records, &mut rng)
}

/// Bytes to borrow from: any bytes, text, and the strings that clients really send.
#[derive(Debug)]
pub struct Material {
    strings: Vec<Vec<u8>>,
    kept: Kept,
}

/// Texts and the records made of texts and numbers alone.
#[derive(Debug)]
pub struct Leaves<'a> {
    kept: &'a Kept,
    strings: Vec<&'a [u8]>,
    texts: Vec<Option<Text<'a>>>,
    entries: Vec<AclEntry<'a>>,
    identities: Vec<ClientInfo<'a>>,
}

/// Everything that requests, replies and transactions borrow from.
#[derive(Debug)]
pub struct Records<'a> {
    leaves: &'a Leaves<'a>,
    writes: Vec<MultiOp<'a>>,
    reads: Vec<MultiOp<'a>>,
    results: Results<'a>,
}

/// A list that only grows, so that what it lends stays where it is.
#[derive(Debug, Default)]
struct Kept(OnceCell<(Vec<u8>, Box<Self>)>);

#[derive(Debug)]
struct Results<'a>(Vec<MultiResult<'a>>);

impl<'a> ListSource<'a, MultiResult<'a>> for Results<'a> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&self, index: usize) -> MultiResult<'a> {
        self.0[index]
    }
}

impl Kept {
    fn keep(&self, bytes: Vec<u8>) -> &[u8] {
        let mut last = self;
        while let Some((_, next)) = last.0.get() {
            last = next;
        }
        &last.0.get_or_init(|| (bytes, Box::default())).0
    }
}

impl Material {
    fn new(rng: &mut Rng) -> Self {
        let known = ["", "/", "/a", "/a/b", "/zookeeper/quota", "world", "anyone", "digest", "ip"];
        let mut strings: Vec<Vec<u8>> = known.map(|text| text.as_bytes().to_vec()).into();
        for _ in 0..rng.below(8) {
            let length = match rng.below(8) {
                0 => 1 + index(rng, 5000),
                _ => index(rng, 40),
            };
            strings.push((0..length).map(|_| byte(rng)).collect());
            let text = (0..index(rng, 20)).map(|_| character(rng)).collect::<String>();
            strings.push(text.into_bytes());
        }
        Self { strings, kept: Kept::default() }
    }
}

impl<'a> Leaves<'a> {
    fn new(material: &'a Material, rng: &mut Rng) -> Self {
        let strings: Vec<&[u8]> = material.strings.iter().map(Vec::as_slice).collect();
        let (texts, entries, identities) = (vec![], vec![], vec![]);
        let mut leaves = Self { kept: &material.kept, strings, texts, entries, identities };
        for _ in 0..rng.below(12) {
            leaves.texts.push(leaves.text(rng));
            leaves.entries.push(leaves.entry(rng));
            let (scheme, user) = (leaves.text(rng), leaves.text(rng));
            leaves.identities.push(ClientInfo { scheme, user });
        }
        leaves
    }

    fn string(&self, rng: &mut Rng) -> Option<&'a [u8]> {
        let index = index(rng, self.strings.len() + 2);
        self.strings.get(index).copied()
    }

    /// A text, or null.
    pub fn text(&self, rng: &mut Rng) -> Option<Text<'a>> {
        self.string(rng).map(Text::from)
    }

    /// A buffer, or null.
    pub fn blob(&self, rng: &mut Rng) -> Option<Blob<'a>> {
        self.string(rng).map(Blob::from)
    }

    /// An entry of an ACL.
    pub fn entry(&self, rng: &mut Rng) -> AclEntry<'a> {
        AclEntry { perms: number(rng), scheme: self.text(rng), id: self.text(rng) }
    }
}

impl<'a> Records<'a> {
    fn new(leaves: &'a Leaves<'a>, rng: &mut Rng) -> Self {
        let (writes, reads, results) = (vec![], vec![], Results(vec![]));
        let mut records = Self { leaves, writes, reads, results };
        for _ in 0..rng.below(10) {
            records.writes.push(records.write(rng));
            let read = records.read(rng);
            let wrap = if rng.one_in(2) { MultiOp::GetData } else { MultiOp::GetChildren };
            records.reads.push(wrap(read));
            records.results.0.push(records.result(rng));
        }
        records
    }

    /// The layer below.
    #[must_use]
    pub const fn leaves(&self) -> &'a Leaves<'a> {
        self.leaves
    }

    /// Keeps bytes for as long as what the records borrow from, so that a record decoded from them
    /// can be compared with one of these.
    #[must_use]
    pub fn keep(&self, bytes: Vec<u8>) -> &'a [u8] {
        self.leaves.kept.keep(bytes)
    }

    fn text(&self, rng: &mut Rng) -> Option<Text<'a>> {
        self.leaves.text(rng)
    }

    fn blob(&self, rng: &mut Rng) -> Option<Blob<'a>> {
        self.leaves.blob(rng)
    }

    fn paths(&self, rng: &mut Rng) -> Option<Paths<'a>> {
        list(rng, &self.leaves.texts)
    }

    fn acl(&self, rng: &mut Rng) -> Option<List<'a, AclEntry<'a>>> {
        list(rng, &self.leaves.entries)
    }

    fn create(&self, rng: &mut Rng) -> CreateRequest<'a> {
        let (path, data, acl) = (self.text(rng), self.blob(rng), self.acl(rng));
        CreateRequest { path, data, acl, flags: number(rng) }
    }

    fn create_ttl(&self, rng: &mut Rng) -> CreateTtlRequest<'a> {
        let CreateRequest { path, data, acl, flags } = self.create(rng);
        CreateTtlRequest { path, data, acl, flags, ttl_ms: long_number(rng) }
    }

    fn version(&self, rng: &mut Rng) -> VersionRequest<'a> {
        VersionRequest { path: self.text(rng), version: number(rng) }
    }

    fn read(&self, rng: &mut Rng) -> ReadRequest<'a> {
        ReadRequest { path: self.text(rng), watch: rng.one_in(2) }
    }

    fn set_data(&self, rng: &mut Rng) -> SetDataRequest<'a> {
        SetDataRequest { path: self.text(rng), data: self.blob(rng), version: number(rng) }
    }

    fn path(&self, rng: &mut Rng) -> PathRequest<'a> {
        PathRequest { path: self.text(rng) }
    }

    fn watch(&self, rng: &mut Rng) -> WatchRequest<'a> {
        WatchRequest { path: self.text(rng), mode: number(rng) }
    }

    fn set_watches2(&self, rng: &mut Rng) -> SetWatches2<'a> {
        SetWatches2 {
            relative_zxid: long_number(rng),
            data: self.paths(rng),
            exist: self.paths(rng),
            child: self.paths(rng),
            persistent: self.paths(rng),
            recursive: self.paths(rng),
        }
    }

    fn write(&self, rng: &mut Rng) -> MultiOp<'a> {
        match rng.below(7) {
            0 => MultiOp::Create(self.create(rng)),
            1 => MultiOp::Create2(self.create(rng)),
            2 => MultiOp::CreateContainer(self.create(rng)),
            3 => MultiOp::CreateTtl(self.create_ttl(rng)),
            4 => MultiOp::Delete(self.version(rng)),
            5 => MultiOp::SetData(self.set_data(rng)),
            _ => MultiOp::Check(self.version(rng)),
        }
    }

    fn result(&self, rng: &mut Rng) -> MultiResult<'a> {
        match rng.below(8) {
            0 => MultiResult::Create { path: self.text(rng) },
            1 => MultiResult::Create2 { path: self.text(rng), stat: stat(rng) },
            2 => MultiResult::Delete,
            3 => MultiResult::SetData { stat: stat(rng) },
            4 => MultiResult::Check,
            5 => MultiResult::GetData { data: self.blob(rng), stat: stat(rng) },
            6 => MultiResult::GetChildren { children: self.paths(rng) },
            _ => MultiResult::Error(ErrorCode(number(rng))),
        }
    }

    /// A request for `op`; `None` where clients may not send it.
    pub fn request(&'a self, rng: &mut Rng, op: Op) -> Option<Request<'a>> {
        Some(match op {
            Op::Create => Request::Create(self.create(rng)),
            Op::Create2 => Request::Create2(self.create(rng)),
            Op::CreateContainer => Request::CreateContainer(self.create(rng)),
            Op::CreateTtl => Request::CreateTtl(self.create_ttl(rng)),
            Op::Delete => Request::Delete(self.version(rng)),
            Op::Exists => Request::Exists(self.read(rng)),
            Op::GetData => Request::GetData(self.read(rng)),
            Op::SetData => Request::SetData(self.set_data(rng)),
            Op::GetAcl => Request::GetAcl(self.path(rng)),
            Op::SetAcl => Request::SetAcl(self.set_acl(rng)),
            Op::GetChildren => Request::GetChildren(self.read(rng)),
            Op::GetChildren2 => Request::GetChildren2(self.read(rng)),
            Op::Sync => Request::Sync(self.path(rng)),
            Op::Ping => Request::Ping,
            Op::Multi => Request::Multi(MultiOps::new(part(rng, &self.writes))),
            Op::MultiRead => Request::MultiRead(MultiOps::new(part(rng, &self.reads))),
            Op::Reconfig => Request::Reconfig(self.reconfig(rng)),
            Op::CheckWatches => Request::CheckWatches(self.watch(rng)),
            Op::RemoveWatches => Request::RemoveWatches(self.watch(rng)),
            Op::AddWatch => Request::AddWatch(self.watch(rng)),
            Op::Auth => Request::Auth(self.auth(rng)),
            Op::Sasl => Request::Sasl(SaslToken { token: self.blob(rng) }),
            Op::SetWatches => Request::SetWatches(self.set_watches(rng)),
            Op::SetWatches2 => Request::SetWatches2(self.set_watches2(rng)),
            Op::GetEphemerals => Request::GetEphemerals(self.path(rng)),
            Op::GetAllChildrenNumber => Request::GetAllChildrenNumber(self.path(rng)),
            Op::WhoAmI => Request::WhoAmI,
            Op::CloseSession => Request::CloseSession,
            _ => return None,
        })
    }

    fn set_acl(&self, rng: &mut Rng) -> SetAclRequest<'a> {
        SetAclRequest { path: self.text(rng), acl: self.acl(rng), version: number(rng) }
    }

    fn set_watches(&self, rng: &mut Rng) -> SetWatches<'a> {
        let SetWatches2 { relative_zxid, data, exist, child, .. } = self.set_watches2(rng);
        SetWatches { relative_zxid, data, exist, child }
    }

    fn auth(&self, rng: &mut Rng) -> AuthRequest<'a> {
        AuthRequest { kind: number(rng), scheme: self.text(rng), credentials: self.blob(rng) }
    }

    fn reconfig(&self, rng: &mut Rng) -> ReconfigRequest<'a> {
        ReconfigRequest {
            joining: self.text(rng),
            leaving: self.text(rng),
            new_members: self.text(rng),
            config_id: long_number(rng),
        }
    }

    /// A successful reply's record for `op`; `None` where there is no such reply.
    pub fn response(&'a self, rng: &mut Rng, op: Op) -> Option<Response<'a>> {
        Some(match op {
            Op::Create | Op::Sync => Response::Path(self.text(rng)),
            Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                Response::Create2 { path: self.text(rng), stat: stat(rng) }
            }
            Op::Exists | Op::SetData | Op::SetAcl => Response::Stat(stat(rng)),
            Op::GetData | Op::Reconfig => Response::Data { data: self.blob(rng), stat: stat(rng) },
            Op::GetAcl => Response::Acl { acl: self.acl(rng), stat: stat(rng) },
            Op::GetChildren | Op::GetEphemerals => Response::Names(self.paths(rng)),
            Op::GetChildren2 => Response::Children2 { children: self.paths(rng), stat: stat(rng) },
            Op::Multi | Op::MultiRead => Response::Multi(MultiResults::new(&self.results)),
            Op::GetAllChildrenNumber => Response::Count(number(rng)),
            Op::WhoAmI => Response::Identities(list(rng, &self.leaves.identities)),
            Op::AddWatch => Response::Error(ErrorCode(number(rng))),
            Op::Sasl => Response::Token(self.blob(rng)),
            Op::Check | Op::CreateSession | Op::Error => return None,
            _ => Response::Empty,
        })
    }

    /// What a client opens its connection with.
    pub fn connect_request(&self, rng: &mut Rng) -> ConnectRequest<'a> {
        ConnectRequest {
            protocol_version: number(rng),
            last_zxid_seen: Zxid(long_number(rng)),
            timeout_ms: number(rng),
            session: SessionId(long_number(rng)),
            password: self.blob(rng),
            read_only: flag(rng),
        }
    }

    /// What a server answers it with.
    pub fn connect_response(&self, rng: &mut Rng) -> ConnectResponse<'a> {
        ConnectResponse {
            protocol_version: number(rng),
            timeout_ms: number(rng),
            session: SessionId(long_number(rng)),
            password: self.blob(rng),
            read_only: flag(rng),
        }
    }

    /// The record of a notification.
    pub fn watcher_event(&self, rng: &mut Rng) -> WatcherEvent<'a> {
        WatcherEvent { kind: number(rng), state: number(rng), path: self.text(rng) }
    }

    /// A transaction of type `op`; `None` where the log knows no such type.
    pub fn txn(&self, rng: &mut Rng, op: Op) -> Option<Txn<'a>> {
        Some(match op {
            Op::CreateSession => Txn::CreateSession { timeout_ms: number(rng) },
            Op::CloseSession => Txn::CloseSession {
                paths: (!rng.one_in(4))
                    .then(|| (0..rng.below(5)).map(|_| name(rng).into()).collect()),
            },
            Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => Txn::Create {
                create2: op == Op::Create2,
                path: name(rng).into(),
                data: self.blob(rng),
                acl: acl_list(rng),
                kind: match op {
                    Op::CreateContainer => CreateKind::Container,
                    Op::CreateTtl => CreateKind::Ttl(long_number(rng)),
                    _ if rng.one_in(2) => CreateKind::Ephemeral,
                    _ => CreateKind::Persistent,
                },
                parent_cversion: number(rng),
            },
            Op::Delete => Txn::Delete { container: false, path: name(rng).into() },
            Op::DeleteContainer => Txn::Delete { container: true, path: name(rng).into() },
            Op::SetData => {
                Txn::SetData { path: name(rng).into(), data: self.blob(rng), version: number(rng) }
            }
            Op::SetAcl => {
                Txn::SetAcl { path: name(rng).into(), acl: acl_list(rng), version: number(rng) }
            }
            Op::Check => Txn::Check { path: name(rng).into(), version: number(rng) },
            Op::Multi => Txn::Multi(self.txns(rng)),
            Op::Error => Txn::Error(ErrorCode(number(rng))),
            _ => return None,
        })
    }

    fn txns(&self, rng: &mut Rng) -> Vec<Txn<'a>> {
        let ops = [
            Op::Create,
            Op::Create2,
            Op::CreateContainer,
            Op::CreateTtl,
            Op::Delete,
            Op::SetData,
            Op::Check,
            Op::Error,
        ];
        (0..rng.below(6))
            .filter_map(|_| {
                let op = ops[index(rng, ops.len())];
                self.txn(rng, op)
            })
            .collect()
    }
}

/// A stat of arbitrary numbers.
pub fn stat(rng: &mut Rng) -> Stat {
    Stat {
        czxid: Zxid(long_number(rng)),
        mzxid: Zxid(long_number(rng)),
        ctime_ms: long_number(rng),
        mtime_ms: long_number(rng),
        version: number(rng),
        cversion: number(rng),
        aversion: number(rng),
        ephemeral_owner: SessionId(long_number(rng)),
        data_length: number(rng),
        num_children: number(rng),
        pzxid: Zxid(long_number(rng)),
    }
}

/// The header of a request.
pub fn request_header(rng: &mut Rng) -> RequestHeader {
    RequestHeader { xid: Xid(number(rng)), op: number(rng) }
}

/// The header of a reply.
pub fn reply_header(rng: &mut Rng) -> ReplyHeader {
    let (xid, zxid) = (Xid(number(rng)), Zxid(long_number(rng)));
    ReplyHeader { xid, zxid, error: ErrorCode(number(rng)) }
}

/// The header of a transaction.
pub fn txn_header(rng: &mut Rng) -> TxnHeader {
    TxnHeader {
        session: SessionId(long_number(rng)),
        cxid: number(rng),
        zxid: Zxid(long_number(rng)),
        time_ms: long_number(rng),
    }
}

fn acl_list(rng: &mut Rng) -> AclList {
    (0..rng.below(4)).map(|_| Acl::new(number(rng), &name(rng), &name(rng))).collect()
}

/// Any slice of `elements`, or null.
fn list<'a, T: Copy>(rng: &mut Rng, elements: &'a [T]) -> Option<List<'a, T>> {
    (!rng.one_in(6)).then(|| List::new(part(rng, elements)))
}

fn part<'a, T>(rng: &mut Rng, elements: &'a [T]) -> &'a [T] {
    let end = index(rng, elements.len() + 1);
    &elements[index(rng, end + 1)..end]
}

fn flag(rng: &mut Rng) -> Option<bool> {
    [None, Some(false), Some(true)][index(rng, 3)]
}
