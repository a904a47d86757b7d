//! The five failures that clients of other projects break at. After each of them no descriptor and
//! no thread is left behind, which only means something while nothing else runs in the process:
//! they take turns.

use std::fs;
use std::iter;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zookeeper_core::SessionId;
use zookeeper_core::client::WatchEventKind::{
    self, NodeChildrenChanged, NodeCreated, NodeDataChanged,
};
use zookeeper_core::client::{Backoff, CloseReason, Error};
use zookeeper_core::wire::{AddWatchMode, CreateMode, ErrorCode, Xid};

use super::code;
use crate::client::{Feed, Link, PATIENCE, Settings, TestClient, Update};
use crate::deadline::Deadline;
use crate::proxy::Proxy;
use crate::scripted::Scripted;
use crate::target::{Target, TargetKind};

/// Each of our servers, with a proxy before it and a client of that.
fn on_ours<C: TestClient>(test: impl Fn(&Target, &Proxy, C)) {
    on_ours_with_backoff(Settings::new("").backoff, test);
}

fn on_ours_with_backoff<C: TestClient>(backoff: Backoff, test: impl Fn(&Target, &Proxy, C)) {
    for kind in [TargetKind::Mio, TargetKind::Smol] {
        let target = Target::start(kind).expect("a server").expect("it is in this process");
        let proxy = Proxy::start(target.address()).expect("a proxy");
        let settings = Settings { backoff, ..Settings::new(proxy.address()) };
        let client = C::connect(&settings).expect("a session");
        test(&target, &proxy, client);
    }
}

/// No server can be reached, in several ways, for many attempts: nothing panics, nothing spins,
/// and the session goes on with the first server that answers.
///
/// # Panics
///
/// If not.
pub fn failed_reconnect<C: TestClient>() {
    let _balance = Balance::begin::<C>();
    on_ours(|target, proxy, client: C| {
        let session = client.session_id();
        let path = format!("/{}", C::NAME);
        client.create(&path, b"", CreateMode::Ephemeral).expect("made");
        // One refuses, one accepts and ends at once, one has no address.
        let absent = Proxy::start(([127, 0, 0, 1], 1).into()).expect("a proxy");
        let servers = format!("{},{},no-such-host.invalid:1", proxy.address(), absent.address());
        proxy.close_gate();
        client.wait_for(Link::Suspended);
        client.update_hosts(&servers);
        let start = Instant::now();
        let attempts = Deadline::after(PATIENCE)
            .poll("attempts", || Ok(Some(absent.accepted()).filter(|accepted| *accepted >= 8)));
        let attempts = attempts.expect("it goes on trying");
        // However slow this machine is, there is a pause before each of them.
        let pause = Settings::new("").backoff.failure;
        let most = start.elapsed().as_millis() / pause.as_millis() + 2;
        assert!(attempts as u128 <= most, "{attempts} attempts");
        let error = client.exists(&path).expect_err("no server");
        assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::CONNECTION_LOSS, false));

        proxy.open_gate();
        client.wait_for(Link::Connected);
        assert_eq!(client.session_id(), session);
        let owner = client.exists(&path).expect("asked").expect("there").ephemeral_owner;
        assert_eq!(owner, session);
        assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
        drop(client);
        assert_ne!(target.address(), proxy.address());
    });
}

/// The session is over, or the server answers with somebody else's: said once, to everybody, and
/// nothing is tried any more.
///
/// # Panics
///
/// If not.
pub fn expiry<C: TestClient>() {
    let _balance = Balance::begin::<C>();
    for is_foreign in [false, true] {
        let server = Scripted::start().expect("a port");
        let settings = Settings::new(server.address());
        let script = thread::spawn(move || {
            let mut connection = server.accept_session(SessionId(7));
            connection.answer_exists(5, 0);
            connection.request();
            drop(connection);
            let mut connection = server.accept();
            assert_eq!(connection.handshake(), SessionId(7));
            if is_foreign {
                connection.grant(SessionId(8));
            } else {
                connection.refuse();
            }
            connection.wait_for_end();
        });
        let client = C::connect(&settings).expect("a session");
        let mut states = client.states();
        let (found, mut watch) = client.exists_and_watch("/node").expect("asked");
        assert!(found.is_some());
        let error = client.get_data("/node").expect_err("the connection is lost");
        assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::CONNECTION_LOSS, true));
        let reason = client.ended();
        match is_foreign {
            false => assert_eq!(reason, CloseReason::Expired),
            true => assert_eq!(reason, CloseReason::ForeignSession(SessionId(8))),
        }
        let told: Vec<_> = iter::from_fn(|| states.next_within(Duration::ZERO)).collect();
        assert_eq!(told, [Link::Connected, Link::Suspended, Link::Lost]);
        assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Lost));
        assert_eq!(code(client.exists("/node")), ErrorCode::SESSION_EXPIRED);
        assert_eq!(code(client.delete("/node", None)), ErrorCode::SESSION_EXPIRED);
        assert_eq!(client.close(), reason);
        script.join().expect("the script was followed");
    }
}

