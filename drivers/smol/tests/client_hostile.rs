//! Servers that do not keep to the protocol.

mod client_support;

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use client_support::{builder, event, run, start, wait_until};
use zookeeper_core::wire::{Encode as _, ErrorCode, EventKind, ReplyHeader, WatcherEvent, Xid};
use zookeeper_smol::client::{AddWatchMode, ConnectionState, CreateMode, WatchEventKind, Zxid};

/// Answers the first connections with these bytes, each its own, and closes them. The next one is
/// passed on to `server`; the client's end of it is handed out.
fn misbehave(scripts: Vec<Vec<u8>>, server: SocketAddr) -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for script in scripts {
            let (mut client, _) = listener.accept().expect("a socket");
            // Once the client has said something it waits for an answer.
            client.read_exact(&mut [0; 4]).expect("a handshake");
            client.write_all(&script).expect("the client reads");
            // With unread input, the client may find a reset.
        }
        loop {
            let Ok((client, _)) = listener.accept() else { return };
            let server = TcpStream::connect(server).expect("it listens");
            sender.send(client.try_clone().expect("a descriptor")).ok();
            let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
            let (from, to) = (clone(&client), clone(&server));
            thread::spawn(move || pass(from, to));
            thread::spawn(move || pass(server, client));
        }
    });
    (address, receiver)
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    io::copy(&mut from, &mut to).ok();
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    [&length.to_be_bytes()[..], body].concat()
}

fn notification(kind: i32, path: &str) -> Vec<u8> {
    let header = ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(-1), error: ErrorCode::OK };
    let event = WatcherEvent { kind, state: 3, path: Some(path.into()) };
    framed(&[header.to_vec(), event.to_vec()].concat())
}

#[test]
fn nonsense_instead_of_a_handshake_costs_one_attempt_each() {
    let server = start();
    let scripts = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0xff; 4],
        vec![0x7f, 0xff, 0xff, 0xff, 0],
        framed(&[]),
        framed(&[0; 3]),
        framed(&[0xff; 40]),
        notification(EventKind::NodeCreated.code(), "/a"),
        vec![0, 0],
        Vec::new(),
    ];
    let count = scripts.len();
    let (address, receiver) = misbehave(scripts, server.address());
    run(async {
        let client = builder(address).connect().await.expect("at last");
        client.create("/a", "", CreateMode::Persistent).await.expect("made");
        client.close().await;
    });
    // It did not give up, and did not come twice.
    assert_eq!(receiver.try_iter().count(), 1, "after {count} attempts");
}

#[test]
fn unexpected_notifications_are_harmless() {
    let server = start();
    let (address, receiver) = misbehave(Vec::new(), server.address());
    run(async {
        let client = builder(address).connect().await.expect("a server");
        let mut link = receiver.recv().expect("connected");
        let ((), mut watch) = client.add_watch("/a", AddWatchMode::Persistent).await.expect("set");
        let mut states = client.state_watcher();
        assert!(states.next().await.expect("alive").is_connected());
        // Nobody watches it; of no known kind; without a path; without a record.
        for bytes in [
            notification(EventKind::NodeDeleted.code(), "/nobody"),
            notification(99, "/a"),
            notification(EventKind::NodeCreated.code(), ""),
            framed(
                &ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(7), error: ErrorCode::OK }
                    .to_vec(),
            ),
            framed(&ReplyHeader { xid: Xid::PING, zxid: Zxid(7), error: ErrorCode::OK }.to_vec()),
            notification(EventKind::NodeDataChanged.code(), "/a"),
        ] {
            link.write_all(&bytes).expect("the client reads");
        }
        assert_eq!(event(&mut watch).await.kind, WatchEventKind::NodeDataChanged);
        client.create("/a", "", CreateMode::Persistent).await.expect("made");
        assert_eq!(event(&mut watch).await.kind, WatchEventKind::NodeCreated);
        assert_eq!(client.state(), ConnectionState::Connected { read_only: false });
    });
}

#[test]
fn a_reply_to_nothing_costs_the_connection_alone() {
    let server = start();
    let (address, receiver) = misbehave(Vec::new(), server.address());
    run(async {
        let client = builder(address).connect().await.expect("a server");
        let session = client.session_id();
        let mut states = client.state_watcher();
        for body in [
            ReplyHeader { xid: Xid(77), zxid: Zxid(7), error: ErrorCode::OK }.to_vec(),
            ReplyHeader { xid: Xid(-77), zxid: Zxid(7), error: ErrorCode(-999) }.to_vec(),
            vec![1, 2, 3],
        ] {
            while !states.next().await.expect("alive").is_connected() {}
            let mut link = receiver.recv().expect("connected");
            link.write_all(&framed(&body)).expect("the client reads");
            assert_eq!(states.next().await, Some(ConnectionState::Suspended));
        }
        // A frame that never ends, and a reset in its midst.
        while !states.next().await.expect("alive").is_connected() {}
        let mut link = receiver.recv().expect("connected");
        link.write_all(&[0, 0, 1, 0, 5]).expect("the client reads");
        link.shutdown(Shutdown::Both).expect("open");
        assert_eq!(states.next().await, Some(ConnectionState::Suspended));
        client.connected().await.expect("alive");
        wait_until("a reply", async || client.sync("/").await.is_ok()).await;
        assert_eq!(client.session_id(), session);
    });
}
