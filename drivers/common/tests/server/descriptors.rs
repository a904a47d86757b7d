//! A process without a free descriptor. Alone in its file, because it takes all of them.
use std::{
    fs::File,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use zookeeper_core::wire::Request;

use crate::common::{Client, Running, Server, ask, config, connect_frame, wait_for_connections};

/// Collects the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn count(&self, text: &str) -> usize {
        let log = self.0.lock().expect("no panic");
        String::from_utf8_lossy(&log).matches(text).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_lack_of_descriptors_is_survived_without_spinning() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).expect("less is always allowed");

    let mut config = config();
    // Only the end of a connection brings room in this test.
    config.accept_backoff = Duration::from_secs(3_600);
    let server = Server::spawn(config).expect("a free port");
    let mut served = Client::new(server.address());
    let leaving = Client::new(server.address());
    // Sockets of clients to come, made while there are descriptors; then all others are taken.
    let sockets: Vec<Socket> =
        (0..2).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).expect("room")).collect();
    let mut others = Vec::new();
    while let Ok(other) = File::open("/dev/null") {
        others.push(other);
    }
    let mut waiting: Vec<Client> =
        sockets.into_iter().map(|socket| connect(socket, &server)).collect();

    // Who is there already is served as ever, and the loop sleeps in between.
    while log.count("cannot accept: waiting for room") == 0 {
        served.ping();
    }
    for _ in 0..200 {
        served.ping();
    }
    assert_eq!(log.count("cannot accept"), 1, "the loop spins");

    // One connection goes, the first of those who wait is served; then there is room for all.
    drop(leaving);
    assert!(waiting[0].connected().0 > 0);
    drop(others);
    served.submit(&Request::CloseSession);
    served.wait_for_end();
    assert!(waiting[1].connected().0 > 0);
    for client in &mut waiting {
        client.ping();
    }
    churn(server.address());
    wait_for_connections(server.address(), waiting.len());
    server.stop().expect("a server that was well");
}

/// More connections than there are descriptors, one after the other, with every kind of end: what
/// is kept of one is missed by another.
fn churn(address: SocketAddr) {
    for round in 0..200 {
        let mut client = Client::new(address);
        match round % 4 {
            0 => {}
            1 => client.reset_on_drop(),
            2 => {
                client.submit(&Request::CloseSession);
                client.wait_for_end();
            }
            _ => assert!(ask(address, b"srvr").starts_with("Zookeeper")),
        }
    }
}

/// Connects without a new descriptor and asks for a session.
fn connect(socket: Socket, server: &Running) -> Client {
    socket.connect(&server.address().into()).expect("the system accepts for the server");
    let mut client = Client::from_stream(socket.into());
    client.send(&connect_frame());
    client
}
