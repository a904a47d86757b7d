//! A client of an ensemble whose servers die, hang and come back while it writes.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zookeeper_core::client::{Error, WatchEventKind};
use zookeeper_core::wire::{AddWatchMode, CreateMode, ErrorCode};

use super::sorted;
use crate::client::{Feed, Link, PATIENCE, Settings, TestClient, Update};
use crate::deadline::Deadline;
use crate::ensemble::Ensemble;

/// Long enough for a server that hangs to be noticed, and for an election after that.
const SESSION_TIMEOUT: Duration = Duration::from_secs(9);

/// The server that the client is connected to dies, hangs, and is restarted; then the leader dies.
/// All the time a writer writes. The session lives on, what was acknowledged stays, each watch
/// fires, and the states are told in order.
///
/// # Panics
///
/// If not.
pub fn outages<C: TestClient>(ensemble: &mut Ensemble) {
    let settings = Settings::new(ensemble.connect_string()).session_timeout(SESSION_TIMEOUT);
    let client = C::connect(&settings).expect("a session");
    let session = client.session_id();
    let mut states = client.states();
    let mut told = vec![states.next()];
    let onlooker = C::connect(&settings).expect("a session");
    for path in ["/log", "/changed", "/kept"] {
        client.create(path, b"", CreateMode::Persistent).expect("made");
    }
    client.create("/ephemeral", b"", CreateMode::Ephemeral).expect("made");

    let writer = Writer::start(&client);
    for outage in [Outage::Kill, Outage::Hang, Outage::Restart, Outage::KillLeader] {
        let watches = Watches::set(&client, outage);
        let index = outage.begin(ensemble, session.0);
        told.extend(states.next_within(2 * PATIENCE));
        assert_eq!(told.last(), Some(&Link::Suspended), "{outage:?}");
        watches.change(&onlooker, outage);
        // If it was the leader, the client may have found a server that had to give up, too.
        patiently(|| client.sync("/"));
        patiently(|| client.get_data_in_order("/"));
        told.extend(iter::from_fn(|| states.poll()));
        assert_eq!(told.last(), Some(&Link::Connected), "{outage:?}");
        assert_eq!(client.session_id(), session, "{outage:?}");
        watches.fire(&onlooker);
        outage.end::<C>(ensemble, index);
    }
    let acknowledged = writer.stop();

    told.extend(iter::from_fn(|| states.poll()));
    let expected = [Link::Connected, Link::Suspended].into_iter().cycle();
    assert!(told.iter().copied().eq(expected.take(told.len())), "{told:?}");
    assert_eq!(told.last(), Some(&Link::Connected));
    let owner = client.exists("/ephemeral").expect("asked").expect("there").ephemeral_owner;
    assert_eq!(owner, session);
    verify::<C>(ensemble, acknowledged);
    client.close();
    onlooker.close();
}

/// Every server has what was acknowledged, in the order in which it was written.
fn verify<C: TestClient>(ensemble: &Ensemble, acknowledged: usize) {
    assert!(acknowledged > 0);
    for address in ensemble.addresses() {
        let client = C::connect(&Settings::new(address)).expect("a session");
        client.sync("/log").expect("done");
        let names = sorted(client.get_children("/log").expect("listed"));
        // The last one may have been written after it was given up.
        assert!(names.len() - acknowledged <= 1, "{} of {acknowledged}", names.len());
        let mut last = 0;
        for (number, name) in names.iter().enumerate() {
            assert_eq!(*name, entry(number));
            let stat = client.exists(&format!("/log/{name}")).expect("asked").expect("there");
            assert!(stat.czxid.0 > last, "{name} is written after the one before");
            last = stat.czxid.0;
        }
        client.close();
    }
}

fn entry(number: usize) -> String {
    format!("{number:08}")
}

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// The client's server dies, and is started again after the client has found another.
    Kill,
    /// The client's server keeps its connections and answers nothing for a while.
    Hang,
    /// The client's server ends in an orderly way, and is started again.
    Restart,
    /// The leader dies: no server serves until there is another.
    KillLeader,
}

impl Outage {
    /// Returns which server it hit.
    fn begin(self, ensemble: &mut Ensemble, session: i64) -> usize {
        let index = match self {
            Self::KillLeader => ensemble.leader(),
            Self::Kill | Self::Hang | Self::Restart => ensemble.member_of(session),
        };
        let index = index.expect("there is one");
        let server = ensemble.member_mut(index);
        match self {
            Self::Kill | Self::KillLeader => server.kill(),
            Self::Hang => server.pause().expect("it runs"),
            Self::Restart => drop(server.stop().expect("it runs")),
        }
        index
    }

