//! Every operation, against a real server.

mod client_support;

use std::{collections::VecDeque, time::Duration};

use client_support::{builder, connect, run, start};
use zookeeper_core::wire::{Acl, CreateMode, ErrorCode, Id, perms};
use zookeeper_smol::client::{
    CloseReason, ConnectError, ConnectionState, Error, Repetition, RetryPolicy, SubmitError,
    operation::{
        AccessList, CreateOptions, Exists, GetData, MultiRead, ReadResult, Reconfig, Transaction,
        TransactionResult,
    },
};

#[test]
fn a_znode_is_made_read_changed_and_removed() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        assert_eq!(client.state(), ConnectionState::Connected { read_only: false });
        assert_eq!(client.peer(), Some(server.address()));
        assert_ne!(client.session_id().0, 0);

        let created = client.create("/a", "one", CreateMode::Persistent).await.expect("made");
        assert_eq!((created.path.as_str(), created.stat), ("/a", None));
        let data = client.get_data("/a").await.expect("read");
        assert_eq!((&data.data[..], data.is_null, data.stat.version), (&b"one"[..], false, 0));

        let stat = client.set_data("/a", b"two", Some(0)).await.expect("changed");
        assert_eq!((stat.version, stat.data_length), (1, 3));
        assert_eq!(client.last_zxid(), stat.mzxid);
        let error = client.set_data("/a", "three", Some(0)).await.expect_err("a wrong version");
        assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::BAD_VERSION, false));
        assert_eq!(client.exists("/a").await, Ok(Some(stat)));

        client.delete("/a", Some(1)).await.expect("removed");
        assert_eq!(client.exists("/a").await, Ok(None));
        let error = client.get_data("/a").await.expect_err("it is gone");
        assert_eq!(error.code(), ErrorCode::NO_NODE);
        client.sync("/").await.expect("in step");
    });
}

#[test]
fn znodes_are_made_in_every_mode() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let ttl = Duration::from_secs(60);
        let modes = [
            (CreateOptions::new(CreateMode::Persistent), "/n0"),
            (CreateOptions::new(CreateMode::Ephemeral), "/n1"),
            (CreateOptions::new(CreateMode::PersistentSequential), "/n20000000002"),
            (CreateOptions::new(CreateMode::EphemeralSequential), "/n30000000003"),
            (CreateOptions::new(CreateMode::Container), "/n4"),
        ];
        for (index, (options, expected)) in modes.into_iter().enumerate() {
            let mode = options.mode;
            let options = options.with_stat();
            let created = client.create(&format!("/n{index}"), "", options).await.expect("made");
            assert_eq!(created.path, expected);
            let owner = created.stat.expect("it was asked for").ephemeral_owner;
            assert_eq!(owner == client.session_id(), mode.is_ephemeral());
        }
        // Without extended types the server refuses a time to live; the argument is right.
        let options = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(ttl);
        match client.create("/ttl", "", options).await {
            Ok(created) => assert!(created.stat.is_some()),
            Err(error) => assert_eq!(error.code(), ErrorCode::UNIMPLEMENTED),
        }
        let error = client.create("/ttl2", "", CreateMode::PersistentWithTtl).await;
        assert!(matches!(error, Err(Error::Argument(_))), "{error:?}");

        let mut own = client.get_ephemerals("/").await.expect("listed");
        own.sort();
        assert_eq!(own, ["/n1", "/n30000000003"]);
        assert_eq!(client.get_ephemerals("/n3").await.expect("listed"), ["/n30000000003"]);
    });
}

