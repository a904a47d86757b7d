//! The program `zk`, from its command line to its exit status.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        AclEntry, Blob, ConnectRequest, CreateRequest, Encode, List, Op, ReadRequest, Request,
        RequestHeader, Text, Xid, perms,
    },
};

/// Only a server that hangs takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

const LOCALHOST: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A running `zk`, which does not outlive its test.
struct Zk {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
    ready: String,
}

impl Zk {
    /// Starts it and waits for the line that says it is ready.
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().expect("a process");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut ready = String::new();
        stdout.read_line(&mut ready).expect("text");
        let Some((_, address)) = ready.trim_end().rsplit_once(' ') else {
            panic!("not ready: {}", stderr(&mut child));
        };
        let address = address.parse().expect("an address");
        Self { child, stdout, address, ready }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("it runs");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream
    }

    fn srvr(&self) -> String {
        let mut stream = self.connect();
        stream.write_all(b"srvr").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Waits for the end. Gives the exit status, the rest of the output and the log.
    fn wait(mut self) -> (Option<i32>, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let log = stderr(&mut self.child);
        let status = self.child.wait().expect("it ends");
        (status.code(), rest, log)
    }
}

impl Drop for Zk {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zk"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn stderr(child: &mut Child) -> String {
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    log
}

/// Runs it to its end, which must come by itself.
fn finish(arguments: &[&str]) -> Output {
    command(arguments).output().expect("a process")
}

