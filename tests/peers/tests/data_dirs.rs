//! Data directories that go from Apache ZooKeeper to this project's server and back.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zookeeper_core::client::operation::{CreateOptions, Transaction};
use zookeeper_core::wire::{Acl, CreateMode, ErrorCode};
use zookeeper_peers::client::{Settings, SmolClient, TestClient as _};
use zookeeper_peers::relay::{Ending, Load, Picture, Relay, options};
use zookeeper_peers::{Deadline, Kind, Program, Server, data_path, enabled, seed};

/// How much the load does between two starts of a server.
const ACTIONS: usize = 200;
/// How often a directory goes to the other server.
const TURNS: usize = 6;
/// How long a server may take to remove what is to go.
const REMOVAL_MAX: Duration = Duration::from_secs(30);
/// A limit on requests that is easily exceeded.
const REQUEST_MAX: usize = 20_000;

/// One test at a time: a JVM is enough for a small machine.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn apache_writes_and_ours_opens() {
    let Some((_turn, apache, ours)) = programs() else { return };
    moves(&apache, &ours);
}

#[test]
fn ours_writes_and_apache_opens() {
    let Some((_turn, apache, ours)) = programs() else { return };
    moves(&ours, &apache);
}

/// A directory with many snapshots and logs, whose server was ended in every way.
fn moves(from: &Program, to: &Program) {
    let mut relay = Relay::start(from, &options(), seed()).expect("a server");
    relay.work(from, ACTIONS).expect("restarts");
    relay.hand_over(to, Ending::Terminated).expect("it takes over");
    relay.work(to, ACTIONS / 2).expect("restarts");
    relay.finish().expect("a log");
}

#[test]
fn both_take_turns_on_one_directory() {
    let Some((_turn, apache, ours)) = programs() else { return };
    let mut relay = Relay::start(&apache, &options(), seed()).expect("a server");
    for turn in 0..TURNS {
        relay.run(ACTIONS);
        // Each ending once in each direction.
        let ending = Ending::ALL[turn / 2 % Ending::ALL.len()];
        let next = if turn % 2 == 0 { &ours } else { &apache };
        relay.hand_over(next, ending).expect("it takes over");
    }
    relay.finish().expect("a log");
}

/// The snapshot is all that is left, so it has to be read.
#[test]
fn compressed_snapshots_are_opened() {
    let Some((_turn, apache, ours)) = programs() else { return };
    for (method, suffix) in [("gz", ".gz"), ("snappy", ".snappy")] {
        let options = options().set("snapshot.compression.method", method);
        let mut server = Server::start(&apache, &options).expect("a server");
        let mut load = Load::start(server.address(), seed());
        load.run(ACTIONS);
        load.leave();
        let before = Picture::take(server.address());
        server.stop().expect("it ends");
        // It writes a snapshot of everything when it starts.
        server.restart().expect("it starts");
        server.stop().expect("it ends");
        keep_newest_snapshot(server.directory(), suffix);
        server.hand_over(&ours);
        server.restart().expect("it opens the snapshot");
        before.assert_same(&Picture::take(server.address()), method);
        load.come_back();
        assert_eq!(load.ephemerals(), before.ephemerals());
    }
}

fn keep_newest_snapshot(directory: &Path, suffix: &str) {
    let directory = data_path(directory).join("version-2");
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(&directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let zxid = name.strip_prefix("snapshot.").and_then(|name| name.strip_suffix(suffix));
        match zxid.and_then(|zxid| u64::from_str_radix(zxid, 16).ok()) {
            Some(zxid) => snapshots.push((zxid, path)),
            None => fs::remove_file(path).expect("it is removed"),
        }
    }
    snapshots.sort();
    snapshots.pop().expect("a compressed snapshot");
    for (_, path) in snapshots {
        fs::remove_file(path).expect("it is removed");
    }
}

/// What kind a znode is no stat tells; what becomes of it does.
#[test]
fn what_is_to_go_goes_under_the_other_server() {
    let Some((_turn, apache, ours)) = programs() else { return };
    for (from, to) in [(&apache, &ours), (&ours, &apache)] {
        let mut server = Server::start(from, &options()).expect("a server");
        let settings = Settings::new(server.address());
        let client = SmolClient::connect(&settings).expect("a session");
        for (path, mode) in [
            ("/left", CreateMode::Container),
            ("/left/child", CreateMode::Persistent),
            ("/full", CreateMode::Container),
            ("/full/child", CreateMode::Persistent),
        ] {
            client.create(path, b"", mode).expect("made");
        }
        client.delete("/left/child", None).expect("gone");
        for (path, ttl) in [("/short", 1), ("/long", 100_000_000)] {
            let options = CreateOptions::new(CreateMode::PersistentWithTtl);
            client.create(path, b"", options.ttl(Duration::from_millis(ttl))).expect("made");
        }
        client.create("/lives", b"", CreateMode::Ephemeral).expect("made");
        let credentials = client.credentials().expect("a session");
        client.detach();
        let short = settings.clone().session_timeout(Duration::from_secs(2));
        let other = SmolClient::connect(&short).expect("a session");
        other.create("/dies", b"", CreateMode::Ephemeral).expect("made");
        other.detach();
        server.kill();

        server.hand_over(to);
        server.configure(&options().property("znode.container.checkIntervalMs", "200"));
        server.restart().expect("it takes over");
        let client = SmolClient::connect(&settings.resume(credentials)).expect("the session");
        for path in ["/left", "/short", "/dies"] {
            let gone = Deadline::after(REMOVAL_MAX)
                .poll(path, || Ok(client.exists(path).expect("an answer").is_none().then_some(())));
            gone.unwrap_or_else(|error| panic!("{} to {}: {error}", from.kind(), to.kind()));
        }
        for path in ["/full", "/full/child", "/long", "/lives"] {
            assert!(client.exists(path).expect("an answer").is_some(), "{path}");
        }
    }
}

