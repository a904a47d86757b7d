//! Each operation by itself.

use std::time::Duration;

use zookeeper_core::{
    PathError,
    client::{ArgumentError, Chroot, Error, Repetition, RequestError, operation::*},
    wire::{
        Acl, AclEntry, AddWatchMode, ClientInfo, CreateMode, DecodeError, Encode, ErrorCode, Id,
        List, MultiResult, Op, Request, Response, Text, WatcherType, perms,
    },
};

use crate::support::*;

#[test]
fn the_mode_decides_on_the_request_of_a_create() {
    let options = |mode| CreateOptions::new(mode);
    let ttl = Duration::from_micros(1_500_999);
    for (options, op, flags) in [
        (options(CreateMode::Persistent), Op::Create, 0),
        (options(CreateMode::Ephemeral), Op::Create, 1),
        (options(CreateMode::PersistentSequential), Op::Create, 2),
        (options(CreateMode::EphemeralSequential), Op::Create, 3),
        (options(CreateMode::EphemeralSequential).with_stat(), Op::Create2, 3),
        (options(CreateMode::Container), Op::CreateContainer, 4),
        (options(CreateMode::Container).with_stat(), Op::CreateContainer, 4),
        (options(CreateMode::PersistentWithTtl).ttl(ttl), Op::CreateTtl, 5),
        (options(CreateMode::PersistentSequentialWithTtl).ttl(ttl), Op::CreateTtl, 6),
    ] {
        let create = Create::new("/a", "data", options);
        let looked = sent(&create, &app(), |request| {
            assert_eq!(request.op(), op);
            assert_eq!(path_of(request), Some("/app/a"));
            match request {
                Request::CreateTtl(record) => {
                    assert_eq!(record.ttl_ms, 1_500);
                    (record.flags, record.data.unwrap()[..].to_vec())
                }
                Request::Create(record)
                | Request::Create2(record)
                | Request::CreateContainer(record) => {
                    (record.flags, record.data.unwrap()[..].to_vec())
                }
                _ => unreachable!(),
            }
        });
        assert_eq!(looked, Ok((flags, b"data".to_vec())));
        assert_eq!(create.repetition(), Repetition::Unsafe);
    }
}

#[test]
fn a_create_brings_the_path_and_maybe_the_stat() {
    let plain = Response::Path(Some("/app/a0000000001".into())).to_vec();
    let created = output::<Create<'_>>(&app(), Op::Create, &plain).unwrap();
    assert_eq!(created, Created { path: "/a0000000001".into(), stat: None });
    let full = Response::Create2 { path: Some("/app".into()), stat: stat(7) }.to_vec();
    for op in [Op::Create2, Op::CreateContainer, Op::CreateTtl] {
        let created = output::<Create<'_>>(&app(), op, &full).unwrap();
        assert_eq!(created, Created { path: "/".into(), stat: Some(stat(7)) });
    }
}

