//! Work of more than one request against a small tree of its own: others at work in the same
//! place, lost replies, missing chroots.
//!
//! Every step goes to the tree and back as bytes, in order and as late as chance has it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use quickcheck::quickcheck;
use zookeeper_core::{
    Instant, Rng,
    client::{
        ArgumentError, Chroot, Error, ProtectionId, RequestError, RetryPolicy,
        operation::{AccessList, Create, CreateOptions, Operation},
        procedure::{
            CreateProtected, CreateWithParents, DeleteRecursive, EnsurePath, ListSubtree, Next,
            Procedure, Step,
        },
    },
    wire::{
        Acl, CreateMode, Encode, ErrorCode, List, MultiHeader, MultiOp, MultiResult, Op, Reader,
        Request, Response, Stat, Text,
    },
};

/// A tree: each znode's mode, and how many children it ever had.
#[derive(Debug)]
struct World {
    nodes: BTreeMap<String, (i32, u32)>,
    /// The requests that came, as far as tests ask.
    log: Vec<(Op, usize)>,
    /// The longest multi, in bytes.
    longest: usize,
}

impl World {
    fn new(paths: &[&str]) -> Self {
        let mut world = Self { nodes: BTreeMap::new(), log: Vec::new(), longest: 0 };
        world.nodes.insert(String::new(), (0, 0));
        paths.iter().for_each(|path| world.create(path, 0).map(|_| ()).unwrap());
        world
    }

    /// The root is the empty path, so that all parents are found alike.
    fn key(path: &str) -> &str {
        if path == "/" { "" } else { path }
    }

    fn create(&mut self, path: &str, mode: i32) -> Result<String, ErrorCode> {
        let parent = path.rsplit_once('/').unwrap().0;
        let Some((_, made)) = self.nodes.get_mut(parent) else { return Err(ErrorCode::NO_NODE) };
        let is_sequential = [2, 3, 6].contains(&mode);
        let path = if is_sequential { format!("{path}{made:010}") } else { path.to_owned() };
        if self.nodes.contains_key(Self::key(&path)) {
            return Err(ErrorCode::NODE_EXISTS);
        }
        self.nodes.get_mut(parent).unwrap().1 += 1;
        self.nodes.insert(path.clone(), (mode, 0));
        Ok(path)
    }

    fn delete(&mut self, path: &str) -> Result<(), ErrorCode> {
        assert_ne!(path, "/");
        if !self.nodes.contains_key(path) {
            return Err(ErrorCode::NO_NODE);
        }
        if !self.children(path).is_empty() {
            return Err(ErrorCode::NOT_EMPTY);
        }
        self.nodes.remove(path);
        Ok(())
    }

    fn children(&self, path: &str) -> Vec<String> {
        let prefix = format!("{}/", Self::key(path));
        let below = self.nodes.keys().filter_map(|path| path.strip_prefix(&prefix));
        below.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    fn paths(&self) -> Vec<&str> {
        self.nodes.keys().map(String::as_str).filter(|path| !path.is_empty()).collect()
    }

    /// Executes a request; the record of the reply.
    fn answer(&mut self, op: Op, bytes: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let text = |path: Option<Text<'_>>| path.unwrap().to_str().unwrap().to_owned();
        let request = Request::decode(op, &mut Reader::new(bytes)).unwrap();
        let count = match request {
            Request::Multi(operations) => operations.iter().count(),
            _ => 1,
        };
        self.log.push((op, count));
        match request {
            Request::Create(record) | Request::CreateContainer(record) => {
                let path = self.create(&text(record.path), record.flags)?;
                let path = Some((&*path).into());
                Ok(match op {
                    Op::Create => Response::Path(path).to_vec(),
                    _ => Response::Create2 { path, stat: Stat::default() }.to_vec(),
                })
            }
            Request::Exists(record) | Request::GetChildren(record)
                if !self.nodes.contains_key(Self::key(&text(record.path))) =>
            {
                Err(ErrorCode::NO_NODE)
            }
            Request::Exists(_) => Ok(Response::Stat(Stat::default()).to_vec()),
            Request::GetChildren(record) => {
                let names = self.children(&text(record.path));
                let names: Vec<_> = names.iter().map(|name| Some(Text::from(&**name))).collect();
                Ok(Response::Names(Some(List::new(&names))).to_vec())
            }
            Request::Sync(record) => Ok(Response::Path(record.path).to_vec()),
            Request::Multi(operations) => {
                self.longest = self.longest.max(bytes.len());
                let before = self.nodes.clone();
                let delete = |operation: MultiOp<'_>| match operation {
                    MultiOp::Delete(record) => {
                        assert_eq!(record.version, -1);
                        self.delete(&text(record.path))
                    }
                    other => panic!("{}", other.op()),
                };
                let results: Vec<_> = operations.iter().map(delete).collect();
                let failure = results.iter().position(Result::is_err);
                let mut reply = Vec::new();
                for (index, result) in results.iter().enumerate() {
                    let code = match failure {
                        None => None,
                        Some(failure) if index > failure => Some(ErrorCode::RUNTIME_INCONSISTENCY),
                        Some(_) => Some(result.err().unwrap_or(ErrorCode::OK)),
                    };
                    code.map_or(MultiResult::Delete, MultiResult::Error).encode(&mut reply);
                }
                MultiHeader::END.encode(&mut reply);
                if failure.is_some() {
                    self.nodes = before;
                }
                Ok(reply)
            }
            other => panic!("{}", other.op()),
        }
    }
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Answered,
    /// Not sent at all.
    Unsent,
    /// Lost on its way there.
    Lost,
    /// Executed, and the reply is lost.
    ReplyLost,
    /// The session is over.
    Expired,
}

