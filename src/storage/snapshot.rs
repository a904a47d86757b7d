//! The snapshot's format.
//!
//! ```text
//! file:   header │ sessions │ ACLs │ znodes │ "/" │ seal │ digest │ seal │ last zxid │ seal
//! header: magic i32 │ version i32 │ database id i64
//! seal:   Adler-32 of everything before it i64 │ "/"
//! digest: zxid i64 │ digest version i32 │ tree digest i64
//! ```
//!
//! Sessions and ACLs are counted, znodes end with a path that none of them has. What follows the
//! first seal may be left out from its end.
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileSnap` and `SnapStream`.

use std::mem;

use simd_adler32::Adler32;

use super::log::DIGEST_VERSION;
use crate::{
    ids::{SessionId, Zxid},
    tree::{StoredStat, encode_listed_acl, encode_node, encode_session},
    wire::{Acl, Encode},
};

/// `ZKSN`.
pub const SNAPSHOT_MAGIC: i32 = 0x5a4b_534e;

/// The only version there is.
pub const SNAPSHOT_VERSION: i32 = 2;

/// What stands in for a database id.
const DATABASE_ID: i64 = -1;

/// Ends the znodes, and every seal.
const END: &str = "/";

/// Encodes one snapshot from front to back; its bytes are taken piece by piece.
///
/// ```text
///  0             length - out.len()              length
///  ├── taken ────┤├── out ────────────────────────┤
///  ├── in the checksum ───┤ (out[..summed] is in it)
/// ```
#[derive(Debug)]
pub struct SnapshotEncoder {
    out: Vec<u8>,
    summed: usize,
    checksum: u32,
    length: u64,
}

impl SnapshotEncoder {
    /// Starts with the header.
    #[must_use]
    pub fn new() -> Self {
        let mut out = Vec::new();
        SNAPSHOT_MAGIC.encode(&mut out);
        SNAPSHOT_VERSION.encode(&mut out);
        DATABASE_ID.encode(&mut out);
        Self { out, summed: 0, checksum: Adler32::new().finish(), length: 0 }
    }

    /// How many sessions, or how many ACLs, follow.
    pub fn count(&mut self, count: usize) {
        i32::try_from(count).unwrap_or(i32::MAX).encode(&mut self.out);
    }

    /// A session.
    pub fn session(&mut self, session: SessionId, timeout_ms: i32) {
        encode_session(session, timeout_ms, &mut self.out);
    }

    /// An ACL and the index that znodes name it by.
    pub fn acl(&mut self, index: i64, acl: &[Acl]) {
        encode_listed_acl(index, acl, &mut self.out);
    }

    /// A znode, behind its parent. The root's path is empty; an ACL that lets everyone do everything
    /// has the index -1 and stands in no table.
    pub fn node(&mut self, path: &str, data: Option<&[u8]>, acl_index: i64, stat: &StoredStat) {
        encode_node(path, data, acl_index, stat, &mut self.out);
    }

    /// Where sessions, ACLs and znodes go that somebody else encodes, counts included: what
    /// [`Tree::snapshot_chunk`](crate::tree::Tree::snapshot_chunk) appends to.
    pub const fn records(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Ends the znodes, with a seal.
    pub fn end_nodes(&mut self) {
        END.encode(&mut self.out);
        self.seal();
    }

    /// The tree's digest at a transaction, with a seal; where no digest is kept the zxid is zero.
    pub fn digest(&mut self, zxid: Zxid, digest: Option<u64>) {
        let zxid = if digest.is_some() { zxid } else { Zxid::ZERO };
        zxid.0.encode(&mut self.out);
        DIGEST_VERSION.encode(&mut self.out);
        digest.unwrap_or_default().encode(&mut self.out);
        self.seal();
    }

    /// The newest transaction in the snapshot, with a seal.
    pub fn last_zxid(&mut self, zxid: Zxid) {
        zxid.0.encode(&mut self.out);
        self.seal();
    }

    /// Bytes that wait to be taken.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Bytes encoded so far, those taken included.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length + self.out.len() as u64
    }

