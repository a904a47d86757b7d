//! Requests as clients send them, on few paths, so that they meet: most succeed or fail for a
//! reason, some are nonsense.

use zookeeper_core::{
    Rng,
    wire::{
        AclEntry, AuthRequest, Blob, CreateRequest, CreateTtlRequest, Encode, List, MultiOp,
        MultiOps, Op, PathRequest, ReadRequest, ReconfigRequest, Request, RequestHeader, SaslToken,
        SetAclRequest, SetDataRequest, SetWatches2, Text, VersionRequest, WatchRequest, Xid, perms,
    },
};

use super::values::{index, long_number, number};

const PATHS: [&str; 20] = [
    "/a",
    "/a",
    "/a",
    "/a/b",
    "/a/b",
    "/a/b/c",
    "/b",
    "/b",
    "/b/n-",
    "/c",
    "/",
    "/zookeeper",
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/config",
    "",
    "a",
    "/a/",
    "/a/./b",
    "/a\0",
];

const LIMITS: [&[u8]; 4] =
    [b"count=2,bytes=-1", b"count=-1,bytes=9", b"count=1,bytes=5;byteHardLimit=6", b"count="];

const ENTRIES: [(i32, &str, &str); 7] = [
    (perms::ALL, "world", "anyone"),
    (perms::READ, "world", "anyone"),
    (perms::ALL, "auth", ""),
    (perms::ALL, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
    (perms::READ, "ip", "127.0.0.0/8"),
    (perms::ALL, "ip", "::1"),
    (-1, "nobody", "knows"),
];

/// The body of a frame: a header with `xid`, and an arbitrary request for `op`. Where clients may
/// not send `op`, there is a path behind the header.
pub fn request(rng: &mut Rng, xid: Xid, op: Op) -> Vec<u8> {
    let mut bytes = RequestHeader { xid, op: op.code() }.to_vec();
    match op {
        Op::Multi | Op::MultiRead => multi(rng, op, &mut bytes),
        Op::SetWatches | Op::SetWatches2 => set_watches(rng, op, &mut bytes),
        Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl | Op::SetAcl => {
            with_acl(rng, op, &mut bytes);
        }
        _ => plain(rng, op, &mut bytes),
    }
    bytes
}

fn plain(rng: &mut Rng, op: Op, out: &mut Vec<u8>) {
    let path = path(rng);
    let read = ReadRequest { path, watch: rng.one_in(2) };
    let watch = WatchRequest { path, mode: small(rng, 7) };
    let request = match op {
        Op::Delete => Request::Delete(VersionRequest { path, version: version(rng) }),
        Op::Exists => Request::Exists(read),
        Op::GetData => Request::GetData(read),
        Op::GetChildren => Request::GetChildren(read),
        Op::GetChildren2 => Request::GetChildren2(read),
        Op::GetAcl => Request::GetAcl(PathRequest { path }),
        Op::Sync => Request::Sync(PathRequest { path }),
        Op::GetEphemerals => Request::GetEphemerals(PathRequest { path }),
        Op::GetAllChildrenNumber => Request::GetAllChildrenNumber(PathRequest { path }),
        Op::CheckWatches => Request::CheckWatches(watch),
        Op::RemoveWatches => Request::RemoveWatches(watch),
        Op::AddWatch => Request::AddWatch(WatchRequest { mode: small(rng, 3), ..watch }),
        Op::SetData => {
            let data = data(rng);
            let data = data.as_deref().map(Blob::Slice);
            return Request::SetData(SetDataRequest { path, data, version: version(rng) })
                .encode(out);
        }
        Op::Auth => Request::Auth(auth(rng)),
        Op::Sasl => Request::Sasl(SaslToken { token: Some(Blob::Slice(b"token")) }),
        Op::Reconfig => Request::Reconfig(ReconfigRequest {
            joining: path,
            leaving: None,
            new_members: None,
            config_id: long_number(rng),
        }),
        Op::Ping => Request::Ping,
        Op::WhoAmI => Request::WhoAmI,
        Op::CloseSession => Request::CloseSession,
        _ => return path.encode(out),
    };
    request.encode(out);
}

fn with_acl(rng: &mut Rng, op: Op, out: &mut Vec<u8>) {
    let (data, entries) = (data(rng), entries(rng));
    let acl = entries.as_deref().map(List::new);
    let create = CreateRequest {
        path: path(rng),
        data: data.as_deref().map(Blob::Slice),
        acl,
        flags: small(rng, 7),
    };
    match op {
        Op::Create => Request::Create(create).encode(out),
        Op::Create2 => Request::Create2(create).encode(out),
        Op::CreateContainer => Request::CreateContainer(create).encode(out),
        Op::CreateTtl => Request::CreateTtl(with_ttl(rng, create)).encode(out),
        _ => {
            let version = version(rng);
            Request::SetAcl(SetAclRequest { path: create.path, acl, version }).encode(out);
        }
    }
}

fn with_ttl<'a>(rng: &mut Rng, create: CreateRequest<'a>) -> CreateTtlRequest<'a> {
    let CreateRequest { path, data, acl, .. } = create;
    let ttl_ms = if rng.one_in(4) { long_number(rng) } else { 500 };
    CreateTtlRequest { path, data, acl, flags: 5_i32.wrapping_add(small(rng, 2)), ttl_ms }
}