#[test]
fn a_path_outside_the_chroot_is_an_error_value() {
    for path in ["/", "/application", "/ap", "/other/a", "", "relative"] {
        let reply = Response::Path(Some(path.into())).to_vec();
        let error = output::<Create<'_>>(&app(), Op::Create, &reply).unwrap_err();
        assert_eq!(error, Error::OutsideChroot(path.into()));
        assert!(error.maybe_executed());
        let multi = results(&[MultiResult::Create { path: Some(path.into()) }]);
        assert_eq!(output::<Transaction<'_>>(&app(), Op::Multi, &multi), Err(error));
    }
    let malformed = |error| Err(Error::Request(RequestError::MalformedReply(error)));
    let reply = Response::Path(None).to_vec();
    let null = output::<Create<'_>>(&app(), Op::Create, &reply);
    assert_eq!(null, malformed(DecodeError::UnexpectedNull));
    let reply = Response::Path(Some(Text::from(&b"/app/\xff"[..]))).to_vec();
    let binary = output::<Create<'_>>(&app(), Op::Create, &reply);
    assert_eq!(binary, malformed(DecodeError::InvalidText));
}

#[test]
fn a_sequential_name_may_be_the_number_alone() {
    let create = |path: &'static str, mode| Create::new(path, "", mode);
    let sequential = CreateMode::PersistentSequential;
    for (path, below, plain) in [
        ("/", "/app/", "/"),
        ("/a/", "/app/a/", "/a/"),
        ("/a/.", "/app/a/.", "/a/."),
        ("/a/b-", "/app/a/b-", "/a/b-"),
    ] {
        assert_eq!(server_path(&create(path, sequential), &app()).unwrap(), below);
        assert_eq!(server_path(&create(path, sequential), &Chroot::none()).unwrap(), plain);
    }
    for (path, reason) in [
        ("", PathError::Empty),
        ("a", PathError::NotAbsolute),
        ("//", PathError::TrailingSlash),
        ("/a//b", PathError::EmptyComponent),
        ("/a\0", PathError::IllegalCharacter('\0')),
    ] {
        let error = server_path(&create(path, sequential), &app()).unwrap_err();
        assert_eq!(error, ArgumentError::Path { path: path.into(), reason });
    }
    // Any other name is complete.
    assert_eq!(server_path(&create("/", CreateMode::Persistent), &app()).unwrap(), "/app");
    let error = server_path(&create("/a/", CreateMode::Persistent), &app()).unwrap_err();
    let reason = PathError::TrailingSlash;
    assert_eq!(error, ArgumentError::Path { path: "/a/".into(), reason });
}

#[test]
fn a_time_to_live_goes_with_its_modes() {
    let create = |mode, ttl: Option<Duration>| {
        let mut options = CreateOptions::new(mode);
        options.ttl = ttl;
        server_path(&Create::new("/a", "", options), &Chroot::none())
    };
    let max = Duration::from_millis((1 << 40) - 1);
    let (ttl, plain) = (CreateMode::PersistentWithTtl, CreateMode::Persistent);
    assert!(create(ttl, Some(Duration::from_millis(1))).is_ok());
    assert!(create(ttl, Some(max)).is_ok());
    assert_eq!(create(ttl, None), Err(ArgumentError::TtlMissing));
    assert_eq!(create(plain, Some(max)), Err(ArgumentError::TtlUnexpected));
    for ttl_time in [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(1 << 40)] {
        let error = create(ttl, Some(ttl_time)).unwrap_err();
        assert_eq!(error, ArgumentError::TtlOutOfRange(ttl_time));
        assert_eq!(error.code(), ErrorCode::BAD_ARGUMENTS);
    }
    assert!(create(ttl, Some(Duration::MAX)).is_err());
}

#[test]
fn lists_of_access() {
    let entries = |acl: AccessList| {
        let operation = SetAcl::new("/a", acl, None);
        sent(&operation, &app(), |request| match request {
            Request::SetAcl(record) => {
                let owned = |entry: AclEntry<'_>| {
                    let text = |text: Option<Text<'_>>| text.unwrap().to_str().unwrap().to_owned();
                    (entry.perms, text(entry.scheme), text(entry.id))
                };
                record.acl.unwrap().iter().map(owned).collect::<Vec<_>>()
            }
            _ => unreachable!(),
        })
    };
    let one = |perms, scheme: &str, id: &str| vec![(perms, scheme.to_owned(), id.to_owned())];
    assert_eq!(entries(AccessList::Open), Ok(one(31, "world", "anyone")));
    assert_eq!(entries(AccessList::ReadOnly), Ok(one(1, "world", "anyone")));
    assert_eq!(entries(AccessList::Creator), Ok(one(31, "auth", "")));
    let own = [Acl::new(perms::READ | perms::WRITE, "digest", "bob:x")];
    assert_eq!(entries(own.into()), Ok(one(3, "digest", "bob:x")));
    // Refused by its own code, wherever it is.
    let empty = || AccessList::from(Vec::new());
    assert_eq!(entries(empty()), Err(ArgumentError::EmptyAcl));
    let create = Create::new("/a", "", CreateOptions::default().acl(empty()));
    let error = sent(&create, &app(), |_| ()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::INVALID_ACL);
    let options = CreateOptions::default().acl(empty());
    let error = sent(&Transaction::new().create("/a", "", options), &app(), |_| ()).unwrap_err();
    assert_eq!(Error::from(error).code(), ErrorCode::INVALID_ACL);
}

