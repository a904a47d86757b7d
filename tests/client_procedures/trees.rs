//! Whole subtrees: listed, and removed while others are at work.

use quickcheck::quickcheck;
use zookeeper_core::{
    Instant, Rng,
    client::{
        ArgumentError, Chroot, Error, RequestError,
        operation::Operation,
        procedure::{DeleteRecursive, ListSubtree, Next, Procedure, Step},
    },
    wire::{Encode, ErrorCode, List, Op, Reader, Response, Text},
};

use crate::world::*;

#[test]
fn a_subtree_is_listed_level_by_level() {
    let mut world = World::new(&["/app", "/app/a", "/app/a/x", "/app/b", "/app/a/x/y", "/other"]);
    let all = run(&mut world, ListSubtree::new(&app(), "/").unwrap());
    assert_eq!(all.unwrap(), ["/", "/a", "/b", "/a/x", "/a/x/y"]);
    let some = run(&mut world, ListSubtree::new(&app(), "/a/x").unwrap());
    assert_eq!(some.unwrap(), ["/a/x", "/a/x/y"]);
    let root = run(&mut world, ListSubtree::new(&Chroot::none(), "/").unwrap());
    assert_eq!(root.unwrap().len(), 7);
    assert!(no_node(&run(&mut world, ListSubtree::new(&app(), "/none").unwrap())));
    assert!(ListSubtree::new(&app(), "none").is_err());
}

#[test]
fn what_was_listed_can_be_taken_early() {
    let mut world = World::new(&["/a", "/a/b"]);
    let mut list = ListSubtree::new(&Chroot::none(), "/a").unwrap();
    let mut taken = Vec::new();
    loop {
        let (op, bytes) = match list.next() {
            Next::Run(step) => step
                .with_request(&Chroot::none(), |request| (request.op(), request.to_vec()))
                .unwrap(),
            Next::Done => break,
            other => panic!("{other:?}"),
        };
        let reply = world.answer(op, &bytes).unwrap();
        let response = Response::decode(op, &mut Reader::new(&reply)).unwrap();
        list.handle(Instant::ZERO, Step::output(&Chroot::none(), Ok(response)));
        taken.push(list.drain());
    }
    assert_eq!(taken, [vec!["/a".to_owned()], vec!["/a/b".to_owned()]]);
    assert_eq!(list.finish(), Ok(Vec::new()));
}

#[test]
fn names_that_no_znode_has_are_refused() {
    for name in ["", "a/b", "/"] {
        for result in [
            first_children(ListSubtree::new(&app(), "/a").unwrap(), name).map(|_| ()),
            first_children(DeleteRecursive::new(&app(), "/a").unwrap(), name).map(|_| ()),
        ] {
            assert_eq!(result, Err(Error::UnexpectedReply));
        }
    }
}

fn first_children<P: Procedure>(mut procedure: P, name: &str) -> Result<P::Output, Error> {
    assert!(matches!(procedure.next(), Next::Run(Step::GetChildren(_))));
    let names = [Some(Text::from(name))];
    let response = Response::Names(Some(List::new(&names)));
    procedure.handle(Instant::ZERO, Step::output(&Chroot::none(), Ok(response)));
    assert!(matches!(procedure.next(), Next::Done));
    procedure.finish()
}

#[test]
fn a_failure_waits_for_what_is_in_flight() {
    let children: Vec<_> = (0..9).map(|n| format!("/a/{n}")).collect();
    let mut world = World::new(&["/a"]);
    children.iter().for_each(|path| world.create(path, 0).map(|_| ()).unwrap());
    let mut count = 0;
    let fate = |_| {
        count += 1;
        if count == 4 { Fate::Lost } else { Fate::Answered }
    };
    let mut driver = Driver::new(world, 1, fate, |_: &mut World, _: &mut Rng| ());
    let lost = Error::from(RequestError::ConnectionLoss { maybe_executed: true });
    let list = ListSubtree::new(&Chroot::none(), "/a").unwrap();
    assert_eq!(driver.run(list), Err(lost));
    assert!(driver.world.log.len() > 4);
}

#[test]
fn a_subtree_is_deleted_children_first() {
    let mut world = World::new(&["/app", "/other", "/app/ab"]);
    let paths = grow(&mut world, &mut Rng::new(3), 2_500);
    let mut driver = Driver::new(world, 1, |_| Fate::Answered, |_: &mut World, _: &mut Rng| ());
    let deleted = driver.run(DeleteRecursive::new(&app(), "/top").unwrap());
    assert_eq!(deleted, Ok(paths.len() as u64));
    assert_eq!(driver.world.paths(), ["/app", "/app/ab", "/other"]);
    let batches: Vec<_> = driver.world.log.iter().filter(|(op, _)| *op == Op::Multi).collect();
    assert!(batches.iter().all(|(_, count)| *count <= 1_000));
    assert!(batches.len() <= 4, "{batches:?}");
    assert!((16..=64).contains(&driver.most_in_flight), "{}", driver.most_in_flight);
}