/// Watches of every kind are set again after each of many reconnects, and each fires once.
///
/// # Panics
///
/// If not.
pub fn watch_rearm<C: TestClient>() {
    let _balance = Balance::begin::<C>();
    on_ours(|target, proxy, client: C| {
        let writer = C::connect(&Settings::new(target.address())).expect("a session");
        let make = |path: &str| {
            writer.create(path, b"", CreateMode::Persistent).expect("made");
        };
        for path in ["/data", "/child", "/single", "/tree"] {
            make(path);
        }
        let mut watches: [(C::Watch, WatchEventKind, &str); 5] = [
            (client.get_data_and_watch("/data").expect("read").1, NodeDataChanged, "/data"),
            (client.exists_and_watch("/new").expect("asked").1, NodeCreated, "/new"),
            (
                client.get_children_and_watch("/child").expect("listed").1,
                NodeChildrenChanged,
                "/child",
            ),
            (
                client.add_watch("/single", AddWatchMode::Persistent).expect("set"),
                NodeDataChanged,
                "/single",
            ),
            (
                client.add_watch("/tree", AddWatchMode::PersistentRecursive).expect("set"),
                NodeCreated,
                "/tree/below",
            ),
        ];
        for _ in 0..10 {
            proxy.cut();
            for (watch, ..) in &mut watches {
                assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
            }
        }
        for path in ["/data", "/single"] {
            writer.set_data(path, b"x", None).expect("set");
        }
        for path in ["/new", "/child/below", "/tree/below"] {
            make(path);
        }
        for (watch, kind, path) in &mut watches {
            assert_eq!(watch.next().change(), Some((*kind, *path)));
            client.get_data_in_order("/").expect("read");
            assert_eq!(watch.poll(), None);
        }
        writer.close();
        client.close();
    });
}

/// Many reconnects of one client, and many clients, leave nothing behind.
///
/// # Panics
///
/// If not.
pub fn leak<C: TestClient>() {
    let _balance = Balance::begin::<C>();
    let brief = Duration::from_millis(1);
    let backoff = Backoff { failure: brief, round: brief, jitter: brief };
    on_ours_with_backoff(backoff, |_, proxy, client: C| {
        let mut states = client.states();
        assert_eq!(states.next(), Link::Connected);
        client.exists("/").expect("asked");
        let before = Held::now();
        for round in 0..100 {
            if round % 4 == 0 {
                proxy.close_gate();
                proxy.open_gate();
            } else {
                proxy.cut();
            }
            assert_eq!((states.next(), states.next()), (Link::Suspended, Link::Connected));
            client.exists("/").expect("asked");
        }
        before.wait_until_equal();
        for round in 0..30 {
            let other = C::connect(&Settings::new(proxy.address())).expect("a session");
            match round % 3 {
                0 => drop(other.close()),
                1 => drop(other.detach()),
                // The last handle is the end of the session.
                _ => {}
            }
        }
        // Without a server it ends, too.
        drop(C::build(&Settings::new("127.0.0.1:1")));
        before.wait_until_equal();
        client.close();
    });
}

/// What nobody asked for, and what is no answer: it is passed over, or costs the connection and
/// nothing else.
///
/// # Panics
///
/// If not.
pub fn unexpected_notification<C: TestClient>() {
    let _balance = Balance::begin::<C>();
    let server = Scripted::start().expect("a port");
    let settings = Settings::new(server.address());
    let script = thread::spawn(move || follow(&server));
    let client = C::connect(&settings).expect("a session");
    let mut states = client.states();
    assert_eq!(states.next(), Link::Connected);
    for version in 0..2 {
        let found = client.exists("/node").expect("asked").expect("there");
        assert_eq!(found.version, version);
    }
    for (index, _) in hostile().iter().enumerate() {
        let error = client.exists("/node").expect_err("no answer");
        let is_loss = matches!(error, Error::Request(_)) && error.maybe_executed();
        assert!(is_loss, "{index}: {error:?}");
        assert_eq!((states.next(), states.next()), (Link::Suspended, Link::Connected), "{index}");
        assert_eq!(client.session_id(), SessionId(7));
    }
    assert_eq!(client.exists("/node").expect("asked").expect("there").version, 9);
    assert_eq!(states.poll(), None);
    client.detach();
    script.join().expect("the script was followed");
}

