//! The core's example of a client on tokio, against this server: straight, and over a connection
//! that breaks.
#![cfg(unix)]

mod common;
#[expect(dead_code, reason = "its main")]
#[path = "../../../examples/tokio.rs"]
mod example;

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    thread,
};

use tokio::{runtime, time};
use zookeeper_core::{
    client::{Event, KeeperState, LostReason, WatchEventKind},
    wire::{Op, Response},
};

use common::{DEADLINE, start};

const PATH: &str = "/example-0000000000";

/// Runs the example against these servers. Returns its events, one word each.
fn run(servers: SocketAddr) -> Vec<String> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&events);
    let show = Box::new(move |event: &Event<'_>| seen.borrow_mut().push(word(event)));
    let program = example::run(servers.to_string().parse().expect("an address"), show);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async { time::timeout(DEADLINE, program).await });
    let events = events.take();
    outcome.expect("in time").unwrap_or_else(|error| panic!("{error}, after {events:?}"));
    events
}

fn word(event: &Event<'_>) -> String {
    match event {
        Event::Reply { result: Ok(reply), .. } => match reply.response {
            Response::Path(Some(path)) => {
                assert_eq!(path.to_str(), Ok(PATH));
                "created".into()
            }
            Response::Data { data: Some(data), .. } => {
                format!("data {}", String::from_utf8_lossy(&data))
            }
            Response::Stat(stat) => format!("set {}", stat.version),
            ref other => format!("{other:?}"),
        },
        Event::Reply { result: Err(error), .. } => error.to_string(),
        Event::Watch { watchers, event } => {
            assert_eq!(watchers.len(), 1);
            assert_eq!((event.kind, event.path), (WatchEventKind::NodeDataChanged, PATH));
            "changed".into()
        }
        Event::StateChanged { state: KeeperState::SyncConnected, .. } => "connected".into(),
        Event::StateChanged { state, .. } => format!("{state:?}"),
        Event::ConnectionClosed { reason: LostReason::SessionEnded, .. } => "ended".into(),
        Event::ConnectionClosed { reason, .. } => reason.to_string(),
        Event::WatchesRestored { .. } => "restored".into(),
        Event::Closed(reason) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn it_watches_what_it_changes() {
    let server = start();
    let events = run(server.address());
    let expected = ["connected", "created", "data one", "changed", "set 1", "ended", "Closed"];
    assert_eq!(events, [&expected[..], &["closed"]].concat());
    server.stop().expect("it served");
}

#[test]
fn it_goes_on_after_a_lost_connection() {
    let server = start();
    let events = run(break_first_set(server.address()));
    let until_it_breaks = ["connected", "created", "data one", "closed by the peer"];
    let lost = ["connection lost, the request may have been executed", "Disconnected"];
    let behind = ["connected", "restored", "changed", "set 1", "ended", "Closed", "closed"];
    assert_eq!(events, [&until_it_breaks[..], &lost, &behind].concat());
    server.stop().expect("it served");
}

/// A way to the server that is cut where the first `setData` should come through.
fn break_first_set(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for may_set in [false, true] {
            let (client, _) = listener.accept().expect("the example connects");
            pass(&client, &TcpStream::connect(server).expect("the server listens"), may_set);
        }
    });
    address
}

/// Passes frames on, until somebody closes or does what may not be.
fn pass(client: &TcpStream, server: &TcpStream, may_set: bool) {
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok(frame) = read_frame(server)
                && (&*client).write_all(&frame).is_ok()
            {}
            let _ = client.shutdown(Shutdown::Both);
        });
        // The first frame of a connection has no header.
        let mut is_first = true;
        while let Ok(frame) = read_frame(client) {
            let is_set = !is_first && frame[8..12] == Op::SetData.code().to_be_bytes();
            if (is_set && !may_set) || (&*server).write_all(&frame).is_err() {
                break;
            }
            is_first = false;
        }
        let _ = server.shutdown(Shutdown::Both);
    });
}

/// A frame with its length.
fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.resize(4 + length as usize, 0);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}