#[test]
fn children_are_listed_and_counted() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        for path in ["/a", "/a/x", "/a/y", "/a/y/z"] {
            client.create(path, "", CreateMode::Persistent).await.expect("made");
        }
        let mut names = client.get_children("/a").await.expect("listed");
        names.sort();
        assert_eq!(names, ["x", "y"]);
        let children = client.get_children_and_stat("/a").await.expect("listed");
        assert_eq!((children.names.len(), children.stat.num_children), (2, 2));
        assert_eq!(client.get_all_children_number("/a").await, Ok(3));
        let error = client.delete("/a", None).await.expect_err("it has children");
        assert_eq!(error.code(), ErrorCode::NOT_EMPTY);
    });
}

#[test]
fn acls_and_identities() {
    let server = start();
    run(async {
        let owner = connect(server.address()).await;
        owner.add_auth("digest", b"ann:secret").await.expect("accepted");
        let identities = owner.who_am_i().await.expect("listed");
        assert!(identities.contains(&Id::new("digest", "ann")), "{identities:?}");

        let options = CreateOptions::new(CreateMode::Persistent).acl(AccessList::Creator);
        owner.create("/own", "mine", options).await.expect("made");
        let stranger = connect(server.address()).await;
        let error = stranger.get_data("/own").await.expect_err("not for strangers");
        assert_eq!(error.code(), ErrorCode::NO_AUTH);
        let friend = builder(server.address()).auth("digest", b"ann:secret");
        let friend = friend.connect().await.expect("the server listens");
        assert_eq!(&friend.get_data("/own").await.expect("read").data[..], b"mine");

        let acl = owner.get_acl("/own").await.expect("read");
        assert_eq!((acl.acl.len(), acl.acl[0].perms), (1, perms::ALL));
        let open = [Acl::new(perms::READ, "world", "anyone")];
        let stat = owner.set_acl("/own", open.clone(), Some(acl.stat.aversion)).await;
        assert_eq!(stat.expect("changed").aversion, 1);
        assert_eq!(stranger.get_acl("/own").await.expect("read").acl, open);
        assert_eq!(&stranger.get_data("/own").await.expect("read").data[..], b"mine");
        let error = owner.set_acl("/own", Vec::new(), None).await.expect_err("empty");
        assert_eq!(error.code(), ErrorCode::INVALID_ACL);
    });
}

#[test]
fn a_refused_identity_ends_the_session() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let error = client.add_auth("no-such-scheme", b"").await.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::AUTH_FAILED);
        let mut states = client.state_watcher();
        while states.next().await.is_some() {}
        assert_eq!(client.state(), ConnectionState::Lost);
        assert_eq!(client.close_reason(), Some(CloseReason::AuthFailed));
        let refused = Err(Error::Refused(SubmitError::AuthFailed));
        assert_eq!(client.exists("/").await, refused);
    });
}

#[test]
fn a_transaction_happens_as_a_whole_or_not_at_all() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let transaction = Transaction::new()
            .create("/t", "one", CreateMode::Persistent)
            .create("/t/s-", "", CreateMode::PersistentSequential)
            .check("/t", Some(0))
            .set_data("/t", "two", None)
            .delete("/t/s-0000000000", None);
        let results = client.multi(transaction).await.expect("all of it");
        assert_eq!(results.len(), 5);
        let TransactionResult::Created(created) = &results[1] else { panic!("{results:?}") };
        assert_eq!(created.path, "/t/s-0000000000");
        let TransactionResult::DataSet(stat) = &results[3] else { panic!("{results:?}") };
        assert_eq!(stat.version, 1);

        let transaction = Transaction::new()
            .set_data("/t", "three", None)
            .check("/t", Some(7))
            .delete("/t", None);
        let Err(Error::Multi(error)) = client.multi(transaction).await else { panic!("done") };
        assert_eq!((error.index, error.code), (1, ErrorCode::BAD_VERSION));
        assert_eq!(error.results.len(), 3);
        assert_eq!(&client.get_data("/t").await.expect("kept").data[..], b"two");
        assert_eq!(client.multi(Transaction::new()).await, Ok(Vec::new()));

        let reads = MultiRead::new().get_data("/t").get_data("/none").get_children("/t");
        let results = client.multi_read(reads).await.expect("read");
        assert!(matches!(&results[0], Ok(ReadResult::Data(data)) if &data.data[..] == b"two"));
        assert_eq!(results[1], Err(ErrorCode::NO_NODE));
        assert_eq!(results[2], Ok(ReadResult::Children(Vec::new())));
    });
}