#[test]
fn transactions_are_bounded_in_bytes() {
    let long = format!("/a/{}", "x".repeat(60_000));
    let longer = format!("/a/{}", "y".repeat(200_000));
    let mut world = World::new(&["/a", &long, &longer]);
    for number in 0..9 {
        world.create(&format!("{long}/{number}"), 0).unwrap();
    }
    assert_eq!(run(&mut world, DeleteRecursive::new(&Chroot::none(), "/a").unwrap()), Ok(12));
    assert!(world.paths().is_empty());
    assert!(world.longest < 200_100, "{}", world.longest);
    assert_eq!(world.log.iter().filter(|(op, _)| *op == Op::Multi).count(), 6);
}

#[test]
fn a_root_is_not_deleted() {
    for chroot in [app(), Chroot::none()] {
        let error = DeleteRecursive::new(&chroot, "/").map(|_| ()).unwrap_err();
        assert_eq!(error, ArgumentError::DeleteRoot);
    }
    let mut world = World::new(&["/app"]);
    assert!(no_node(&run(&mut world, DeleteRecursive::new(&app(), "/a").unwrap())));
    assert_eq!(world.paths(), ["/app"]);
}

#[test]
fn somebody_who_never_stops_is_a_failure() {
    let world = World::new(&["/a", "/a/b"]);
    let mut number = 0;
    let refill = |world: &mut World, _: &mut Rng| {
        number += 1;
        let _ = world.create(&format!("/a/{number}"), 0);
    };
    let mut driver = Driver::new(world, 1, |_| Fate::Answered, refill);
    let result = driver.run(DeleteRecursive::new(&Chroot::none(), "/a").unwrap());
    assert_eq!(result.unwrap_err().code(), ErrorCode::NOT_EMPTY);
    assert!(driver.world.log.len() < 20_000, "{}", driver.world.log.len());
}

quickcheck! {
    /// Everything is listed once, parents before children, whenever the replies come.
    fn listings_are_complete(seed: u64, count: u8) -> bool {
        let mut rng = Rng::new(seed);
        let mut world = World::new(&["/app"]);
        let mut paths = grow(&mut world, &mut rng, count.into());
        let mut driver =
            Driver::new(world, seed, |_| Fate::Answered, |_: &mut World, _: &mut Rng| ());
        let mut listed = driver.run(ListSubtree::new(&app(), "/top").unwrap()).unwrap();
        let in_order = listed.is_sorted_by_key(|path| path.split('/').count());
        listed.sort();
        paths.sort();
        in_order && listed == paths
    }

    /// Others add and remove in the same place for a while: in the end nothing is left, and
    /// nothing else is gone.
    fn deletes_are_complete_in_spite_of_others(seed: u64, count: u8, rivals: u8) -> bool {
        let mut rng = Rng::new(seed);
        let mut world = World::new(&["/app", "/app/topper", "/other"]);
        grow(&mut world, &mut rng, count.into());
        // The top itself is ours alone, so that its end is told apart from its absence.
        let mut left = rivals % 60;
        let meddle = |world: &mut World, rng: &mut Rng| {
            if left == 0 || rng.one_in(2) {
                return;
            }
            left -= 1;
            let below: Vec<_> =
                world.paths().into_iter().filter(|path| path.starts_with("/app/top/")).collect();
            let any = usize::try_from(rng.below(below.len().max(1) as u64)).unwrap();
            let parent = below.get(any).copied().unwrap_or("/app/top").to_owned();
            if rng.one_in(2) {
                let _ = world.create(&format!("{parent}/rival{left}"), 0);
            } else {
                let subtree = format!("{parent}/");
                world.nodes.retain(|path, _| {
                    parent == "/app/top" || (*path != parent && !path.starts_with(&subtree))
                });
            }
        };
        let mut driver = Driver::new(world, seed, |_| Fate::Answered, meddle);
        let deleted = driver.run(DeleteRecursive::new(&app(), "/top").unwrap());
        assert!(deleted.is_ok(), "{deleted:?}");
        driver.world.paths() == ["/app", "/app/topper", "/other"]
    }
}
