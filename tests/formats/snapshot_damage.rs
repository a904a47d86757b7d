//! Snapshots that were damaged: none of them is taken for whole.

use zookeeper_core::{
    Zxid,
    storage::{
        Compression, CompressionDamage, RECORD_LENGTH_MAX, SnapshotDamage, SnapshotDamageKind,
        SnapshotEncoder, SnapshotItem, SnapshotPart, SnapshotReader,
    },
    tree::StoredStat,
};

use crate::{
    fixtures::{SNAPSHOT_0, SNAPSHOT_28, SNAPSHOT_31_GZ, SNAPSHOT_31_SNAPPY},
    snapshot_reader::{read, texts},
};

fn damage(compression: Compression, bytes: &[u8]) -> Option<SnapshotDamage> {
    read(compression, bytes, 1000, |_| {}).err()
}

/// The section with the digest and its seal, in bytes.
const DIGEST: usize = 20 + 13;

#[test]
fn a_snapshot_cut_anywhere_but_behind_a_seal() {
    for snapshot in [SNAPSHOT_0, SNAPSHOT_28] {
        for length in 0..snapshot.len() {
            let found = damage(Compression::None, &snapshot[..length]);
            if length == snapshot.len() - DIGEST {
                assert_eq!(found, None);
                continue;
            }
            let damage = found.unwrap_or_else(|| panic!("cut to {length}"));
            // A file that is cut at the length of another section is taken for that.
            let is_cut = matches!(damage.kind, SnapshotDamageKind::Cut { .. });
            let is_other = length == snapshot.len() - DIGEST + 21;
            assert!(is_cut != is_other, "cut to {length}: {damage}");
            assert!(damage.offset <= length as u64);
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    for snapshot in [SNAPSHOT_0, SNAPSHOT_28] {
        for bit in 0..snapshot.len() * 8 {
            let mut bytes = snapshot.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Some(damage) = damage(Compression::None, &bytes) else {
                panic!("bit {bit} does not matter")
            };
            match bit / 8 {
                0..4 => assert!(matches!(damage.kind, SnapshotDamageKind::Magic { .. })),
                4..8 => assert!(matches!(damage.kind, SnapshotDamageKind::Version { .. })),
                _ => {}
            }
        }
    }
}

#[test]
fn each_seal_says_what_it_expected() {
    let second = SNAPSHOT_28.len() - 13;
    let first = SNAPSHOT_28.len() - DIGEST - 13;
    for (at, seal) in [(20, first), (first + 7, first), (first + 15, second), (second + 7, second)]
    {
        let mut bytes = SNAPSHOT_28.to_vec();
        // The last byte of the number of sessions, of a checksum, or of a zxid.
        bytes[at] ^= if at == 20 { 0 } else { 1 };
        if at == 20 {
            // The last byte of a session's time-out.
            bytes[31] ^= 1;
        }
        match damage(Compression::None, &bytes) {
            Some(SnapshotDamage { offset, kind: SnapshotDamageKind::Seal { expected, found } }) => {
                assert_eq!(offset, seal as u64);
                assert_ne!(expected, found);
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    let mut bytes = SNAPSHOT_28.to_vec();
    *bytes.last_mut().unwrap() = b'x';
    let found = damage(Compression::None, &bytes).unwrap();
    let kind = SnapshotDamageKind::SealEnd;
    assert_eq!(found, SnapshotDamage { offset: second as u64, kind });
}

#[test]
fn compressed_snapshots_cut_or_changed_anywhere() {
    for (compression, snapshot) in
        [(Compression::Gzip, SNAPSHOT_31_GZ), (Compression::Snappy, SNAPSHOT_31_SNAPPY)]
    {
        let whole = texts(compression, snapshot, 1000);
        for length in 0..snapshot.len() {
            let found = damage(compression, &snapshot[..length]);
            // The end of a gzip member is not waited for once the last seal was right.
            let is_over = compression == Compression::Gzip && length + 8 >= snapshot.len();
            assert!(found.is_some() || is_over, "{compression:?} cut to {length}");
        }
        for bit in 16 * 8..snapshot.len() * 8 {
            let mut bytes = snapshot.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // Some bits change how a thing is said, and not what: a distance among zeros.
            let same = || texts(compression, &bytes, 1000) == whole;
            assert!(damage(compression, &bytes).is_some() || same(), "{compression:?} {bit}");
        }
    }
    let found = damage(Compression::Snappy, b"no snappy").unwrap().kind;
    assert_eq!(found, SnapshotDamageKind::Compression(CompressionDamage::SnappyHeader));
}

#[test]
fn what_comes_out_before_damage_does_not_depend_on_how_the_bytes_came() {
    for (compression, snapshot) in
        [(Compression::Gzip, SNAPSHOT_31_GZ), (Compression::Snappy, SNAPSHOT_31_SNAPPY)]
    {
        for at in 16..snapshot.len() {
            let mut bytes = snapshot.to_vec();
            bytes[at] ^= 0x55;
            let read = |chunk| {
                let mut items = Vec::new();
                let end = read(compression, &bytes, chunk, |item| items.push(format!("{item:?}")));
                (items, end)
            };
            let whole = read(bytes.len());
            assert!([7, 100].iter().all(|chunk| read(*chunk) == whole), "byte {at}");
        }
    }
}

#[test]
fn lengths_are_believed_only_as_bytes_come() {
    let start = {
        let mut encoder = SnapshotEncoder::new();
        encoder.count(0);
        encoder.count(0);
        encoder.take()
    };
    let offset = start.len() as u64;
    let bytes = [&start[..], &i32::MAX.to_be_bytes()].concat();
    let kind = SnapshotDamageKind::TooLong {
        part: SnapshotPart::Node,
        length: u64::from(i32::MAX.unsigned_abs()) + 4,
        max: RECORD_LENGTH_MAX as u64,
    };
    let found = damage(Compression::None, &bytes).unwrap();
    assert_eq!(found, SnapshotDamage { offset, kind });
    assert!(found.to_string().contains("jute.maxbuffer"), "{found}");
    let bytes = [&start[..], &1_000_000_i32.to_be_bytes(), &[b'/'; 1000]].concat();
    let kind = SnapshotDamageKind::Cut { part: SnapshotPart::Node };
    assert_eq!(damage(Compression::None, &bytes), Some(SnapshotDamage { offset, kind }));
}

#[test]
fn a_znode_needs_an_acl_that_is_in_the_table() {
    let mut encoder = SnapshotEncoder::new();
    encoder.count(0);
    encoder.count(0);
    encoder.node("", None, -1, &StoredStat::default());
    let offset = encoder.length();
    encoder.node("/a", None, 3, &StoredStat::default());
    encoder.end_nodes();
    let kind = SnapshotDamageKind::UnknownAcl { index: 3 };
    let found = damage(Compression::None, &encoder.take());
    assert_eq!(found, Some(SnapshotDamage { offset, kind }));
}

#[test]
fn what_comes_out_of_a_small_file_comes_in_pieces() {
    let mut encoder = SnapshotEncoder::new();
    encoder.count(0);
    encoder.count(0);
    encoder.node("", None, -1, &StoredStat::default());
    let data = vec![0; 1 << 20];
    for name in 0..64 {
        encoder.node(&format!("/{name}"), Some(&data), -1, &StoredStat::default());
    }
    encoder.end_nodes();
    encoder.digest(Zxid(1), Some(2));
    let plain = encoder.take();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let bytes = gzip.finish().unwrap();
    assert!(bytes.len() < plain.len() / 500, "{} bytes", bytes.len());
    let mut reader = SnapshotReader::new(Compression::Gzip, RECORD_LENGTH_MAX);
    reader.push(&bytes);
    reader.finish();
    let mut nodes = 0;
    loop {
        match reader.next().unwrap() {
            SnapshotItem::Node(_) => nodes += 1,
            SnapshotItem::End => break,
            _ => {}
        }
        assert!(reader.buffered() < 2 << 20, "{} bytes held", reader.buffered());
    }
    assert_eq!(nodes, 65);
}
