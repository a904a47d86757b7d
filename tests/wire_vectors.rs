//! The wire format byte by byte: what ZooKeeper's own programs send, and what nobody should.
//!
//! The vectors are written by hand, so that encoder and decoder cannot agree on a mistake.

use std::sync::Arc;

use bytes::Bytes;
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        Acl, AclEntry, AuthRequest, Blob, ClientInfo, ConnectRequest, ConnectResponse, CreateKind,
        CreateRequest, CreateTtlRequest, Decode, DecodeError, Encode, ErrorCode, List, ListSource,
        MultiOp, MultiOps, MultiResult, MultiResults, Op, PathRequest, ReadRequest, Reader,
        ReconfigRequest, ReplyHeader, Request, RequestHeader, Response, SaslToken, SetAclRequest,
        SetDataRequest, SetWatches, SetWatches2, Stat, Text, Txn, TxnHeader, VersionRequest,
        WatchRequest, WatcherEvent, Xid, perms,
    },
};

const OPEN: &str = "00000001 0000001f 00000005'world' 00000006'anyone'";
const STAT_HEX: &str = "0000000000000001 0000000000000002 0000000000000003 0000000000000004
    00000005 00000006 00000007 0000000000000008 00000009 0000000a 000000000000000b";
const STAT: Stat = Stat {
    czxid: Zxid(1),
    mzxid: Zxid(2),
    ctime_ms: 3,
    mtime_ms: 4,
    version: 5,
    cversion: 6,
    aversion: 7,
    ephemeral_owner: SessionId(8),
    data_length: 9,
    num_children: 10,
    pzxid: Zxid(11),
};

#[test]
fn handshake_with_and_without_the_read_only_flag() {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0x1234),
        timeout_ms: 10_000,
        session: SessionId(0x0100_000c_aa62_0000),
        password: Some(Blob::Slice(&[0xab; 16])),
        read_only: Some(true),
    };
    let legacy = vector(
        "00000000 0000000000001234 00002710 0100000caa620000 00000010
        abababababababababababababababab",
    );
    let current = [&legacy[..], &[1]].concat();
    assert_eq!((legacy.len(), current.len()), (44, 45));
    assert_eq!(decode(&current), Ok(request));
    assert_eq!(request.to_vec(), current);
    let request = ConnectRequest { read_only: None, ..request };
    assert_eq!(decode(&legacy), Ok(request));
    assert_eq!(request.to_vec(), legacy);

    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 0,
        session: SessionId::NONE,
        password: Some(Blob::Slice(&[0; 16])),
        read_only: Some(false),
    };
    let refusal = vector("00000000 00000000 0000000000000000 00000010") //
        .into_iter()
        .chain([0; 17])
        .collect::<Vec<_>>();
    assert_eq!(refusal.len(), 37);
    assert_eq!(decode(&refusal), Ok(response));
    assert_eq!(response.to_vec(), refusal);
    assert_eq!(decode(&refusal[..36]), Ok(ConnectResponse { read_only: None, ..response }));
}