#[test]
fn the_ensemble_is_read_and_not_changed_here() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.get_config().await.expect("read");
        let change = Reconfig::new().join("server.2=localhost:2888:3888;2181");
        let error = client.reconfig(change).await.expect_err("there is no ensemble");
        let codes = [ErrorCode::RECONFIG_DISABLED, ErrorCode::UNIMPLEMENTED, ErrorCode::NO_AUTH];
        assert!(codes.contains(&error.code()), "{error}");
    });
}

#[test]
fn views_share_the_session_and_see_their_part() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let view = client.chroot("/app").expect("a path");
        assert_eq!(view.root(), "/app");
        view.create("/", "root", CreateMode::Persistent).await.expect("made");
        let created = view.create("/n-", "", CreateMode::EphemeralSequential).await.expect("made");
        assert_eq!(created.path, "/n-0000000000");
        assert_eq!(client.get_children("/app").await.expect("listed"), ["n-0000000000"]);
        let inner = view.chroot("/inner").expect("a path");
        assert_eq!(inner.root(), "/app/inner");
        let transaction = Transaction::new().create("/", "", CreateMode::Persistent);
        let results = inner.multi(transaction).await.expect("made");
        let TransactionResult::Created(created) = &results[0] else { panic!("{results:?}") };
        assert_eq!(created.path, "/");
        assert!(client.exists("/app/inner").await.expect("asked").is_some());
        assert_eq!(view.session_id(), client.session_id());
        // The root of a view is not the view's to remove.
        assert!(matches!(inner.delete("/", None).await, Err(Error::Argument(_))));

        let other = connect(format!("{}/app/inner", server.address())).await;
        assert_eq!(other.root(), "/app/inner");
        assert!(other.exists("/").await.expect("asked").is_some());
        assert!(client.chroot("app").is_err());
    });
}

#[test]
fn branches_are_made_listed_and_removed() {
    let server = start();
    run(async {
        let client = connect(format!("{}/deep/root", server.address())).await;
        let options = CreateOptions::new(CreateMode::Ephemeral).with_stat();
        let created = client.create_with_parents("/a/b/c", "end", options).await.expect("made");
        assert_eq!(created.path, "/a/b/c");
        assert!(created.stat.is_some());
        client
            .create_with_parents("/a/d/", "", CreateMode::PersistentSequential)
            .await
            .expect("made");
        let error = client.create_with_parents("/a/b/c", "", CreateMode::Persistent).await;
        assert_eq!(error.expect_err("it is there").code(), ErrorCode::NODE_EXISTS);
        let error = client.create_with_parents("/a/b/c/d", "", CreateMode::Persistent).await;
        let code = error.expect_err("ephemerals have no children").code();
        assert_eq!(code, ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);

        let mut listed = client.list_subtree("/").await.expect("listed");
        assert_eq!(listed[..2], ["/", "/a"]);
        listed.sort();
        assert_eq!(listed, ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/a/d/0000000000"]);
        assert_eq!(client.ensure_path("/a/e/f", AccessList::Open).await, Ok(true));
        assert_eq!(client.ensure_path("/a/e/f", AccessList::Open).await, Ok(false));
        let error = client.list_subtree("/none").await.expect_err("there is none");
        assert_eq!(error.code(), ErrorCode::NO_NODE);

        let error = client.delete_recursive("/").await.expect_err("the root stays");
        assert_eq!(error.code(), ErrorCode::BAD_ARGUMENTS);
        assert_eq!(client.delete_recursive("/a").await, Ok(7));
        assert_eq!(client.list_subtree("/").await.expect("listed"), ["/"]);
        let error = client.delete_recursive("/a").await.expect_err("it is gone");
        assert_eq!(error.code(), ErrorCode::NO_NODE);
    });
}

#[test]
fn a_branch_wider_than_the_window_is_removed() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/wide", "", CreateMode::Persistent).await.expect("made");
        let calls: Vec<_> = (0..1_000)
            .map(|number| client.create(&format!("/wide/{number}"), "", CreateMode::Persistent))
            .collect();
        for call in calls {
            call.await.expect("made");
        }
        assert_eq!(client.list_subtree("/wide").await.expect("listed").len(), 1_001);
        assert_eq!(client.delete_recursive("/wide").await, Ok(1_001));
        assert_eq!(client.exists("/wide").await, Ok(None));
    });
}

