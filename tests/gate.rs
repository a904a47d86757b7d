//! The write-ahead gate: nothing that a power cut could take back leaves the server.
//!
//! In every world with a log the harness reads the log's own bytes and checks each frame at the
//! moment it leaves: no header shows a zxid, and no ConnectResponse a session, that is not stable.
//! These tests check what must be there, and when.

use std::time::Duration;

use zookeeper_core::{
    Rng, Zxid,
    endpoint::CloseReason,
    server::{Durability, Event},
    storage,
    wire::{ErrorCode, EventKind, Op, Request, Xid},
};
use zookeeper_sim::pair::{Acknowledge, ClientId, Message, Options, World, request};

const DELAY: Duration = Duration::from_millis(50);

/// A world with a log, some clients with sessions, and a store that does nothing from now on.
fn held<const N: usize>() -> (World, [ClientId; N]) {
    let mut world = World::new(Options::logged(Acknowledge::AtOnce));
    let clients = std::array::from_fn(|_| world.start());
    world.set_acknowledge(Acknowledge::ByHand);
    (world, clients)
}

#[test]
fn a_late_store_delays_handshakes_replies_and_events_and_nothing_else() {
    let mut world = World::new(Options::logged(Acknowledge::Late(DELAY)));
    let writer = world.open();
    assert_eq!(world.shake_hands(writer, &World::hello()), None);
    assert!(world.server().tree().sessions().len() == 1, "applied, and not announced");
    world.advance(DELAY);
    assert!(world.client(writer).handshake().is_some_and(|answer| answer.is_granted()));

    let watcher = world.open();
    world.shake_hands(watcher, &World::hello());
    world.advance(DELAY);
    world.call(watcher, &request::exists("/a", true));
    let other = world.open();
    world.shake_hands(other, &World::hello());
    world.advance(DELAY);

    let xid = world.send(writer, &request::create("/a", b"1"));
    world.settle();
    world.advance(DELAY / 2);
    assert_eq!(world.answer(writer, xid), None);
    assert_eq!(world.client_mut(watcher).take_events(), []);
    // What does not depend on it is answered, to those who do not wait for it.
    assert!(world.call(other, &request::exists("/zookeeper", false)).error.is_ok());
    world.advance(DELAY / 2);
    let answer = world.answer(writer, xid).expect("it is stable now");
    assert_eq!((answer.error, answer.zxid), (ErrorCode::OK, world.journal().newest()));
    let events = world.client_mut(watcher).take_events();
    assert_eq!((events.len(), events[0].zxid), (1, answer.zxid));
    world.finish();
}

#[test]
fn a_store_that_never_acknowledges_lets_nothing_out() {
    let (mut world, [writer, reader]) = held();
    let before = world.journal().newest();
    let heard = world.client(writer).transcript().len();
    let newcomer = world.open();
    world.shake_hands(newcomer, &World::hello());
    let create = world.send(writer, &request::create("/a", b"1"));
    let failed = world.send(writer, &request::delete("/nothing"));
    world.settle();
    // Everything that shows the new state waits as well.
    let others = [
        request::get_data("/a", false),
        request::exists("/", false),
        request::get_children("/", false),
        request::sync("/"),
    ];
    let sent: Vec<_> = others.iter().map(|request| world.send(reader, request)).collect();
    world.settle();
    for _ in 0..8 {
        world.advance(Duration::from_secs(1));
        assert_eq!(world.client(newcomer).handshake(), None);
        assert_eq!(world.client(writer).transcript().len(), heard);
        assert!(sent.iter().all(|&xid| world.answer(reader, xid).is_none()));
    }
    assert_eq!((world.journal().newest(), world.server().durable()), (before, before));
    assert!(world.server().applied() > before);

    world.acknowledge(usize::MAX);
    world.acknowledge(usize::MAX);
    assert!(world.client(newcomer).handshake().is_some());
    assert!(world.answer(writer, create).is_some_and(|answer| answer.error.is_ok()));
    let failed = world.answer(writer, failed).expect("an answer");
    assert_eq!((failed.error, failed.zxid), (ErrorCode::NO_NODE, world.server().applied()));
    assert!(sent.iter().all(|&xid| world.answer(reader, xid).is_some()));
    world.finish();
}