#[test]
fn handshake_passwords_of_any_length() {
    let start = vector("00000000 0000000000000000 ffffffff 0000000000000000");
    for (rest, password) in
        [("ffffffff", None), ("00000000", Some(&b""[..])), ("00000003 'abc'", Some(b"abc"))]
    {
        let bytes = [start.clone(), vector(rest)].concat();
        let request: ConnectRequest<'_> = decode(&bytes).unwrap();
        assert_eq!(request.password.as_deref(), password);
        assert_eq!((request.timeout_ms, request.read_only), (-1, None));
    }
    let bytes = [start, vector("fffffffe")].concat();
    assert_eq!(decode::<ConnectRequest<'_>>(&bytes), Err(DecodeError::NegativeLength(-2)));
}

#[test]
fn headers() {
    let header = RequestHeader { xid: Xid(7), op: 4 };
    assert_eq!(header.to_vec(), vector("00000007 00000004"));
    let header = RequestHeader { xid: Xid::PING, op: Op::Ping.code() };
    assert_eq!(header.to_vec(), vector("fffffffe 0000000b"));
    let header = ReplyHeader { xid: Xid(7), zxid: Zxid(0x18), error: ErrorCode::NO_NODE };
    assert_eq!(header.to_vec(), vector("00000007 0000000000000018 ffffff9b"));
    let event = WatcherEvent { kind: 3, state: 3, path: Some("/a".into()) };
    assert_eq!(event.to_vec(), vector("00000003 00000003 00000002'/a'"));
}

#[test]
fn write_requests() {
    let open = [AclEntry { perms: perms::ALL, scheme: text("world"), id: text("anyone") }];
    let acl = Some(List::new(&open));
    let (path, data) = (text("/a"), Some(Blob::Slice(b"xyz")));
    let create = CreateRequest { path, data, acl, flags: 3 };
    let create_hex = format!("00000002'/a' 00000003'xyz' {OPEN} 00000003");
    request(Request::Create(create), &create_hex);
    request(Request::Create2(create), &create_hex);
    request(Request::CreateContainer(create), &create_hex);
    let ttl = CreateTtlRequest { path, data, acl, flags: 5, ttl_ms: 60_000 };
    request(
        Request::CreateTtl(ttl),
        &format!("00000002'/a' 00000003'xyz' {OPEN} 00000005 000000000000ea60"),
    );
    request(Request::Delete(VersionRequest { path, version: -1 }), "00000002'/a' ffffffff");
    let set = SetDataRequest { path, data, version: 2 };
    request(Request::SetData(set), "00000002'/a' 00000003'xyz' 00000002");
    let set = SetAclRequest { path, acl, version: 2 };
    request(Request::SetAcl(set), &format!("00000002'/a' {OPEN} 00000002"));
    let reconfig =
        ReconfigRequest { joining: text("j"), leaving: None, new_members: text(""), config_id: -1 };
    request(Request::Reconfig(reconfig), "00000001'j' ffffffff 00000000 ffffffffffffffff");
    request(Request::CloseSession, "");
}

#[test]
fn read_requests() {
    let path = text("/a");
    let read = ReadRequest { path, watch: true };
    request(Request::Exists(read), "00000002'/a' 01");
    request(Request::GetData(read), "00000002'/a' 01");
    request(Request::GetChildren(read), "00000002'/a' 01");
    request(Request::GetChildren2(ReadRequest { watch: false, ..read }), "00000002'/a' 00");
    request(Request::GetAcl(PathRequest { path }), "00000002'/a'");
    request(Request::Sync(PathRequest { path }), "00000002'/a'");
    request(Request::GetEphemerals(PathRequest { path: None }), "ffffffff");
    request(Request::GetAllChildrenNumber(PathRequest { path }), "00000002'/a'");
    request(Request::Ping, "");
    request(Request::WhoAmI, "");
    let any = WatchRequest { path, mode: 3 };
    request(Request::CheckWatches(any), "00000002'/a' 00000003");
    request(Request::RemoveWatches(any), "00000002'/a' 00000003");
    request(Request::AddWatch(WatchRequest { path, mode: 1 }), "00000002'/a' 00000001");
}

#[test]
fn connection_requests() {
    let auth =
        AuthRequest { kind: 0, scheme: text("digest"), credentials: Some(Blob::Slice(b"bob:pw")) };
    request(Request::Auth(auth), "00000000 00000006'digest' 00000006'bob:pw'");
    request(Request::Sasl(SaslToken { token: Some(Blob::Slice(b"")) }), "00000000");
    let (one, two) = ([text("/a")], [text("/b"), None]);
    let (one, two) = (Some(List::new(&one)), Some(List::new(&two)));
    let watches = SetWatches { relative_zxid: 5, data: one, exist: None, child: two };
    let hex = "0000000000000005 00000001 00000002'/a' ffffffff 00000002 00000002'/b' ffffffff";
    request(Request::SetWatches(watches), hex);
    let SetWatches { relative_zxid, data, exist, child } = watches;
    let (persistent, recursive) = (Some(List::new(&[])), one);
    request(
        Request::SetWatches2(SetWatches2 {
            relative_zxid,
            data,
            exist,
            child,
            persistent,
            recursive,
        }),
        &format!("{hex} 00000000 00000001 00000002'/a'"),
    );
}

#[test]
fn multi_requests() {
    let path = text("/a");
    let writes = [
        MultiOp::Check(VersionRequest { path, version: 1 }),
        MultiOp::SetData(SetDataRequest { path, data: None, version: -1 }),
        MultiOp::Delete(VersionRequest { path, version: -1 }),
    ];
    request(
        Request::Multi(MultiOps::new(&writes)),
        "0000000d 00 ffffffff 00000002'/a' 00000001  00000005 00 ffffffff 00000002'/a' ffffffff ffffffff
        00000002 00 ffffffff 00000002'/a' ffffffff  ffffffff 01 ffffffff",
    );
    let reads = [
        MultiOp::GetChildren(ReadRequest { path, watch: false }),
        MultiOp::GetData(ReadRequest { path, watch: false }),
    ];
    request(
        Request::MultiRead(MultiOps::new(&reads)),
        "00000008 00 ffffffff 00000002'/a' 00  00000004 00 ffffffff 00000002'/a' 00
        ffffffff 01 ffffffff",
    );
    request(Request::Multi(MultiOps::new(&[])), "ffffffff 01 ffffffff");
}

#[test]
fn responses() {
    let path = text("/a");
    let names = [text("b"), text("c")];
    let names = Some(List::new(&names));
    let open = [AclEntry { perms: perms::ALL, scheme: text("world"), id: text("anyone") }];
    let who = [ClientInfo { scheme: text("ip"), user: text("::1") }];
    let stat = STAT;
    response(Op::Create, Response::Path(path), "00000002'/a'");
    response(Op::Sync, Response::Path(path), "00000002'/a'");
    let create = Response::Create2 { path, stat };
    for op in [Op::Create2, Op::CreateContainer, Op::CreateTtl] {
        response(op, create, &format!("00000002'/a' {STAT_HEX}"));
    }
    for op in [Op::Exists, Op::SetData, Op::SetAcl] {
        response(op, Response::Stat(stat), STAT_HEX);
    }
    let data = Response::Data { data: Some(Blob::Slice(b"xyz")), stat };
    response(Op::GetData, data, &format!("00000003'xyz' {STAT_HEX}"));
    response(Op::Reconfig, data, &format!("00000003'xyz' {STAT_HEX}"));
    let acl = Response::Acl { acl: Some(List::new(&open)), stat };
    response(Op::GetAcl, acl, &format!("{OPEN} {STAT_HEX}"));
    response(Op::GetChildren, Response::Names(names), "00000002 00000001'b' 00000001'c'");
    response(Op::GetEphemerals, Response::Names(Some(List::new(&[]))), "00000000");
    response(
        Op::GetChildren2,
        Response::Children2 { children: names, stat },
        &format!("00000002 00000001'b' 00000001'c' {STAT_HEX}"),
    );
    response(Op::GetAllChildrenNumber, Response::Count(3), "00000003");
    let identities = Response::Identities(Some(List::new(&who)));
    response(Op::WhoAmI, identities, "00000001 00000002'ip' 00000003'::1'");
    response(Op::AddWatch, Response::Error(ErrorCode::OK), "00000000");
    response(Op::Sasl, Response::Token(None), "ffffffff");
    for op in [Op::Delete, Op::Ping, Op::Auth, Op::SetWatches2, Op::RemoveWatches, Op::CloseSession]
    {
        response(op, Response::Empty, "");
    }
}

#[test]
fn multi_results() {
    let (path, stat) = (text("/a"), STAT);
    let children = [text("b")];
    let all = Results(vec![
        MultiResult::Create { path },
        MultiResult::Create2 { path, stat },
        MultiResult::Delete,
        MultiResult::SetData { stat },
        MultiResult::Check,
        MultiResult::GetData { data: Some(Blob::Slice(b"x")), stat },
        MultiResult::GetChildren { children: Some(List::new(&children)) },
    ]);
    response(
        Op::Multi,
        Response::Multi(MultiResults::new(&all)),
        &format!(
            "00000001 00 00000000 00000002'/a'  0000000f 00 00000000 00000002'/a' {STAT_HEX}
            00000002 00 00000000  00000005 00 00000000 {STAT_HEX}  0000000d 00 00000000
            00000004 00 00000000 00000001'x' {STAT_HEX}
            00000008 00 00000000 00000001 00000001'b'  ffffffff 01 ffffffff"
        ),
    );
    let failed = [ErrorCode::OK, ErrorCode::NO_NODE, ErrorCode::RUNTIME_INCONSISTENCY];
    let failed = Results(failed.map(MultiResult::Error).into());
    response(
        Op::Multi,
        Response::Multi(MultiResults::new(&failed)),
        "ffffffff 00 00000000 00000000  ffffffff 00 ffffff9b ffffff9b
        ffffffff 00 fffffffe fffffffe  ffffffff 01 ffffffff",
    );
    response(
        Op::MultiRead,
        Response::Multi(MultiResults::new(&Results(vec![]))),
        "ffffffff 01 ffffffff",
    );
}

#[test]
fn multi_results_of_containers_may_carry_their_own_type() {
    // Apache answers type 15 for them; the number of the operation itself means the same record.
    for op in ["00000013", "00000015"] {
        let bytes =
            vector(&format!("{op} 00 00000000 00000002'/a' {STAT_HEX} ffffffff 01 ffffffff"));
        let results: MultiResults<'_> = decode(&bytes).unwrap();
        let expected = MultiResult::Create2 { path: text("/a"), stat: STAT };
        assert!(results.iter().eq([expected]));
    }
}

#[test]
fn multi_with_what_does_not_belong_there() {
    let multi = |hex: &str| {
        let bytes = vector(hex);
        Request::decode(Op::Multi, &mut Reader::new(&bytes)).map(|request| request.op())
    };
    // A nested multi, setACL, an error, a session's end, nothing known.
    for op in [14, 7, -1, -11, 0, 23, 4711, i32::MIN] {
        let misplaced = Err(DecodeError::MisplacedOperation(op));
        assert_eq!(multi(&format!("{op:08x} 00 ffffffff ffffffff 01 ffffffff")), misplaced);
    }
    // Reads and writes, in either order.
    let (read, write) =
        ("00000004 00 ffffffff ffffffff 00", "00000002 00 ffffffff ffffffff 00000000");
    let misplaced = |op| Err(DecodeError::MisplacedOperation(op));
    assert_eq!(multi(&format!("{read} {write} ffffffff 01 ffffffff")), misplaced(2));
    assert_eq!(multi(&format!("{write} {read} ffffffff 01 ffffffff")), misplaced(4));
    // No end.
    assert_eq!(multi(write), Err(DecodeError::Truncated(4)));
    assert_eq!(multi(""), Err(DecodeError::Truncated(4)));
    // Any type ends it that says so; what follows is not looked at.
    assert_eq!(multi(&format!("{write} 00000063 02 00000000 ffff")), Ok(Op::Multi));

    let bytes = vector("00000007 00 00000000");
    assert_eq!(decode::<MultiResults<'_>>(&bytes).err(), Some(DecodeError::MisplacedOperation(7)));
}

#[test]
fn lengths_and_counts_that_no_frame_holds() {
    let create = |rest: &str| {
        let bytes = vector(&format!("00000002'/a' {rest}"));
        Request::decode(Op::Create, &mut Reader::new(&bytes)).map(|_| ())
    };
    // Data below null, at null, beyond the frame.
    assert_eq!(create("fffffffe"), Err(DecodeError::NegativeLength(-2)));
    assert_eq!(create("80000000"), Err(DecodeError::NegativeLength(i32::MIN)));
    assert_eq!(create("ffffffff ffffffff 00000000"), Ok(()));
    assert_eq!(create("00000009 'short'"), Err(DecodeError::Truncated(4)));
    assert_eq!(create("7fffffff"), Err(DecodeError::Truncated(0x7fff_ffff)));
    // ACLs beyond the frame: entries are read until it ends, none is reserved.
    assert_eq!(create("ffffffff 7fffffff"), Err(DecodeError::Truncated(4)));
    assert_eq!(
        create("ffffffff 00000002 0000001f ffffffff ffffffff"),
        Err(DecodeError::Truncated(4))
    );
}

#[test]
fn negative_counts_are_empty_lists() {
    for (count, length) in [("ffffffff", None), ("fffffff7", Some(0)), ("00000000", Some(0))] {
        let bytes = vector(&format!("ffffffff {count} 00000005"));
        let request = Request::decode(Op::SetAcl, &mut Reader::new(&bytes));
        let Ok(Request::SetAcl(request)) = request else { panic!("{request:?}") };
        assert_eq!(request.acl.as_ref().map(List::len), length);
        assert_eq!((request.path, request.version), (None, 5));
    }
}

#[test]
fn null_strings_as_kazoo_sends_them() {
    // kazoo writes every empty string as null: here the id of `Id("auth", "")`.
    let bytes = vector("00000002'/a' 00000000 00000001 0000001f 00000004'auth' ffffffff 00000000");
    let request = Request::decode(Op::Create, &mut Reader::new(&bytes));
    let Ok(Request::Create(request)) = request else { panic!("{request:?}") };
    let entries: Vec<_> = request.acl.unwrap().iter().collect();
    assert_eq!(entries, [AclEntry { perms: perms::ALL, scheme: text("auth"), id: None }]);
    assert_eq!(request.data.as_deref(), Some(&b""[..]), "an empty buffer is not null");
}

#[test]
fn text_is_kept_as_it_came() {
    let bytes = vector("00000003 2fff2f 00");
    let request = Request::decode(Op::Exists, &mut Reader::new(&bytes));
    let Ok(Request::Exists(request)) = request else { panic!("{request:?}") };
    let path = request.path.unwrap();
    assert_eq!(path.as_bytes(), b"/\xff/");
    assert_eq!(path.to_str(), Err(DecodeError::InvalidText));
    assert_eq!(path.to_str_lossy(), "/\u{fffd}/");
}

#[test]
fn any_byte_but_zero_is_true() {
    for byte in ["01", "02", "ff"] {
        let bytes = vector(&format!("00000002'/a' {byte}"));
        let expected = Request::Exists(ReadRequest { path: text("/a"), watch: true });
        assert_eq!(Request::decode(Op::Exists, &mut Reader::new(&bytes)), Ok(expected));
    }
}

#[test]
fn shared_data_is_written_like_borrowed_data() {
    let shared = Bytes::from_static(b"xyz");
    let (one, other) = (Blob::Shared(&shared), Blob::Slice(b"xyz"));
    assert_eq!(one, other);
    assert_eq!(one.to_vec(), other.to_vec());
}

#[test]
fn log_records_as_apache_wrote_them() {
    let session = SessionId(0x0100_000c_aa62_0006);
    let create = vector(&format!(
        "0100000caa620006 00000001 0000000000000018 000001a202d740e0 00000001
        00000002'/a' 00000000 {OPEN} 00 00000001  00000002 00000000e7a85606",
    ));
    // With its digest of 12 bytes, which is not part of the transaction.
    assert_eq!(create.len(), 0x56);
    let mut reader = Reader::new(&create);
    let (header, op) = TxnHeader::decode(&mut reader).unwrap();
    assert_eq!((header.session, header.cxid, header.zxid), (session, 1, Zxid(24)));
    assert_eq!((header.time_ms, op), (0x1a2_02d7_40e0, Op::Create));
    let txn = Txn::decode_body(op, &mut reader).unwrap();
    let expected = Txn::Create {
        create2: false,
        path: "/a".into(),
        data: Some(Blob::Slice(b"")),
        acl: Arc::new([Acl::new(perms::ALL, "world", "anyone")]),
        kind: CreateKind::Persistent,
        parent_cversion: 1,
    };
    assert_eq!(txn, expected);
    assert_eq!(reader.rest().len(), 12);
    assert_eq!(encode_txn(header, &txn), create[..create.len() - 12]);
    assert_eq!(txn.encoded_length(), create.len() - 12);

    let error =
        vector("0100000caa620006 00000002 0000000000000019 000001a202d74160 ffffffff ffffff92");
    assert_eq!(error.len(), 0x24);
    let mut reader = Reader::new(&error);
    let (header, op) = TxnHeader::decode(&mut reader).unwrap();
    let txn = Txn::decode_body(op, &mut reader).unwrap();
    assert_eq!((header.zxid, txn.clone()), (Zxid(25), Txn::Error(ErrorCode::NODE_EXISTS)));
    assert_eq!(encode_txn(header, &txn), error);
}

#[test]
fn log_records_of_every_type() {
    let acl: Arc<[Acl]> = Arc::new([Acl::new(perms::ALL, "world", "anyone")]);
    let create = |create2, kind| Txn::Create {
        create2,
        path: "/a".into(),
        data: None,
        acl: acl.clone(),
        kind,
        parent_cversion: 2,
    };
    let start = format!("00000002'/a' ffffffff {OPEN}");
    body(&create(true, CreateKind::Ephemeral), &format!("{start} 01 00000002"));
    body(&create(false, CreateKind::Container), &format!("{start} 00000002"));
    body(&create(false, CreateKind::Ttl(5)), &format!("{start} 00000002 0000000000000005"));
    body(&Txn::CreateSession { timeout_ms: 4000 }, "00000fa0");
    body(&Txn::CloseSession { paths: None }, "");
    let paths = Some(vec!["/a".into(), "/b".into()]);
    body(&Txn::CloseSession { paths }, "00000002 00000002'/a' 00000002'/b'");
    body(&Txn::Delete { container: false, path: "/a".into() }, "00000002'/a'");
    body(&Txn::Delete { container: true, path: "/a".into() }, "00000002'/a'");
    let set = Txn::SetData { path: "/a".into(), data: Some(Blob::Slice(b"x")), version: 1 };
    body(&set, "00000002'/a' 00000001'x' 00000001");
    let set_acl = Txn::SetAcl { path: "/a".into(), acl, version: 1 };
    body(&set_acl, &format!("00000002'/a' {OPEN} 00000001"));
    let check = Txn::Check { path: "/a".into(), version: 1 };
    body(&check, "00000002'/a' 00000001");
    body(
        &Txn::Multi(vec![check, Txn::Error(ErrorCode::NO_NODE)]),
        "00000002  0000000d 0000000a 00000002'/a' 00000001  ffffffff 00000004 ffffff9b",
    );
}

#[test]
fn log_records_of_old_servers_and_of_nobody() {
    // Before the parent's cversion was logged.
    let bytes = vector(&format!("00000002'/a' ffffffff {OPEN} 00"));
    let txn = Txn::decode_body(Op::Create, &mut Reader::new(&bytes));
    assert!(matches!(txn, Ok(Txn::Create { parent_cversion: -1, .. })), "{txn:?}");
    // Reads are no transactions, and a multi holds neither multis nor sessions.
    let unknown = Err(DecodeError::UnknownValue { what: "transaction", value: 4 });
    assert_eq!(Txn::decode_body(Op::GetData, &mut Reader::new(&[])), unknown);
    for op in [14, -10, -11, 99] {
        let bytes = vector(&format!("00000001 {op:08x} 00000000"));
        let misplaced = Err(DecodeError::MisplacedOperation(op));
        assert_eq!(Txn::decode_body(Op::Multi, &mut Reader::new(&bytes)), misplaced);
    }
    let bytes = vector("00000001 0000000d ffffffff");
    let null = Err(DecodeError::UnexpectedNull);
    assert_eq!(Txn::decode_body(Op::Multi, &mut Reader::new(&bytes)), null);
}

struct Results<'a>(Vec<MultiResult<'a>>);

impl<'a> ListSource<'a, MultiResult<'a>> for Results<'a> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&self, index: usize) -> MultiResult<'a> {
        self.0[index]
    }
}

