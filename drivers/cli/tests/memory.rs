//! What `zk serve` holds in memory, as the system counts it.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        AclEntry, Blob, ConnectRequest, CreateRequest, Encode, List, MultiOp, MultiOps,
        ReadRequest, Request, RequestHeader, Text, Xid, perms,
    },
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Only a server that hangs takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running `zk`, which does not outlive its test.
struct Zk {
    child: Child,
    address: SocketAddr,
    _config: TempDir,
}

impl Zk {
    fn start() -> Self {
        let config = TempDir::new().expect("room");
        let path = config.path().join("zoo.cfg");
        let data = config.path().display();
        let text = format!("dataDir={data}\nmaxClientCnxns=0\nmaxSessionTimeout=600000\n");
        fs::write(&path, text).expect("room");
        let mut child = Command::new(env!("CARGO_BIN_EXE_zk"))
            .args(["serve", "--in-memory", "--quiet", "--listen", "127.0.0.1:0", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a process");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut ready).expect("text");
        let address = ready.trim_end().rsplit(' ').next().expect("words");
        let address = address.parse().unwrap_or_else(|_| panic!("not ready: {ready}"));
        let zk = Self { child, address, _config: config };
        // Whatever the first requests cost once.
        let mut warm = zk.session();
        for _ in 0..100 {
            answer(&mut warm, &Request::Exists(read("/")));
        }
        zk.settle();
        zk
    }

    /// A connection with a session.
    fn session(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("a socket");
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 600_000,
            session: SessionId::NONE,
            password: None,
            read_only: Some(false),
        };
        send(&mut stream, &request.to_vec());
        assert_eq!(receive(&mut stream).len(), 37);
        stream
    }

    /// Everything said before is dealt with: one more client was answered twice.
    fn settle(&self) {
        let mut stream = self.session();
        for _ in 0..2 {
            answer(&mut stream, &Request::Exists(read("/")));
        }
    }

    /// Resident memory, in bytes.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
        let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
        kib * KIB
    }
}

impl Drop for Zk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &'static str) -> ReadRequest<'static> {
    ReadRequest { path: Some(path.into()), watch: false }
}

fn send(stream: &mut TcpStream, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("a frame has a length");
    stream.write_all(&[&length.to_be_bytes()[..], body].concat()).expect("it reads");
}

fn ask(stream: &mut TcpStream, request: &Request<'_>) {
    let header = RequestHeader { xid: Xid(1), op: request.op().code() };
    send(stream, &[header.to_vec(), request.to_vec()].concat());
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("it answers");
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut body).expect("it answers");
    body
}

fn answer(stream: &mut TcpStream, request: &Request<'_>) -> Vec<u8> {
    ask(stream, request);
    receive(stream)
}

/// How many files this process may open, as many as the system lets it.
fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.unwrap_or(20_000);
    let raised = Rlimit { current: Some(maximum), maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => limit.current.unwrap_or(1_024),
    }
}

#[test]
fn announced_frames_cost_nothing() {
    let zk = Zk::start();
    let mut streams: Vec<_> = (0..300).map(|_| zk.session()).collect();
    zk.settle();
    let before = zk.resident();
    for stream in &mut streams {
        stream.write_all(&[0, 0x0f, 0xff, 0xff]).expect("it reads");
    }
    zk.settle();
    let cost = zk.resident().saturating_sub(before);
    println!("300 sockets that announce 1 MiB in 4 bytes: {} KiB resident", cost / KIB);
    assert!(cost < MIB, "{cost} bytes");
}

#[test]
fn a_client_that_never_reads_costs_little_more_than_the_soft_limit() {
    const CHILDREN: usize = 1_000;
    let zk = Zk::start();
    let mut writer = zk.session();
    let open = [AclEntry {
        perms: perms::ALL,
        scheme: Some(Text::from_static("world")),
        id: Some(Text::from_static("anyone")),
    }];
    for number in 0..=CHILDREN {
        let name = if number == 0 { "/many".into() } else { format!("/many/{number:0100}") };
        let create = CreateRequest {
            path: Some(name.as_str().into()),
            data: Some(Blob::Slice(b"")),
            acl: Some(List::new(&open)),
            flags: 0,
        };
        answer(&mut writer, &Request::Create(create));
    }
    let operations = [MultiOp::GetChildren(read("/many")); 10];
    let multi_read = Request::MultiRead(MultiOps::new(&operations));
    // Each result: a header, a count, and names of 100 letters with their lengths.
    let reply = 10 * (9 + 4 + 104 * u64::try_from(CHILDREN).expect("a number"));
    zk.settle();
    let before = zk.resident();
    let mut greedy = zk.session();
    for _ in 0..250 {
        ask(&mut greedy, &multi_read);
    }
    // It gets its turns.
    (0..20).for_each(|_| zk.settle());
    let cost = zk.resident().saturating_sub(before);
    println!("250 multiReads of {} KiB, never read: {} KiB resident", reply / KIB, cost / KIB);
    // The soft limit is 1 MiB. Pages that are not full and buffers kept for reuse come on top; the
    // core's own test counts the bytes.
    assert!(cost < MIB + reply + MIB, "{cost} bytes");
    assert!(receive(&mut greedy).len() as u64 > reply, "the answers are those");
}

#[test]
fn ten_thousand_idle_sessions_fit_into_16_mib() {
    // A few descriptors are in use on both sides.
    let count = raise_open_files().saturating_sub(100).min(10_000);
    let zk = Zk::start();
    let before = zk.resident();
    let streams: Vec<_> = (0..count).map(|_| zk.session()).collect();
    zk.settle();
    let cost = zk.resident().saturating_sub(before);
    println!("{count} idle sessions: {} KiB resident, {} bytes each", cost / KIB, cost / count);
    assert!(cost <= 16 * MIB * count / 10_000, "{cost} bytes");
    drop(streams);
}