fn write_config(text: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("room");
    let path = dir.path().join("zoo.cfg");
    fs::write(&path, text).expect("room");
    (dir, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn it_serves_until_sigterm() {
    let zk = Zk::start(&[&LOCALHOST[..], &["--in-memory"]].concat());
    let expected = format!(
        "ZooKeeper server ready on {0} (in memory); connect with: zkCli.sh -server {0}\n",
        zk.address
    );
    assert_eq!(zk.ready, expected);
    let answer = zk.srvr();
    assert!(answer.starts_with("Zookeeper version: "), "{answer}");
    assert!(answer.contains("\nMode: standalone\n"), "{answer}");
    zk.signal(Signal::TERM);
    let (status, rest, log) = zk.wait();
    assert_eq!((status, rest.as_str()), (Some(0), ""), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Whoever read the log is gone; what would be in it is not worth the server.
#[test]
fn it_serves_on_when_nobody_reads_its_log() {
    let data = TempDir::new().expect("room");
    let arguments = ["--verbose", "--data-dir", text(data.path())];
    let mut zk = Zk::start(&[&LOCALHOST[..], &arguments].concat());
    drop(zk.child.stderr.take());
    // Each connection is worth a line.
    for _ in 0..3 {
        assert!(zk.srvr().contains("\nMode: standalone\n"));
    }
    zk.signal(Signal::TERM);
    assert_eq!(zk.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn it_stops_by_ctrl_c_too() {
    let zk = Zk::start(&[&LOCALHOST[..], &["--in-memory"]].concat());
    zk.signal(Signal::INT);
    let (status, _, log) = zk.wait();
    assert_eq!(status, Some(0), "{log}");
}

#[test]
fn several_addresses_are_in_the_ready_line() {
    let zk = Zk::start(&["serve", "-l", "127.0.0.1:0", "-l", "0.0.0.0:0", "--in-memory"]);
    let (addresses, connect) = zk.ready.split_once(" (in memory); ").expect("the usual line");
    let addresses: Vec<&str> =
        addresses.trim_start_matches("ZooKeeper server ready on ").split(", ").collect();
    assert!(matches!(addresses[..], [one, other] if one != other), "{}", zk.ready);
    assert_eq!(connect.trim_end(), format!("connect with: zkCli.sh -server {}", addresses[0]));
    assert!(addresses[1].starts_with("0.0.0.0:"));
}

#[test]
fn without_a_command_it_serves_on_the_usual_port() {
    // Whoever has the port, this test or another program: `zk` must want it.
    let taken = TcpListener::bind("127.0.0.1:2181");
    let dir = TempDir::new().expect("room");
    let output = command(&[]).current_dir(dir.path()).output().expect("a process");
    drop(taken);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("error: cannot listen on 127.0.0.1:2181: "), "{log}");
}

#[test]
fn wrong_arguments_and_files_are_told_apart_from_the_rest() {
    let (_dir, path) = write_config("dataDir=/d\nclientPort=2181\ntickTime=0\n");
    let (_other, portless) = write_config("dataDir=/d\n");
    let (_third, placeless) = write_config("clientPort=2181\n");
    for (arguments, message) in [
        (&["serve", "--nonsense"][..], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["serve", "--listen", "here"], "the port is missing"),
        (&["serve", "--config", "/nowhere/zoo.cfg"], "error: /nowhere/zoo.cfg: "),
        (&["serve", "--config", text(&path)], "zoo.cfg:3: tickTime must be above zero"),
        (&["serve", "--config", text(&portless)], "no clientPort is configured"),
        (&["serve", "--config", text(&placeless)], "no dataDir is configured"),
        (&["serve", "--in-memory", "--data-dir", "/d"], "--in-memory"),
    ] {
        let output = finish(arguments);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {log}");
        assert!(log.contains(message), "{arguments:?}: {log}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_needs_no_manual() {
    let output = finish(&["serve", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).expect("text");
    for word in ["--listen", "--config", "--data-dir", "--data-log-dir", "--in-memory", "--quiet"]
        .into_iter()
        .chain(["--verbose", "Examples:", "Exit status:", "./zk-data"])
    {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_configuration_file_is_honoured_and_its_rest_named() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("room");
    let data = TempDir::new().expect("room");
    let (_dir, path) = write_config(&format!(
        "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
         4lw.commands.whitelist=conf\nmaxClientCnxns=17\nflushDelay=5\nnoSuchKey=1\n\
         DigestAuthenticationProvider.superDigest=super:hunter2\n",
        text(data.path()),
        port.port()
    ));
    let zk = Zk::start(&["serve", "--verbose", "--config", text(&path)]);
    assert_eq!(zk.address, port);
    let mut stream = zk.connect();
    stream.write_all(b"conf").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.contains(&format!("clientPort={}\n", port.port())), "{answer}");
    assert!(answer.contains("maxClientCnxns=17\n"), "{answer}");
    let line = format!("dataDir={}/version-2\n", text(data.path()));
    assert!(answer.contains(&line), "{answer}");
    zk.signal(Signal::TERM);
    let (status, _, log) = zk.wait();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("zoo.cfg: line 6: flushDelay: ignored"), "{log}");
    assert!(log.contains("zoo.cfg: line 7: noSuchKey: unknown"), "{log}");
    assert!(log.contains("connection accepted"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn quiet_is_quiet() {
    let zk = Zk::start(&[&LOCALHOST[..], &["--in-memory", "--quiet"]].concat());
    let mut client = zk.connect();
    client.write_all(&connect_frame()).expect("it reads");
    client.read_exact(&mut [0; 41]).expect("it answers");
    drop(client);
    zk.signal(Signal::TERM);
    let (status, _, log) = zk.wait();
    assert_eq!((status, log.as_str()), (Some(0), ""));
}

/// A client that does not read what it was promised holds a graceful stop up.
#[test]
fn a_second_signal_ends_it_at_once() {
    let (_dir, path) = write_config("dataDir=/d\nnio.shutdownTimeout=1000000000\n");
    let arguments = ["--in-memory", "--config", text(&path)];
    let zk = Zk::start(&[&LOCALHOST[..], &arguments].concat());
    let mut idle = zk.connect();
    idle.write_all(&connect_frame()).expect("it reads");
    idle.read_exact(&mut [0; 41]).expect("it answers");
    let mut deaf = zk.connect();
    deaf.write_all(&connect_frame()).expect("it reads");
    deaf.write_all(&create_frame("/large", &[7; 1_000_000])).expect("it reads");
    for _ in 0..20 {
        deaf.write_all(&get_data_frame("/large")).expect("it reads");
    }
    deaf.read_exact(&mut [0; 1_000]).expect("it answers");
    // Every answer to another client is a turn more, in which the rest fills all buffers.
    let ping = framed(RequestHeader { xid: Xid::PING, op: Op::Ping.code() }.to_vec());
    for _ in 0..200 {
        idle.write_all(&ping).expect("it reads");
        idle.read_exact(&mut [0; 20]).expect("it answers");
    }
    zk.signal(Signal::TERM);
    idle.read_to_end(&mut Vec::new()).expect("it stops");
    zk.signal(Signal::TERM);
    let (status, _, log) = zk.wait();
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("second signal"), "{log}");
}

fn connect_frame() -> Vec<u8> {
    framed(
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 30_000,
            session: SessionId::NONE,
            password: Some(Blob::from(&[0; 16][..])),
            read_only: Some(false),
        }
        .to_vec(),
    )
}

fn create_frame(path: &str, data: &[u8]) -> Vec<u8> {
    let anyone =
        AclEntry { perms: perms::ALL, scheme: Some("world".into()), id: Some("anyone".into()) };
    request(&Request::Create(CreateRequest {
        path: Some(Text::from(path)),
        data: Some(Blob::from(data)),
        acl: Some(List::new(&[anyone])),
        flags: 0,
    }))
}

fn get_data_frame(path: &str) -> Vec<u8> {
    request(&Request::GetData(ReadRequest { path: Some(Text::from(path)), watch: false }))
}

fn request(request: &Request<'_>) -> Vec<u8> {
    let mut body = RequestHeader { xid: Xid(1), op: request.op().code() }.to_vec();
    request.encode(&mut body);
    framed(body)
}

fn framed(body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    [&length.to_be_bytes()[..], &body].concat()
}
