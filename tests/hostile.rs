//! Bad input: each kind has a defined answer and a counter, and nobody else notices.

use std::{net::SocketAddr, time::Duration};

use zookeeper_core::{
    Disconnect, SessionId, Zxid,
    endpoint::{AcceptError, CloseReason, CommandWhitelist, Stats},
    wire::{
        AclEntry, Blob, Command, ConnectRequest, CreateRequest, Encode, ErrorCode, MultiHeader,
        MultiOp, Op, ReadRequest, Request, RequestHeader, Text, Xid,
    },
};
use zookeeper_sim::pair::{Body, ClientId, Options, World, request};

/// What somebody does, what comes of it, and what counts it.
struct Row {
    name: &'static str,
    /// Does it, on a connection of its own.
    act: fn(&mut World) -> ClientId,
    expect: Expect,
    counter: fn(&Stats) -> u64,
}

enum Expect {
    /// The connection closes, without a word.
    Close(fn(&CloseReason) -> bool),
    /// No session, and the connection closes.
    Refusal,
    /// An error in the last answer, and the connection closes.
    ErrorAndClose(ErrorCode, fn(&CloseReason) -> bool),
    /// An error in the last answer, and the connection lives on.
    Error(ErrorCode),
    /// The text, and the connection closes.
    Text(&'static str),
    /// What an honest client gets, and the connection lives on.
    Service,
}

/// Runs rows, each in a world of its own, before the eyes of somebody else.
#[track_caller]
fn check(rows: &[Row]) {
    for row in rows {
        println!("{}", row.name);
        let mut options = Options::default();
        options.config.endpoint.commands = CommandWhitelist::new(&[Command::Ruok]);
        let mut world = World::new(options);
        let [witness, writer] = [world.start(), world.start()];
        world.call(witness, &request::add_watch("/", 1)).ok();
        let before = (row.counter)(world.server().stats());
        let client = (row.act)(&mut world);
        world.settle();
        let count = (row.counter)(world.server().stats()) - before;
        assert_eq!(count, 1, "{}: counted once", row.name);
        expect(&mut world, client, row);
        // Nobody else has noticed, and everybody is still served.
        assert!(world.call(writer, &request::create("/alive", b"yes")).error.is_ok());
        assert_eq!(
            world.call(witness, &request::get_data("/alive", false)).body.data(),
            Some(&b"yes"[..])
        );
        let events = world.client_mut(witness).take_events();
        assert_eq!(events.last().map(|event| &*event.path), Some("/alive"));
        world.finish();
    }
}

fn expect(world: &mut World, client: ClientId, row: &Row) {
    let name = row.name;
    let answers = world.client_mut(client).take_answers();
    let error = answers.last().map(|answer| answer.error);
    match row.expect {
        Expect::Close(is_expected) => {
            assert!(
                is_expected(world.close_reason(client)),
                "{name}: {}",
                world.close_reason(client)
            );
            assert_eq!(error, None, "{name}: without a word");
        }
        Expect::Refusal => {
            let handshake = world.client(client).handshake().expect("an answer");
            assert_eq!((handshake.timeout_ms, handshake.session), (0, SessionId::NONE));
            assert_eq!(handshake.password, [0; 16]);
            assert_eq!(*world.close_reason(client), CloseReason::SessionRefused);
        }
        Expect::ErrorAndClose(code, is_expected) => {
            assert_eq!(error, Some(code), "{name}");
            assert!(
                is_expected(world.close_reason(client)),
                "{name}: {}",
                world.close_reason(client)
            );
        }
        Expect::Error(code) => {
            assert_eq!(error, Some(code), "{name}");
            world.ping(client);
        }
        Expect::Text(text) => {
            assert_eq!(world.client(client).text(), text, "{name}");
            assert_eq!(*world.close_reason(client), CloseReason::CommandAnswered);
        }
        Expect::Service => {
            assert!(error.is_none_or(ErrorCode::is_ok), "{name}: {error:?}");
            assert!(world.client(client).handshake().is_some_and(|answer| answer.is_granted()));
            world.ping(client);
        }
    }
}

/// Bytes on a fresh connection.
fn say(world: &mut World, bytes: &[u8]) -> ClientId {
    let client = world.open();
    world.send_bytes(client, bytes);
    client
}

/// Bytes on a connection with a session.
fn say_in_session(world: &mut World, bytes: &[u8]) -> ClientId {
    let client = world.start();
    world.send_bytes(client, bytes);
    client
}

/// A request on a connection with a session.
fn ask(world: &mut World, op: Op, record: &[u8]) -> ClientId {
    let client = world.start();
    world.send_as(client, Xid(1), op, record);
    client
}

fn ask_code(world: &mut World, op: i32, record: &[u8]) -> ClientId {
    let client = world.start();
    world.send_code(client, Xid(1), op, record);
    client
}

fn hello(world: &mut World, request: &ConnectRequest<'_>) -> ClientId {
    let client = world.open();
    world.send_frame(client, &request.to_vec());
    client
}

/// One byte each second.
fn drip(world: &mut World, client: ClientId, bytes: &[u8]) -> ClientId {
    for byte in bytes {
        world.send_bytes(client, &[*byte]);
        world.advance(Duration::from_secs(1));
        if !world.is_open(client) {
            break;
        }
        // The others are honest.
        world.advance_pinging(Duration::ZERO, &[]);
    }
    client
}

fn create_record(path: &[u8], flags: i32) -> Vec<u8> {
    let path = Some(Text::from(path));
    CreateRequest { path, ..request::new_znode("", b"", flags) }.to_vec()
}

fn read_record(path: &[u8]) -> Vec<u8> {
    ReadRequest { path: Some(Text::from(path)), watch: false }.to_vec()
}

const fn is_frame(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Frame(_))
}

