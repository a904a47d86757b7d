//! Every operation of the client, as a blocking call.

mod common;

use std::time::Duration;

use common::{connect, start};
use zookeeper_core::wire::{Acl, AclEntry};
use zookeeper_mio::{
    Client,
    client::{
        CreateMode, Error, ErrorCode, Repetition, RequestError, RetryPolicy, SubmitError,
        operation::{
            AccessList, Create, CreateOptions, GetData, MultiRead, ReadResult, Reconfig,
            Transaction, TransactionResult,
        },
        perms,
    },
};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorCode {
    result.expect_err("a failure").code()
}

#[test]
fn znodes_are_made_read_changed_and_removed() {
    let server = start();
    let client = connect(server.address());
    let created = client.create("/a", "one", CreateMode::Persistent).expect("made");
    assert_eq!((created.path.as_str(), created.stat), ("/a", None));
    let options = CreateOptions::new(CreateMode::PersistentSequential).with_stat();
    let created = client.create("/a/b-", "two", options).expect("made");
    assert_eq!(created.path, "/a/b-0000000000");
    assert_eq!(created.stat.map(|stat| stat.data_length), Some(3));

    let data = client.get_data("/a").expect("read");
    assert_eq!((&data.data[..], data.stat.num_children), (&b"one"[..], 1));
    let stat = client.set_data("/a", b"three".as_slice(), Some(0)).expect("set");
    assert_eq!((stat.version, stat.data_length), (1, 5));
    assert_eq!(client.exists("/a").expect("asked").map(|stat| stat.version), Some(1));
    assert_eq!(client.exists("/b").expect("asked"), None);
    assert_eq!(client.get_children("/a").expect("listed"), ["b-0000000000"]);
    let children = client.get_children_and_stat("/a").expect("listed");
    assert_eq!((children.names.len(), children.stat.version), (1, 1));
    assert_eq!(client.get_all_children_number("/a").expect("counted"), 1);
    client.sync("/a").expect("in step");

    client.create("/null", None::<&str>, CreateMode::Persistent).expect("made");
    assert!(client.get_data("/null").expect("read").is_null);
    client.delete("/a/b-0000000000", None).expect("removed");
    client.delete("/a", Some(1)).expect("removed");
    assert_eq!(client.exists("/a").expect("asked"), None);
}

#[test]
fn servers_errors_and_wrong_arguments_are_told() {
    let server = start();
    let client = connect(server.address());
    client.create("/a", "", CreateMode::Persistent).expect("made");
    client.create("/a/b", "", CreateMode::Persistent).expect("made");
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    let persistent = CreateMode::Persistent;
    assert_eq!(code(client.create("/a", "", persistent)), ErrorCode::NODE_EXISTS);
    assert_eq!(code(client.create("/b/c", "", persistent)), ErrorCode::NO_NODE);
    let below_ephemeral = client.create("/e/f", "", persistent);
    assert_eq!(code(below_ephemeral), ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);
    assert_eq!(code(client.delete("/a", None)), ErrorCode::NOT_EMPTY);
    assert_eq!(code(client.delete("/a/b", Some(7))), ErrorCode::BAD_VERSION);
    assert_eq!(code(client.set_data("/a", "", Some(7))), ErrorCode::BAD_VERSION);
    assert_eq!(code(client.get_data("/c")), ErrorCode::NO_NODE);
    assert_eq!(code(client.get_children("/c")), ErrorCode::NO_NODE);
    for path in ["", "a", "/a/", "/a//b", "/a/./b"] {
        let error = client.get_data(path).expect_err("no path");
        assert!(matches!(error, Error::Argument(_)), "{path:?}: {error:?}");
    }
    let error = client.delete("/", None).expect_err("the root stays");
    assert!(matches!(error, Error::Argument(_)), "{error:?}");
    let too_long = vec![0; 2 << 20];
    let error = client.set_data("/a", &too_long, None).expect_err("too long");
    assert!(matches!(error, Error::Refused(SubmitError::TooLong { .. })), "{error:?}");
    client.sync("/").expect("nothing of it harms the session");
}

