//! Clients that behave, in numbers and in odd rhythms.

use std::{
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use zookeeper_core::wire::Request;

use crate::common::{
    Client, Server, ask, config, connect_frame, frame, get_data, ping_frame, resume_frame, run,
    start, sync, wait_for_connections,
};

/// What the driver reads at a time.
const READ_LENGTH: usize = 64 << 10;

/// Nearly as much as fits a frame.
const LARGE: usize = 900_000;

#[test]
fn a_session_begins_works_and_ends() {
    let server = start();
    let mut client = Client::new(server.address());
    client.create("/a", b"data");
    client.submit_read("/a");
    assert_eq!(client.data(), b"data");
    client.ping();
    client.submit(&Request::CloseSession);
    assert_eq!(client.frame().len(), 16);
    assert_eq!(client.rest(), b"");
    server.stop().expect("a server that was well");
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let server = start();
    let mut client = Client::connect(server.address());
    for byte in connect_frame() {
        client.send(&[byte]);
    }
    assert!(client.connected().0 > 0);
    for byte in [ping_frame(), ping_frame()].concat() {
        client.send(&[byte]);
    }
    assert_eq!((client.frame().len(), client.frame().len()), (16, 16));
}

/// Everything a client ever says is there before the server first looks.
#[test]
fn the_end_may_come_with_the_last_bytes() {
    let server = Server::bind(config()).expect("a free port");
    let address = server.local_addr();
    let mut first = Client::connect(address);
    first.send(&connect_frame());
    first.send(&frame(1, &sync("/")));
    first.stream.shutdown(Shutdown::Write).expect("a socket");
    let mut command = Client::connect(address);
    command.send(b"srvr");
    command.stream.shutdown(Shutdown::Write).expect("a socket");

    let handle = server.handle();
    let running = thread::spawn(|| run(server));
    first.wait_for_end();
    assert!(command.rest().starts_with(b"Zookeeper version: "));
    wait_for_connections(address, 0);
    handle.shutdown();
    running.join().expect("no panic").expect("a server that was well");
}

#[test]
fn a_session_ends_though_its_client_does_not_wait_for_it() {
    let server = start();
    for _ in 0..20 {
        let mut client = Client::connect(server.address());
        client.send(&connect_frame());
        let (_, session, password) = client.connected();
        client.send(&frame(1, &Request::CloseSession));
        drop(client);
        wait_for_connections(server.address(), 0);
        let mut other = Client::connect(server.address());
        other.send(&resume_frame(session, &password));
        assert_eq!(other.connected().0, 0, "the session is gone");
        other.wait_for_end();
    }
}

/// It takes no answers, although its end is one in good order.
#[test]
fn who_asks_and_leaves_is_not_waited_for() {
    let server = start();
    for _ in 0..50 {
        let mut client = Client::new(server.address());
        client.send(&frame(1, &get_data("/")).repeat(2_000));
        drop(client);
    }
    wait_for_connections(server.address(), 0);
    server.stop().expect("a server that was well");
}

/// A stream that fills the driver's buffer to the last byte, and what comes behind it.
#[test]
fn reads_may_fill_the_buffer_exactly() {
    let server = Server::bind(config()).expect("a free port");
    let (stream, pings) = exact_stream();
    let mut open = Client::connect(server.local_addr());
    open.send(&stream);
    let mut ended = Client::connect(server.local_addr());
    ended.send(&stream);
    ended.stream.shutdown(Shutdown::Write).expect("a socket");

    let (handle, address) = (server.handle(), server.local_addr());
    let running = thread::spawn(|| run(server));
    assert!(open.connected().0 > 0);
    for _ in 0..=pings {
        open.frame();
    }
    open.ping();
    ended.wait_for_end();
    wait_for_connections(address, 1);
    handle.shutdown();
    running.join().expect("no panic").expect("a server that was well");
}

/// A handshake, so many pings, and one request that fills up.
fn exact_stream() -> (Vec<u8>, usize) {
    let mut stream = connect_frame();
    let ping = ping_frame();
    let shortest = frame(1, &sync("/")).len();
    let pings = (READ_LENGTH - stream.len() - shortest) / ping.len();
    for _ in 0..pings {
        stream.extend_from_slice(&ping);
    }
    let path = format!("/{}", "x".repeat(READ_LENGTH - stream.len() - shortest));
    stream.extend_from_slice(&frame(1, &sync(&path)));
    assert_eq!(stream.len(), READ_LENGTH);
    (stream, pings)
}

#[test]
fn who_does_not_read_for_a_while_gets_everything_later() {
    let server = start();
    let mut slow = Client::new(server.address());
    let data: Vec<u8> = (0..=250).cycle().take(LARGE).collect();
    slow.create("/large", &data);
    const READS: usize = 40;
    for _ in 0..READS {
        slow.submit_read("/large");
    }
    let mut other = Client::new(server.address());
    for _ in 0..100 {
        other.ping();
    }
    for read in 0..READS {
        assert!(slow.data() == data, "reply {read} is not what was written");
    }
    slow.ping();
}

/// The server stops reading while its answers are not read, and no edge tells it to go on.
#[test]
fn who_asks_more_than_it_reads_is_answered_in_the_end() {
    const REQUESTS: usize = 8_000;
    let server = start();
    let mut client = Client::new(server.address());
    client.create("/a", &[7; 10_000]);
    client.send(&frame(1, &get_data("/a")).repeat(REQUESTS));
    for _ in 0..REQUESTS {
        assert_eq!(client.data().len(), 10_000);
    }
    client.ping();
}

#[test]
fn hundreds_of_clients_are_served() {
    let server = start();
    let address = server.address();
    let mut clients: Vec<Client> = (0..300).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.send(&connect_frame());
    }
    for client in &mut clients {
        assert!(client.connected().0 > 0);
    }
    wait_for_connections(address, clients.len());
    for _ in 0..3 {
        for client in &mut clients {
            client.send(&[ping_frame(), ping_frame()].concat());
        }
        for client in &mut clients {
            assert_eq!((client.frame().len(), client.frame().len()), (16, 16));
        }
    }
    drop(clients);
    wait_for_connections(address, 0);
}

/// Clients that always have more to say, and one that says a little.
#[test]
fn a_flood_starves_nobody() {
    let server = start();
    let address = server.address();
    let mut client = Client::new(address);
    client.create("/a", &[7; 1_000]);
    let is_over = AtomicBool::new(false);
    let is_over = &is_over;
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut flood = Client::new(address);
            let mut replies = flood.stream.try_clone().expect("a descriptor");
            scope.spawn(move || {
                let requests = frame(1, &get_data("/a")).repeat(1_000);
                while !is_over.load(Ordering::Relaxed) {
                    flood.send(&requests);
                }
                // Nobody waits for what it has asked.
                flood.stream.shutdown(Shutdown::Both).expect("a socket");
            });
            scope.spawn(move || drain(&mut replies));
        }
        for _ in 0..50 {
            client.submit_read("/a");
            assert_eq!(client.data().len(), 1_000);
        }
        assert!(ask(address, b"srvr").starts_with("Zookeeper version: "));
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Reads until the end, however it comes.
fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; READ_LENGTH];
    while std::io::Read::read(stream, &mut buffer).is_ok_and(|count| count > 0) {}
}
