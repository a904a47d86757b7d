//! A snapshot's bytes, read by the book: no reader of the core is asked.

use std::collections::BTreeMap;

use zookeeper_core::{
    SessionId, Zxid,
    tree::StoredStat,
    wire::{Acl, AclEntry, AclList, Blob, Reader, Text, perms},
};

/// What a snapshot holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Time-outs by session.
    pub sessions: BTreeMap<SessionId, i32>,
    /// Lists that znodes have, by index.
    pub acls: BTreeMap<i64, AclList>,
    /// The znodes by path, the root's being empty.
    pub nodes: BTreeMap<String, SnapshotNode>,
    /// The transaction of the digest, and the digest.
    pub digest: (Zxid, u64),
    /// The transaction at the end, if there is one.
    pub last_zxid: Option<Zxid>,
}

/// A znode of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotNode {
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its ACL.
    pub acl: AclList,
    /// The rest.
    pub stat: StoredStat,
}

/// Reads a whole snapshot.
///
/// # Panics
///
/// When the bytes are not exactly one: a field too short, a seal that is wrong, a znode before its
/// parent or twice, an ACL that no znode has, or bytes behind the end.
#[must_use]
pub fn read(bytes: &[u8]) -> Snapshot {
    let mut reader = Reader::new(bytes);
    assert_eq!(number::<i32>(&mut reader), 0x5a4b_534e, "ZKSN");
    assert_eq!((number::<i32>(&mut reader), number::<i64>(&mut reader)), (2, -1));
    let mut snapshot = Snapshot::default();
    for _ in 0..number::<i32>(&mut reader) {
        let session = SessionId(number(&mut reader));
        let before = snapshot.sessions.insert(session, number(&mut reader));
        assert_eq!(before, None, "{session} comes once");
    }
    for _ in 0..number::<i32>(&mut reader) {
        let index: i64 = number(&mut reader);
        assert!(index > 0, "{index} is no index of the table");
        let before = snapshot.acls.insert(index, read_acl(&mut reader));
        assert_eq!(before, None, "{index} comes once");
    }
    read_nodes(&mut reader, &mut snapshot);
    check_seal(bytes, &mut reader);
    let zxid = Zxid(number(&mut reader));
    assert_eq!(number::<i32>(&mut reader), 2, "the digest's version");
    snapshot.digest = (zxid, number(&mut reader));
    check_seal(bytes, &mut reader);
    if !reader.rest().is_empty() {
        snapshot.last_zxid = Some(Zxid(number(&mut reader)));
        check_seal(bytes, &mut reader);
    }
    assert!(reader.rest().is_empty(), "{} bytes behind the end", reader.rest().len());
    snapshot
}

fn read_nodes(reader: &mut Reader<'_>, snapshot: &mut Snapshot) {
    let open: AclList = [Acl::new(perms::ALL, "world", "anyone")].into();
    let mut used = BTreeMap::new();
    loop {
        let path: Text<'_> = reader.read().expect("a path");
        let path = path.to_str().expect("paths are text");
        if path == "/" {
            break;
        }
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        assert!(
            parent.is_none_or(|parent| snapshot.nodes.contains_key(parent)),
            "{path} has no parent"
        );
        let data: Option<Blob<'_>> = reader.read().expect("data");
        let data = data.map(|data| data.to_vec());
        let index: i64 = number(reader);
        let acl = if index == -1 { &open } else { &snapshot.acls[&index] };
        used.insert(index, ());
        let node = SnapshotNode { data, acl: acl.clone(), stat: read_stat(reader) };
        assert_eq!(snapshot.nodes.insert(path.to_owned(), node), None, "{path} comes once");
    }
    assert!(
        snapshot.acls.keys().all(|index| used.contains_key(index)),
        "every ACL is some znode's"
    );
}

fn read_acl(reader: &mut Reader<'_>) -> AclList {
    (0..number::<i32>(reader))
        .map(|_| {
            let entry: AclEntry<'_> = reader.read().expect("an entry of an ACL");
            let text = |text: Option<Text<'_>>| text.expect("text").to_str_lossy().into_owned();
            Acl::new(entry.perms, &text(entry.scheme), &text(entry.id))
        })
        .collect()
}

fn read_stat(reader: &mut Reader<'_>) -> StoredStat {
    let (czxid, mzxid) = (Zxid(number(reader)), Zxid(number(reader)));
    let (ctime_ms, mtime_ms) = (number(reader), number(reader));
    let (version, cversion, aversion) = (number(reader), number(reader), number(reader));
    let (owner, pzxid) = (number(reader), Zxid(number(reader)));
    StoredStat { czxid, mzxid, pzxid, ctime_ms, mtime_ms, version, cversion, aversion, owner }
}

/// A seal is the Adler-32 of everything before it, and a slash.
fn check_seal(bytes: &[u8], reader: &mut Reader<'_>) {
    let before = &bytes[..bytes.len() - reader.rest().len()];
    assert_eq!(number::<i64>(reader), i64::from(adler32(before)), "a seal");
    let end: Text<'_> = reader.read().expect("the end of a seal");
    assert_eq!(end.as_bytes(), b"/");
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1, 0);
    // As many as neither sum overflows with.
    for chunk in bytes.chunks(5_552) {
        for &byte in chunk {
            a += u32::from(byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    b << 16 | a
}

fn number<'a, T: zookeeper_core::wire::Decode<'a>>(reader: &mut Reader<'a>) -> T {
    reader.read().expect("a number")
}
