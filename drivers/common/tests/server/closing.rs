//! The ends of connections and of servers.

use std::{
    io::Write,
    net::{Shutdown, TcpListener},
    time::Duration,
};

use zookeeper_core::wire::Request;

use crate::common::{
    BindError, Client, Config, DEADLINE, Server, ask, config, connect_frame, run, start,
    wait_for_connections,
};

const LARGE: usize = 900_000;

fn reset(client: Client) {
    client.reset_on_drop();
}

#[test]
fn resets_at_any_moment_cost_nobody_else_anything() {
    let server = start();
    let address = server.address();
    let mut client = Client::new(address);
    client.create("/large", &[7; LARGE]);
    for _ in 0..20 {
        // Before the handshake, in the middle of it, in the middle of a frame.
        reset(Client::connect(address));
        let mut half = Client::connect(address);
        half.send(&connect_frame()[..20]);
        reset(half);
        let mut half = Client::new(address);
        half.send(&[0, 0, 1, 0, 7]);
        reset(half);
        // With a socket full of replies, and requests the server does not want yet.
        let mut full = Client::new(address);
        for _ in 0..10 {
            full.submit_read("/large");
        }
        reset(full);
        client.ping();
    }
    wait_for_connections(address, 1);
    client.submit_read("/large");
    assert_eq!(client.data().len(), LARGE);
}

/// What comes behind a command is never read, and must not make a reset of the answer's end.
#[test]
fn an_answer_is_not_lost_to_input_behind_the_question() {
    let server = start();
    for round in 0..50 {
        let mut client = Client::connect(server.address());
        client.send(b"srvr");
        // More than one read, and some of it after the server has closed.
        let junk = vec![b'\n'; 100_000];
        let mut writer = client.stream.try_clone().expect("a descriptor");
        let writing = std::thread::spawn(move || {
            // The server may be gone before all is written.
            let _ = writer.write_all(&junk);
            let _ = writer.shutdown(Shutdown::Write);
        });
        let answer = String::from_utf8(client.rest()).expect("text");
        assert!(answer.starts_with("Zookeeper version: "), "round {round}: {answer:?}");
        writing.join().expect("no panic");
    }
}

#[test]
fn a_closed_session_ends_cleanly_though_more_was_sent() {
    let server = start();
    let mut client = Client::new(server.address());
    client.submit(&Request::CloseSession);
    client.submit_read("/");
    client.submit_read("/");
    assert_eq!(client.frame().len(), 16);
    assert_eq!(client.rest(), b"");
}

#[test]
fn too_many_connections_are_dropped_at_once() {
    let mut config = config();
    config.server.endpoint.connections_per_address_max = 2;
    let server = Server::spawn(config).expect("a free port");
    let mut first = Client::new(server.address());
    let second = Client::new(server.address());
    let mut third = Client::connect(server.address());
    third.wait_for_end();
    first.ping();
    // The end of one makes room; the server hears of it when it can.
    drop(second);
    let start = std::time::Instant::now();
    loop {
        let mut next = Client::connect(server.address());
        let _ = next.stream.write_all(b"srvr");
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut next.stream, &mut answer);
        if !answer.is_empty() {
            break;
        }
        assert!(start.elapsed() < DEADLINE);
    }
}

#[test]
fn a_stopping_server_keeps_its_promises() {
    let server = start();
    let mut idle = Client::new(server.address());
    let mut client = Client::new(server.address());
    client.create("/large", &[7; LARGE]);
    client.submit_read("/large");
    // The answer has begun, so all of it is promised.
    let mut first = [0; 1];
    assert_eq!(client.stream.peek(&mut first).expect("an answer"), 1);
    let address = server.address();
    server.handle().shutdown();
    server.handle().shutdown();
    assert_eq!(idle.rest(), b"");
    assert_eq!(client.data().len(), LARGE);
    assert_eq!(client.rest(), b"");
    drop((idle, client));
    server.stop().expect("a server that was well");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
    // And its port is free again.
    let mut again = Config::default();
    again.listen = vec![address];
    drop(Server::bind(again).expect("a free port"));
}

#[test]
fn a_stopping_server_waits_for_nobody_for_ever() {
    let mut config = config();
    config.close_linger = Duration::from_millis(10);
    config.server.endpoint.linger = Duration::from_millis(10);
    let server = Server::spawn(config).expect("a free port");
    let mut deaf = Client::new(server.address());
    deaf.create("/large", &[7; LARGE]);
    for _ in 0..20 {
        deaf.submit_read("/large");
    }
    let silent = Client::connect(server.address());
    ask(server.address(), b"srvr");
    server.stop().expect("a server that was well");
    drop((deaf, silent));
}

#[test]
fn a_server_that_never_ran_is_no_trouble() {
    let server = Server::bind(config()).expect("a free port");
    let handle = server.handle();
    handle.shutdown();
    run(server).expect("it stops at once");
    handle.shutdown();
}

#[test]
fn several_addresses_are_served() {
    let mut config = config();
    config.listen.push(([127, 0, 0, 1], 0).into());
    let server = Server::spawn(config).expect("free ports");
    let [one, other] = server.addresses() else { panic!("two addresses") };
    assert!(one.port() != 0 && other.port() != 0 && one.port() != other.port());
    let (mut first, mut second) = (Client::new(*one), Client::new(*other));
    first.create("/a", b"1");
    second.submit_read("/a");
    assert_eq!(second.data(), b"1");
}

#[test]
fn ipv6_and_ipv4_share_a_port() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let four = Server::bind(config()).expect("a free port");
    let mut config = config();
    config.listen = vec![format!("[::]:{}", four.local_addr().port()).parse().expect("valid")];
    let six = Server::spawn(config).expect("IPv6 alone leaves the port to IPv4");
    let address = format!("[::1]:{}", six.address().port()).parse().expect("valid");
    Client::new(address).ping();
}

#[test]
fn what_cannot_be_bound_is_named() {
    let server = start();
    let mut config = config();
    config.listen = vec![server.address()];
    let error = Server::bind(config.clone()).expect_err("the port is taken");
    assert!(matches!(error, BindError::Listen { address, .. } if address == server.address()));
    assert!(error.to_string().contains(&server.address().to_string()));
    let error = Server::spawn(config.clone()).expect_err("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    config.listen.clear();
    assert!(matches!(Server::bind(config), Err(BindError::NoAddress)));
}