#[test]
fn reads_wait_for_what_they_show_and_for_nothing_else() {
    let (mut world, [writer, reader]) = held();
    world.set_acknowledge(Acknowledge::AtOnce);
    for path in ["/old", "/data", "/gone"] {
        world.call(writer, &request::create(path, b"old")).ok();
    }
    world.set_acknowledge(Acknowledge::ByHand);
    let durable = world.server().durable();
    world.send(writer, &request::set_data("/data", b"new"));
    world.send(writer, &request::delete("/gone"));
    world.settle();

    // Nothing of that is in these: they leave, with a zxid that is stable.
    for request in [request::get_data("/old", false), request::get_children("/old", false)] {
        let answer = world.call(reader, &request);
        assert_eq!((answer.error, answer.zxid), (ErrorCode::OK, durable));
    }
    let xid = Xid::PING;
    world.send_as(reader, xid, Op::Ping, &[]);
    world.settle();
    assert_eq!(world.answer(reader, xid).map(|answer| answer.zxid), Some(durable));

    // These show it, so each of them waits; one reader each, since those behind wait too.
    world.set_acknowledge(Acknowledge::AtOnce);
    let showing = [
        request::get_data("/data", false),
        request::exists("/data", false),
        request::get_data("/gone", false),
        request::get_children("/", false),
        request::sync("/old"),
        request::multi_read(&[]),
    ];
    let readers: Vec<_> = showing.iter().map(|_| world.start()).collect();
    world.set_acknowledge(Acknowledge::ByHand);
    let zxids = [
        {
            world.send(writer, &request::set_data("/data", b"newer"));
            world.settle();
            world.server().applied()
        },
        {
            world.send(writer, &request::create("/gone/never", b""));
            world.send(writer, &request::create("/more", b""));
            world.send(writer, &request::delete("/more"));
            world.settle();
            world.server().applied()
        },
    ];
    let sent: Vec<_> = showing.iter().zip(&readers).map(|(r, &c)| (c, world.send(c, r))).collect();
    world.settle();
    for (&(client, xid), request) in sent.iter().zip(&showing) {
        assert_eq!(world.answer(client, xid), None, "{:?} waits", request.op());
    }
    world.acknowledge(usize::MAX);
    world.acknowledge(usize::MAX);
    for (&(client, xid), request) in sent.iter().zip(&showing) {
        let answer = world.answer(client, xid).expect("an answer");
        assert!(answer.zxid >= zxids[0] && answer.zxid <= zxids[1], "{:?}", request.op());
    }
    let data = world.answer(sent[0].0, sent[0].1).expect("an answer");
    assert_eq!(data.body.data(), Some(&b"newer"[..]));
    world.finish();
}

#[test]
fn order_on_a_connection_is_kept_whatever_waits() {
    let (mut world, [client, other]) = held();
    world.call(client, &request::exists("/a", true));
    world.client_mut(client).take_answers();
    world.send(client, &request::create("/a", b"1"));
    world.send(client, &request::exists("/zookeeper", false));
    world.send_as(client, Xid::PING, Op::Ping, &[]);
    world.send(client, &request::get_data("/a", true));
    world.send(client, &request::set_data("/a", b"2"));
    world.settle();
    assert_eq!(world.client(client).messages(), [], "the first waits, so all do");
    assert!(world.call(other, &request::exists("/zookeeper", false)).error.is_ok());
    world.acknowledge(usize::MAX);
    world.acknowledge(usize::MAX);
    let heard = world.client(client).messages();
    let kinds: Vec<_> = heard
        .iter()
        .map(|message| match message {
            Message::Event(event) => (0, Some(event.kind)),
            Message::Answer(answer) => (answer.xid.0, None),
        })
        .collect();
    let created = (0, Some(EventKind::NodeCreated));
    let changed = (0, Some(EventKind::NodeDataChanged));
    let expected = [created, (2, None), (3, None), (-2, None), (4, None), changed, (5, None)];
    assert_eq!(kinds, expected, "events before the reply of what caused them");
    // Headers never fall, and those of reads show at least what is before them.
    let zxids: Vec<_> = heard
        .iter()
        .filter_map(|message| match message {
            Message::Answer(answer) => Some(answer.zxid),
            Message::Event(_) => None,
        })
        .collect();
    assert!(zxids.is_sorted(), "{zxids:?}");
    world.finish();
}

#[test]
fn events_wait_with_their_transaction() {
    let (mut world, [writer, watcher]) = held();
    world.call(watcher, &request::add_watch("/", 1)).ok();
    for (path, kind) in [("/a", EventKind::NodeCreated), ("/b", EventKind::NodeCreated)] {
        world.send(writer, &request::create(path, b""));
        world.settle();
        assert_eq!(world.client_mut(watcher).take_events(), []);
        world.acknowledge(usize::MAX);
        let events = world.client_mut(watcher).take_events();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].kind, events[0].zxid), (kind, world.journal().newest()));
        assert_eq!(events[0].path, path);
    }
    world.finish();
}

