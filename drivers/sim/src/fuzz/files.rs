//! Files made from a fuzzer's bytes: mostly right, to get past checksums, and then damaged.

use zookeeper_core::{
    SessionId, Zxid,
    storage::{RECORD_END, SnapshotEncoder, encode_file_header},
    tree::StoredStat,
    wire::Acl,
};

/// The unit that a disk loses, in bytes.
const SECTOR: usize = 512;

/// Takes bytes from the front; zeros where there are none left.
#[derive(Clone, Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Ends a file; also the end of the input does.
const END: u8 = 0xff;

/// A log of records, zeros and whatever else, and what happened to it. The first transaction is the
/// one after `zxid`.
pub(super) fn log(input: &mut Input<'_>, mut zxid: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_file_header(&mut bytes);
    while !input.is_empty() {
        match input.byte() {
            END => break,
            kind @ 0..0x80 => {
                // Its payload, whose zxid is the next one, or the one after that, or as it came.
                let length = input.number();
                let mut payload = input.take(length).to_vec();
                if kind & 3 != 3
                    && let Some(place) = payload.get_mut(12..20)
                {
                    zxid += 1 + i64::from(kind & 3 == 2);
                    place.copy_from_slice(&zxid.to_be_bytes());
                }
                bytes.extend(i64::from(adler32(&payload)).to_be_bytes());
                bytes.extend(u32::try_from(payload.len()).unwrap_or(0).to_be_bytes());
                bytes.extend(payload);
                bytes.push(RECORD_END);
            }
            0x80..0xa0 => bytes.resize(bytes.len() + input.number() % 4096, 0),
            0xa0..0xc0 => {
                let length = usize::from(input.byte());
                bytes.extend(input.take(length));
            }
            kind => damage(kind, input, &mut bytes),
        }
    }
    bytes
}

/// A snapshot, and what happened to it.
pub(super) fn snapshot(input: &mut Input<'_>) -> Vec<u8> {
    let mut encoder = SnapshotEncoder::new();
    let sessions = input.byte() % 4;
    encoder.count(sessions.into());
    for id in 0..sessions {
        encoder.session(SessionId(i64::from(id) + 1), i32::from(input.byte()) * 100);
    }
    let acls = input.byte() % 4;
    encoder.count(acls.into());
    for index in 0..acls {
        let perms = i32::from(input.byte());
        encoder.acl(i64::from(index) + 1, &[Acl::new(perms, "world", "anyone")]);
    }
    encoder.node("", Some(b""), -1, &StoredStat::default());
    let mut bytes = Vec::new();
    let mut has_nodes = true;
    while !input.is_empty() {
        match input.byte() {
            END => break,
            kind @ 0..0xa0 if has_nodes => node(kind, input, &mut encoder),
            kind @ 0xa0..0xc0 if has_nodes => {
                encoder.end_nodes();
                let zxid = Zxid(i64::from(kind & 7));
                if kind & 0x08 == 0 {
                    encoder.digest(zxid, (kind & 0x10 == 0).then_some(5));
                    encoder.last_zxid(zxid);
                }
                bytes.extend(encoder.take());
                has_nodes = false;
            }
            0..0xc0 => {}
            kind => {
                bytes.extend(encoder.take());
                damage(kind, input, &mut bytes);
            }
        }
    }
    if has_nodes {
        encoder.end_nodes();
    }
    bytes.extend(encoder.take());
    bytes
}

/// A znode not too deep down, with a name of one letter, so that parents are there now and then.
fn node(kind: u8, input: &mut Input<'_>, encoder: &mut SnapshotEncoder) {
    let depth = 1 + kind % 3;
    let path: String =
        (0..depth).flat_map(|_| ['/', char::from(b'a' + input.byte() % 4)]).collect();
    let owner = match kind >> 2 & 7 {
        0 => i64::MIN,
        1 => 0x00ff_i64 << 56 | 5,
        owner @ 2..4 => owner.into(),
        _ => 0,
    };
    let zxid = Zxid(input.byte().into());
    let length = usize::from(input.byte());
    let acl = if kind & 0x20 == 0 { -1 } else { i64::from(input.byte() % 4) };
    let stat = StoredStat { czxid: zxid, mzxid: zxid, pzxid: zxid, owner, ..StoredStat::default() };
    let data = (kind & 0x40 == 0).then(|| input.take(length));
    encoder.node(&path, data, acl, &stat);
}

/// Something happens to a file.
fn damage(kind: u8, input: &mut Input<'_>, bytes: &mut Vec<u8>) {
    let length = bytes.len().max(1);
    let place = input.number() % length;
    match kind % 3 {
        0 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << (kind / 3 % 8);
            }
        }
        1 => bytes.truncate(place),
        _ => {
            let start = place / SECTOR * SECTOR;
            let end = (start + SECTOR).min(bytes.len());
            bytes[start..end].fill(0);
        }
    }
}

/// By its definition; what is fuzzed has another one.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}