#[test]
fn acls_are_read_and_set() {
    assert_eq!(server_path(&GetAcl::new("/a"), &app()).unwrap(), "/app/a");
    let entries = [Acl::new(31, "world", "anyone"), Acl::new(-1, "ip", "10.0.0.0/8")];
    let wire: Vec<_> = entries.iter().map(Acl::as_entry).collect();
    let reply = Response::Acl { acl: Some(List::new(&wire)), stat: stat(1) }.to_vec();
    let read = output::<GetAcl<'_>>(&app(), Op::GetAcl, &reply).unwrap();
    assert_eq!(read, AclAndStat { acl: entries.to_vec(), stat: stat(1) });
    let reply = Response::Acl { acl: None, stat: stat(1) }.to_vec();
    assert_eq!(output::<GetAcl<'_>>(&app(), Op::GetAcl, &reply).unwrap().acl, []);

    let set = SetAcl::new("/a", AccessList::Open, Some(4));
    let version = sent(&set, &app(), |request| match request {
        Request::SetAcl(record) => record.version,
        _ => unreachable!(),
    });
    assert_eq!(version, Ok(4));
    assert_eq!(set.repetition(), Repetition::Guarded);
    let reply = Response::Stat(stat(5)).to_vec();
    assert_eq!(output::<SetAcl<'_>>(&app(), Op::SetAcl, &reply), Ok(stat(5)));
}

#[test]
fn data_are_read_and_set() {
    assert_eq!(server_path(&GetData::new("/"), &app()).unwrap(), "/app");
    let get = |data: Option<&[u8]>| {
        let reply = Response::Data { data: data.map(Into::into), stat: stat(2) }.to_vec();
        output::<GetData<'_>>(&app(), Op::GetData, &reply).unwrap()
    };
    let read = |data: &'static [u8], is_null| Data { data: data.into(), is_null, stat: stat(2) };
    assert_eq!(get(Some(b"data")), read(b"data", false));
    assert_eq!(get(Some(b"")), read(b"", false));
    assert_eq!(get(None), read(b"", true));

    for (version, on_wire, repetition) in [
        (None, -1, Repetition::Unsafe),
        (Some(-1), -1, Repetition::Unsafe),
        (Some(0), 0, Repetition::Guarded),
        (Some(i32::MIN), i32::MIN, Repetition::Guarded),
    ] {
        let set = SetData::new("/a", None::<&str>, version);
        let looked = sent(&set, &app(), |request| match request {
            Request::SetData(record) => {
                (path_of(request).unwrap() == "/app/a", record.data.is_none(), record.version)
            }
            _ => unreachable!(),
        });
        assert_eq!(looked, Ok((true, true, on_wire)));
        assert_eq!(set.repetition(), repetition);
    }
    let reply = Response::Stat(stat(3)).to_vec();
    assert_eq!(output::<SetData<'_>>(&app(), Op::SetData, &reply), Ok(stat(3)));
}

#[test]
fn a_chroot_is_never_deleted() {
    for chroot in [Chroot::none(), app()] {
        let error = sent(&Delete::new("/", Some(3)), &chroot, |_| ()).unwrap_err();
        assert_eq!(error, ArgumentError::DeleteRoot);
        assert_eq!(error.code(), ErrorCode::BAD_ARGUMENTS);
        let transaction = Transaction::new().check("/", None).delete("/", None);
        let error = sent(&transaction, &chroot, |_| ()).unwrap_err();
        let inner = Box::new(ArgumentError::DeleteRoot);
        assert_eq!(error, ArgumentError::Operation { index: 1, error: inner });
    }
    let version = sent(&Delete::new("/a", None), &app(), |request| match request {
        Request::Delete(record) if path_of(request) == Some("/app/a") => record.version,
        _ => unreachable!(),
    });
    assert_eq!(version, Ok(-1));
    assert_eq!(output::<Delete<'_>>(&app(), Op::Delete, &[]), Ok(()));
    // Deleted and made again, a znode has version zero again.
    assert_eq!(Delete::new("/a", Some(0)).repetition(), Repetition::Unsafe);
}

#[test]
fn no_znode_is_an_answer_to_exists_alone() {
    assert_eq!(server_path(&Exists::new("/a"), &app()).unwrap(), "/app/a");
    let no_node = RequestError::Server(ErrorCode::NO_NODE);
    assert_eq!(failure::<Exists<'_>>(no_node), Ok(None));
    assert_eq!(failure::<GetData<'_>>(no_node), Err(Error::Request(no_node)));
    let lost = RequestError::ConnectionLoss { maybe_executed: true };
    assert_eq!(failure::<Exists<'_>>(lost), Err(Error::Request(lost)));
    let exists = |stat| output::<Exists<'_>>(&app(), Op::Exists, &Response::Stat(stat).to_vec());
    assert_eq!(exists(stat(1)), Ok(Some(stat(1))));
    let mut none = stat(1);
    none.czxid.0 = -1;
    assert_eq!(exists(none), Ok(None), "upstream's other way to say so");
}

#[test]
fn children_are_bare_names() {
    let names = [Some(Text::from("a")), Some(Text::from("ü"))];
    let owned = vec!["a".to_owned(), "ü".to_owned()];
    assert_eq!(server_path(&GetChildren::new("/"), &app()).unwrap(), "/app");
    let reply = Response::Names(Some(List::new(&names))).to_vec();
    assert_eq!(output::<GetChildren<'_>>(&app(), Op::GetChildren, &reply), Ok(owned.clone()));
    let reply = Response::Names(None).to_vec();
    assert_eq!(output::<GetChildren<'_>>(&app(), Op::GetChildren, &reply), Ok(Vec::new()));

    assert_eq!(server_path(&GetChildren2::new("/a"), &app()).unwrap(), "/app/a");
    let reply = Response::Children2 { children: Some(List::new(&names)), stat: stat(9) }.to_vec();
    let read = output::<GetChildren2<'_>>(&app(), Op::GetChildren2, &reply);
    assert_eq!(read, Ok(Children { names: owned, stat: stat(9) }));

    let reply = Response::Names(Some(List::new(&[None]))).to_vec();
    let error = output::<GetChildren<'_>>(&app(), Op::GetChildren, &reply).unwrap_err();
    assert_eq!(error, RequestError::MalformedReply(DecodeError::UnexpectedNull).into());
}

#[test]
fn descendants_are_counted() {
    assert_eq!(server_path(&GetAllChildrenNumber::new("/a"), &app()).unwrap(), "/app/a");
    let count = |count: i32| {
        let reply = Response::Count(count).to_vec();
        output::<GetAllChildrenNumber<'_>>(&app(), Op::GetAllChildrenNumber, &reply)
    };
    assert_eq!(count(i32::MAX), Ok(2_147_483_647));
    assert_eq!(count(-1), Err(Error::UnexpectedReply));
}

#[test]
fn some_operations_know_no_chroot() {
    assert_eq!(server_path(&GetEphemerals::default(), &app()).unwrap(), "/");
    assert_eq!(server_path(&GetEphemerals::new("/a"), &app()).unwrap(), "/a");
    assert!(server_path(&GetEphemerals::new("a"), &app()).is_err());
    let names = [Some(Text::from("/other")), Some(Text::from("/app/a"))];
    let reply = Response::Names(Some(List::new(&names))).to_vec();
    let paths = output::<GetEphemerals<'_>>(&app(), Op::GetEphemerals, &reply).unwrap();
    assert_eq!(paths, ["/other", "/app/a"]);

    assert_eq!(server_path(&GetConfig, &app()).unwrap(), "/zookeeper/config");
    let config = Response::Data { data: Some((&b"version=1"[..]).into()), stat: stat(1) }.to_vec();
    assert_eq!(output::<GetConfig>(&app(), Op::GetData, &config).unwrap().data, "version=1");
    assert_eq!(output::<Reconfig>(&app(), Op::Reconfig, &config).unwrap().data, "version=1");
}

#[test]
fn a_reconfiguration_joins_its_lists() {
    let look = |reconfig: &Reconfig| {
        sent(reconfig, &app(), |request| match request {
            Request::Reconfig(record) => {
                let owned = |text: Option<Text<'_>>| text.map(|text| text.to_string());
                let lists = (owned(record.joining), owned(record.leaving));
                (lists, owned(record.new_members), record.config_id)
            }
            _ => unreachable!(),
        })
        .unwrap()
    };
    let some = |text: &str| Some(text.to_owned());
    let change =
        Reconfig::new().join("server.4=a:1:2;3").join("server.5=b").leave("1").if_version(6);
    assert_eq!(look(&change), ((some("server.4=a:1:2;3,server.5=b"), some("1")), None, 6));
    assert_eq!(change.repetition(), Repetition::Guarded);
    let anew = Reconfig::new().member("server.1=a").member("server.2=b");
    assert_eq!(look(&anew), ((None, None), some("server.1=a,server.2=b"), -1));
    assert_eq!(anew.repetition(), Repetition::Unsafe);
    assert_eq!(Reconfig::new().if_version(-1).repetition(), Repetition::Unsafe);
}

#[test]
fn sync_ignores_the_path_that_comes_back() {
    assert_eq!(server_path(&Sync::new("/a"), &app()).unwrap(), "/app/a");
    for path in [Some("/app/a".into()), Some("/elsewhere".into()), None] {
        let reply = Response::Path(path).to_vec();
        assert_eq!(output::<Sync<'_>>(&app(), Op::Sync, &reply), Ok(()));
    }
}

#[test]
fn identities_are_listed() {
    assert_eq!(sent(&WhoAmI, &app(), |request| request.to_vec().len()), Ok(0));
    let info = |scheme: &'static str, user: &'static str| ClientInfo {
        scheme: Some(scheme.into()),
        user: Some(user.into()),
    };
    let infos = [info("ip", "127.0.0.1"), info("digest", "bob")];
    let reply = Response::Identities(Some(List::new(&infos))).to_vec();
    let identities = output::<WhoAmI>(&app(), Op::WhoAmI, &reply).unwrap();
    assert_eq!(identities, [Id::new("ip", "127.0.0.1"), Id::new("digest", "bob")]);
}

#[test]
fn watches_are_added_and_removed() {
    let add = AddWatch::new("/a", AddWatchMode::PersistentRecursive);
    let mode = sent(&add, &app(), |request| match request {
        Request::AddWatch(record) if path_of(request) == Some("/app/a") => record.mode,
        _ => unreachable!(),
    });
    assert_eq!(mode, Ok(1));
    let reply = |code| {
        let reply = Response::Error(code).to_vec();
        output::<AddWatch<'_>>(&app(), Op::AddWatch, &reply)
    };
    assert_eq!(reply(ErrorCode::OK), Ok(()));
    assert_eq!(reply(ErrorCode::NO_AUTH).unwrap_err().code(), ErrorCode::NO_AUTH);

    let remove = RemoveWatches::new("/a", WatcherType::Any).local();
    assert!(remove.local);
    assert_eq!(remove.with_path(&app(), str::to_owned), Ok("/app/a".to_owned()));
    assert!(RemoveWatches::new("a", WatcherType::Any).with_path(&app(), |_| ()).is_err());
    assert_eq!(RemoveWatches::output(Ok(Response::Empty)), Ok(()));
    let missing = RemoveWatches::output(Err(RequestError::NoWatcher)).unwrap_err();
    assert_eq!(missing.code(), ErrorCode::NO_WATCHER);
    assert_eq!(AddAuth::output(Ok(Response::Empty)), Ok(()));
}