#[test]
fn an_end_of_a_session_is_told_when_it_is_stable() {
    let (mut world, [closing, other]) = held();
    let (session, password) = (world.client(closing).session(), world.client(closing).password());
    let close = world.send(closing, &Request::CloseSession);
    world.settle();
    assert_eq!(world.answer(closing, close), None);
    assert!(world.is_open(closing), "the end of the connection would tell it too");

    // Somebody who asks for that session, with its password, is not told that it has ended.
    let late = world.open();
    let mut hello = World::hello();
    hello.session = session;
    hello.password = Some(password[..].into());
    assert_eq!(world.shake_hands(late, &hello), None);
    assert!(world.is_open(late));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.client(late).handshake(), None);
    assert!(!world.journal().has_closed(session));

    world.acknowledge(usize::MAX);
    assert!(world.journal().has_closed(session));
    assert!(world.answer(closing, close).is_some_and(|answer| answer.error.is_ok()));
    assert_eq!(*world.close_reason(closing), CloseReason::SessionClosed);
    assert!(world.client(late).handshake().is_some_and(|answer| !answer.is_granted()));
    assert_eq!(*world.close_reason(late), CloseReason::SessionRefused);
    world.ping(other);
    world.finish();
}

#[test]
fn an_expiry_closes_its_connection_when_it_is_stable() {
    let (mut world, [silent, watcher]) = held();
    world.set_acknowledge(Acknowledge::AtOnce);
    world.call(silent, &request::create_as("/e", request::EPHEMERAL)).ok();
    world.call(watcher, &request::exists("/e", true)).ok();
    world.set_acknowledge(Acknowledge::ByHand);
    let session = world.client(silent).session();
    while world.server().tree().sessions().get(session).is_some() {
        world.advance_pinging(Duration::from_secs(1), &[watcher]);
    }
    assert!(world.is_open(silent));
    assert_eq!(world.client_mut(watcher).take_events(), []);
    world.acknowledge(usize::MAX);
    assert_eq!(*world.close_reason(silent), CloseReason::SessionExpired);
    let events = world.client_mut(watcher).take_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::NodeDeleted);
    world.finish();
}

#[test]
fn at_most_two_groups_are_on_their_way_and_the_next_one_grows() {
    let (mut world, [client]) = held();
    let before = world.store().groups();
    for number in 0..10 {
        world.send(client, &request::create(&format!("/{number}"), b""));
        world.settle();
        assert!(world.store().groups_waiting() <= 2);
    }
    assert_eq!(world.store().groups() - before, 2);
    // Append and sync of the first group: the second stays, the third has all the rest.
    world.acknowledge(2);
    assert_eq!(world.store().groups() - before, 3);
    assert_eq!(world.client_mut(client).take_answers().len(), 1);
    world.acknowledge(2);
    assert_eq!(world.client_mut(client).take_answers().len(), 1);
    world.acknowledge(1);
    assert_eq!(world.client_mut(client).take_answers(), [], "appended is not synced");
    world.acknowledge(1);
    assert_eq!(world.client_mut(client).take_answers().len(), 8);
    assert_eq!((world.store().groups() - before, world.store().waiting()), (3, 0));

    // Another limit.
    for groups_in_flight_max in [1, 3] {
        let mut options = Options::logged(Acknowledge::AtOnce);
        let mut storage = storage::Config::default();
        storage.groups_in_flight_max = groups_in_flight_max;
        options.config.durability = Durability::Logged(storage);
        let mut world = World::new(options);
        let client = world.start();
        world.set_acknowledge(Acknowledge::ByHand);
        for number in 0..5 {
            world.send(client, &request::create(&format!("/{number}"), b""));
            world.settle();
        }
        assert_eq!(world.store().groups_waiting(), groups_in_flight_max);
        world.finish();
    }
    world.finish();
}

#[test]
fn a_store_may_acknowledge_several_groups_at_once() {
    let mut world = World::new(Options::logged(Acknowledge::AtOnce));
    let clients: Vec<_> = (0..4).map(|_| world.start()).collect();
    world.set_acknowledge(Acknowledge::InGroups(4));
    for round in 0..8 {
        for &client in &clients {
            world.send(client, &request::create(&format!("/{}-{round}", client_name(client)), b""));
        }
        world.settle();
    }
    world.set_acknowledge(Acknowledge::AtOnce);
    for &client in &clients {
        let answers = world.client_mut(client).take_answers();
        assert_eq!(answers.len(), 8);
        assert!(answers.iter().all(|answer| answer.error.is_ok()));
        assert!(answers.is_sorted_by_key(|answer| answer.zxid));
    }
    assert!(world.store().groups() < 4 + 4 * 8, "{} groups", world.store().groups());
    world.finish();
}