#[test]
fn ephemerals_containers_and_times_to_live() {
    let server = start();
    let client = connect(server.address());
    client.create("/e", "", CreateMode::Ephemeral).expect("made");
    client.create("/f-", "", CreateMode::EphemeralSequential).expect("made");
    client.create("/p", "", CreateMode::Persistent).expect("made");
    let mut own = client.get_ephemerals("/").expect("listed");
    own.sort();
    assert_eq!(own, ["/e", "/f-0000000001"]);
    assert_eq!(client.get_ephemerals("/e").expect("listed"), ["/e"]);
    let options = CreateOptions::new(CreateMode::Container).with_stat();
    client.create("/c", "", options).expect("made");
    let ttl = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(Duration::from_secs(60));
    match client.create("/t", "", ttl) {
        Ok(created) => assert_eq!(created.path, "/t"),
        // Servers have to be told that they may.
        Err(error) => assert_eq!(error.code(), ErrorCode::UNIMPLEMENTED),
    }
    let without = client.create("/t", "", CreateMode::PersistentWithTtl).expect_err("no time");
    assert!(matches!(without, Error::Argument(_)), "{without:?}");

    let session = client.session_id();
    let other = connect(server.address());
    let owner = other.exists("/e").expect("asked").map(|stat| stat.ephemeral_owner);
    assert_eq!(owner, Some(session));
    client.close();
    assert_eq!(other.exists("/e").expect("asked"), None);
    assert_eq!(other.exists("/f-0000000001").expect("asked"), None);
    assert!(other.exists("/p").expect("asked").is_some());
}

#[test]
fn access_is_controlled() {
    let server = start();
    let client = connect(server.address());
    client.add_auth("digest", "alice:secret").expect("anybody may");
    let names = client.who_am_i().expect("told");
    assert!(names.iter().any(|id| &*id.scheme == "digest" && &*id.id == "alice"), "{names:?}");
    let options = CreateOptions::default().acl(AccessList::Creator);
    client.create("/private", "mine", options).expect("made");
    let acl = client.get_acl("/private").expect("read");
    assert_eq!((acl.acl.len(), &*acl.acl[0].id.scheme), (1, "digest"));

    let other = connect(server.address());
    assert_eq!(code(other.get_data("/private")), ErrorCode::NO_AUTH);
    other.add_auth("digest", "alice:secret").expect("anybody may");
    assert_eq!(&other.get_data("/private").expect("read").data[..], b"mine");
    let reader = [Acl::new(perms::READ, "world", "anyone")];
    let stat = client.set_acl("/private", reader, Some(0)).expect("set");
    assert_eq!(stat.aversion, 1);
    let third = connect(server.address());
    assert_eq!(&third.get_data("/private").expect("read").data[..], b"mine");
    assert_eq!(code(third.set_data("/private", "", None)), ErrorCode::NO_AUTH);
    let empty: [Acl; 0] = [];
    assert_eq!(code(client.set_acl("/private", empty, None)), ErrorCode::INVALID_ACL);
    let entry: AclEntry<'_> = acl.acl[0].as_entry();
    assert_eq!(entry.perms, perms::ALL);
}

#[test]
fn transactions_are_all_or_nothing() {
    let server = start();
    let client = connect(server.address());
    let transaction = Transaction::new()
        .create("/a", "one", CreateMode::Persistent)
        .create("/a/b", "", CreateOptions::default().with_stat())
        .check("/a", Some(0))
        .set_data("/a", "two", Some(0))
        .delete("/a/b", None);
    let results = client.multi(&transaction).expect("all");
    assert_eq!(results.len(), 5);
    assert!(matches!(&results[0], TransactionResult::Created(created) if created.path == "/a"));
    let doubtful = Transaction::new()
        .set_data("/a", "three", None)
        .create("/b/c", "", CreateMode::Persistent)
        .delete("/a", None);
    let Err(Error::Multi(error)) = client.multi(&doubtful) else { panic!("a failure") };
    assert_eq!((error.index, error.code), (1, ErrorCode::NO_NODE));
    assert_eq!(&client.get_data("/a").expect("read").data[..], b"two");
    assert_eq!(client.multi(&Transaction::new()).expect("nothing to do"), []);

    let reads = MultiRead::new().get_data("/a").get_children("/").get_data("/none");
    let results = client.multi_read(&reads).expect("asked");
    assert!(matches!(&results[0], Ok(ReadResult::Data(data)) if &data.data[..] == b"two"));
    assert!(matches!(&results[1], Ok(ReadResult::Children(_))));
    assert_eq!(results[2], Err(ErrorCode::NO_NODE));
}

