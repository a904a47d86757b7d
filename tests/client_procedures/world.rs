//! A small tree, and a driver whose requests meet with chance.

use std::collections::{BTreeMap, VecDeque};

use zookeeper_core::{
    Instant, Rng,
    client::{
        Chroot, Error, RequestError,
        operation::Operation,
        procedure::{Next, Procedure, Step},
    },
    wire::{
        Encode, ErrorCode, List, MultiHeader, MultiOp, MultiResult, Op, Reader, Request, Response,
        Stat, Text,
    },
};

/// A tree: each znode's mode, and how many children it ever had.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) nodes: BTreeMap<String, (i32, u32)>,
    /// The requests that came, as far as tests ask.
    pub(crate) log: Vec<(Op, usize)>,
    /// The longest multi, in bytes.
    pub(crate) longest: usize,
}

impl World {
    pub(crate) fn new(paths: &[&str]) -> Self {
        let mut world = Self { nodes: BTreeMap::new(), log: Vec::new(), longest: 0 };
        world.nodes.insert(String::new(), (0, 0));
        paths.iter().for_each(|path| world.create(path, 0).map(|_| ()).unwrap());
        world
    }

    /// The root is the empty path, so that all parents are found alike.
    pub(crate) fn key(path: &str) -> &str {
        if path == "/" { "" } else { path }
    }

    pub(crate) fn create(&mut self, path: &str, mode: i32) -> Result<String, ErrorCode> {
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

    pub(crate) fn delete(&mut self, path: &str) -> Result<(), ErrorCode> {
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

    pub(crate) fn children(&self, path: &str) -> Vec<String> {
        let prefix = format!("{}/", Self::key(path));
        let below = self.nodes.keys().filter_map(|path| path.strip_prefix(&prefix));
        below.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.nodes.keys().map(String::as_str).filter(|path| !path.is_empty()).collect()
    }

    /// Executes a request; the record of the reply.
    pub(crate) fn answer(&mut self, op: Op, bytes: &[u8]) -> Result<Vec<u8>, ErrorCode> {
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
pub(crate) enum Fate {
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

pub(crate) enum Call {
    Sent(Op, Vec<u8>, Fate),
    Done(Op, Result<Vec<u8>, RequestError>),
}

/// Runs a procedure to its end: `fate` decides on each request, and `meddle` may change the tree
/// before each is executed.
pub(crate) struct Driver<F, M> {
    pub(crate) world: World,
    pub(crate) rng: Rng,
    pub(crate) fate: F,
    pub(crate) meddle: M,
    pub(crate) now: Instant,
    pub(crate) calls: VecDeque<Call>,
    pub(crate) most_in_flight: usize,
}

impl<F: FnMut(Op) -> Fate, M: FnMut(&mut World, &mut Rng)> Driver<F, M> {
    pub(crate) fn new(world: World, seed: u64, fate: F, meddle: M) -> Self {
        let calls = VecDeque::new();
        let now = Instant::from_millis(1);
        Self { world, rng: Rng::new(seed), fate, meddle, now, calls, most_in_flight: 0 }
    }

    pub(crate) fn run<P: Procedure>(&mut self, mut procedure: P) -> Result<P::Output, Error> {
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
    pub(crate) fn execute_one(&mut self) {
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

pub(crate) fn run<P: Procedure>(world: &mut World, procedure: P) -> Result<P::Output, Error> {
    let nothing = World::new(&[]);
    let world_now = std::mem::replace(world, nothing);
    let mut driver = Driver::new(world_now, 1, |_| Fate::Answered, |_: &mut World, _: &mut Rng| ());
    let output = driver.run(procedure);
    *world = driver.world;
    output
}

pub(crate) fn app() -> Chroot {
    Chroot::new("/app").unwrap()
}

pub(crate) fn no_node<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(error) if error.code() == ErrorCode::NO_NODE)
}

/// A tree below `/app/top` that chance made; the paths without the chroot, parents first.
pub(crate) fn grow(world: &mut World, rng: &mut Rng, count: u64) -> Vec<String> {
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
