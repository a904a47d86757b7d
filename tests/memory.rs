//! What a server holds in memory, byte for byte: a counting allocator is this program's own.
//!
//! There is one test, since the allocator counts whatever runs at the same time.

use std::sync::Arc;

use bytes::Buf;
use peak_alloc::PeakAlloc;
use zookeeper_core::{
    ConnId, Instant,
    endpoint::Stats,
    server::{Action, Config, Recovered, Server},
    wire::{Encode, MultiOp, Op, ReadRequest, Request, RequestHeader, Xid},
};
use zookeeper_sim::pair::{World, request};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A server driven by hand: a driver's own memory would be counted too.
struct Bare {
    server: Server,
    now: Instant,
    next_port: u32,
}

impl Bare {
    fn new() -> Self {
        let mut config = Config::default();
        config.endpoint.connections_per_address_max = 0;
        let now = Instant::from_millis(1_000);
        let mut server = Server::new(Arc::new(config), now, 1, Recovered::empty());
        server.handle_wall_clock(now, 1_767_225_600_000);
        Self { server, now, next_port: 0 }
    }

    fn open(&mut self) -> ConnId {
        self.next_port += 1;
        let port = u16::try_from(self.next_port % 60_000).unwrap_or(0);
        self.server.handle_accept(self.now, ([127, 0, 0, 1], port).into()).expect("no limit")
    }

    fn start(&mut self) -> ConnId {
        let conn = self.open();
        self.send(conn, &World::hello().to_vec());
        self.drain(true);
        conn
    }

    fn send(&mut self, conn: ConnId, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a frame has a length");
        self.server.handle_input(self.now, conn, &[&length.to_be_bytes()[..], body].concat());
    }

    fn ask(&mut self, conn: ConnId, request: &Request<'_>) {
        let header = RequestHeader { xid: Xid(1), op: request.op().code() };
        self.send(conn, &[header.to_vec(), request.to_vec()].concat());
    }

    /// Does what there is to do; clients read or they do not.
    fn drain(&mut self, reads: bool) {
        loop {
            while self.server.poll_event().is_some() {}
            let Some(action) = self.server.poll_action() else {
                if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.server.handle_timeout(self.now);
                    continue;
                }
                return;
            };
            if let Action::Transmit(conn) = action
                && reads
            {
                while let Some(mut transmit) = self.server.poll_transmit(conn) {
                    let length = transmit.chunk().len();
                    transmit.advance(length);
                }
            }
        }
    }

    fn stats(&self) -> &Stats {
        self.server.stats()
    }
}

/// Bytes allocated since then.
fn since(before: usize) -> usize {
    ALLOCATOR.current_usage().saturating_sub(before)
}

#[test]
fn memory_is_bounded() {
    announced_frames();
    unread_answers();
    unread_data();
    idle_sessions();
}

/// 300 sockets that announce 1 MiB each in 4 bytes.
fn announced_frames() {
    let mut bare = Bare::new();
    // Whatever grows once.
    (0..300).for_each(|_| _ = bare.start());

    let before = ALLOCATOR.current_usage();
    let conns: Vec<_> = (0..300).map(|_| bare.start()).collect();
    let connected = since(before);
    for &conn in &conns {
        bare.server.handle_input(bare.now, conn, &[0, 0x0f, 0xff, 0xff]);
    }
    bare.drain(true);
    println!("300 sessions: {} KiB", connected / KIB);
    println!("and 1 MiB announced on each: {} KiB", since(before) / KIB);
    assert!(since(before) < MIB);

    // Strangers may announce 1 KiB.
    let before = ALLOCATOR.current_usage();
    for _ in 0..300 {
        let conn = bare.open();
        bare.server.handle_input(bare.now, conn, &1_024_i32.to_be_bytes());
    }
    bare.drain(true);
    println!("300 strangers, 1 KiB announced on each: {} KiB", since(before) / KIB);
    assert!(since(before) < MIB);
    assert_eq!(bare.stats().bad_frames, 0);
}

/// A client that sends 250 large multiReads and never reads.
fn unread_answers() {
    const CHILDREN: usize = 1_000;
    let mut bare = Bare::new();
    let [writer, reader] = [bare.start(), bare.start()];
    bare.ask(writer, &request::create("/big", &[7; 100 * KIB]));
    bare.ask(writer, &request::create("/many", b""));
    for number in 0..CHILDREN {
        bare.ask(writer, &request::create(&format!("/many/{number:0100}"), b""));
    }
    bare.drain(true);
    let read = |path: &'static str| ReadRequest { path: Some(path.into()), watch: false };
    let data = MultiOp::GetData(read("/big"));
    let children = MultiOp::GetChildren(read("/many"));
    // Data is sent by reference, names are copied; of each about half a MiB.
    let operations =
        [data, data, data, data, data, children, children, children, children, children];
    let reply = 5 * (100 * KIB + 9 + 72) + 5 * (9 + 4 + CHILDREN * 104) + 9 + 20;

    let soft_max = Config::default().endpoint.output_soft_max;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    for _ in 0..250 {
        // A driver reads while it is told to.
        if !bare.server.wants_read(reader) {
            break;
        }
        bare.ask(reader, &request::multi_read(&operations));
        bare.drain(false);
    }
    let unsent = bare.server.poll_transmit(reader).expect("answers").remaining();
    let served = bare.stats().requests(Op::MultiRead);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    println!(
        "a client that never reads {reply} byte replies: {served} served, {unsent} bytes unsent, \
         {} KiB, at most {} KiB",
        since(before) / KIB,
        peak / KIB
    );
    assert!(unsent < soft_max + reply);
    assert!(since(before) < soft_max + reply);
    assert!(peak < soft_max + 2 * reply, "a reply is not built twice");

    // All 250 in one read of a driver that does not look.
    let before = ALLOCATOR.current_usage();
    let greedy = bare.start();
    for _ in 0..250 {
        bare.ask(greedy, &request::multi_read(&operations));
    }
    bare.drain(false);
    println!("250 of them at once: {} KiB", since(before) / KIB);
    assert!(since(before) < soft_max + reply + 250 * 512);
}

/// A client that never reads large data: the tree's own bytes are sent, not copies.
fn unread_data() {
    let mut bare = Bare::new();
    let conn = bare.start();
    bare.ask(conn, &request::create("/big", &[7; 900 * KIB]));
    bare.drain(true);
    let before = ALLOCATOR.current_usage();
    let mut sent = 0;
    while bare.server.wants_read(conn) {
        bare.ask(conn, &request::get_data("/big", false));
        bare.drain(false);
        sent += 1;
        assert!(sent < 100, "it is not read for ever");
    }
    println!("{sent} requests for 900 KiB before it is not read: {} KiB", since(before) / KIB);
    assert!(since(before) < MIB, "the data is the tree's own");
}

/// 10,000 idle sessions.
fn idle_sessions() {
    let mut bare = Bare::new();
    bare.start();
    let before = ALLOCATOR.current_usage();
    (0..10_000).for_each(|_| _ = bare.start());
    let each = since(before) / 10_000;
    println!("10,000 idle sessions: {} KiB, {each} bytes each", since(before) / KIB);
    assert!(since(before) < 16 * MIB);
    assert!(bare.server.connection_count() == 10_001);
}