#[test]
fn the_ensemble_is_asked_about() {
    let server = start();
    let client = connect(server.address());
    // A server that is alone keeps no configuration of an ensemble.
    let data = client.get_config().expect("the znode is there");
    assert_eq!(data.stat.num_children, 0);
    let change = Reconfig::new().leave("2");
    let error = client.reconfig(&change).expect_err("alone");
    assert!(matches!(error, Error::Request(RequestError::Server(_))), "{error:?}");
    client.sync("/").expect("the session lives");
}

#[test]
fn a_chroot_is_a_root() {
    let server = start();
    let root = connect(server.address());
    let app = root.chroot("/app").expect("a path");
    assert_eq!(app.session_id(), root.session_id());
    assert_eq!(app.create("/", "", CreateMode::Persistent).expect("made").path, "/");
    let made = app.create("/a-", "x", CreateMode::PersistentSequential).expect("made");
    assert_eq!(made.path, "/a-0000000000");
    assert_eq!(&root.get_data("/app/a-0000000000").expect("read").data[..], b"x");
    let inner = app.chroot("/a-0000000000").expect("a path");
    assert_eq!(inner.root().as_str(), Some("/app/a-0000000000"));
    assert_eq!(&inner.get_data("/").expect("read").data[..], b"x");
    let transaction = Transaction::new().create("/b", "", CreateMode::Persistent);
    let results = inner.multi(&transaction).expect("all");
    assert!(matches!(&results[0], TransactionResult::Created(created) if created.path == "/b"));
    assert_eq!(app.list_subtree("/").expect("listed"), ["/", "/a-0000000000", "/a-0000000000/b"]);
    assert!(matches!(app.delete("/", None), Err(Error::Argument(_))));
    assert!(root.chroot("app").is_err());

    let connected = Client::connect(&format!("{}/app", server.address())).expect("listens");
    assert_eq!(connected.get_children("/").expect("listed"), ["a-0000000000"]);
}

#[test]
fn whole_trees_are_made_listed_and_removed() {
    let server = start();
    let client = connect(server.address());
    let made = client.create_with_parents("/a/b/c/d", "x", CreateMode::Persistent).expect("made");
    assert_eq!(made.path, "/a/b/c/d");
    let again = client.create_with_parents("/a/b/c/d", "x", CreateMode::Persistent);
    assert_eq!(code(again), ErrorCode::NODE_EXISTS);
    assert!(client.ensure_path("/a/b/x/y", AccessList::Open).expect("made"));
    assert!(!client.ensure_path("/a/b/x/y", AccessList::Open).expect("there"));
    for index in 0..100 {
        client.create(&format!("/a/{index}"), "", CreateMode::Persistent).expect("made");
    }
    let paths = client.list_subtree("/a").expect("listed");
    assert_eq!((paths.len(), paths[0].as_str()), (106, "/a"));
    assert_eq!(client.delete_recursive("/a").expect("removed"), 106);
    assert_eq!(client.exists("/a").expect("asked"), None);
    assert_eq!(code(client.delete_recursive("/a")), ErrorCode::NO_NODE);
    assert_eq!(code(client.list_subtree("/a")), ErrorCode::NO_NODE);

    let protected = CreateMode::EphemeralSequential;
    let created =
        client.create_protected("/lock-", "", protected, RetryPolicy::default()).expect("made");
    assert!(created.path.starts_with("/_c_"), "{}", created.path);
    assert!(created.path.ends_with("-lock-0000000001"), "{}", created.path);
}

#[test]
fn what_may_pass_is_tried_again() {
    let server = start();
    let client = connect(server.address());
    let mut policy = RetryPolicy::default();
    policy.delay_min = Duration::from_millis(1);
    let mut tries = 0;
    let result = client.retry(policy, Repetition::Harmless, || {
        tries += 1;
        match tries {
            3 => client.exists("/"),
            _ => Err(RequestError::ConnectionLoss { maybe_executed: true }.into()),
        }
    });
    assert!(result.expect("the third time").is_some());
    assert_eq!(tries, 3);
    let missing = client.call_retrying(policy, &GetData::new("/none"));
    assert_eq!(code(missing), ErrorCode::NO_NODE);
    let create = Create::new("/a", "", CreateMode::Persistent);
    assert_eq!(client.call_retrying(policy, &create).expect("made").path, "/a");
}
