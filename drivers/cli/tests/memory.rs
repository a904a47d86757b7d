//! What `zk` keeps resident, seen from outside. Prints its figures.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        AclEntry, Blob, ConnectRequest, ConnectResponse, CreateRequest, Encode, ErrorCode, List,
        MultiOp, MultiOps, ReadRequest, Reader, ReplyHeader, Request, RequestHeader, Text, Xid,
        perms,
    },
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The soft limit on one connection's unsent output.
const OUTPUT_SOFT_MAX: usize = MIB;

/// Only a server that hangs takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn announced_lengths_cost_nothing() {
    const ANNOUNCED: i32 = (1 << 20) - 1;
    const SOCKETS: usize = 300;
    let zk = Zk::start();
    let mut sockets: Vec<Client> = (0..SOCKETS).map(|_| zk.connect()).collect();
    for socket in &mut sockets {
        socket.ping(&[]);
    }
    let before = zk.resident();
    for socket in &mut sockets {
        // In one segment with a ping, whose answer says that it was read.
        socket.ping(&ANNOUNCED.to_be_bytes());
    }
    let grown = zk.resident().saturating_sub(before);
    println!("{SOCKETS} sockets that announce 1 MiB each: {} KiB", grown / KIB);
    assert!(grown < MIB, "{grown} bytes");
}

#[test]
fn replies_that_nobody_reads_are_bounded() {
    const REQUESTS: usize = 250;
    const READS: usize = 250;
    // Short enough to be copied into every reply, not shared with the tree.
    const DATA: usize = 4_000;
    let zk = Zk::start();
    let mut other = zk.connect();
    other.create("/a", &[b'x'; DATA]);
    let read = ReadRequest { path: Some(Text::from("/a")), watch: false };
    let reads = [MultiOp::GetData(read); READS];
    let request = frame(Xid(1), &Request::MultiRead(MultiOps::new(&reads)));
    let mut silent = zk.connect();
    let before = zk.resident();
    silent.stream.set_nonblocking(true).expect("a socket");
    let mut unsent = &request.repeat(REQUESTS)[..];
    let (mut grown, mut served, mut idle) = (0, 0, 0);
    // Until the server has found nothing to do for it in many turns.
    while idle < 100 {
        if let Ok(count) = silent.stream.write(unsent) {
            unsent = &unsent[count..];
        }
        other.ping(&[]);
        grown = grown.max(zk.resident().saturating_sub(before));
        let before = served;
        served = zk.multi_reads();
        idle = if served == before { idle + 1 } else { 0 };
    }
    let reply = READS * DATA;
    println!(
        "{served} of {REQUESTS} multiReads of {} KiB served, none read: {} KiB",
        reply / KIB,
        grown / KIB
    );
    assert!((1..REQUESTS).contains(&served), "it goes on for a client that does not read");
    // Requests that were read and wait, buffers of the driver and of the other clients, and what
    // the allocator rounds up.
    let rest = MIB;
    assert!(grown < OUTPUT_SOFT_MAX + reply + rest, "{grown} bytes");
}

#[test]
fn idle_sessions_are_small() {
    const SESSIONS: usize = 10_000;
    const PER_ADDRESS: usize = 5_000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the maximum is always allowed");
    // Each side has a descriptor for each, and the server inherits the limit.
    let sessions = limit.maximum.map_or(SESSIONS, |maximum| {
        SESSIONS.min(usize::try_from(maximum).unwrap_or(usize::MAX).saturating_sub(200))
    });
    let zk = Zk::start();
    drop(zk.connect());
    let before = zk.resident();
    let mut clients = Vec::with_capacity(sessions);
    for number in 0..sessions {
        // An address has only so many ports.
        let host = u8::try_from(2 + number / PER_ADDRESS).expect("few addresses");
        clients.push(zk.connect_from(Ipv4Addr::new(127, 0, 0, host)));
    }
    let grown = zk.resident().saturating_sub(before);
    let each = grown / sessions;
    println!("{sessions} idle sessions: {} KiB, {each} bytes each", grown / KIB);
    if sessions < SESSIONS {
        println!("skipped: the limit on descriptors leaves room for {sessions} sessions only");
        assert!(std::env::var_os("CI").is_none(), "no room for descriptors");
    }
    assert!(each <= 16 * MIB / SESSIONS, "{each} bytes each");
}

