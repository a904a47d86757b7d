//! Rows of bad input, what comes of each, and the witness who must not notice.

use std::time::Duration;

use zookeeper_core::{
    SessionId,
    endpoint::{CloseReason, CommandWhitelist, Stats},
    wire::{Command, ConnectRequest, CreateRequest, Encode, ErrorCode, Op, ReadRequest, Text, Xid},
};
use zookeeper_sim::pair::{ClientId, Options, World, request};

/// What somebody does, what comes of it, and what counts it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Does it, on a connection of its own.
    pub(crate) act: fn(&mut World) -> ClientId,
    pub(crate) expect: Expect,
    pub(crate) counter: fn(&Stats) -> u64,
}

pub(crate) enum Expect {
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
pub(crate) fn check(rows: &[Row]) {
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

pub(crate) fn expect(world: &mut World, client: ClientId, row: &Row) {
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
pub(crate) fn say(world: &mut World, bytes: &[u8]) -> ClientId {
    let client = world.open();
    world.send_bytes(client, bytes);
    client
}

/// Bytes on a connection with a session.
pub(crate) fn say_in_session(world: &mut World, bytes: &[u8]) -> ClientId {
    let client = world.start();
    world.send_bytes(client, bytes);
    client
}

/// A request on a connection with a session.
pub(crate) fn ask(world: &mut World, op: Op, record: &[u8]) -> ClientId {
    let client = world.start();
    world.send_as(client, Xid(1), op, record);
    client
}

pub(crate) fn ask_code(world: &mut World, op: i32, record: &[u8]) -> ClientId {
    let client = world.start();
    world.send_code(client, Xid(1), op, record);
    client
}

pub(crate) fn hello(world: &mut World, request: &ConnectRequest<'_>) -> ClientId {
    let client = world.open();
    world.send_frame(client, &request.to_vec());
    client
}

/// One byte each second.
pub(crate) fn drip(world: &mut World, client: ClientId, bytes: &[u8]) -> ClientId {
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

pub(crate) fn create_record(path: &[u8], flags: i32) -> Vec<u8> {
    let path = Some(Text::from(path));
    CreateRequest { path, ..request::new_znode("", b"", flags) }.to_vec()
}

pub(crate) fn read_record(path: &[u8]) -> Vec<u8> {
    ReadRequest { path: Some(Text::from(path)), watch: false }.to_vec()
}

pub(crate) const fn is_frame(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Frame(_))
}

pub(crate) const fn is_handshake(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadHandshake(_))
}

pub(crate) const fn is_header(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadHeader(_))
}

pub(crate) const fn is_unknown(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::UnknownOperation(_))
}

pub(crate) const fn is_authentication(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::BadAuthentication(_))
}
