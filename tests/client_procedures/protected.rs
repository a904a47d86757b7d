//! Znodes that are made once, whatever is lost.

use std::time::Duration;

use quickcheck::quickcheck;
use zookeeper_core::{
    Instant, Rng,
    client::{
        Chroot, Error, ProtectionId, RequestError, RetryPolicy,
        operation::Create,
        procedure::{CreateProtected, Next, Procedure, Step},
    },
    wire::{CreateMode, Op},
};

use crate::world::*;

const ID: ProtectionId = ProtectionId::from_random(0x0123_4567_89ab_cdef);

fn protected<'a>(chroot: &Chroot, path: &'a str) -> CreateProtected<'a> {
    let create = Create::new(path, "", CreateMode::EphemeralSequential);
    let now = Instant::from_millis(1);
    CreateProtected::new(chroot, create, ID, RetryPolicy::default(), now).unwrap()
}

/// Runs a protected create whose requests meet these fates, and then good ones.
fn create_protected(fates: &[Fate]) -> (Result<String, Error>, World) {
    let world = World::new(&["/app", "/app/locks", "/app/locks/lock-"]);
    let mut fates = fates.iter().copied();
    let mut driver = Driver::new(
        world,
        1,
        |_| fates.next().unwrap_or(Fate::Answered),
        |_: &mut World, _: &mut Rng| (),
    );
    let result = driver.run(protected(&app(), "/locks/lock-"));
    (result.map(|created| created.path), driver.world)
}

#[test]
fn a_protected_znode_is_made_once_whatever_is_lost() {
    use Fate::*;
    let own = "/locks/_c_00000000000000000123456789abcdef-lock-0000000001";
    for (fates, ops) in [
        (&[][..], &[Op::Create][..]),
        (&[Unsent, Unsent], &[Op::Create]),
        (&[Lost], &[Op::Sync, Op::GetChildren, Op::Create]),
        (&[ReplyLost], &[Op::Create, Op::Sync, Op::GetChildren]),
        (&[ReplyLost, Lost, Answered, Unsent], &[Op::Create, Op::Sync, Op::Sync, Op::GetChildren]),
        (
            &[Lost, Answered, Answered, ReplyLost],
            &[Op::Sync, Op::GetChildren, Op::Create, Op::Sync, Op::GetChildren],
        ),
    ] {
        let (result, world) = create_protected(fates);
        assert_eq!(result.as_deref(), Ok(own), "{fates:?}");
        assert_eq!(world.children("/app/locks").len(), 2, "{fates:?}");
        let log: Vec<_> = world.log.iter().map(|(op, _)| *op).collect();
        assert_eq!(log, ops, "{fates:?}");
    }
}

#[test]
fn giving_up_says_that_the_znode_may_be_there() {
    use Fate::*;
    let (result, world) = create_protected(&[Unsent; 20]);
    assert!(!result.unwrap_err().maybe_executed());
    assert_eq!(world.log, []);
    let (result, _) = create_protected(&[ReplyLost; 20]);
    assert!(result.unwrap_err().maybe_executed());
    let mut fates = vec![ReplyLost];
    fates.extend([Unsent; 20]);
    assert!(create_protected(&fates).0.unwrap_err().maybe_executed());
    // The session is over: nothing is tried again, whatever the policy says.
    let error = create_protected(&[ReplyLost, Expired]).0.unwrap_err();
    assert_eq!(error, RequestError::SessionExpired { maybe_executed: true }.into());
    let error = create_protected(&[Expired]).0.unwrap_err();
    assert_eq!(error, RequestError::SessionExpired { maybe_executed: false }.into());
}

#[test]
fn protected_names_stay_below_the_chroot() {
    for (chroot, path, expected) in [
        (app(), "/", "/app/_c_00000000000000000123456789abcdef-"),
        (app(), "/x", "/app/_c_00000000000000000123456789abcdef-x"),
        (app(), "/a/", "/app/a/_c_00000000000000000123456789abcdef-"),
        (Chroot::none(), "/", "/_c_00000000000000000123456789abcdef-"),
        (Chroot::none(), "/a/x", "/a/_c_00000000000000000123456789abcdef-x"),
    ] {
        let mut procedure = protected(&chroot, path);
        match procedure.next() {
            Next::Run(Step::Create(create)) => assert_eq!(create.path, expected),
            other => panic!("{other:?}"),
        }
    }
    let create = Create::new("x", "", CreateMode::EphemeralSequential);
    let policy = RetryPolicy::default();
    assert!(CreateProtected::new(&app(), create, ID, policy, Instant::ZERO).is_err());
}

#[test]
fn a_protected_create_without_its_parent_fails() {
    let mut world = World::new(&["/app"]);
    assert!(no_node(&run(&mut world, protected(&app(), "/locks/lock-"))));
    // Also if the first try is lost: the parent cannot be listed either.
    let mut fates = [Fate::Lost].into_iter();
    let fate = |_| fates.next().unwrap_or(Fate::Answered);
    let mut driver = Driver::new(world, 1, fate, |_: &mut World, _: &mut Rng| ());
    assert!(no_node(&driver.run(protected(&app(), "/locks/lock-"))));
}

#[test]
fn a_protected_create_keeps_to_its_time() {
    let policy = {
        let mut policy = RetryPolicy::default();
        policy.tries_max = 1_000;
        policy.deadline = Some(Duration::from_secs(60));
        policy
    };
    let create = Create::new("/a", "", CreateMode::Ephemeral);
    let start = Instant::from_millis(1);
    let procedure = CreateProtected::new(&app(), create, ID, policy, start).unwrap();
    let world = World::new(&["/app"]);
    let mut driver = Driver::new(world, 1, |_| Fate::Unsent, |_: &mut World, _: &mut Rng| ());
    assert!(driver.run(procedure).is_err());
    let took = driver.now.saturating_duration_since(start);
    assert!(took <= Duration::from_secs(60) && took > Duration::from_secs(30), "{took:?}");
}

quickcheck! {
    /// Whatever is lost, there is one znode of this name at most, and the one that is told.
    fn protected_creates_are_exact(seed: u64, fates: Vec<u8>) -> bool {
        const FATES: [Fate; 4] = [Fate::Answered, Fate::Unsent, Fate::Lost, Fate::ReplyLost];
        let mut next = fates.iter().map(|fate| FATES[usize::from(fate % 4)]);
        let world = World::new(&["/app", "/app/locks"]);
        let mut driver = Driver::new(
            world,
            seed,
            |_| next.next().unwrap_or(Fate::Answered),
            |_: &mut World, _: &mut Rng| (),
        );
        let result = driver.run(protected(&app(), "/locks/lock-"));
        let names = driver.world.children("/app/locks");
        match result {
            Ok(created) => names.len() == 1 && created.path == format!("/locks/{}", names[0]),
            Err(error) => names.is_empty() || error.maybe_executed(),
        }
    }
}
