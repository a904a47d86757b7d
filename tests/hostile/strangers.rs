//! Bad input before there is a session.

use std::time::Duration;

use zookeeper_core::{
    SessionId, Zxid,
    endpoint::CloseReason,
    wire::{Blob, ConnectRequest, Encode, ErrorCode, Op, RequestHeader, Xid},
};
use zookeeper_sim::pair::{ClientId, World};

use crate::table::{
    Expect, Row, check, hello, is_frame, is_handshake, is_unknown, read_record, say, say_in_session,
};

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
fn handshakes_that_are_none() {
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
    ]);
}

#[test]
fn handshakes_out_of_place() {
    check(&[
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
    ]);
}

#[test]
fn sessions_that_are_not_ones_own() {
    check(&[
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
