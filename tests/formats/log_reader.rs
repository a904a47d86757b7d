//! What logs say.

use zookeeper_core::{
    SessionId, Zxid,
    storage::{
        LogDamage, LogDamageKind, LogItem, LogReader, LogTail, RECORD_LENGTH_MAX, TailState,
    },
    wire::{CreateKind, DecodeError, Encode, ErrorCode, Op, Txn, TxnHeader},
};

use crate::{
    fixtures::{
        LOG_1, LOG_29, PADDING,
        records::{Log, header},
    },
    log_tail::scan,
};

/// Every record as text, and how the log ends.
fn read(bytes: &[u8], chunk: usize, max: usize) -> (Vec<String>, Result<u64, LogDamage>) {
    let mut reader = LogReader::new(max);
    let mut chunks = bytes.chunks(chunk);
    let mut records = Vec::new();
    loop {
        let end = match reader.next() {
            Ok(LogItem::NeedBytes) => {
                match chunks.next() {
                    Some(chunk) => reader.push(chunk),
                    None => reader.finish(),
                }
                continue;
            }
            Ok(LogItem::Record(record)) => {
                records.push(format!("{record:?}"));
                continue;
            }
            Ok(LogItem::End { offset }) => Ok(offset),
            Err(damage) => Err(damage),
        };
        match end {
            Ok(offset) => assert_eq!(reader.next(), Ok(LogItem::End { offset }), "it repeats"),
            Err(damage) => assert_eq!(reader.next(), Err(damage), "it repeats"),
        }
        return (records, end);
    }
}