/// The server's part.
fn follow(server: &Scripted) {
    let mut connection = server.accept_session(SessionId(7));
    // Nobody watches; there is no such kind; no such state; no path; no path that is one; cut off.
    connection.notify(3, 3, Some("/nobody/watches"));
    connection.answer_exists(5, 0);
    connection.notify(99, 3, Some("/node"));
    connection.notify(1, 99, Some("/node"));
    connection.notify(-1, 0, None);
    connection.notify(3, 3, None);
    connection.notify(3, 3, Some("no path"));
    connection.reply(Xid::NOTIFICATION, 6, ErrorCode::OK, &[0, 0]);
    // Nor was there a ping or an authentication.
    connection.reply(Xid::PING, 6, ErrorCode::OK, &[]);
    connection.reply(Xid::AUTH, 6, ErrorCode::OK, &[]);
    // An older state than before.
    connection.answer_exists(2, 1);
    for bytes in hostile() {
        let header = connection.request();
        assert!(header.xid.0 > 0);
        connection.send(&bytes);
        // Only half a frame needs an end of the connection to be noticed.
        if is_half(&bytes) {
            drop(connection);
        } else {
            connection.wait_for_end();
        }
        connection = server.accept_session(SessionId(7));
    }
    connection.answer_exists(9, 9);
    connection.wait_for_end();
}

/// Answers to a request that are none.
fn hostile() -> Vec<Vec<u8>> {
    let frame = |body: &[u8]| {
        let length = u32::try_from(body.len()).expect("a short frame");
        [&length.to_be_bytes()[..], body].concat()
    };
    let reply = |xid: i32| [&xid.to_be_bytes()[..], &[0; 12]].concat();
    vec![
        // Lengths that no frame has: negative, and far too long for what is no reply.
        vec![0xff; 64],
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        frame(&[]),
        frame(&[0; 5]),
        // Replies to requests that were never made.
        frame(&reply(1_000_000)),
        frame(&reply(-8)),
        frame(&reply(i32::MIN)),
        // The beginning of a reply.
        frame(&reply(1))[..10].to_vec(),
    ]
}

fn is_half(bytes: &[u8]) -> bool {
    bytes.len() == 10
}

static TURN: Mutex<()> = Mutex::new(());

/// What the process held at the beginning of a test; the test ends when it is the same again.
#[derive(Debug)]
struct Balance {
    before: Held,
    _turn: MutexGuard<'static, ()>,
}

impl Balance {
    /// Some things are made by the first client or server and kept by the process.
    fn begin<C: TestClient>() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in [TargetKind::Mio, TargetKind::Smol] {
            let target = Target::start(kind).expect("a server").expect("it is in this process");
            let client = C::connect(&Settings::new(target.address())).expect("a session");
            client.close();
        }
        Self { before: Held::settled(), _turn: turn }
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.before.wait_until_equal();
        }
    }
}

/// What a process holds of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
}

impl Held {
    fn now() -> Self {
        let count = |path| fs::read_dir(path).map_or(0, Iterator::count);
        Self { descriptors: count("/proc/self/fd") }
    }

    /// When it does not change any more.
    fn settled() -> Self {
        let mut last = Self::now();
        let mut since = Instant::now();
        let settled = Deadline::after(PATIENCE).poll("descriptors to be closed", || {
            let now = Self::now();
            if now != last {
                (last, since) = (now.clone(), Instant::now());
            }
            Ok((since.elapsed() > Duration::from_millis(200)).then_some(now))
        });
        settled.expect("it settles")
    }

    /// Sockets are closed by threads that may be late.
    fn wait_until_equal(&self) {
        let mut now = Self::now();
        let equal = Deadline::after(PATIENCE).poll("descriptors to be closed", || {
            now = Self::now();
            Ok((now == *self).then_some(()))
        });
        assert!(equal.is_ok(), "{now:?} where {self:?} was before: {:#?}", open_files());
    }
}

/// What the descriptors are.
fn open_files() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let target = |entry: fs::DirEntry| fs::read_link(entry.path()).unwrap_or_default();
    entries.flatten().map(|entry| target(entry).display().to_string()).collect()
}
