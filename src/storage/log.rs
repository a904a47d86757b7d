//! The transaction log's format.
//!
//! ```text
//! file:    magic i32 │ version i32 │ database id i64 │ record │ record │ … │ zeros
//! record:  Adler-32 of payload i64 │ payload length i32 │ payload │ 'B'
//! payload: TxnHeader │ body │ digest version i32 │ tree digest i64
//! ```
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.FileTxnLog` and `Util`.

use crate::wire::{Encode, Txn, TxnHeader};

/// `ZKLG`.
pub const LOG_MAGIC: i32 = 0x5a4b_4c47;

/// The only version there is.
pub const LOG_VERSION: i32 = 2;

/// The byte behind every record.
pub const RECORD_END: u8 = b'B';

/// What a file starts with, in bytes.
pub(super) const HEADER_LENGTH: usize = 16;

/// What a record adds to its payload, in bytes.
pub(super) const RECORD_OVERHEAD: usize = 13;

/// The version of the digest's algorithm.
pub(super) const DIGEST_VERSION: i32 = 2;

/// Appends what a log file starts with.
pub fn encode_file_header(out: &mut Vec<u8>) {
    LOG_MAGIC.encode(out);
    LOG_VERSION.encode(out);
    0_i64.encode(out);
}

/// Appends one record. `digest` is the tree's after this transaction; failed operations have none.
pub fn encode_record(out: &mut Vec<u8>, header: &TxnHeader, txn: &Txn<'_>, digest: Option<u64>) {
    let start = out.len();
    0_i64.encode(out);
    0_i32.encode(out);
    let payload = out.len();
    header.encode(txn.op(), out);
    txn.encode_body(out);
    if let Some(digest) = digest {
        DIGEST_VERSION.encode(out);
        digest.encode(out);
    }
    let length = i32::try_from(out.len() - payload).unwrap_or(i32::MAX);
    let checksum = i64::from(simd_adler32::adler32(&&out[payload..]));
    out[start..start + 8].copy_from_slice(&checksum.to_be_bytes());
    out[start + 8..payload].copy_from_slice(&length.to_be_bytes());
    out.push(RECORD_END);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        SessionId, Zxid,
        wire::{Acl, Blob, CreateKind, ErrorCode},
    };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_create_as_apache_logs_it() {
        let header = TxnHeader {
            session: SessionId(0x0100_000c_aa62_0006),
            cxid: 1,
            zxid: Zxid(24),
            time_ms: 0x0000_01a2_02d7_40e0,
        };
        let txn = Txn::Create {
            create2: false,
            path: "/a".into(),
            data: Some(Blob::Slice(&[])),
            acl: Arc::new([Acl::new(31, "world", "anyone")]),
            kind: CreateKind::Persistent,
            parent_cversion: 1,
        };
        let mut out = Vec::new();
        encode_record(&mut out, &header, &txn, Some(0xe7a8_5606));
        assert_eq!(
            hex(&out),
            "000000009e720b33000000560100000caa620006000000010000000000000018000001a202d740e0\
             00000001000000022f6100000000000000010000001f00000005776f726c6400000006616e796f6e65\
             00000000010000000200000000e7a8560642"
        );
    }

    #[test]
    fn an_error_as_apache_logs_it() {
        let header = TxnHeader {
            session: SessionId(0x0100_000c_aa62_0006),
            cxid: 2,
            zxid: Zxid(25),
            time_ms: 0x0000_01a2_02d7_4160,
        };
        let mut out = Vec::new();
        encode_record(&mut out, &header, &Txn::Error(ErrorCode::NODE_EXISTS), None);
        assert_eq!(
            hex(&out),
            "0000000060710ae3000000240100000caa620006000000020000000000000019000001a202d74160\
             ffffffffffffff9242"
        );
    }

    #[test]
    fn the_file_header_as_apache_writes_it() {
        let mut out = Vec::new();
        encode_file_header(&mut out);
        assert_eq!(hex(&out), "5a4b4c47000000020000000000000000");
    }
}