    fn end<C: TestClient>(self, ensemble: &mut Ensemble, index: usize) {
        let server = ensemble.member_mut(index);
        match self {
            Self::Kill | Self::Restart | Self::KillLeader => server.restart().expect("it starts"),
            Self::Hang => server.resume().expect("it is there"),
        }
        // A server that was paused goes on as what it was, and may believe for seconds that it
        // leads. But a new session takes a quorum.
        let client = C::connect(&Settings::new(server.address())).expect("a session");
        client.close();
    }
}

/// One watch of each kind, set before an outage.
struct Watches<W> {
    outage: Outage,
    data: W,
    creation: W,
    kept: W,
    persistent: W,
}

impl<W: Feed<Item = Update>> Watches<W> {
    fn set<C: TestClient<Watch = W>>(client: &C, outage: Outage) -> Self {
        Self {
            outage,
            data: client.get_data_and_watch("/changed").expect("read").1,
            creation: client.exists_and_watch(&created_by(outage)).expect("asked").1,
            kept: client.get_children_and_watch("/kept").expect("listed").1,
            persistent: client.add_watch("/persistent", AddWatchMode::Persistent).expect("set"),
        }
    }

    /// Changes what two of them watch, while their session has no server. The onlooker may be
    /// without one as well.
    fn change<C: TestClient>(&self, onlooker: &C, outage: Outage) {
        patiently(|| onlooker.set_data("/changed", b"x", None));
        patiently(|| exists_now(onlooker.create(&created_by(outage), b"", CreateMode::Persistent)));
    }

    /// Those two have fired; the others do now.
    fn fire<C: TestClient>(mut self, onlooker: &C) {
        let created = created_by(self.outage);
        let kind = WatchEventKind::NodeDataChanged;
        expect(&mut self.data, self.outage, kind, "/changed");
        expect(&mut self.creation, self.outage, WatchEventKind::NodeCreated, &created);
        wait_until_restored(&mut self.kept);
        wait_until_restored(&mut self.persistent);
        let child = format!("/kept/{:?}", self.outage);
        patiently(|| exists_now(onlooker.create(&child, b"", CreateMode::Persistent)));
        let kind = WatchEventKind::NodeChildrenChanged;
        expect(&mut self.kept, self.outage, kind, "/kept");
        patiently(|| exists_now(onlooker.create("/persistent", b"", CreateMode::Persistent)));
        expect(&mut self.persistent, self.outage, WatchEventKind::NodeCreated, "/persistent");
        patiently(|| is_gone(onlooker.delete("/persistent", None)));
        expect(&mut self.persistent, self.outage, WatchEventKind::NodeDeleted, "/persistent");
    }
}

fn created_by(outage: Outage) -> String {
    format!("/created-{outage:?}")
}

/// The next change that a watch tells is this one; that the server was lost and found may come
/// before.
fn expect<W: Feed<Item = Update>>(watch: &mut W, outage: Outage, kind: WatchEventKind, path: &str) {
    loop {
        match watch.next() {
            Update::Suspended | Update::Restored => {}
            update => {
                assert_eq!(update.change(), Some((kind, path)), "{outage:?}: {update:?}");
                return;
            }
        }
    }
}

/// The watch was told of the outage and of its end, and of nothing else.
fn wait_until_restored<W: Feed<Item = Update>>(watch: &mut W) {
    loop {
        match watch.next() {
            Update::Suspended => {}
            Update::Restored => return,
            other => panic!("{other:?}"),
        }
    }
}

/// Does something until it succeeds; only the loss of servers may be in the way.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    let done = Deadline::after(2 * PATIENCE).poll("an operation to succeed", || match attempt() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code() == ErrorCode::CONNECTION_LOSS => Ok(None),
        Err(error) => panic!("{error}"),
    });
    done.expect("it succeeds")
}

/// An earlier attempt may have made it.
fn exists_now<T>(outcome: Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.code() == ErrorCode::NODE_EXISTS => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// An earlier attempt may have removed it.
fn is_gone(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.code() == ErrorCode::NO_NODE => Ok(()),
        outcome => outcome,
    }
}

/// Makes one znode after the other, each until the server says that it is there.
struct Writer {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Writer {
    fn start<C: TestClient>(client: &C) -> Self {
        let client = client.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut acknowledged = 0;
            while !stops.load(Ordering::Relaxed) {
                write(&client, acknowledged);
                acknowledged += 1;
            }
            acknowledged
        });
        Self { is_over, thread }
    }

    /// How many were acknowledged.
    fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer never failed")
    }
}

/// A write that is said not to have been executed was not; one that may have been may be there.
fn write<C: TestClient>(client: &C, number: usize) {
    let path = format!("/log/{}", entry(number));
    let mut may_be_there = false;
    patiently(|| match client.create(&path, b"", CreateMode::Persistent) {
        Err(error) if error.code() == ErrorCode::NODE_EXISTS => {
            assert!(may_be_there, "{path} was made by an attempt that is said to have failed");
            Ok(())
        }
        Err(error) => {
            may_be_there |= error.maybe_executed();
            Err(error)
        }
        Ok(_) => Ok(()),
    });
}
