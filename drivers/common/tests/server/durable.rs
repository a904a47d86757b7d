//! Servers that keep their data in a directory, and go on with them.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use zookeeper_core::{
    SessionId,
    endpoint::CommandWhitelist,
    server::Durability,
    storage,
    wire::{Op, ReadRequest, Request, Response, VersionRequest},
};

use crate::common::{
    BindError, Client, Config, DEADLINE, RunError, Running, Server, ask, config, connect_frame,
    create_frame, disk,
};

/// The flag of an ephemeral znode, and that of a sequential one.
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;

fn dir() -> TempDir {
    TempDir::new().expect("room")
}

fn durable(dir: &Path) -> Config {
    let mut config = config();
    // Clients here do not hurry to close.
    config.close_linger = Duration::from_millis(1);
    config.server.endpoint.commands = CommandWhitelist::all();
    let mut storage = storage::Config::default();
    // Zeros that a recovery has to look at.
    storage.reserve = 64 << 10;
    config.server.durability = Durability::Logged(storage);
    config.storage = Some(disk::Config::new(dir));
    config
}

fn start(config: Config) -> Running {
    Server::spawn(config).expect("a free port and a directory")
}

/// A client with its session and password.
fn client_to_come_back(server: &Running) -> (Client, SessionId, Vec<u8>) {
    let mut client = Client::connect(server.address());
    client.send(&connect_frame());
    let (timeout_ms, session, password) = client.connected();
    assert!(timeout_ms > 0);
    (client, session, password)
}

/// Creates an ephemeral znode.
fn create_ephemeral(client: &mut Client, path: &str) {
    client.submit_create(path, b"", EPHEMERAL);
    client.reply(Op::Create, |_| ());
}

#[test]
fn data_survive_restarts() {
    let dir = dir();
    for round in 0..4 {
        let server = start(durable(dir.path()));
        let mut client = Client::new(server.address());
        for earlier in 0..round {
            client.submit_read(&format!("/round-{earlier}"));
            assert_eq!(client.data(), format!("data of {earlier}").into_bytes());
            assert!(!client.exists(&format!("/short-lived-{earlier}")));
        }
        client.create(&format!("/round-{round}"), format!("data of {round}").as_bytes());
        client.create(&format!("/short-lived-{round}"), b"");
        let path = format!("/short-lived-{round}");
        client.submit(&Request::Delete(VersionRequest {
            path: Some(path.as_str().into()),
            version: -1,
        }));
        client.reply(Op::Delete, |_| ());
        server.stop().expect("a server that was well");
    }
}

