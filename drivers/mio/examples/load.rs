//! A closed-loop load on any ZooKeeper server: requests per second, latency, and the server's CPU
//! time per request.
//!
//! ```text
//! cargo run --release -p zookeeper-mio --example load -- 127.0.0.1:2181 \
//!     --connections 50 --in-flight 32 --seconds 5 --operation get --pid 1234
//! ```

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read, Write},
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use zookeeper_core::{
    SessionId, Zxid,
    wire::{
        AclEntry, Blob, ConnectRequest, CreateRequest, Encode, List, Op, ReadRequest,
        RequestHeader, SetDataRequest, Xid, perms,
    },
};

/// What the load is, from the command line.
#[derive(Debug)]
struct Options {
    server: SocketAddr,
    connections: usize,
    in_flight: usize,
    duration: Duration,
    operation: Op,
    data_length: usize,
    /// The server's process, to read its CPU time.
    pid: Option<u32>,
}

/// One connection with a fixed number of requests in flight.
#[derive(Debug)]
struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: i32,
    /// When each request in flight was sent, oldest first.
    times: std::collections::VecDeque<Instant>,
    connected: bool,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let server = arguments.next().ok_or("usage: load ADDRESS [--connections N] [--in-flight N] [--seconds N] [--operation get|set|create] [--length BYTES] [--pid PID]")?;
    let mut options = Options {
        server: server.parse()?,
        connections: 50,
        in_flight: 1,
        duration: Duration::from_secs(5),
        operation: Op::GetData,
        data_length: 100,
        pid: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--connections" => options.connections = value.parse()?,
            "--in-flight" => options.in_flight = value.parse()?,
            "--seconds" => options.duration = Duration::from_secs(value.parse()?),
            "--length" => options.data_length = value.parse()?,
            "--pid" => options.pid = Some(value.parse()?),
            "--operation" => {
                options.operation = match value.as_str() {
                    "get" => Op::GetData,
                    "set" => Op::SetData,
                    "create" => Op::Create,
                    _ => return Err(format!("no operation {value}").into()),
                }
            }
            _ => return Err(format!("no option {name}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let path = prepare(options)?;
    let mut poll = Poll::new()?;
    let mut clients = Vec::new();
    for token in 0..options.connections {
        let mut stream = TcpStream::connect(options.server)?;
        stream.set_nodelay(true)?;
        poll.registry().register(
            &mut stream,
            Token(token),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        clients.push(Client {
            stream,
            input: Vec::new(),
            output: connect_frame(),
            sent: 0,
            times: std::collections::VecDeque::new(),
            connected: false,
        });
    }
    let warm_up = options.duration / 5;
    let begin = Instant::now() + warm_up;
    let end = begin + options.duration;
    let (mut latencies, mut counting, mut cpu) = (Vec::<u32>::new(), false, 0.0);
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        let now = Instant::now();
        if now >= end {
            break;
        }
        if now >= begin && !counting {
            counting = true;
            cpu = cpu_seconds(options.pid)?;
        }
        for event in &events {
            let client = &mut clients[event.token().0];
            if event.is_readable() {
                client.read(&mut buffer)?;
                client.take_replies(now, counting, &mut latencies)?;
            }
            if client.connected {
                client.fill(now, options, &path);
            }
            client.write()?;
        }
    }
    let cpu = cpu_seconds(options.pid)? - cpu;
    report(options, &mut latencies, cpu);
    Ok(())
}

impl Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn take_replies(&mut self, now: Instant, counting: bool, out: &mut Vec<u32>) -> io::Result<()> {
        let mut at = 0;
        while let Some(length) = self.input[at..].first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some(frame) = self.input.get(at + 4..at + 4 + length) else { break };
            at += 4 + length;
            if !self.connected {
                self.connected = true;
                continue;
            }
            if frame[12..16] != [0; 4] {
                return Err(io::Error::other("the server answered with an error"));
            }
            if let Some(sent) = self.times.pop_front()
                && counting
            {
                let latency = now.saturating_duration_since(sent).as_micros();
                out.push(u32::try_from(latency).unwrap_or(u32::MAX));
            }
        }
        self.input.drain(..at);
        Ok(())
    }

    fn fill(&mut self, now: Instant, options: &Options, path: &str) {
        let data = vec![b'x'; options.data_length];
        while self.times.len() < options.in_flight {
            self.sent += 1;
            let xid = self.sent;
            match options.operation {
                Op::GetData => {
                    let request = ReadRequest { path: Some(path.into()), watch: false };
                    frame(&mut self.output, xid, Op::GetData, &request);
                }
                Op::SetData => {
                    let data = Some(Blob::Slice(&data));
                    let request = SetDataRequest { path: Some(path.into()), data, version: -1 };
                    frame(&mut self.output, xid, Op::SetData, &request);
                }
                _ => {
                    let prefix = format!("{path}/n");
                    let request = create(&prefix, &data, 2);
                    frame(&mut self.output, xid, Op::Create, &request);
                }
            }
            self.times.push_back(now);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Makes the znode the load works on, named by this process.
fn prepare(options: &Options) -> Result<String, Box<dyn Error>> {
    let path = format!("/load-{}", std::process::id());
    let mut stream = std::net::TcpStream::connect(options.server)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut output = connect_frame();
    frame(&mut output, 1, Op::Create, &create(&path, &vec![b'x'; options.data_length], 0));
    stream.write_all(&output)?;
    for _ in 0..2 {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut body)?;
    }
    Ok(path)
}

fn create<'a>(path: &'a str, data: &'a [u8], flags: i32) -> CreateRequest<'a> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(Blob::Slice(data)),
        acl: Some(List::new(const { &[open_acl()] })),
        flags,
    }
}

const fn open_acl() -> AclEntry<'static> {
    AclEntry {
        perms: perms::ALL,
        scheme: Some(zookeeper_core::wire::Text::from_static("world")),
        id: Some(zookeeper_core::wire::Text::from_static("anyone")),
    }
}

fn connect_frame() -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 30_000,
        session: SessionId::NONE,
        password: Some(Blob::Slice(&[0; 16])),
        read_only: Some(false),
    };
    let body = request.to_vec();
    let mut out = u32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    out.extend_from_slice(&body);
    out
}

fn frame(out: &mut Vec<u8>, xid: i32, op: Op, record: &impl Encode) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    RequestHeader { xid: Xid(xid), op: op.code() }.encode(out);
    record.encode(out);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(0);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// User and system time of a process, in seconds.
fn cpu_seconds(pid: Option<u32>) -> Result<f64, Box<dyn Error>> {
    let Some(pid) = pid else { return Ok(0.0) };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in parentheses and may hold anything; the fields start behind it.
    let fields = stat.rsplit_once(')').ok_or("no process statistics")?.1;
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap_or(0.0))
        .sum();
    Ok(ticks / 100.0)
}

fn report(options: &Options, latencies: &mut [u32], cpu: f64) {
    latencies.sort_unstable();
    let count = latencies.len();
    let at = |percent: usize| latencies.get(count * percent / 100).copied().unwrap_or(0);
    println!(
        "{} {}x{}: {:.0} requests/s, latency p50 {} p99 {} max {} microseconds{}",
        options.operation,
        options.connections,
        options.in_flight,
        count as f64 / options.duration.as_secs_f64(),
        at(50),
        at(99),
        latencies.last().copied().unwrap_or(0),
        options.pid.map_or(String::new(), |_| format!(
            ", server CPU {:.2} microseconds/request",
            cpu * 1e6 / count.max(1) as f64
        )),
    );
}