/// The one record of a log.
fn one<T>(log: &Log, take: impl FnOnce(TxnHeader, Txn<'_>, Option<u64>) -> T) -> T {
    let mut reader = LogReader::new(RECORD_LENGTH_MAX);
    reader.push(&log.bytes);
    match reader.next() {
        Ok(LogItem::Record(record)) => take(record.header, record.txn, record.digest),
        other => panic!("{other:?}"),
    }
}

/// A log with another record, of this payload and with the right checksum.
fn with_payload(mut log: Log, payload: &[u8]) -> Log {
    log.starts.push(log.bytes.len());
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in payload {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    log.bytes.extend(i64::from(high << 16 | low).to_be_bytes());
    log.bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    log.bytes.extend(payload);
    log.bytes.push(b'B');
    log
}

fn payload(op: Op, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    header(1).encode(op, &mut payload);
    payload.extend(body);
    payload
}

#[test]
fn every_transaction_apache_logs() {
    let mut reader = LogReader::new(RECORD_LENGTH_MAX);
    reader.push(LOG_1);
    reader.finish();
    let mut ops = Vec::new();
    let mut digests = 0;
    let end = loop {
        match reader.next().unwrap() {
            LogItem::NeedBytes => panic!("all is there"),
            LogItem::End { offset } => break offset,
            LogItem::Record(record) => {
                let number = i64::try_from(ops.len()).unwrap() + 1;
                assert_eq!(record.header.zxid, Zxid(number));
                ops.push(match &record.txn {
                    Txn::Multi(txns) => txns.iter().map(|txn| txn.op().name()).collect(),
                    txn => vec![txn.op().name()],
                });
                digests += usize::from(record.digest.is_some());
            }
        }
    };
    assert_eq!(end, (LOG_1.len() - PADDING) as u64);
    let create = ["create"; 5];
    let expected: Vec<Vec<&str>> = [
        &["create_session", "create", "create", "create2"][..],
        &create, // sequential and ephemeral
        &["create", "create", "error", "set_data", "set_data", "error", "set_acl"],
        &["create_container", "create", "create_container", "create", "delete"],
        &["create_ttl", "create_ttl", "create", "create", "delete", "error"],
    ]
    .concat()
    .into_iter()
    .map(|name| vec![name])
    .chain([
        // It logs a `create2` inside a multi as a `create`.
        vec!["create", "create", "set_data", "check", "delete", "create"],
        vec!["create", "error", "error"],
    ])
    .chain(
        [&create[..3], &["create_session", "create"]].concat().into_iter().map(|name| vec![name]),
    )
    .collect();
    assert_eq!(ops[..expected.len()], expected);
    let rest = ops[expected.len()..].concat();
    let rest_expected = [
        "delete_container",
        "delete_container",
        "create_session",
        "create",
        "close_session",
        "create",
    ];
    assert_eq!(rest, rest_expected);
    // Failed operations have no digest.
    let errors = ops.iter().filter(|ops| ops[0] == "error").count();
    assert_eq!(digests, ops.len() - errors);
}

#[test]
fn how_the_bytes_are_cut_up_does_not_matter() {
    for log in [LOG_1, LOG_29] {
        let whole = read(log, log.len(), RECORD_LENGTH_MAX);
        assert_eq!(whole.1, Ok((log.len() - PADDING) as u64));
        for chunk in [1, 3, 64, 511, 4096] {
            assert_eq!(read(log, chunk, RECORD_LENGTH_MAX), whole, "in chunks of {chunk}");
        }
    }
}

#[test]
fn closing_a_session_with_and_without_a_list() {
    let paths = |log: &Log| {
        one(log, |_, txn, digest| match txn {
            Txn::CloseSession { paths } => (paths.map(|paths| paths.join(" ")), digest),
            other => panic!("{other:?}"),
        })
    };
    let of = |body: &[u8]| with_payload(Log::new(), &payload(Op::CloseSession, body));
    let digest = [2_i32.to_vec(), 9_u64.to_vec()].concat();
    let list = [2_i32.to_vec(), "/a".to_vec(), "/b".to_vec()].concat();
    // As servers before 3.6 write it, and as `closeSessionTxn.enabled=false` does.
    assert_eq!(paths(&of(&[])), (None, None));
    assert_eq!(paths(&of(&digest)), (None, Some(9)));
    assert_eq!(paths(&of(&list)), (Some("/a /b".into()), None));
    assert_eq!(paths(&of(&[&list[..], &digest].concat())), (Some("/a /b".into()), Some(9)));
    assert_eq!(paths(&of(&[&0_i32.to_vec()[..], &digest].concat())), (Some("".into()), Some(9)));
}

#[test]
fn creates_of_the_oldest_logs_count_nothing() {
    let fields = ["/a".to_vec(), 0_i32.to_vec(), 0_i32.to_vec(), true.to_vec()].concat();
    let log = with_payload(Log::new(), &payload(Op::Create, &fields));
    let (kind, count) = one(&log, |_, txn, digest| match txn {
        Txn::Create { kind, parent_cversion, .. } if digest.is_none() => (kind, parent_cversion),
        other => panic!("{other:?}"),
    });
    assert_eq!((kind, count), (CreateKind::Ephemeral, -1));
}

#[test]
fn digests_of_other_algorithms_and_pieces_of_one_are_ignored() {
    let body = ErrorCode::NO_NODE.to_vec();
    for (behind, digest) in [
        ([2_i32.to_vec(), 9_u64.to_vec()].concat(), Some(9)),
        ([3_i32.to_vec(), 9_u64.to_vec()].concat(), None),
        ([2_i32.to_vec(), vec![0; 7]].concat(), None),
        ([2_i32.to_vec(), 9_u64.to_vec(), vec![1; 5]].concat(), Some(9)),
    ] {
        let log = with_payload(Log::new(), &payload(Op::Error, &[&body[..], &behind].concat()));
        let read = one(&log, |header, txn, digest| (header.session, txn.op(), digest));
        assert_eq!(read, (SessionId(7), Op::Error, digest));
    }
}

#[test]
fn what_is_no_transaction_is_damage_to_the_byte() {
    let of = |op, body: &[u8]| with_payload(Log::of([0]), &payload(op, body));
    let offset = Log::of([0]).bytes.len() as u64;
    let misplaced = DecodeError::MisplacedOperation(Op::Check.code());
    let unknown = DecodeError::UnknownValue { what: "transaction", value: Op::GetData.code() };
    for (log, error) in [
        (of(Op::SetData, &[0, 0, 0, 9, b'/']), DecodeError::Truncated(8)),
        (of(Op::Check, &[&"/a".to_vec()[..], &0_i32.to_vec()].concat()), misplaced),
        (of(Op::GetData, &[]), unknown),
        (of(Op::Delete, &[0, 0, 0, 1, 0xff]), DecodeError::InvalidText),
        (with_payload(Log::of([0]), b"short"), DecodeError::Truncated(3)),
    ] {
        let (records, end) = read(&log.bytes, 64, RECORD_LENGTH_MAX);
        let kind = LogDamageKind::Transaction(error);
        assert_eq!((records.len(), end), (1, Err(LogDamage { offset, kind })));
    }
}

#[test]
fn a_record_may_be_as_long_as_the_limit_and_no_longer() {
    let log = Log::of([1]);
    let length = log.bytes.len() - 16 - 13;
    assert_eq!(read(&log.bytes, 64, length).1, Ok(log.bytes.len() as u64));
    let (records, end) = read(&log.bytes, 64, length - 1);
    let damage = end.unwrap_err();
    let [length, max] = [length as u64, length as u64 - 1];
    assert_eq!(damage, LogDamage { offset: 16, kind: LogDamageKind::TooLong { length, max } });
    assert!(damage.to_string().contains("jute.maxbuffer"), "{damage}");
    assert!(records.is_empty());
}

#[test]
fn zxids_rise_inside_a_file() {
    let log = Log::of([3, 9, 0x1_0000_0001]);
    assert_eq!(read(&log.bytes, 64, RECORD_LENGTH_MAX).0.len(), 3);
    for again in [9, 8] {
        let log = Log::of([3, 9, again]);
        let (records, end) = read(&log.bytes, 64, RECORD_LENGTH_MAX);
        let kind = LogDamageKind::Order { last: Zxid(9), found: Zxid(again) };
        assert_eq!((records.len(), end.unwrap_err().kind), (2, kind));
    }
}

#[test]
fn headers() {
    let log = Log::new().bytes;
    for (bytes, end) in [
        (&[][..], Ok(0)),
        (&[0; 40], Ok(0)),
        (&[0; 7], Ok(0)),
        (&log, Ok(16)),
        (&log[..9], Err(LogDamageKind::HeaderCut { present: 9 })),
        (&log[..3], Err(LogDamageKind::HeaderCut { present: 3 })),
        (b"ZKSN\0\0\0\x02\0\0\0\0\0\0\0\0", Err(LogDamageKind::Magic { found: 0x5a4b_534e })),
        (b"ZX", Err(LogDamageKind::Magic { found: 0x5a58_4c47 })),
        (b"ZKLG\0\0\0\x03\0\0\0\0\0\0\0\0", Err(LogDamageKind::Version { found: 3 })),
    ] {
        let (records, found) = read(bytes, 5, RECORD_LENGTH_MAX);
        assert_eq!(found.map_err(|damage| damage.kind), end, "{bytes:x?}");
        assert!(records.is_empty());
        let tail = scan(bytes, 5).1;
        if let Ok(offset) = end {
            let length = bytes.len() as u64 - offset;
            assert_eq!(tail, LogTail { offset, length, state: TailState::Clean });
        }
    }
}