#[test]
fn protected_znodes_carry_a_mark() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/locks", "", CreateMode::Persistent).await.expect("made");
        let mode = CreateMode::EphemeralSequential;
        let created = client
            .create_protected("/locks/lock-", "", mode, RetryPolicy::default())
            .await
            .expect("made");
        let name = created.path.strip_prefix("/locks/_c_").expect("a mark");
        let (mark, name) = name.split_at(32);
        assert!(mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{mark}");
        assert_eq!(name, "-lock-0000000000");
        let error = client
            .create_protected("/none/lock-", "", mode, RetryPolicy::default())
            .await
            .expect_err("no parent");
        assert_eq!(error.code(), ErrorCode::NO_NODE);
    });
}

#[test]
fn requests_are_sent_in_the_order_of_their_calls() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/n", "", CreateMode::Persistent).await.expect("made");
        let mut calls = VecDeque::new();
        for number in 0..500_i32 {
            calls.push_back((number, client.set_data("/n", number.to_string(), None)));
        }
        let last = client.get_data("/n");
        // Futures are independent: the last first.
        assert_eq!(&last.await.expect("read").data[..], b"499");
        while let Some((number, call)) = calls.pop_back() {
            assert_eq!(call.await.expect("changed").version, number + 1);
        }
    });
}

#[test]
fn large_data_go_both_ways() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        client.create("/large", "", CreateMode::Persistent).await.expect("made");
        let data = vec![0x5a; 1_000_000];
        let calls: Vec<_> = (0..8).map(|_| client.set_data("/large", &data, None)).collect();
        let reads: Vec<_> = (0..8).map(|_| client.get_data("/large")).collect();
        for call in calls {
            assert_eq!(call.await.expect("changed").data_length, 1_000_000);
        }
        for read in reads {
            assert_eq!(read.await.expect("read").data, data);
        }
        let error = client.set_data("/large", vec![0; 2 << 20], None).await.expect_err("too long");
        assert!(matches!(error, Error::Refused(SubmitError::TooLong { .. })), "{error}");
        assert!(!error.maybe_executed());
    });
}

#[test]
fn what_fails_for_good_is_not_tried_again() {
    let server = start();
    run(async {
        let client = connect(server.address()).await;
        let policy = RetryPolicy::default();
        let mut tries = 0;
        let result = client.retry(policy, Repetition::Harmless, || {
            tries += 1;
            client.get_data("/none")
        });
        assert_eq!(result.await.expect_err("there is none").code(), ErrorCode::NO_NODE);
        assert_eq!(tries, 1);
        let result = client.call_retrying(policy, GetData::new("/"));
        assert!(result.await.is_ok());
        assert!(client.call(Exists::new("/")).await.expect("asked").is_some());
    });
}

#[test]
fn wrong_connect_strings_are_told() {
    for wrong in ["", ",", "host:x", "host//a", "dns-srv://host"] {
        let result = run(zookeeper_smol::Client::connect(wrong));
        assert!(matches!(result, Err(ConnectError::ConnectString(_))), "{wrong}: {result:?}");
    }
}