fn client_name(client: ClientId) -> String {
    format!("{client:?}").chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn a_store_that_hangs_for_long_costs_nobody_its_session() {
    let (mut world, [writer, pinging, silent]) = held();
    // Two groups are on their way, and the one behind them fills up.
    for path in ["/a", "/b"] {
        world.send(writer, &request::create(path, b""));
        world.settle();
    }
    let (before, data) = (world.server().applied().0, vec![b'x'; 1_000_000]);
    let sent: Vec<_> = (0..70)
        .map(|_| {
            let xid = world.send(writer, &request::set_data("/a", &data));
            world.settle();
            xid
        })
        .collect();
    let served = world.server().applied().0 - before;
    assert!((60..70).contains(&served), "{served} of 70: the rest waits");
    let read = world.send(pinging, &request::exists("/b", false));
    for _ in 0..30 {
        world.send_as(pinging, Xid::PING, Op::Ping, &[]);
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.server().applied().0 - before, served);
    assert_eq!(world.server().tree().sessions().len(), 3, "we did not listen");

    world.set_acknowledge(Acknowledge::AtOnce);
    world.settle();
    assert!(sent.iter().all(|&xid| world.answer(writer, xid).is_some_and(|it| it.error.is_ok())));
    assert!(world.answer(pinging, read).is_some_and(|answer| answer.error.is_ok()));
    world.ping(pinging);
    world.call(pinging, &request::create("/c", b"")).ok();
    // From now on the deadlines run as before.
    world.advance_pinging(Duration::from_secs(13), &[pinging]);
    assert!(world.is_open(pinging));
    assert_eq!(*world.close_reason(silent), CloseReason::SessionExpired);
    world.finish();
}

#[test]
fn a_failed_store_ends_the_server_and_lets_nothing_out() {
    let (mut world, [writer, other]) = held();
    world.send(writer, &request::create("/a", b"1"));
    world.send(other, &request::sync("/"));
    world.settle();
    let heard = [writer, other].map(|client| world.client(client).transcript().len());
    world.fail_store();
    assert_eq!(heard, [writer, other].map(|client| world.client(client).transcript().len()));
    assert_eq!(*world.close_reason(writer), CloseReason::Failed);
    assert_eq!(*world.close_reason(other), CloseReason::Failed);
    let failures = world.events().iter().filter(|event| matches!(event, Event::Failed(_)));
    assert_eq!(failures.count(), 1, "one terminal event");
    assert!(world.open_from(([127, 0, 0, 1], 9).into()).is_err());
    world.advance(Duration::from_secs(100));
    world.finish();
}

/// Any script, any store: what leaves is checked by the harness.
#[test]
fn any_order_of_requests_and_acknowledgements_keeps_the_gate() {
    let seed = zookeeper_sim::replay::seed();
    let mut rng = Rng::new(seed);
    for round in 0..20 {
        let mut options = Options::logged(Acknowledge::ByHand);
        options.seed = rng.next_u64();
        options.socket_buffer = 200 + 100 * round;
        let mut world = World::new(options);
        let mut clients: Vec<_> = (0..3).map(|_| world.open()).collect();
        for &client in &clients {
            world.send_frame(client, &zookeeper_core::wire::Encode::to_vec(&World::hello()));
        }
        for _ in 0..120 {
            let index = usize::try_from(rng.below(3)).unwrap_or(0);
            step(&mut world, &mut rng, &mut clients, index);
            if rng.one_in(2) {
                world.settle();
            }
        }
        world.set_acknowledge(Acknowledge::AtOnce);
        assert_eq!(world.server().durable(), world.journal().newest());
        assert!(world.server().durable() > Zxid::ZERO);
        world.finish();
    }
}

fn step(world: &mut World, rng: &mut Rng, clients: &mut [ClientId], index: usize) {
    let client = clients[index];
    let path = ["/a", "/b", "/a/c"][usize::try_from(rng.below(3)).unwrap_or(0)];
    match rng.below(14) {
        0 | 1 => _ = world.send(client, &request::create(path, b"1")),
        2 => _ = world.send(client, &request::create_as(path, request::EPHEMERAL)),
        3 => _ = world.send(client, &request::delete(path)),
        4 => _ = world.send(client, &request::set_data(path, b"22")),
        5 => _ = world.send(client, &request::get_data(path, true)),
        6 => _ = world.send(client, &request::exists(path, true)),
        7 => _ = world.send(client, &request::get_children("/", true)),
        8 => _ = world.send(client, &request::sync("/")),
        9 => world.send_as(client, Xid::PING, Op::Ping, &[]),
        10 | 11 => {
            world.settle();
            world.acknowledge(usize::try_from(rng.below(5)).unwrap_or(0));
        }
        12 => world.advance(Duration::from_millis(rng.below(2_000))),
        _ => {
            world.reset(client);
            clients[index] = world.open();
            let hello = zookeeper_core::wire::Encode::to_vec(&World::hello());
            world.send_frame(clients[index], &hello);
        }
    }
}