/// A running `zk`, which does not outlive its test.
struct Zk {
    child: Child,
    address: SocketAddr,
    _config: TempDir,
}

impl Zk {
    fn start() -> Self {
        let dir = TempDir::new().expect("room");
        let config = dir.path().join("zoo.cfg");
        let settings = "maxClientCnxns=0\nmaxSessionTimeout=600000\n4lw.commands.whitelist=*";
        let text = format!("dataDir={}\n{settings}\n", dir.path().display());
        fs::write(&config, text).expect("room");
        let mut child = Command::new(env!("CARGO_BIN_EXE_zk"))
            .args(["serve", "--in-memory", "--quiet", "--listen", "127.0.0.1:0", "--config"])
            .arg(config)
            // Where the system gives huge pages unasked, every figure would be a multiple of them.
            .env("MIMALLOC_ALLOW_THP", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut ready).expect("text");
        let address = ready.trim_end().rsplit_once(' ').expect("it says where it is").1;
        let zk = Self { child, address: address.parse().expect("an address"), _config: dir };
        // What every server does has been done once.
        zk.connect().ping(&[]);
        zk.multi_reads();
        zk
    }

    /// Bytes resident.
    fn resident(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("it runs");
        KIB * number_behind(&status, "VmRSS:").expect("Linux says so")
    }

    /// How many requests were answered by a record that large.
    fn multi_reads(&self) -> usize {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.write_all(b"mntr").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        number_behind(&answer, "zk_op_count_multi_read\t").unwrap_or(0)
    }

    /// A client with a session.
    fn connect(&self) -> Client {
        self.connect_from(Ipv4Addr::LOCALHOST)
    }

    fn connect_from(&self, host: Ipv4Addr) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor");
        socket.bind(&SocketAddr::from((host, 0)).into()).expect("a port");
        socket.connect(&self.address.into()).expect("it listens");
        let mut client = Client { stream: socket.into() };
        client.stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        client.stream.set_nodelay(true).expect("a socket");
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: i32::MAX,
            session: SessionId::NONE,
            password: Some(Blob::from(&[0; 16][..])),
            read_only: Some(false),
        };
        client.stream.write_all(&framed(hello.to_vec())).expect("it reads");
        let answer = client.frame();
        let answer: ConnectResponse<'_> = Reader::new(&answer).read().expect("a ConnectResponse");
        assert!(answer.timeout_ms > 0, "no session");
        client
    }
}

impl Drop for Zk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    /// Sends a ping and more behind it, and waits for the ping's answer.
    fn ping(&mut self, more: &[u8]) {
        let ping = [&frame(Xid::PING, &Request::Ping)[..], more].concat();
        self.stream.write_all(&ping).expect("it reads");
        self.expect_answer();
    }

    fn create(&mut self, path: &str, data: &[u8]) {
        let (scheme, id) = (Some(Text::from("world")), Some(Text::from("anyone")));
        let acl = [AclEntry { perms: perms::ALL, scheme, id }];
        let create = Request::Create(CreateRequest {
            path: Some(Text::from(path)),
            data: Some(Blob::from(data)),
            acl: Some(List::new(&acl)),
            flags: 0,
        });
        self.stream.write_all(&frame(Xid(1), &create)).expect("it reads");
        self.expect_answer();
    }

    fn expect_answer(&mut self) {
        let answer = self.frame();
        let header: ReplyHeader = Reader::new(&answer).read().expect("a header");
        assert_eq!(header.error, ErrorCode::OK);
    }

    fn frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("it answers");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).expect("it answers in full");
        frame
    }
}

fn frame(xid: Xid, request: &Request<'_>) -> Vec<u8> {
    let header = RequestHeader { xid, op: request.op().code() };
    framed([header.to_vec(), request.to_vec()].concat())
}

fn framed(body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    [&length.to_be_bytes()[..], &body].concat()
}

/// The number behind a label.
fn number_behind(text: &str, label: &str) -> Option<usize> {
    text.split_once(label)?.1.split_whitespace().next()?.parse().ok()
}