/// Asserts that `request` is `hex` and nothing else, both ways.
#[track_caller]
fn request(request: Request<'_>, hex: &str) {
    let bytes = vector(hex);
    assert_eq!(request.to_vec(), bytes);
    let mut reader = Reader::new(&bytes);
    let decoded = Request::decode(request.op(), &mut reader).unwrap();
    assert_eq!(decoded.to_vec(), bytes);
    assert_eq!(format!("{decoded:?}"), format!("{request:?}"));
    assert!(reader.rest().is_empty());
}

/// Asserts that `response`, an answer to `op`, is `hex` and nothing else, both ways.
#[track_caller]
fn response(op: Op, response: Response<'_>, hex: &str) {
    let bytes = vector(hex);
    assert_eq!(response.to_vec(), bytes);
    let mut reader = Reader::new(&bytes);
    let decoded = Response::decode(op, &mut reader).unwrap();
    assert_eq!(decoded.to_vec(), bytes);
    assert_eq!(format!("{decoded:?}"), format!("{response:?}"));
    assert!(reader.rest().is_empty());
}

/// Asserts that the body of `txn` is `hex` and nothing else, both ways.
#[track_caller]
fn body(txn: &Txn<'_>, hex: &str) {
    let bytes = vector(hex);
    let mut encoded = Vec::new();
    txn.encode_body(&mut encoded);
    assert_eq!(encoded, bytes);
    assert_eq!(Txn::decode_body(txn.op(), &mut Reader::new(&bytes)).as_ref(), Ok(txn));
}

fn encode_txn(header: TxnHeader, txn: &Txn<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.encode(txn.op(), &mut bytes);
    txn.encode_body(&mut bytes);
    bytes
}

fn decode<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    Reader::new(bytes).read()
}

fn text(text: &str) -> Option<Text<'_>> {
    Some(text.into())
}

/// Bytes from pairs of hexadecimal digits and from `'text'`; white space means nothing.
fn vector(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in notation.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend(part.bytes());
            continue;
        }
        let digits: Vec<u32> = part
            .chars()
            .filter(|character| !character.is_whitespace())
            .map(|character| character.to_digit(16).expect("a hexadecimal digit"))
            .collect();
        let (pairs, rest) = digits.as_chunks::<2>();
        assert!(rest.is_empty(), "an odd number of digits in {part}");
        bytes.extend(pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).unwrap()));
    }
    bytes
}