const fn is_handshake(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadHandshake(_))
}

const fn is_header(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadHeader(_))
}

const fn is_unknown(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::UnknownOperation(_))
}

const fn is_authentication(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadAuthentication(_))
}

#[test]
fn frames_before_the_handshake() {
    check(&[
        Row {
            name: "negative",
            act: |world| say(world, &(-1_i32).to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "most negative",
            act: |world| say(world, &i32::MIN.to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "zero",
            act: |world| say(world, &[0; 4]),
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
        Row {
            name: "over the limit of a stranger",
            act: |world| say(world, &1_025_i32.to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "over every limit",
            act: |world| say(world, &i32::MAX.to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "never completed",
            act: |world| {
                let client = say(world, &[0, 0, 0, 45, 0, 0, 0, 0, 0]);
                let others = [0, 1].map(ClientId::nth);
                world.advance_pinging(Duration::from_secs(10), &others);
                client
            },
            expect: Expect::Close(|reason| *reason == CloseReason::HandshakeTimeout),
            counter: |stats| stats.sessionless_connections_expired,
        },
        Row {
            name: "silence",
            act: |world| {
                let client = world.open();
                let others = [0, 1].map(ClientId::nth);
                world.advance_pinging(Duration::from_secs(10), &others);
                client
            },
            expect: Expect::Close(|reason| *reason == CloseReason::HandshakeTimeout),
            counter: |stats| stats.sessionless_connections_expired,
        },
        Row {
            name: "another protocol",
            act: |world| say(world, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "garbage of the right length",
            act: |world| say(world, &[&[0, 0, 0, 45][..], &[0xa5; 45]].concat()),
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
    ]);
}

#[test]
fn handshakes() {
    check(&[
        Row {
            name: "truncated",
            act: |world| {
                let client = world.open();
                world.send_frame(client, &World::hello().to_vec()[..30]);
                client
            },
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
        Row {
            name: "over-long: what is behind the record is ignored",
            act: |world| {
                let client = world.open();
                world.send_frame(client, &[&World::hello().to_vec()[..], &[7; 100]].concat());
                client
            },
            expect: Expect::Service,
            counter: |stats| stats.connection_request_count,
        },
        Row {
            name: "a password that ends behind the frame",
            act: |world| {
                let mut body = World::hello().to_vec();
                body[24..28].copy_from_slice(&1_000_i32.to_be_bytes());
                let client = world.open();
                world.send_frame(client, &body);
                client
            },
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
        Row {
            name: "a password of negative length",
            act: |world| {
                let mut body = World::hello().to_vec();
                body[24..28].copy_from_slice(&(-2_i32).to_be_bytes());
                let client = world.open();
                world.send_frame(client, &body);
                client
            },
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
        Row {
            name: "no password, for a new session",
            act: |world| hello(world, &ConnectRequest { password: None, ..World::hello() }),
            expect: Expect::Service,
            counter: |stats| stats.connection_request_count,
        },
        Row {
            name: "a request in place of a handshake",
            act: |world| {
                let client = world.open();
                let header = RequestHeader { xid: Xid(1), op: Op::GetData.code() }.to_vec();
                world.send_frame(client, &[header, read_record(b"/")].concat());
                client
            },
            expect: Expect::Close(is_handshake),
            counter: |stats| stats.bad_handshakes,
        },
        Row {
            name: "a second ConnectRequest is an operation nobody knows",
            act: |world| {
                let client = world.start();
                world.send_frame(client, &World::hello().to_vec());
                client
            },
            expect: Expect::ErrorAndClose(ErrorCode::UNIMPLEMENTED, is_unknown),
            counter: |stats| stats.unknown_operations,
        },
        Row {
            name: "a session nobody has",
            act: |world| {
                let session = SessionId(77);
                hello(world, &ConnectRequest { session, ..World::hello() })
            },
            expect: Expect::Refusal,
            counter: |stats| stats.sessions_refused,
        },
        Row {
            name: "a negative session",
            act: |world| {
                let session = SessionId(-1);
                hello(world, &ConnectRequest { session, ..World::hello() })
            },
            expect: Expect::Refusal,
            counter: |stats| stats.sessions_refused,
        },
        Row {
            name: "a wrong password",
            act: |world| {
                let victim = world.start();
                let session = world.client(victim).session();
                hello(world, &ConnectRequest { session, ..World::hello() })
            },
            expect: Expect::Refusal,
            counter: |stats| stats.sessions_refused,
        },
        Row {
            name: "the right password, and one byte more",
            act: |world| {
                let victim = world.start();
                let session = world.client(victim).session();
                let password = [&world.client(victim).password()[..], &[0]].concat();
                let password = Some(Blob::Slice(&password));
                hello(world, &ConnectRequest { session, password, ..World::hello() })
            },
            expect: Expect::Refusal,
            counter: |stats| stats.sessions_refused,
        },
        Row {
            name: "a client that has seen the future",
            act: |world| {
                let last_zxid_seen = Zxid(1_000_000);
                hello(world, &ConnectRequest { last_zxid_seen, ..World::hello() })
            },
            expect: Expect::Close(|reason| *reason == CloseReason::ClientAhead),
            counter: |stats| stats.clients_ahead,
        },
    ]);
}

#[test]
fn four_letter_words() {
    check(&[
        Row {
            name: "in pieces",
            act: |world| {
                let client = world.open();
                for byte in b"ruok" {
                    world.send_bytes(client, &[*byte]);
                    world.settle();
                }
                client
            },
            expect: Expect::Text("imok"),
            counter: |stats| stats.packets_received,
        },
        Row {
            name: "with more behind it",
            act: |world| say(world, b"ruok\r\nand much more that nobody reads"),
            expect: Expect::Text("imok"),
            counter: |stats| stats.packets_received,
        },
        Row {
            name: "with half a connection",
            act: |world| {
                let client = say(world, b"ruok");
                world.half_close(client);
                client
            },
            expect: Expect::Text("imok"),
            counter: |stats| stats.packets_received,
        },
        Row {
            name: "not in the whitelist",
            act: |world| say(world, b"dump"),
            expect: Expect::Text("dump is not executed because it is not in the whitelist.\n"),
            counter: |stats| stats.commands_refused,
        },
        Row {
            name: "unknown",
            act: |world| say(world, b"kill"),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "in capitals",
            act: |world| say(world, b"RUOK"),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "in a session",
            act: |world| say_in_session(world, b"ruok"),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "half a word, then silence",
            act: |world| {
                let client = say(world, b"ru");
                let others = [0, 1].map(ClientId::nth);
                world.advance_pinging(Duration::from_secs(10), &others);
                client
            },
            expect: Expect::Close(|reason| *reason == CloseReason::HandshakeTimeout),
            counter: |stats| stats.sessionless_connections_expired,
        },
    ]);
}

#[test]
fn frames_in_a_session() {
    check(&[
        Row {
            name: "negative",
            act: |world| say_in_session(world, &(-5_i32).to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "one over the limit",
            act: |world| say_in_session(world, &0x10_0000_i32.to_be_bytes()),
            expect: Expect::Close(is_frame),
            counter: |stats| stats.bad_frames,
        },
        Row {
            name: "zero",
            act: |world| say_in_session(world, &[0; 4]),
            expect: Expect::Close(is_header),
            counter: |stats| stats.bad_headers,
        },
        Row {
            name: "too short for a header",
            act: |world| say_in_session(world, &[0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0]),
            expect: Expect::Close(is_header),
            counter: |stats| stats.bad_headers,
        },
        Row {
            name: "never completed: the session ends in its time",
            act: |world| {
                let client = say_in_session(world, &[0, 0x0f, 0xff, 0xff, 1, 2, 3]);
                let others = [0, 1].map(ClientId::nth);
                world.advance_pinging(Duration::from_secs(20), &others);
                client
            },
            expect: Expect::Close(|reason| *reason == CloseReason::SessionExpired),
            counter: |stats| stats.stale_sessions_expired,
        },
    ]);
}

#[test]
fn records() {
    const MARSHALLING: Expect = Expect::Error(ErrorCode::MARSHALLING_ERROR);
    check(&[
        Row {
            name: "none",
            act: |world| ask(world, Op::GetData, &[]),
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "truncated",
            act: |world| {
                let record = create_record(b"/a", 0);
                ask(world, Op::Create, &record[..record.len() - 1])
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "over-long: what is behind the record is ignored",
            act: |world| ask(world, Op::GetData, &[&read_record(b"/")[..], &[9; 50]].concat()),
            expect: Expect::Service,
            counter: |stats| stats.requests(Op::GetData),
        },
        Row {
            name: "a string that ends behind the frame",
            act: |world| ask(world, Op::Exists, &[&i32::MAX.to_vec()[..], b"/a\0"].concat()),
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "a string of negative length",
            act: |world| ask(world, Op::Exists, &[&(-2_i32).to_vec()[..], &[0]].concat()),
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "a vector of more elements than bytes",
            act: |world| {
                let mut record = create_record(b"/a", 0);
                // Path and data are before the count.
                record[10..14].copy_from_slice(&i32::MAX.to_be_bytes());
                ask(world, Op::Create, &record)
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "watches without end",
            act: |world| {
                let counts = [i32::MAX, i32::MAX, i32::MAX].map(|count| count.to_vec()).concat();
                ask(world, Op::SetWatches, &[&0_i64.to_vec()[..], &counts].concat())
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "a negative count is an empty vector",
            act: |world| {
                let mut record = create_record(b"/a", 0);
                record.truncate(10);
                record.extend((-9_i32).to_vec());
                record.extend(0_i32.to_vec());
                ask(world, Op::Create, &record)
            },
            expect: Expect::Error(ErrorCode::INVALID_ACL),
            counter: |stats| stats.requests(Op::Create),
        },
        Row {
            name: "no path at all",
            act: |world| {
                let record = CreateRequest { path: None, ..request::new_znode("", b"", 0) };
                ask(world, Op::Create, &record.to_vec())
            },
            expect: MARSHALLING,
            counter: |stats| stats.requests(Op::Create),
        },
    ]);
}

#[test]
fn multis() {
    const MARSHALLING: Expect = Expect::Error(ErrorCode::MARSHALLING_ERROR);
    check(&[
        Row {
            name: "nested",
            act: |world| {
                let inner = MultiHeader { op: 14, done: false, error: ErrorCode(-1) }.to_vec();
                let end = MultiHeader::END.to_vec();
                ask(world, Op::Multi, &[&inner[..], &inner, &inner, &end, &end, &end].concat())
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "a bomb of nested headers",
            act: |world| {
                let inner = MultiHeader { op: 14, done: false, error: ErrorCode(-1) }.to_vec();
                ask(world, Op::Multi, &inner.repeat(100_000))
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "without an end",
            act: |world| {
                let one = MultiOp::Create(request::new_znode("/a", b"", 0)).to_vec();
                ask(world, Op::Multi, &one)
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "of reads and writes",
            act: |world| {
                let operations = [
                    MultiOp::Create(request::new_znode("/a", b"", 0)),
                    MultiOp::GetData(ReadRequest { path: Some("/".into()), watch: false }),
                ];
                ask(world, Op::Multi, &request::multi(&operations).to_vec())
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
        Row {
            name: "of something that no multi holds",
            act: |world| {
                let inner = MultiHeader { op: -11, done: false, error: ErrorCode(-1) }.to_vec();
                let end = MultiHeader::END.to_vec();
                ask(world, Op::Multi, &[inner, end].concat())
            },
            expect: MARSHALLING,
            counter: |stats| stats.bad_requests,
        },
    ]);
}

#[test]
fn operations_and_flags() {
    for op in [10, 13, 0, -1, -12, -10, 20, 23, 99, 108, i32::MAX, i32::MIN] {
        let mut world = World::new(Options::default());
        let [witness, before] = [world.start(), world.start()];
        // What was asked before is answered before.
        world.send(before, &request::create("/a", b""));
        world.send_code(before, Xid(9), op, &[0; 64]);
        world.send(before, &request::exists("/", false));
        world.settle();
        let answers = world.client_mut(before).take_answers();
        let heard: Vec<_> = answers.iter().map(|a| (a.xid, a.error, a.zxid)).collect();
        let created = world.server().applied();
        let unknown = (Xid(9), ErrorCode::UNIMPLEMENTED, Zxid(-1));
        assert_eq!(heard, [(Xid(1), ErrorCode::OK, created), unknown], "operation {op}");
        assert_eq!(*world.close_reason(before), CloseReason::UnknownOperation(op));
        assert_eq!(world.server().stats().unknown_operations, 1);
        assert!(world.server().tree().sessions().len() == 2, "its session lives on");
        world.ping(witness);
        world.finish();
    }
    check(&[
        Row {
            name: "create flags nobody knows",
            act: |world| ask(world, Op::Create, &create_record(b"/a", 99)),
            expect: Expect::Error(ErrorCode::BAD_ARGUMENTS),
            counter: |stats| stats.requests(Op::Create),
        },
        Row {
            name: "negative create flags",
            act: |world| ask(world, Op::Create2, &create_record(b"/a", -1)),
            expect: Expect::Error(ErrorCode::BAD_ARGUMENTS),
            counter: |stats| stats.requests(Op::Create2),
        },
        Row {
            name: "a watch mode nobody knows",
            act: |world| ask(world, Op::AddWatch, &request::add_watch("/", 7).to_vec()),
            expect: Expect::Error(ErrorCode::MARSHALLING_ERROR),
            counter: |stats| stats.requests(Op::AddWatch),
        },
        Row {
            name: "a kind of watch nobody knows",
            act: |world| ask(world, Op::RemoveWatches, &request::add_watch("/", 9).to_vec()),
            expect: Expect::Error(ErrorCode::MARSHALLING_ERROR),
            counter: |stats| stats.requests(Op::RemoveWatches),
        },
        Row {
            name: "an ACL of a scheme nobody knows",
            act: |world| {
                let entry =
                    AclEntry { perms: 31, scheme: Some("moon".into()), id: Some("dark".into()) };
                let acl = [entry];
                let acl = Some(zookeeper_core::wire::List::new(&acl));
                let record = CreateRequest { acl, ..request::new_znode("/a", b"", 0) };
                ask(world, Op::Create, &record.to_vec())
            },
            expect: Expect::Error(ErrorCode::INVALID_ACL),
            counter: |stats| stats.requests(Op::Create),
        },
        Row {
            name: "the server's own operation",
            act: |world| ask_code(world, -10, &40_000_i32.to_vec()),
            expect: Expect::ErrorAndClose(ErrorCode::UNIMPLEMENTED, is_unknown),
            counter: |stats| stats.unknown_operations,
        },
    ]);
}

#[test]
fn paths() {
    let bad = ErrorCode::BAD_ARGUMENTS;
    let none = ErrorCode::NO_NODE;
    let creates: &[(&[u8], ErrorCode)] = &[
        (b"", bad),
        (b"a", bad),
        (b"/", ErrorCode::NODE_EXISTS),
        (b"/a/", none),
        (b"/zookeeper/", bad),
        (b"//", bad),
        (b"/b//c", none),
        (b"/.", bad),
        (b"/..", bad),
        (b"/a\0b", bad),
        (b"/\x01", bad),
        (b"/\x7f", bad),
        (b"/\xff\xfe", bad),
        (b"/a\xc0\xaf", bad),
        (b"/\xed\xa0\x80", bad),
        (b"/nope/x", none),
    ];
    let mut world = World::new(Options::default());
    let [client, witness] = [world.start(), world.start()];
    let nodes = world.server().tree().node_count();
    for &(path, expected) in creates {
        for op in [Op::Create, Op::Create2] {
            world.send_as(client, Xid(1), op, &create_record(path, 0));
            world.settle();
            let answers = world.client_mut(client).take_answers();
            let answer = answers.last().expect("an answer");
            assert_eq!(answer.error, expected, "create of {:?}", path.escape_ascii().to_string());
            assert_eq!(answer.zxid, world.server().applied(), "failures take a zxid too");
        }
        // Reads take paths as they are: nobody has such a znode.
        if !matches!(path, b"" | b"/") {
            for op in [Op::GetData, Op::GetChildren, Op::GetChildren2] {
                world.send_as(client, Xid(2), op, &read_record(path));
                world.settle();
                let answers = world.client_mut(client).take_answers();
                assert_eq!(answers[0].error, none, "read of {:?}", path.escape_ascii().to_string());
            }
        }
    }
    assert_eq!(world.server().tree().node_count(), nodes, "nothing was made");
    assert_eq!(world.server().stats().requests(Op::Create), creates.len() as u64);
    world.ping(client);
    world.ping(witness);
    world.finish();
}

#[test]
fn authentication() {
    check(&[
        Row {
            name: "a scheme nobody knows",
            act: |world| {
                let record = [&0_i32.to_vec()[..], &Text::from("moon").to_vec(), &[0; 4]].concat();
                ask(world, Op::Auth, &record)
            },
            expect: Expect::ErrorAndClose(ErrorCode::AUTH_FAILED, |reason| {
                *reason == CloseReason::AuthenticationFailed
            }),
            counter: |stats| stats.auth_failed_count,
        },
        Row {
            name: "truncated",
            act: |world| ask(world, Op::Auth, &[0, 0, 0]),
            expect: Expect::Close(is_authentication),
            counter: |stats| stats.bad_headers,
        },
        Row {
            name: "credentials that end behind the frame",
            act: |world| {
                let length = i32::MAX.to_vec();
                let scheme = Text::from("digest").to_vec();
                ask(world, Op::Auth, &[&0_i32.to_vec()[..], &scheme, &length, b"a:b"].concat())
            },
            expect: Expect::Close(is_authentication),
            counter: |stats| stats.bad_headers,
        },
        Row {
            name: "a token that is none",
            act: |world| ask(world, Op::Sasl, &(-1_i32).to_vec()),
            expect: Expect::Close(is_authentication),
            counter: |stats| stats.bad_headers,
        },
    ]);

    // What comes before the authentication that is demanded.
    let mut options = Options::default();
    options.config.endpoint.enforced_schemes = vec!["digest".into()];
    let mut world = World::new(options);
    let client = world.start();
    let answer = world.call(client, &request::create("/a", b""));
    assert_eq!(answer.error, ErrorCode::SESSION_CLOSED_REQUIRE_AUTH);
    assert_eq!(*world.close_reason(client), CloseReason::AuthenticationRequired);
    assert_eq!(world.server().stats().unauthenticated_requests, 1);
    world.finish();
}

#[test]
fn one_byte_per_second() {
    check(&[Row {
        name: "of a handshake",
        act: |world| {
            let client = world.open();
            let body = [&[0, 0, 0, 45][..], &World::hello().to_vec()].concat();
            drip(world, client, &body[..9])
        },
        expect: Expect::Close(|reason| *reason == CloseReason::HandshakeTimeout),
        counter: |stats| stats.sessionless_connections_expired,
    }]);
    // In a session: bytes of a frame that is not whole do not keep it alive.
    let mut world = World::new(Options::default());
    let [client, witness] = [world.start(), world.start()];
    let record = create_record(b"/slow", 0);
    let header = RequestHeader { xid: Xid(1), op: Op::Create.code() }.to_vec();
    let body = [header, record].concat();
    let length = u32::try_from(body.len()).expect("a small frame");
    let bytes = [&length.to_be_bytes()[..], &body].concat();
    for byte in &bytes {
        world.send_bytes(client, &[*byte]);
        world.advance_pinging(Duration::from_secs(1), &[witness]);
    }
    assert_eq!(*world.close_reason(client), CloseReason::SessionExpired);
    assert_eq!(world.server().stats().stale_sessions_expired, 1);
    assert!(world.is_open(witness));
    world.finish();
}

#[test]
fn a_client_that_never_reads() {
    // Its own answers: its requests wait, it is not read any more, and others do not notice.
    let mut options = Options::default();
    options.socket_buffer = 4 << 10;
    options.config.endpoint.output_soft_max = 4 << 10;
    let mut world = World::new(options);
    let [greedy, witness] = [world.start(), world.start()];
    world.call(witness, &request::create("/big", &[7; 1_000])).ok();
    world.stop_reading(greedy);
    for _ in 0..3_000 {
        world.send(greedy, &request::get_data("/big", false));
    }
    world.settle();
    let served = world.server().stats().requests(Op::GetData);
    assert!(served <= 9, "{served} answers of 1 kB for a limit of 4 kB");
    assert!(!world.server().wants_read(world.conn(greedy)));
    assert!(world.unread_input(greedy) > 0, "the rest stays in its socket");
    world.ping(witness);

    // It comes back in time and gets everything.
    world.advance_pinging(Duration::from_secs(3), &[witness]);
    world.resume_reading(greedy);
    world.settle();
    let answers = world.client_mut(greedy).take_answers();
    assert_eq!(answers.len(), 3_000);
    assert!(answers.iter().all(|answer| answer.body.data().is_some_and(|d| d.len() == 1_000)));

    // It does not come back: its own fault, its session ends.
    world.stop_reading(greedy);
    for _ in 0..50 {
        world.send(greedy, &request::get_data("/big", false));
    }
    world.advance_pinging(Duration::from_secs(30), &[witness]);
    assert_eq!(world.server().stats().stale_sessions_expired, 1);
    let reason = world.close_reason(greedy);
    assert!(matches!(reason, CloseReason::SessionExpired | CloseReason::LingerTimeout), "{reason}");
    world.ping(witness);
    world.finish();

    // Events are not asked for, so no request can wait: at the hard limit it is closed.
    let mut options = Options::default();
    options.socket_buffer = 1 << 10;
    options.config.endpoint.output_soft_max = 2 << 10;
    options.config.endpoint.output_hard_max = 8 << 10;
    let mut world = World::new(options);
    let [watcher, writer] = [world.start(), world.start()];
    world.call(watcher, &request::add_watch("/", 1)).ok();
    world.stop_reading(watcher);
    let mut changes = 0;
    while world.is_open(watcher) {
        world.call(writer, &request::set_data("/", b"")).ok();
        changes += 1;
        assert!(changes < 1_000, "the limit is reached");
    }
    assert_eq!(*world.close_reason(watcher), CloseReason::OutputOverflow);
    assert_eq!(world.server().stats().output_overflows, 1);
    world.ping(writer);
    world.finish();

    // Many that stay below it, and together reach the total: the worst one goes.
    let mut options = Options::default();
    options.socket_buffer = 1 << 10;
    options.config.endpoint.output_total_max = 20 << 10;
    let mut world = World::new(options);
    let writer = world.start();
    let watchers: Vec<_> = (0..5).map(|_| world.start()).collect();
    for &watcher in &watchers {
        world.call(watcher, &request::add_watch("/", 1)).ok();
        world.stop_reading(watcher);
    }
    while world.server().stats().output_overflows == 0 {
        world.call(writer, &request::set_data("/", b"")).ok();
    }
    let closed = watchers.iter().filter(|&&watcher| !world.is_open(watcher)).count();
    assert_eq!(closed, 1);
    world.ping(writer);
    world.finish();
}

#[test]
fn a_thousand_connections_from_one_address() {
    let mut world = World::new(Options::default());
    let from = |address: u8, port: u16| SocketAddr::from(([10, 0, 0, address], port));
    let witness = world.open_from(from(2, 1)).expect("a first one");
    world.shake_hands(witness, &World::hello());
    let outcomes: Vec<_> = (0..1_000).map(|port| world.open_from(from(1, port))).collect();
    world.settle();
    let accepted: Vec<_> = outcomes.iter().flatten().copied().collect();
    assert_eq!(accepted.len(), 60);
    let refused = |outcome: &&Result<ClientId, AcceptError>| {
        **outcome == Err(AcceptError::TooManyFromAddress)
    };
    assert_eq!(outcomes.iter().filter(refused).count(), 940);
    assert_eq!(world.server().stats().connection_rejected, 940);
    assert_eq!(world.server().connection_count(), 61);
    world.ping(witness);
    // One goes, one may come.
    world.reset(accepted[0]);
    world.settle();
    assert!(world.open_from(from(1, 5_000)).is_ok());
    assert!(world.open_from(from(1, 5_001)).is_err());
    // Whoever never says anything goes by itself.
    world.advance_pinging(Duration::from_secs(10), &[witness]);
    assert_eq!(world.server().connection_count(), 1);
    world.finish();

    let mut options = Options::default();
    options.config.endpoint.connections_per_address_max = 0;
    options.config.endpoint.connections_max = 10;
    let mut world = World::new(options);
    let outcomes: Vec<_> = (0..12).map(|port| world.open_from(from(1, port))).collect();
    assert_eq!(outcomes[10..], [Err(AcceptError::TooMany); 2]);
    assert_eq!(world.server().stats().connection_rejected, 2);
    world.finish();
}

#[test]
fn a_reset_in_the_middle_of_everything() {
    let whole = {
        let hello = World::hello().to_vec();
        let header = RequestHeader { xid: Xid(1), op: Op::Create.code() }.to_vec();
        let create = [header, create_record(b"/a", 0)].concat();
        let frame = |body: &[u8]| {
            let length = u32::try_from(body.len()).expect("a small frame");
            [&length.to_be_bytes()[..], body].concat()
        };
        [frame(&hello), frame(&create)].concat()
    };
    for length in 0..=whole.len() {
        for settles in [false, true] {
            let mut world = World::new(Options::default());
            let witness = world.start();
            let client = world.open();
            world.send_bytes(client, &whole[..length]);
            if settles {
                world.settle();
            }
            world.reset(client);
            world.settle();
            assert_eq!(*world.close_reason(client), CloseReason::Peer(Disconnect::Reset));
            let stats = world.server().stats();
            let has_session = settles && length >= 49;
            assert_eq!(stats.unsuccessful_handshake, u64::from(!has_session), "after {length}");
            let sessions = world.server().tree().sessions().len();
            assert_eq!(sessions, 1 + usize::from(has_session), "a session outlives its connection");
            world.ping(witness);
            world.finish();
        }
    }

    // While it has unread answers, and while it waits for the store.
    let mut options = Options::logged(zookeeper_sim::pair::Acknowledge::AtOnce);
    options.socket_buffer = 100;
    let mut world = World::new(options);
    let [client, witness] = [world.start(), world.start()];
    world.set_acknowledge(zookeeper_sim::pair::Acknowledge::ByHand);
    world.stop_reading(client);
    for _ in 0..20 {
        world.send(client, &request::exists("/zookeeper", false));
    }
    world.send(client, &request::create("/a", b""));
    world.settle();
    world.reset(client);
    world.settle();
    assert!(!world.is_open(client));
    world.set_acknowledge(zookeeper_sim::pair::Acknowledge::AtOnce);
    world.ping(witness);
    world.finish();
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let mut world = World::new(Options::default());
    let [client, witness] = [world.start(), world.start()];
    for number in 0..20 {
        world.send(client, &request::create(&format!("/{number}"), b""));
    }
    world.send(client, &Request::CloseSession);
    world.send(client, &request::create("/late", b""));
    world.half_close(client);
    world.settle();
    let answers = world.client_mut(client).take_answers();
    assert_eq!(answers.len(), 21, "nothing behind the end of the session");
    assert_eq!(*world.close_reason(client), CloseReason::SessionClosed);
    let names = world.call(witness, &request::get_children("/", false)).body;
    assert_eq!(names.names().len(), 21);
    world.finish();
}

#[test]
fn a_frame_of_exactly_the_limit_is_served() {
    for (extra, is_served) in [(0, true), (1, false)] {
        let mut world = World::new(Options::default());
        let [client, witness] = [world.start(), world.start()];
        let overhead = RequestHeader::LENGTH + create_record(b"/a", 0).len();
        let data = vec![1; zookeeper_core::FRAME_LENGTH_MAX - overhead + extra];
        let xid = world.send(client, &request::create("/a", &data));
        world.settle();
        let answer = world.answer(client, xid).map(|answer| answer.error);
        assert_eq!(answer, is_served.then_some(ErrorCode::OK));
        assert_eq!(world.is_open(client), is_served);
        assert_eq!(world.server().stats().bad_frames, u64::from(!is_served));
        world.ping(witness);
        world.finish();
    }
}

#[test]
fn large_requests_have_a_budget() {
    let mut options = Options::default();
    options.config.endpoint.large_request_length = Some(1_000);
    options.config.endpoint.large_requests_total_max = 5_000;
    let mut world = World::new(options);
    let [client, greedy] = [world.start(), world.start()];
    assert!(world.call(client, &request::create("/a", &[1; 4_000])).error.is_ok());
    world.send(greedy, &request::create("/b", &[1; 6_000]));
    world.settle();
    assert_eq!(*world.close_reason(greedy), CloseReason::LargeRequests);
    assert_eq!(world.server().stats().large_requests_rejected, 1);
    assert_eq!(world.call(client, &request::exists("/b", false)).body, Body::Empty);
    world.finish();
}