/// Each `auth` in an ACL becomes every identity of the session, which makes a transaction of any
/// length out of a short request. No server could read it again.
#[test]
fn a_transaction_that_is_too_large_is_refused() {
    let Some((_turn, apache, ours)) = programs() else { return };
    let mut server = Server::start(&ours, &limited()).expect("a server");
    let client = SmolClient::connect(&Settings::new(server.address())).expect("a session");
    for user in 0..100 {
        let credentials = format!("user-{user}:password");
        client.add_auth("digest", credentials.as_bytes()).expect("taken on");
    }
    // As many lists of all users as there are entries.
    let acl = |entries| (1..=entries).map(|perms| Acl::new(perms, "auth", "")).collect::<Vec<_>>();
    let options = |entries| CreateOptions::default().acl(acl(entries));
    client.create("/fits", b"", options(2)).expect("it fits");
    client.create("/open", b"", CreateOptions::default()).expect("it fits");
    // Each of these two fits, but not both in one transaction.
    let two = Transaction::new().create("/one", "", options(4)).create("/two", "", options(4));
    for outcome in [
        client.multi(two).map(drop),
        client.create("/large", b"", options(31)).map(drop),
        client.set_acl("/open", acl(31), None).map(drop),
    ] {
        let code = outcome.map_err(|error| error.code());
        assert_eq!(code, Err(ErrorCode::MARSHALLING_ERROR));
    }
    for path in ["/large", "/one", "/two"] {
        assert_eq!(client.exists(path), Ok(None));
    }
    client.create("/one", b"", options(4)).expect("it fits");
    assert_eq!(client.exists("/open").expect("an answer").expect("there").aversion, 0);
    client.close();
    goes_on_under(&mut server, &apache);
}

/// A session may own more than one transaction can name.
#[test]
fn the_end_of_a_session_that_owns_too_much_names_nothing() {
    let Some((_turn, apache, ours)) = programs() else { return };
    let mut server = Server::start(&ours, &limited()).expect("a server");
    let settings = Settings::new(server.address());
    let client = SmolClient::connect(&settings).expect("a session");
    let name = "n".repeat(1000);
    let mut length = 0;
    while length <= 3 * REQUEST_MAX {
        let path = format!("/{name}");
        let made = client.create(&path, b"", CreateMode::EphemeralSequential).expect("made");
        length += made.path.len();
    }
    client.create("/stays", b"", CreateMode::Persistent).expect("made");
    client.close();
    goes_on_under(&mut server, &apache);
    let client = SmolClient::connect(&settings).expect("a session");
    let mut names = client.get_children("/").expect("a list");
    names.sort_unstable();
    assert_eq!(names, ["stays", "zookeeper"]);
}

fn limited() -> zookeeper_peers::Options {
    options().property("jute.maxbuffer", &REQUEST_MAX.to_string())
}

/// The other server replays the log, and then this one does.
fn goes_on_under(server: &mut Server, other: &Program) {
    let before = Picture::take(server.address());
    let first = server.program().clone();
    server.kill();
    for program in [&first, other] {
        let mut copy = server.copy(program).expect("a copy");
        copy.restart().expect("it opens the directory");
        before.assert_same(&Picture::take(copy.address()), "a copy");
    }
    server.hand_over(other);
    server.restart().expect("it opens the directory");
}

/// Both programs, when no other test uses them. `ZK_PEER_KIND=apache` puts Apache's in both places,
/// which proves the tests: whatever it does not find again itself it does not keep.
fn programs() -> Option<(MutexGuard<'static, ()>, Program, Program)> {
    let is_control = env::var("ZK_PEER_KIND").is_ok_and(|kind| kind == "apache");
    let ours = if is_control { Kind::Apache } else { Kind::Ours };
    let (apache, ours) = enabled().then(|| Kind::Apache.need().zip(ours.need())).flatten()?;
    Some((TURN.lock().unwrap_or_else(PoisonError::into_inner), apache, ours))
}
