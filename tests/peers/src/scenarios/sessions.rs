//! Sessions that are resumed, end, and expire.

use std::time::Duration;

use zookeeper_core::Secret;
use zookeeper_core::client::{CloseReason, Credentials, WatchEventKind};
use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::{Scenario, Stage, code};
use crate::client::{Feed as _, Link, Settings, TestClient, Update};
use crate::proxy::Proxy;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("close", close),
        ("resume", resume),
        ("resume-with-a-wrong-password", wrong_password),
        ("ended-by-somebody-else", ended_elsewhere),
        ("expiry-on-the-server", expiry),
        ("expiry-without-a-server", expiry_alone),
    ]
}

/// Closing comes behind everything that was asked for, and takes the ephemerals with it.
fn close<C: TestClient>(stage: &Stage<C>) {
    let path = stage.path("/e");
    let client = stage.other();
    let mut states = client.states();
    assert_eq!(states.next(), Link::Connected);
    client.create(&path, b"", CreateMode::Ephemeral).expect("made");
    let (_, mut watch) = client.get_data_and_watch(&path).expect("read");
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
    assert_eq!(states.next(), Link::Lost);
    assert_eq!(states.next_within(Duration::ZERO), None);
    assert_eq!(client.link(), Link::Lost);
    // The session's end deletes the znode, of which the server still tells this session or not.
    let told = watch.next();
    let deleted = Some((WatchEventKind::NodeDeleted, path.as_str()));
    assert!(told == Update::Lost || told.change() == deleted, "{told:?}");
    assert_eq!(code(client.exists(&path)), ErrorCode::SESSION_EXPIRED);
    assert_eq!(stage.client.exists(&path), Ok(None));
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
}

fn resume<C: TestClient>(stage: &Stage<C>) {
    let path = stage.path("/e");
    let first = stage.other();
    first.create(&path, b"", CreateMode::Ephemeral).expect("made");
    let credentials = first.credentials().expect("it has a session");
    assert_eq!(credentials.session, first.session_id());
    assert_eq!(first.detach(), CloseReason::Detached);
    assert_eq!(first.link(), Link::Lost);
    assert!(first.exists(&path).is_err());

    let second = C::connect(&stage.settings().resume(credentials.clone())).expect("a session");
    assert_eq!(second.session_id(), credentials.session);
    let owner = second.exists(&path).expect("asked").expect("there").ephemeral_owner;
    assert_eq!(owner, credentials.session);
    assert_eq!(second.get_ephemerals(&stage.root).expect("listed"), [path.as_str()]);
    second.close();
    assert_eq!(stage.client.exists(&path), Ok(None));
    // There is nothing left to resume.
    let third = C::build(&stage.settings().resume(credentials));
    assert_eq!(third.ended(), CloseReason::Expired);
}

/// Whoever does not know the password gets neither the session nor another one.
fn wrong_password<C: TestClient>(stage: &Stage<C>) {
    let good = stage.client.credentials().expect("it has a session");
    let mut password = good.password.0.to_vec();
    password[3] ^= 1;
    let bad = Credentials { session: good.session, password: Secret(password.into()) };
    let client = C::build(&stage.settings().resume(bad));
    let mut states = client.states();
    assert_eq!(client.ended(), CloseReason::Expired);
    let first = states.next();
    assert!(first == Link::Lost || (first == Link::Suspended && states.next() == Link::Lost));
    assert!(
        C::connect(
            &stage.settings().resume(Credentials {
                session: good.session,
                password: Secret(vec![0; 16].into()),
            })
        )
        .is_err()
    );
    // The session is none the worse for it.
    stage.client.exists(&stage.root).expect("asked");
}

/// A second client takes the session over and ends it: the first one hears that it has expired.
fn ended_elsewhere<C: TestClient>(stage: &Stage<C>) {
    let path = stage.node("/node");
    let first = stage.other();
    let mut states = first.states();
    assert_eq!(states.next(), Link::Connected);
    let (_, mut watch) = first.exists_and_watch(&path).expect("asked");
    let credentials = first.credentials().expect("it has a session");
    let second = C::connect(&stage.settings().resume(credentials)).expect("a session");
    second.close();
    assert_eq!(first.ended(), CloseReason::Expired);
    // The server ends the first connection when the second one takes over. It may come back for a
    // moment, before the session is closed.
    let mut told = vec![Link::Connected];
    while told.last() != Some(&Link::Lost) {
        told.push(states.next());
    }
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
    assert_eq!(told[told.len() - 2], Link::Suspended, "{told:?}");
    assert_eq!(states.poll(), None);
    loop {
        match watch.next() {
            Update::Suspended | Update::Restored => {}
            Update::Lost => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(code(first.exists(&path)), ErrorCode::SESSION_EXPIRED);
}

/// Away for longer than the session's time-out: the server says that it is over.
fn expiry<C: TestClient>(stage: &Stage<C>) {
    let path = stage.path("/e");
    let proxy = Proxy::start(stage.server).expect("a proxy");
    let settings = Settings::new(proxy.address()).session_timeout(Duration::from_millis(1_000));
    let client = C::connect(&settings).expect("a session");
    assert_eq!(client.session_timeout(), Some(Duration::from_millis(1_000)));
    client.create(&path, b"", CreateMode::Ephemeral).expect("made");
    let (_, mut deletion) = stage.client.exists_and_watch(&path).expect("asked");
    let (_, mut watch) = client.get_children_and_watch(&stage.root).expect("listed");
    proxy.close_gate();
    client.wait_for(Link::Suspended);
    let deleted = Some((WatchEventKind::NodeDeleted, path.as_str()));
    assert_eq!(deletion.next().change(), deleted);
    proxy.open_gate();
    // Whether the server or the client's own clock is faster is open.
    let reason = client.ended();
    assert!(matches!(reason, CloseReason::Expired | CloseReason::SelfExpired), "{reason:?}");
    assert_eq!(client.link(), Link::Lost);
    assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Lost));
    assert_eq!(code(client.exists(&path)), ErrorCode::SESSION_EXPIRED);
    let again = C::connect(&settings).expect("a new session");
    assert_ne!(again.session_id(), client.session_id());
    again.close();
}

/// Nobody answers for longer than the session lasts: the client says so by itself.
fn expiry_alone<C: TestClient>(stage: &Stage<C>) {
    let proxy = Proxy::start(stage.server).expect("a proxy");
    let settings = Settings::new(proxy.address()).session_timeout(Duration::from_millis(1_000));
    let client = C::connect(&settings).expect("a session");
    proxy.close_gate();
    assert_eq!(client.ended(), CloseReason::SelfExpired);
    assert_eq!(code(client.exists("/")), ErrorCode::SESSION_EXPIRED);
}
