//! Servers that have lost their ensemble, and clients that make do with them for a while.

use std::time::Duration;

use zookeeper_core::client::{CloseReason, WatchEventKind};
use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::code;
use crate::client::{Feed, Link, PATIENCE, Settings, TestClient, Update};
use crate::ensemble::Ensemble;
use crate::proxy::Proxy;
use crate::server::{Mode, Server};
use crate::target::Target;

const SESSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The settings of a client that makes do with a read-only server.
fn settings(servers: impl ToString) -> Settings {
    let mut settings = Settings::new(servers).session_timeout(SESSION_TIMEOUT);
    settings.can_be_read_only = true;
    settings
}

/// All servers but one die, and the last one becomes read-only. It takes no session that it did
/// not begin itself: one that could write waits for a quorum. A new client makes do with it, and
/// has a session that can write when there is a quorum again.
///
/// # Panics
///
/// If not.
pub fn lone_survivor<C: TestClient>(ensemble: &mut Ensemble) {
    let writer = C::connect(&settings(ensemble.connect_string())).expect("a session");
    writer.create("/data", b"data", CreateMode::Persistent).expect("made");
    writer.create("/ephemeral", b"", CreateMode::Ephemeral).expect("made");
    let session = writer.session_id();
    let survivor = ensemble.member_of(session.0).expect("it is connected");
    let mut of_writer = writer.states();
    assert_eq!(of_writer.next(), Link::Connected);
    let others: Vec<usize> = ensemble.indices().filter(|index| *index != survivor).collect();
    for index in &others {
        ensemble.member_mut(*index).kill();
    }
    assert_eq!(of_writer.next(), Link::Suspended);
    ensemble.member_mut(survivor).wait_until(|mode| mode == Mode::ReadOnly).expect("it serves");

    let reader = C::connect(&settings(ensemble.connect_string())).expect("a session");
    let mut states = reader.states();
    assert_eq!(states.next(), Link::ReadOnly);
    assert_eq!(reader.peer(), Some(ensemble.member(survivor).address()));
    let provisional = reader.session_id();
    let (read, mut watch) = reader.get_data_and_watch("/data").expect("read");
    assert_eq!(&read.data[..], b"data");
    assert_eq!(code(reader.set_data("/data", b"x", None)), ErrorCode::NOT_READ_ONLY);
    let creation = reader.create("/new", b"", CreateMode::Persistent);
    assert_eq!(code(creation), ErrorCode::NOT_READ_ONLY);

    ensemble.member_mut(others[0]).restart().expect("a quorum");
    assert_eq!((states.next(), states.next()), (Link::Suspended, Link::Connected));
    assert_ne!(reader.session_id(), provisional, "the quorum does not know that session");
    reader.set_data("/data", b"new", None).expect("set");
    assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
    let changed = Some((WatchEventKind::NodeDataChanged, "/data"));
    assert_eq!(watch.next().change(), changed);
    assert_eq!(states.poll(), None);

    assert_eq!(of_writer.next(), Link::Connected);
    assert_eq!(writer.session_id(), session);
    let owner = writer.exists("/ephemeral").expect("asked").expect("there").ephemeral_owner;
    assert_eq!(owner, session);
    assert_eq!(of_writer.poll(), None);
    ensemble.member_mut(others[1]).restart().expect("it follows");
    writer.delete("/data", None).expect("removed");
    writer.close();
    reader.close();
}

/// A client that has only ever seen a read-only server asks around, leaves for the first server
/// that is writable, and has a session of its own there.
///
/// # Panics
///
/// If not.
pub fn writable_server_appears<C: TestClient>(lone: &Server, writable: &Target) {
    let proxy = Proxy::start(writable.address()).expect("a proxy");
    proxy.close_gate();
    let servers = format!("{},{}", lone.address(), proxy.address());
    let client = C::build(&settings(&servers));
    let mut states = client.states();
    let first = states.next();
    assert!(first == Link::ReadOnly || (first, states.next()) == (Link::Suspended, Link::ReadOnly));
    assert_eq!(client.peer(), Some(lone.address()));
    let provisional = client.session_id();
    assert_eq!(code(client.sync("/")), ErrorCode::NOT_READ_ONLY);
    client.get_children("/").expect("listed");

    proxy.open_gate();
    assert_eq!(states.next_within(2 * PATIENCE), Some(Link::Suspended));
    assert_eq!(states.next(), Link::Connected);
    assert_eq!(client.peer(), Some(proxy.address()));
    assert_ne!(client.session_id(), provisional, "nobody else knows that session");
    let path = format!("/{}", C::NAME);
    client.create(&path, b"", CreateMode::Persistent).expect("made");
    assert_eq!(states.poll(), None);
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
}