    /// Takes what was encoded since the last time.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.sum();
        self.summed = 0;
        self.length += self.out.len() as u64;
        mem::take(&mut self.out)
    }

    fn seal(&mut self) {
        self.sum();
        i64::from(self.checksum).encode(&mut self.out);
        END.encode(&mut self.out);
    }

    /// Brings the checksum up to date.
    fn sum(&mut self) {
        let mut adler = Adler32::from_checksum(self.checksum);
        adler.write(&self.out[self.summed..]);
        self.checksum = adler.finish();
        self.summed = self.out.len();
    }
}

impl Default for SnapshotEncoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::perms;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn stat(zxid: i64) -> StoredStat {
        let zxid = Zxid(zxid);
        StoredStat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime_ms: 2,
            mtime_ms: 3,
            version: 4,
            cversion: 5,
            aversion: 6,
            owner: 7,
        }
    }

    fn small(take_always: bool) -> Vec<u8> {
        let mut encoder = SnapshotEncoder::new();
        let mut out = Vec::new();
        let mut step = |encoder: &mut SnapshotEncoder| {
            if take_always {
                out.extend(encoder.take());
                assert_eq!((encoder.waiting(), encoder.length()), (0, out.len() as u64));
            }
        };
        step(&mut encoder);
        encoder.count(1);
        encoder.session(SessionId(0x0100_0000_0000_0001), 30_000);
        step(&mut encoder);
        encoder.count(1);
        encoder.acl(1, &[Acl::new(perms::READ, "world", "anyone")]);
        step(&mut encoder);
        encoder.node("", None, -1, &StoredStat::default());
        encoder.node("/a", Some(b"x"), 1, &stat(8));
        step(&mut encoder);
        encoder.end_nodes();
        step(&mut encoder);
        encoder.digest(Zxid(8), Some(9));
        step(&mut encoder);
        encoder.last_zxid(Zxid(8));
        out.extend(encoder.take());
        assert_eq!(encoder.length(), out.len() as u64);
        out
    }

    #[test]
    fn every_field_is_where_apache_reads_it() {
        let bytes = small(false);
        let body = [
            "5a4b534e 00000002 ffffffffffffffff",
            "00000001 0100000000000001 00007530",
            "00000001 0000000000000001 00000001 00000001",
            "00000005 776f726c64 00000006 616e796f6e65",
            "00000000 ffffffff ffffffffffffffff",
            &"00".repeat(60),
            "00000002 2f61 00000001 78 0000000000000001",
            "0000000000000008 0000000000000008 0000000000000002 0000000000000003",
            "00000004 00000005 00000006 0000000000000007 0000000000000008",
            "00000001 2f",
        ];
        let body = body.concat().replace(' ', "");
        assert_eq!(hex(&bytes[..body.len() / 2]), body);
        let rest = &bytes[body.len() / 2..];
        let seals = [(0, 13), (13 + 20, 13), (13 + 20 + 13 + 8, 13)];
        for (start, length) in seals {
            let before = &bytes[..body.len() / 2 + start];
            let checksum = u64::from(simd_adler32::adler32(&before)).to_be_bytes();
            let seal = [&checksum[..], &[0, 0, 0, 1, b'/']].concat();
            assert_eq!(hex(&rest[start..start + length]), hex(&seal));
        }
        let digest = "0000000000000008 00000002 0000000000000009".replace(' ', "");
        assert_eq!(hex(&rest[13..33]), digest);
        assert_eq!(hex(&rest[46..54]), "0000000000000008");
        assert_eq!(rest.len(), 67);
    }

    #[test]
    fn taking_it_in_pieces_changes_nothing() {
        assert_eq!(small(true), small(false));
    }

    #[test]
    fn without_a_digest_the_section_says_so() {
        let mut encoder = SnapshotEncoder::new();
        let _ = encoder.take();
        encoder.digest(Zxid(8), None);
        assert_eq!(hex(&encoder.take()[..20]), "0000000000000000000000020000000000000000");
    }
}
