//! What snapshots say.

use zookeeper_core::{
    SessionId, Zxid,
    storage::{
        Compression, RECORD_LENGTH_MAX, SnapshotDamage, SnapshotEncoder, SnapshotItem,
        SnapshotReader,
    },
    tree::{StoredNode, StoredStat},
};

use crate::fixtures::{
    SNAPSHOT_0, SNAPSHOT_28, SNAPSHOT_31, SNAPSHOT_31_GZ, SNAPSHOT_31_SNAPPY, Seen, seen,
};

/// Calls back with every item but the last.
pub(crate) fn read(
    compression: Compression,
    bytes: &[u8],
    chunk: usize,
    mut tell: impl FnMut(SnapshotItem<'_>),
) -> Result<(), SnapshotDamage> {
    let mut reader = SnapshotReader::new(compression, RECORD_LENGTH_MAX);
    let mut chunks = bytes.chunks(chunk);
    loop {
        match reader.next() {
            Ok(SnapshotItem::NeedBytes) => match chunks.next() {
                Some(chunk) => reader.push(chunk),
                None => reader.finish(),
            },
            Ok(SnapshotItem::End) => {
                assert_eq!(reader.next(), Ok(SnapshotItem::End), "it repeats");
                return Ok(());
            }
            Ok(item) => tell(item),
            Err(damage) => {
                assert_eq!(reader.next(), Err(damage), "it repeats");
                return Err(damage);
            }
        }
    }
}

/// All items as text.
pub(crate) fn texts(compression: Compression, bytes: &[u8], chunk: usize) -> Vec<String> {
    let mut texts = Vec::new();
    read(compression, bytes, chunk, |item| texts.push(format!("{item:?}"))).unwrap();
    texts
}

fn to_seen(node: &StoredNode<'_>) -> Seen {
    let acl = node.acl.iter().map(|acl| format!("{},{},{}", acl.perms, acl.id.scheme, acl.id.id));
    let owner = node.stat.owner.cast_unsigned();
    Seen {
        path: if node.path.is_empty() { "/".into() } else { node.path.into() },
        data: node.data.as_ref().map(|data| data.to_vec()),
        acl: acl.collect::<Vec<_>>().join(" "),
        czxid: node.stat.czxid.0,
        mzxid: node.stat.mzxid.0,
        pzxid: node.stat.pzxid.0,
        ctime_ms: node.stat.ctime_ms,
        mtime_ms: node.stat.mtime_ms,
        version: node.stat.version,
        cversion: node.stat.cversion,
        aversion: node.stat.aversion,
        // Containers and TTL znodes have no owner that a client sees.
        owner: if owner >> 56 >= 0x80 { 0 } else { owner },
        children: 0,
    }
}

#[test]
fn every_znode_is_what_a_client_saw() {
    let mut nodes = Vec::new();
    let mut sessions = Vec::new();
    let mut digest = None;
    read(Compression::None, SNAPSHOT_31, 4096, |item| match item {
        SnapshotItem::Node(node) => nodes.push(to_seen(&node)),
        SnapshotItem::Session { session, timeout_ms } => sessions.push((session, timeout_ms)),
        SnapshotItem::Digest { zxid, digest: found } => digest = found.map(|found| (zxid, found)),
        SnapshotItem::Acl { index, list } => assert!(index > 0 && !list.is_empty()),
        other => panic!("{other:?}"),
    })
    .unwrap();
    nodes.sort();
    let parents: Vec<String> = nodes
        .iter()
        .filter(|node| node.path != "/")
        .map(|node| node.path.rsplit_once('/').unwrap().0)
        .map(|parent| if parent.is_empty() { "/".into() } else { parent.into() })
        .collect();
    for node in &mut nodes {
        let children = parents.iter().filter(|parent| **parent == node.path).count();
        node.children = i32::try_from(children).unwrap();
        node.cversion = 2 * node.cversion - node.children;
    }
    let mut seen = seen();
    seen.sort();
    assert_eq!(nodes, seen);
    let ids = [0x0100_0017_2c94_0001, 0x0100_0017_3fd4_0000].map(SessionId);
    assert_eq!(sessions, ids.map(|id| (id, 40_000)));
    // A server that has done nothing since its start has no digest to write.
    assert_eq!(digest, Some((Zxid(0), 0)));
}

#[test]
fn compressed_snapshots_say_the_same() {
    let mut plain = texts(Compression::None, SNAPSHOT_31, 4096);
    plain.retain(|text| !text.starts_with("Digest"));
    plain.sort();
    let mut digests = Vec::new();
    for (compression, bytes) in
        [(Compression::Gzip, SNAPSHOT_31_GZ), (Compression::Snappy, SNAPSHOT_31_SNAPPY)]
    {
        for chunk in [1, 100, 1 << 20] {
            let mut texts = texts(compression, bytes, chunk);
            texts.sort();
            digests.extend(texts.extract_if(.., |text| text.starts_with("Digest")));
            assert!(texts == plain, "{compression:?} in chunks of {chunk}");
        }
    }
    assert_eq!(digests[0], "Digest { zxid: 0x31, digest: Some(33336397100) }");
}

#[test]
fn how_the_bytes_are_cut_up_does_not_matter() {
    for snapshot in [SNAPSHOT_0, SNAPSHOT_28] {
        let whole = texts(Compression::None, snapshot, snapshot.len());
        for chunk in [1, 2, 13, 500] {
            assert_eq!(texts(Compression::None, snapshot, chunk), whole, "in chunks of {chunk}");
        }
    }
}

#[test]
fn a_fresh_snapshot() {
    let texts = texts(Compression::None, SNAPSHOT_0, 4096);
    assert_eq!(texts.iter().filter(|text| text.starts_with("Node")).count(), 4);
    assert_eq!(texts.last().unwrap(), "Digest { zxid: 0x0, digest: Some(0) }");
}

/// A small snapshot up to the first seal.
fn body() -> SnapshotEncoder {
    let mut encoder = SnapshotEncoder::new();
    encoder.count(0);
    encoder.count(0);
    encoder.node("", None, -1, &StoredStat::default());
    encoder.end_nodes();
    encoder
}

#[test]
fn a_snapshot_may_end_behind_every_seal() {
    let mut encoder = body();
    let one = encoder.take();
    encoder.digest(Zxid(5), Some(6));
    let two = [&one[..], &encoder.take()].concat();
    encoder.last_zxid(Zxid(5));
    let three = [&two[..], &encoder.take()].concat();
    // Without a digest; nobody but 3.9 writes that.
    let mut encoder = body();
    encoder.last_zxid(Zxid(5));
    let other = encoder.take();
    let (digest, last) = ("Digest { zxid: 0x5, digest: Some(6) }", "LastZxid(0x5)");
    // What versions to come may add is not looked at.
    let more = [&three[..], b"more"].concat();
    for (bytes, expected) in [
        (one, &[][..]),
        (two, &[digest]),
        (three, &[digest, last]),
        (other, &[last]),
        (more, &[digest, last]),
    ] {
        for chunk in [1, 20, 4096] {
            let texts = texts(Compression::None, &bytes, chunk);
            assert_eq!(texts[1..], *expected);
        }
    }
}

#[test]
fn digests_of_the_first_version_are_text() {
    let mut encoder = body();
    let mut digest = 5_i64.to_be_bytes().to_vec();
    digest.extend(1_i32.to_be_bytes());
    digest.extend(4_i32.to_be_bytes());
    digest.extend(b"1a2b");
    encoder.records().extend_from_slice(&digest);
    // Its seal is made with the next section, which starts where that seal would end.
    let bytes = encoder.take();
    let sum = {
        let (mut low, mut high) = (1_u32, 0_u32);
        for byte in &bytes {
            low = (low + u32::from(*byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        i64::from(high << 16 | low)
    };
    let bytes = [&bytes[..], &sum.to_be_bytes(), b"\0\0\0\x01/"].concat();
    let texts = texts(Compression::None, &bytes, 4096);
    assert_eq!(texts.last().unwrap(), "Digest { zxid: 0x5, digest: None }");
}
