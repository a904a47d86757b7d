//! Bad input in a session.

use std::time::Duration;

use zookeeper_core::{
    Zxid,
    endpoint::CloseReason,
    wire::{
        AclEntry, CreateRequest, Encode, ErrorCode, List, MultiHeader, MultiOp, Op, ReadRequest,
        Text, Xid,
    },
};
use zookeeper_sim::pair::{ClientId, Options, World, request};

use crate::table::{
    Expect, Row, ask, ask_code, check, create_record, is_authentication, is_frame, is_header,
    is_unknown, read_record, say_in_session,
};

const MARSHALLING: Expect = Expect::Error(ErrorCode::MARSHALLING_ERROR);

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
fn records_of_the_wrong_length() {
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
    ]);
}

#[test]
fn vectors_and_nulls() {
    check(&[
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
                let acl = Some(List::new(&acl));
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
