//! The way to a znode, where it is missing.

use zookeeper_core::{
    Instant, Rng,
    client::{
        ArgumentError, Chroot, RequestError,
        operation::{AccessList, Create, CreateOptions},
        procedure::{CreateWithParents, EnsurePath, Next, Procedure, Step},
    },
    wire::{Acl, CreateMode, ErrorCode, Op},
};

use crate::world::*;

#[test]
fn parents_are_made_where_they_are_missing() {
    let mut world = World::new(&["/app"]);
    let create = |path: &'static str| Create::new(path, "data", CreateMode::PersistentSequential);
    let created = run(&mut world, CreateWithParents::new(&app(), create("/a/b/c-")).unwrap());
    assert_eq!(created.unwrap().path, "/a/b/c-0000000000");
    assert_eq!(world.paths(), ["/app", "/app/a", "/app/a/b", "/app/a/b/c-0000000000"]);
    assert_eq!(world.log.len(), 5, "three up, two down");
    // The way is there: one request.
    let created = run(&mut world, CreateWithParents::new(&app(), create("/a/b/")).unwrap());
    assert_eq!(created.unwrap().path, "/a/b/0000000001");
    assert_eq!(world.log.len(), 6);
    // That the znode is there is a failure, and that a parent is not.
    let create = || Create::new("/a/b", "", CreateMode::Persistent);
    let error = run(&mut world, CreateWithParents::new(&app(), create()).unwrap()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NODE_EXISTS);
    assert!(
        CreateWithParents::new(&app(), Create::new("/a/", "", CreateMode::Persistent)).is_err()
    );
}

#[test]
fn parents_are_what_they_are_asked_to_be() {
    let mut world = World::new(&[]);
    let chroot = Chroot::new("/no/chroot").unwrap();
    let create = Create::new("/a/b", "", CreateMode::Ephemeral);
    let procedure = CreateWithParents::new(&chroot, create).unwrap().container_parents();
    assert_eq!(run(&mut world, procedure).unwrap().path, "/a/b");
    let modes: Vec<_> = world.nodes.values().map(|(mode, _)| *mode).collect();
    assert_eq!(modes, [0, 4, 4, 4, 1]);

    let acl = AccessList::from([Acl::new(1, "digest", "bob:x")]);
    let options = CreateOptions::default().acl(acl.clone());
    let mut procedure =
        CreateWithParents::new(&app(), Create::new("/a/b", "", options.clone())).unwrap();
    assert_eq!(second_acl(&mut procedure), acl);
    let mut procedure = CreateWithParents::new(&app(), Create::new("/a/b", "", options.clone()))
        .and_then(|procedure| procedure.parent_acl(AccessList::Open))
        .unwrap();
    assert_eq!(second_acl(&mut procedure), AccessList::Open);
    let error = CreateWithParents::new(&app(), Create::new("/a/b", "", options))
        .and_then(|procedure| procedure.parent_acl(Vec::new()));
    assert_eq!(error.map(|_| ()).unwrap_err(), ArgumentError::EmptyAcl);
}

/// The ACL of the first parent.
fn second_acl(procedure: &mut CreateWithParents<'_>) -> AccessList {
    assert!(matches!(procedure.next(), Next::Run(Step::Create(_))));
    procedure.handle(Instant::ZERO, Err(RequestError::Server(ErrorCode::NO_NODE).into()));
    match procedure.next() {
        Next::Run(Step::Create(create)) => create.options.acl,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_is_ensured_by_one_read_where_it_is_there() {
    let mut world = World::new(&["/app"]);
    let ensure = |path: &'static str| EnsurePath::new(&app(), path, AccessList::Open).unwrap();
    assert_eq!(run(&mut world, ensure("/")), Ok(false));
    assert_eq!(world.log, [(Op::Exists, 1)]);
    assert_eq!(run(&mut world, ensure("/a/b")), Ok(true));
    assert_eq!(run(&mut world, ensure("/a/b")), Ok(false));
    assert_eq!(world.paths(), ["/app", "/app/a", "/app/a/b"]);
    // A chroot is a path like any other.
    let far = Chroot::new("/far/away").unwrap();
    assert_eq!(run(&mut world, EnsurePath::new(&far, "/", AccessList::Open).unwrap()), Ok(true));
    assert!(world.nodes.contains_key("/far/away"));
    assert!(EnsurePath::new(&far, "/a/", AccessList::Open).is_err());
    assert!(EnsurePath::new(&far, "/a", Vec::new()).is_err());
    // A failure is the server's.
    let mut failing = ensure("/a");
    assert!(matches!(failing.next(), Next::Run(Step::Exists(_))));
    failing.handle(Instant::ZERO, Err(RequestError::Server(ErrorCode::NO_AUTH).into()));
    assert!(matches!(failing.next(), Next::Done));
    assert_eq!(failing.finish().unwrap_err().code(), ErrorCode::NO_AUTH);
}

#[test]
fn a_path_that_somebody_else_made_meanwhile_is_ensured() {
    let world = World::new(&[]);
    let rival = |world: &mut World, _: &mut Rng| {
        if world.log.len() == 2 {
            world.create("/a", 0).and_then(|_| world.create("/a/b", 0)).unwrap();
        }
    };
    let mut driver = Driver::new(world, 1, |_| Fate::Answered, rival);
    let ensure = EnsurePath::new(&Chroot::none(), "/a/b", AccessList::Open).unwrap();
    assert_eq!(driver.run(ensure), Ok(false));
}

#[test]
fn parents_that_keep_going_are_a_failure() {
    let saboteur = |world: &mut World, _: &mut Rng| {
        world.nodes.retain(|path, _| path.is_empty());
    };
    let mut driver = Driver::new(World::new(&[]), 1, |_| Fate::Answered, saboteur);
    let create = Create::new("/a/b", "", CreateMode::Persistent);
    let result = driver.run(CreateWithParents::new(&Chroot::none(), create).unwrap());
    assert!(no_node(&result));
    assert!(driver.world.log.len() < 100);
}