enum Call {
    Sent(Op, Vec<u8>, Fate),
    Done(Op, Result<Vec<u8>, RequestError>),
}

/// Runs a procedure to its end: `fate` decides on each request, and `meddle` may change the tree
/// before each is executed.
struct Driver<F, M> {
    world: World,
    rng: Rng,
    fate: F,
    meddle: M,
    now: Instant,
    calls: VecDeque<Call>,
    most_in_flight: usize,
}

impl<F: FnMut(Op) -> Fate, M: FnMut(&mut World, &mut Rng)> Driver<F, M> {
    fn new(world: World, seed: u64, fate: F, meddle: M) -> Self {
        let calls = VecDeque::new();
        let now = Instant::from_millis(1);
        Self { world, rng: Rng::new(seed), fate, meddle, now, calls, most_in_flight: 0 }
    }

    fn run<P: Procedure>(&mut self, mut procedure: P) -> Result<P::Output, Error> {
        for _ in 0..1_000_000 {
            if self.rng.one_in(2) {
                self.execute_one();
            }
            match procedure.next() {
                Next::Run(step) => {
                    // Whatever chroot the driver has: a step has server paths.
                    let chroot = Chroot::new("/never").unwrap();
                    let (op, bytes) = step
                        .with_request(&chroot, |request| (request.op(), request.to_vec()))
                        .expect("a legal step");
                    let fate = (self.fate)(op);
                    self.calls.push_back(Call::Sent(op, bytes, fate));
                    self.most_in_flight = self.most_in_flight.max(self.calls.len());
                }
                Next::Wait => {
                    while matches!(self.calls.front(), Some(Call::Sent(..))) {
                        self.execute_one();
                    }
                    let Some(Call::Done(op, reply)) = self.calls.pop_front() else {
                        panic!("waits for nothing")
                    };
                    let response = match &reply {
                        Ok(bytes) => Ok(Response::decode(op, &mut Reader::new(bytes)).unwrap()),
                        Err(error) => Err(*error),
                    };
                    procedure.handle(self.now, Step::output(&Chroot::none(), response));
                }
                Next::Pause(delay) => {
                    assert!(self.calls.is_empty(), "pauses with steps in flight");
                    self.now = self.now + delay;
                }
                Next::Done => {
                    assert!(self.calls.is_empty(), "done with steps in flight");
                    assert!(matches!(procedure.next(), Next::Done), "stays done");
                    return procedure.finish();
                }
            }
        }
        panic!("does not end");
    }

    /// The oldest request that was not executed yet is.
    fn execute_one(&mut self) {
        let Some(call) = self.calls.iter_mut().find(|call| matches!(call, Call::Sent(..))) else {
            return;
        };
        let Call::Sent(op, bytes, fate) = &*call else { unreachable!() };
        (self.meddle)(&mut self.world, &mut self.rng);
        let (op, lost) = (*op, RequestError::ConnectionLoss { maybe_executed: true });
        let result = match fate {
            Fate::Answered => self.world.answer(op, bytes).map_err(RequestError::Server),
            Fate::Unsent => Err(RequestError::ConnectionLoss { maybe_executed: false }),
            Fate::Lost => Err(lost),
            Fate::ReplyLost => {
                let _ = self.world.answer(op, bytes);
                Err(lost)
            }
            Fate::Expired => Err(RequestError::SessionExpired { maybe_executed: false }),
        };
        *call = Call::Done(op, result);
    }
}

fn run<P: Procedure>(world: &mut World, procedure: P) -> Result<P::Output, Error> {
    let nothing = World::new(&[]);
    let world_now = std::mem::replace(world, nothing);
    let mut driver = Driver::new(world_now, 1, |_| Fate::Answered, |_: &mut World, _: &mut Rng| ());
    let output = driver.run(procedure);
    *world = driver.world;
    output
}

fn app() -> Chroot {
    Chroot::new("/app").unwrap()
}

fn no_node<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(error) if error.code() == ErrorCode::NO_NODE)
}

/// A tree below `/app/top` that chance made; the paths without the chroot, parents first.
fn grow(world: &mut World, rng: &mut Rng, count: u64) -> Vec<String> {
    let mut paths = vec!["/top".to_owned()];
    for number in 0..count {
        let parent = usize::try_from(rng.below(paths.len() as u64)).unwrap();
        paths.push(format!("{}/{number}", paths[parent]));
    }
    for path in &paths {
        world.create(&format!("/app{path}"), 0).unwrap();
    }
    paths
}

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

    /// Whatever is lost, there is one znode of this name at most, and the one that is told.
    fn protected_creates_are_exact(seed: u64, fates: Vec<u8>) -> bool {
        let fates: Vec<_> = fates
            .iter()
            .map(|fate| [Fate::Answered, Fate::Unsent, Fate::Lost, Fate::ReplyLost][usize::from(fate % 4)])
            .collect();
        let mut next = fates.iter().copied();
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