#[test]
fn numbers_of_sequential_znodes_go_on() {
    let dir = dir();
    let mut names = Vec::new();
    for _ in 0..3 {
        let server = start(durable(dir.path()));
        let mut client = Client::new(server.address());
        for _ in 0..3 {
            client.submit_create("/job-", b"", SEQUENTIAL);
            names.push(client.reply(Op::Create, |response| match response {
                Response::Path(Some(path)) => path.to_string(),
                other => panic!("{other:?}"),
            }));
        }
        server.stop().expect("a server that was well");
    }
    let expected: Vec<String> = (0..9).map(|number| format!("/job-{number:010}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn sessions_are_resumed_and_their_znodes_are_there() {
    let dir = dir();
    let server = start(durable(dir.path()));
    let (mut client, session, password) = client_to_come_back(&server);
    create_ephemeral(&mut client, "/here");
    let mut closing = Client::new(server.address());
    create_ephemeral(&mut closing, "/gone");
    closing.submit(&Request::CloseSession);
    closing.rest();
    server.stop().expect("a server that was well");

    let server = start(durable(dir.path()));
    let wrong = [7; 16];
    assert!(Client::resume(server.address(), session, &wrong).is_none());
    let mut client = Client::resume(server.address(), session, &password).expect("its session");
    assert!(client.exists("/here") && !client.exists("/gone"));
    client.submit(&Request::CloseSession);
    client.rest();
    server.stop().expect("a server that was well");

    let server = start(durable(dir.path()));
    assert!(Client::resume(server.address(), session, &password).is_none());
    assert!(!Client::new(server.address()).exists("/here"));
}

#[test]
fn a_session_that_does_not_come_back_ends_with_its_znodes() {
    let dir = dir();
    let mut config = durable(dir.path());
    config.server.endpoint.tick = Duration::from_millis(10);
    // Upstream's shortest by default: syncs that take long do not end the session too early.
    config.server.endpoint.session_timeout_max = Some(Duration::from_secs(4));
    let server = start(config.clone());
    let (mut client, session, password) = client_to_come_back(&server);
    create_ephemeral(&mut client, "/here");
    server.stop().expect("a server that was well");

    // Its time begins anew with the server, and is its own.
    config.server.endpoint.session_timeout_max = Some(10 * DEADLINE);
    let server = start(config);
    let mut other = Client::new(server.address());
    let start = std::time::Instant::now();
    while other.exists("/here") {
        assert!(start.elapsed() < DEADLINE, "it stays");
    }
    assert!(Client::resume(server.address(), session, &password).is_none());
}

/// Whatever was answered is there; and what is there was asked for in order.
#[test]
fn a_stop_under_load_loses_nothing_that_was_acknowledged() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 20_000;
    let dir = dir();
    let server = start(durable(dir.path()));
    let acknowledged: [AtomicUsize; CLIENTS] = Default::default();
    thread::scope(|scope| {
        for (number, count) in acknowledged.iter().enumerate() {
            let mut client = Client::new(server.address());
            let mut replies = Client::from_stream(client.stream.try_clone().expect("room"));
            scope.spawn(move || {
                let mut frame = [0; 4];
                while replies.stream.read_exact(&mut frame).is_ok() {
                    let length = u32::from_be_bytes(frame) as usize;
                    if replies.stream.read_exact(&mut vec![0; length]).is_err() {
                        break;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let path = format!("/{number}-{request}");
                    // The server may be gone.
                    if client.stream.write_all(&create_frame(1, &path, b"", 0)).is_err() {
                        break;
                    }
                }
            });
        }
        let mut watcher = Client::new(server.address());
        let begin = std::time::Instant::now();
        while acknowledged[0].load(Ordering::Relaxed) <= 100 {
            watcher.ping();
            assert!(begin.elapsed() < DEADLINE, "nothing is acknowledged");
        }
        server.stop().expect("a server that was well");
    });

    let server = start(durable(dir.path()));
    let mut client = Client::new(server.address());
    let root = Some("/".into());
    client.submit(&Request::GetChildren(ReadRequest { path: root, watch: false }));
    let names = client.reply(Op::GetChildren, |response| match response {
        Response::Names(Some(names)) => {
            names.iter().flatten().map(|name| name.to_string()).collect::<Vec<String>>()
        }
        other => panic!("{other:?}"),
    });
    for (number, count) in acknowledged.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        assert!(number > 0 || count > 100);
        let of_this = format!("{number}-");
        let mut there: Vec<usize> =
            names.iter().filter_map(|name| name.strip_prefix(&of_this)?.parse().ok()).collect();
        there.sort_unstable();
        assert!(there.len() >= count, "{number}: {} of {count} are there", there.len());
        assert!(there.iter().enumerate().all(|(index, request)| index == *request), "{there:?}");
    }
}

/// The newest transaction, as `srvr` tells it.
fn zxid(server: &Running) -> u64 {
    let answer = ask(server.address(), b"srvr");
    let zxid = answer.lines().find_map(|line| line.strip_prefix("Zxid: 0x"));
    u64::from_str_radix(zxid.expect("it is told"), 16).expect("a number")
}

/// The device that is always full stands where the next log would be.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_ends_the_server_and_nobody_is_told_that_it_was() {
    let dir = dir();
    let server = start(durable(dir.path()));
    let (mut client, session, password) = client_to_come_back(&server);
    client.create("/stored", b"data");
    let log = dir.path().join(format!("version-2/log.{:x}", zxid(&server) + 1));
    server.stop().expect("a server that was well");
    std::os::unix::fs::symlink("/dev/full", &log).expect("room");

    let server = start(durable(dir.path()));
    let mut client = Client::resume(server.address(), session, &password).expect("its session");
    let mut other = Client::connect(server.address());
    client.submit_read("/stored");
    assert_eq!(client.data(), b"data");
    client.submit_create("/lost", b"", 0);
    // Neither is a session that only memory knows.
    other.send(&connect_frame());
    assert_eq!(client.rest_of_any_end(), b"");
    assert_eq!(other.rest_of_any_end(), b"");
    let error = server.wait().expect_err("its log failed");
    assert!(matches!(error, RunError::Failed(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("append of ") && text.contains(&log.display().to_string()), "{text}");

    fs::remove_file(&log).expect("it is there");
    let server = start(durable(dir.path()));
    let mut client = Client::resume(server.address(), session, &password).expect("its session");
    assert!(client.exists("/stored") && !client.exists("/lost"));
    client.create("/lost", b"");
    server.stop().expect("a server that is well again");
}

/// A pipe that nobody reads stands where the next log would be: opening it hangs.
#[cfg(unix)]
#[test]
fn a_stop_does_not_wait_for_ever_for_storage_that_hangs() {
    let dir = dir();
    let mut config = durable(dir.path());
    let server = start(config.clone());
    let (mut client, session, password) = client_to_come_back(&server);
    client.create("/stored", b"data");
    let log = dir.path().join(format!("version-2/log.{:x}", zxid(&server) + 1));
    server.stop().expect("a server that was well");
    let status = std::process::Command::new("mkfifo").arg(&log).status().expect("a program");
    assert!(status.success(), "{status}");

    config.storage.as_mut().expect("just set").finish_timeout = Duration::from_millis(100);
    let server = start(config.clone());
    let mut client = Client::resume(server.address(), session, &password).expect("its session");
    let before = zxid(&server);
    client.submit_create("/lost", b"", 0);
    let begin = std::time::Instant::now();
    while zxid(&server) == before {
        assert!(begin.elapsed() < DEADLINE, "it is not even in memory");
    }
    let error = server.stop().expect_err("its storage hangs");
    assert!(begin.elapsed() < DEADLINE, "it was waited for");
    assert!(matches!(error, RunError::StoreHangs), "{error}");
    assert_eq!(client.rest_of_any_end(), b"", "nobody is told that it was stored");

    // The thread that is left behind goes on, fails, and only then lets go of the directory.
    let error = Server::bind(config.clone()).expect_err("a thread still hangs there");
    assert!(matches!(error, BindError::Open(disk::OpenError::InUse { .. })), "{error}");
    let pipe = fs::File::open(&log).expect("it is there");
    while Server::bind(config.clone()).is_err() {
        assert!(begin.elapsed() < DEADLINE, "it stays locked");
        thread::yield_now();
    }
    drop(pipe);
}

#[test]
fn a_directory_is_one_servers_and_a_failure_to_start_leaves_it() {
    let dir = dir();
    let server = start(durable(dir.path()));
    let error = Server::bind(durable(dir.path())).expect_err("it is in use");
    assert!(matches!(error, BindError::Open(disk::OpenError::InUse { .. })), "{error}");
    let address = server.address();
    server.stop().expect("a server that was well");
    let other = crate::common::start();
    let mut taken = durable(dir.path());
    taken.listen = vec![other.address()];
    let error = Server::bind(taken).expect_err("the port is taken");
    assert!(matches!(error, BindError::Listen { .. }), "{error}");
    let mut again = durable(dir.path());
    again.listen = vec![address];
    drop(Server::bind(again).expect("both are free"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let dir = dir();
    let mut nowhere = durable(dir.path());
    nowhere.storage = None;
    let error = Server::bind(nowhere).expect_err("it has no place");
    assert!(matches!(error, BindError::NoDirectory), "{error}");
    let mut useless = durable(dir.path());
    useless.server.durability = Durability::InMemory;
    let error = Server::bind(useless).expect_err("it would store nothing");
    assert!(matches!(error, BindError::NoDurability), "{error}");
    assert!(!dir.path().join("version-2").exists());
}

#[test]
fn commands_tell_where_data_are_and_how_much() {
    let (data, logs) = (dir(), dir());
    let mut config = durable(data.path());
    config.storage.as_mut().expect("just set").log_dir = Some(logs.path().into());
    let server = start(config.clone());
    Client::new(server.address()).create("/large", &[7; 900_000]);
    server.stop().expect("a server that was well");
    let server = start(config);
    let conf = ask(server.address(), b"conf");
    for (key, dir) in [("dataDir", &data), ("dataLogDir", &logs)] {
        let line = format!("\n{key}={}\n", dir.path().join("version-2").display());
        assert!(conf.contains(&line), "{conf}");
    }
    let dirs = ask(server.address(), b"dirs");
    let size = dirs.lines().find_map(|line| line.strip_prefix("logdir_size: "));
    let size: u64 = size.expect("it is told").parse().expect("a number");
    assert!(size >= 900_000, "{dirs}");
}