fn multi(rng: &mut Rng, op: Op, out: &mut Vec<u8>) {
    let (data, entries) = (data(rng), entries(rng));
    let is_read = (op == Op::MultiRead) != rng.one_in(16);
    let operations: Vec<MultiOp<'_>> = (0..rng.below(6))
        .map(|_| {
            let path = path(rng);
            let data = data.as_deref().map(Blob::Slice);
            let acl = entries.as_deref().map(List::new);
            let create = CreateRequest { path, data, acl, flags: small(rng, 5) };
            let checked = VersionRequest { path, version: version(rng) };
            let read = ReadRequest { path, watch: rng.one_in(4) };
            match rng.below(7) {
                0 if is_read => MultiOp::GetChildren(read),
                _ if is_read => MultiOp::GetData(read),
                0 => MultiOp::Create(create),
                1 => MultiOp::Create2(create),
                2 => MultiOp::CreateContainer(create),
                3 => MultiOp::CreateTtl(with_ttl(rng, create)),
                4 => MultiOp::Delete(checked),
                5 => MultiOp::SetData(SetDataRequest { path, data, version: version(rng) }),
                _ => MultiOp::Check(checked),
            }
        })
        .collect();
    MultiOps::new(&operations).encode(out);
}

fn set_watches(rng: &mut Rng, op: Op, out: &mut Vec<u8>) {
    let mut paths = || -> Vec<_> { (0..rng.below(4)).map(|_| path(rng)).collect() };
    let lists = [paths(), paths(), paths(), paths(), paths()];
    let [data, exist, child, persistent, recursive] =
        lists.each_ref().map(|paths| Some(List::new(paths)));
    let relative_zxid = if rng.one_in(4) { long_number(rng) } else { i64::from(small(rng, 20)) };
    let watches = SetWatches2 { relative_zxid, data, exist, child, persistent, recursive };
    if op == Op::SetWatches2 {
        return watches.encode(out);
    }
    relative_zxid.encode(out);
    [data, exist, child].iter().for_each(|paths| paths.encode(out));
}

fn auth(rng: &mut Rng) -> AuthRequest<'static> {
    let (scheme, credentials) = [
        ("digest", "bob:pw"),
        ("digest", "super:test"),
        ("digest", ""),
        ("ip", "127.0.0.1"),
        ("nobody", "knows"),
    ][index(rng, 5)];
    let credentials = Some(Blob::Slice(credentials.as_bytes()));
    AuthRequest { kind: 0, scheme: Some(scheme.into()), credentials }
}

fn path(rng: &mut Rng) -> Option<Text<'static>> {
    PATHS.get(index(rng, PATHS.len() + 1)).map(|&path| path.into())
}

fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.below(8) {
        0 => None,
        1 => Some(LIMITS[index(rng, LIMITS.len())].to_vec()),
        2 => Some(vec![b'x'; index(rng, 6_000)]),
        _ => Some(vec![b'x'; index(rng, 20)]),
    }
}

fn entries(rng: &mut Rng) -> Option<Vec<AclEntry<'static>>> {
    let entry = |index: usize| {
        let Some(&(perms, scheme, id)) = ENTRIES.get(index) else {
            return AclEntry { perms: perms::ALL, scheme: None, id: None };
        };
        AclEntry { perms, scheme: Some(scheme.into()), id: Some(id.into()) }
    };
    match rng.below(8) {
        0 => None,
        1 | 2 => Some((0..rng.below(4)).map(|_| entry(index(rng, ENTRIES.len() + 1))).collect()),
        _ => Some(vec![entry(0)]),
    }
}

fn version(rng: &mut Rng) -> i32 {
    if rng.one_in(2) { -1 } else { small(rng, 3) }
}

/// Mostly in `0..bound`.
fn small(rng: &mut Rng, bound: u64) -> i32 {
    if rng.one_in(32) { number(rng) } else { i32::try_from(rng.below(bound)).unwrap_or(0) }
}
