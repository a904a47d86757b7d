//! Who may do what.

use zookeeper_core::client::operation::{AccessList, CreateOptions};
use zookeeper_core::wire::{Acl, CreateMode, ErrorCode, Id, perms};

use super::{Scenario, Stage, code};
use crate::client::{Link, TestClient};

/// What `user:password` comes to, as upstream's `DigestAuthenticationProvider` prints it.
const USER: &str = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=";

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![("acl", acl), ("digest", digest), ("digest-from-the-beginning", from_the_beginning)]
}

fn acl<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.node("/open");
    let read = client.get_acl(&path).expect("read");
    assert_eq!(read.acl, [Acl::new(perms::ALL, "world", "anyone")]);
    assert_eq!(read.stat.aversion, 0);
    assert_eq!(code(client.get_acl(&stage.path("/none"))), ErrorCode::NO_NODE);

    assert_eq!(code(client.set_acl(&path, AccessList::ReadOnly, Some(4))), ErrorCode::BAD_VERSION);
    // Without an identity nobody is the creator.
    assert_eq!(code(client.set_acl(&path, AccessList::Creator, None)), ErrorCode::INVALID_ACL);
    let few = [
        Acl::new(perms::READ | perms::ADMIN, "world", "anyone"),
        Acl::new(perms::WRITE, "ip", "10.0.0.0/8"),
    ];
    assert_eq!(client.set_acl(&path, few.clone(), Some(0)).expect("set").aversion, 1);
    assert_eq!(client.get_acl(&path).expect("read").acl, few);
    assert_eq!(code(client.set_data(&path, b"", None)), ErrorCode::NO_AUTH);
    let child = client.create(&stage.path("/open/child"), b"", CreateMode::Persistent);
    assert_eq!(code(child), ErrorCode::NO_AUTH);
    client.get_data(&path).expect("everybody may read");
}

fn digest<C: TestClient>(stage: &Stage<C>) {
    let owner = stage.other();
    let path = stage.path("/secret");
    let creator = || CreateOptions::default().acl(AccessList::Creator);
    assert_eq!(code(owner.create(&path, b"", creator())), ErrorCode::INVALID_ACL);
    owner.add_auth("digest", b"user:password").expect("taken on");
    assert_eq!(owner.link(), Link::Connected);
    assert!(owner.who_am_i().expect("asked").iter().any(|id| &*id.scheme == "digest"));
    owner.create(&path, b"word", creator()).expect("made");
    let read = owner.get_acl(&path).expect("read").acl;
    assert_eq!(read, [Acl { perms: perms::ALL, id: Id::new("digest", USER) }]);

    let client = &stage.client;
    assert_eq!(code(client.get_data(&path)), ErrorCode::NO_AUTH);
    assert_eq!(code(client.get_children(&path)), ErrorCode::NO_AUTH);
    client.add_auth("digest", b"user:wrong").expect("every digest is somebody's");
    assert_eq!(code(client.set_data(&path, b"", None)), ErrorCode::NO_AUTH);
    client.add_auth("digest", b"user:password").expect("taken on");
    assert_eq!(&client.get_data(&path).expect("read").data[..], b"word");
    owner.close();
}

/// Identities from the settings are taken on before the first request, and again after every
/// reconnect.
fn from_the_beginning<C: TestClient>(stage: &Stage<C>) {
    let path = stage.path("/secret");
    let acl = [Acl::new(perms::ALL, "digest", USER)];
    stage.client.create(&path, b"", CreateOptions::default().acl(acl)).expect("made");

    let proxy = crate::Proxy::start(stage.server).expect("a proxy");
    let mut settings = crate::client::Settings::new(proxy.address());
    settings.auth.push(("digest".to_owned(), b"user:password".to_vec()));
    let client = C::connect(&settings).expect("a session");
    client.get_data(&path).expect("it may");
    client.add_auth("digest", b"other:password").expect("taken on");
    proxy.close_gate();
    client.wait_for(Link::Suspended);
    proxy.open_gate();
    client.wait_for(Link::Connected);
    client.get_data(&path).expect("it still may");
    let ids = client.who_am_i().expect("asked");
    assert_eq!(ids.iter().filter(|id| &*id.scheme == "digest").count(), 2, "{ids:?}");
    client.close();
}
