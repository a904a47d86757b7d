//! Sessions inside a loop that is somebody else's, together with the loop's own business.

mod common;

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    DEADLINE,
    proxy::{Proxy, Way},
    start,
};
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use zookeeper_core::wire::{Response, WatcherType};
use zookeeper_mio::client::{
    AddWatchMode, Backoff, Chroot, CloseReason, Config, CreateMode, Credentials, Event, HostPort,
    KeeperState, Operation, Purpose, RequestId, Resolve, State, Steppable, SubmitOptions, Tokens,
    WatchEventKind, WatcherId,
    operation::{AddWatch, Create, GetData, SetData},
};

/// What happened, without what it lends.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Data(RequestId, Vec<u8>),
    Done(RequestId),
    Failed(RequestId),
    State(KeeperState),
    Watch(Vec<WatcherId>, WatchEventKind, String),
    Restored,
    Closed(CloseReason),
}

/// A loop with sessions, and a listener of its own.
struct Loop {
    poll: Poll,
    events: Events,
    sessions: Vec<Member>,
    echo: TcpListener,
    guests: Vec<TcpStream>,
}

struct Member {
    session: Steppable,
    told: VecDeque<Told>,
    /// What it told while the test waited for another one.
    later: VecDeque<Told>,
    /// Where its server is, whatever it is called.
    address: SocketAddr,
    /// Names that are looked up later.
    unresolved: Vec<Resolve>,
    resolves: bool,
}

const ECHO: Token = Token(1_000);
const GUESTS: usize = 2_000;

impl Loop {
    fn new() -> Self {
        let poll = Poll::new().expect("a queue");
        let mut echo =
            TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        poll.registry().register(&mut echo, ECHO, Interest::READABLE).expect("registered");
        let events = Events::with_capacity(8);
        Self { poll, events, sessions: Vec::new(), echo, guests: Vec::new() }
    }

    /// A session with a server at this address.
    fn add(&mut self, address: SocketAddr, credentials: Option<Credentials>) -> usize {
        let index = self.sessions.len();
        let mut config = Config::new(vec![HostPort::new("zookeeper.invalid", 2181)]);
        config.session_timeout = 10 * DEADLINE;
        config.backoff = Backoff { failure: Duration::from_millis(1), ..Backoff::UPSTREAM };
        config.backoff.round = config.backoff.failure;
        config.backoff.jitter = config.backoff.failure;
        let config = Arc::new(config);
        let tokens = Tokens { session: Token(2 * index), probe: Token(2 * index + 1) };
        let session = match credentials {
            Some(credentials) => Steppable::resume(config, tokens, 7, credentials),
            None => Steppable::new(config, tokens, 7),
        };
        self.sessions.push(Member {
            session,
            told: VecDeque::new(),
            later: VecDeque::new(),
            address,
            unresolved: Vec::new(),
            resolves: true,
        });
        index
    }

    /// One turn.
    fn turn(&mut self) {
        self.turn_within(DEADLINE);
    }

    /// One turn, which waits no longer than this.
    fn turn_within(&mut self, wait: Duration) {
        for member in &mut self.sessions {
            member.work(self.poll.registry());
        }
        if self.sessions.iter().any(Member::has_news) {
            return;
        }
        let timeout = self.sessions.iter().filter_map(|member| member.session.timeout()).min();
        let timeout = timeout.map_or(wait, |timeout| timeout.min(wait));
        self.poll.poll(&mut self.events, Some(timeout)).expect("polled");
        for event in &self.events {
            let owners = self.sessions.iter_mut().filter(|_| event.token() != ECHO);
            let taken =
                owners.filter_map(|member| member.session.handle_event(event).then_some(()));
            match taken.count() {
                1 => {}
                0 => serve(&self.echo, &mut self.guests, event.token(), self.poll.registry()),
                count => panic!("{count} sessions take one event"),
            }
        }
        for member in &mut self.sessions {
            member.session.receive(self.poll.registry());
        }
    }

    /// Turns until a session has told this; whatever it tells before is dropped.
    fn until(&mut self, index: usize, is_it: impl Fn(&Told) -> bool) -> Told {
        let start = Instant::now();
        loop {
            for (other, member) in self.sessions.iter_mut().enumerate() {
                if other != index {
                    // Looked at when its turn comes.
                    member.later.append(&mut member.told);
                } else if !member.later.is_empty() {
                    member.later.append(&mut member.told);
                    std::mem::swap(&mut member.later, &mut member.told);
                }
            }
            while let Some(told) = self.sessions[index].told.pop_front() {
                if is_it(&told) {
                    return told;
                }
            }
            assert!(start.elapsed() < DEADLINE, "it is never told");
            self.turn();
        }
    }

    fn until_told(&mut self, index: usize, wanted: &Told) {
        self.until(index, |told| told == wanted);
    }

    fn submit(
        &mut self,
        index: usize,
        operation: &impl Operation,
        watcher: Option<WatcherId>,
    ) -> RequestId {
        let session = &mut self.sessions[index].session;
        let options = SubmitOptions { watcher, timeout: None };
        let submit = |request: &zookeeper_core::wire::Request<'_>| session.submit(request, options);
        let submitted = operation.with_request(&Chroot::none(), submit);
        submitted.expect("a good request").expect("the session takes it")
    }
}

impl Member {
    /// Whether the test has something to look at before the loop waits.
    fn has_news(&self) -> bool {
        !self.told.is_empty() || !self.unresolved.is_empty()
    }

    fn work(&mut self, registry: &mio::Registry) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.told.extend(told(event));
            }
            self.session.send(registry);
            while let Some(wanted) = self.session.poll_resolve() {
                assert_eq!(wanted.host.to_string(), "zookeeper.invalid:2181");
                self.unresolved.push(wanted);
            }
            if self.resolves {
                for wanted in self.unresolved.drain(..) {
                    self.session.handle_resolved(wanted.conn, vec![self.address]);
                }
            }
            if !self.session.is_pending() {
                return;
            }
        }
    }
}

fn told(event: Event<'_>) -> Option<Told> {
    Some(match event {
        Event::Reply { id, result } => match result.map(|reply| reply.response) {
            Ok(Response::Data { data, .. }) => {
                Told::Data(id, data.map(|data| data.to_vec()).unwrap_or_default())
            }
            Ok(_) => Told::Done(id),
            Err(_) => Told::Failed(id),
        },
        Event::Watch { watchers, event } => {
            Told::Watch(watchers, event.kind, event.path.to_owned())
        }
        Event::StateChanged { state, .. } => Told::State(state),
        Event::WatchesRestored { .. } => Told::Restored,
        Event::ConnectionClosed { purpose, .. } => {
            assert_eq!(purpose, Purpose::Session);
            return None;
        }
        Event::Closed(reason) => Told::Closed(reason),
        other => panic!("{other:?}"),
    })
}

/// The loop's own business: says again what its guests say.
fn serve(echo: &TcpListener, guests: &mut Vec<TcpStream>, token: Token, registry: &mio::Registry) {
    if token == ECHO {
        while let Ok((mut guest, _)) = echo.accept() {
            let token = Token(GUESTS + guests.len());
            registry.register(&mut guest, token, Interest::READABLE).expect("registered");
            guests.push(guest);
        }
    } else {
        let guest = &mut guests[token.0 - GUESTS];
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = guest.read(&mut buffer) {
            guest.write_all(&buffer[..count]).expect("a few bytes");
        }
    }
}

#[test]
fn sessions_live_in_a_loop_with_others() {
    let server = start();
    let mut host = Loop::new();
    for _ in 0..3 {
        host.add(server.address(), None);
    }
    for index in 0..3 {
        host.until_told(index, &Told::State(KeeperState::SyncConnected));
        assert_eq!(
            host.sessions[index].session.session().state(),
            State::Connected { read_only: false }
        );
    }
    let watcher = host.sessions[1].session.new_watcher();
    let watch = AddWatch::new("/a", AddWatchMode::Persistent);
    let id = host.submit(1, &watch, Some(watcher));
    host.until_told(1, &Told::Done(id));
    let id = host.submit(0, &Create::new("/a", "one", CreateMode::Persistent), None);
    host.until_told(0, &Told::Done(id));
    let seen = Told::Watch(vec![watcher], WatchEventKind::NodeCreated, "/a".into());
    host.until_told(1, &seen);
    let id = host.submit(2, &GetData::new("/a"), None);
    host.until_told(2, &Told::Data(id, b"one".to_vec()));

    // The loop's own business goes on.
    let address = host.echo.local_addr().expect("it is bound");
    let mut guest = std::net::TcpStream::connect(address).expect("the loop listens");
    guest.write_all(b"hello").expect("sent");
    guest.set_nonblocking(true).expect("a socket");
    let mut answer = [0; 8];
    let start = Instant::now();
    let mut count = 0;
    while count < 5 {
        assert!(start.elapsed() < DEADLINE);
        count += guest.read(&mut answer[count..]).unwrap_or(0);
        let id = host.submit(0, &GetData::new("/a"), None);
        host.until_told(0, &Told::Data(id, b"one".to_vec()));
    }
    assert_eq!(&answer[..5], b"hello");

    let kind = WatcherType::Persistent;
    let id = host.sessions[1].session.remove_watches("/a", Some(watcher), kind, false);
    let id = id.expect("taken");
    let removed = WatchEventKind::PersistentWatchRemoved;
    host.until_told(1, &Told::Watch(vec![watcher], removed, "/a".into()));
    host.until_told(1, &Told::Done(id));
    for index in 0..3 {
        host.sessions[index].session.close();
        let reason = CloseReason::Closed { confirmed: true };
        host.until_told(index, &Told::Closed(reason));
        assert_eq!(host.sessions[index].session.timeout(), None);
    }
}

#[test]
fn a_session_in_a_loop_survives_its_connections() {
    let server = start();
    let proxy = Proxy::new(server.address());
    let mut host = Loop::new();
    let index = host.add(proxy.address(), None);
    host.until_told(index, &Told::State(KeeperState::SyncConnected));
    let watcher = host.sessions[index].session.new_watcher();
    let id = host.submit(index, &AddWatch::new("/", AddWatchMode::Persistent), Some(watcher));
    host.until_told(index, &Told::Done(id));
    let session = host.sessions[index].session.session().session_id();
    for round in 0..10 {
        proxy.set(Way::Stalled);
        let id = host.submit(index, &GetData::new("/"), None);
        while proxy.held() == 0 {
            // The loop is not told of what happens on the way.
            host.turn_within(Duration::from_millis(1));
        }
        proxy.set(if round % 2 == 0 { Way::Closed } else { Way::Open });
        proxy.cut();
        host.until(
            index,
            |told| matches!(told, Told::Failed(failed) | Told::Data(failed, _) if *failed == id),
        );
        host.until_told(index, &Told::State(KeeperState::Disconnected));
        proxy.set(Way::Open);
        host.until_told(index, &Told::State(KeeperState::SyncConnected));
        host.until_told(index, &Told::Restored);
    }
    assert_eq!(host.sessions[index].session.session().session_id(), session);

    // Resumed by another loop, which looks its server up slowly.
    let credentials = host.sessions[index].session.session().credentials().expect("a session");
    host.sessions[index].session.detach();
    host.until_told(index, &Told::Closed(CloseReason::Detached));
    let mut heir = Loop::new();
    let index = heir.add(server.address(), Some(credentials));
    heir.sessions[index].resolves = false;
    heir.sessions[index].work(heir.poll.registry());
    assert_eq!(heir.sessions[index].unresolved.len(), 1);
    let conn = heir.sessions[index].unresolved[0].conn;
    heir.sessions[index].resolves = true;
    heir.until_told(index, &Told::State(KeeperState::SyncConnected));
    assert_eq!(heir.sessions[index].session.session().session_id(), session);
    // An answer that comes twice, or late, is nobody's.
    heir.sessions[index].session.handle_resolved(conn, Vec::new());
    let id = heir.submit(index, &GetData::new("/"), None);
    heir.until(index, |told| matches!(told, Told::Data(answered, _) if *answered == id));
}

/// No address at all is a failed attempt like any other.
#[test]
fn a_server_without_an_address_is_tried_again() {
    let server = start();
    let mut host = Loop::new();
    let index = host.add(server.address(), None);
    host.sessions[index].resolves = false;
    for _ in 0..3 {
        let start = Instant::now();
        while host.sessions[index].unresolved.is_empty() {
            assert!(start.elapsed() < DEADLINE);
            host.turn();
        }
        for wanted in std::mem::take(&mut host.sessions[index].unresolved) {
            assert!(wanted.timeout <= 10 * DEADLINE);
            host.sessions[index].session.handle_resolved(wanted.conn, Vec::new());
        }
        host.sessions[index].work(host.poll.registry());
    }
    host.sessions[index].resolves = true;
    host.until_told(index, &Told::State(KeeperState::SyncConnected));
}

/// A command that leads to nothing but events is told of at once.
#[test]
fn a_session_that_waits_ends_at_once() {
    let proxy = Proxy::new("127.0.0.1:1".parse().expect("an address"));
    proxy.set(Way::Closed);
    let mut host = Loop::new();
    let index = host.add(proxy.address(), None);
    host.turn();
    while proxy.accepted() < 3 {
        host.turn();
    }
    let id = host.submit(index, &GetData::new("/"), None);
    host.until_told(index, &Told::Failed(id));
    assert!(matches!(host.sessions[index].session.session().state(), State::Connecting));
    host.sessions[index].session.close();
    assert!(host.sessions[index].session.is_pending());
    host.until_told(index, &Told::Closed(CloseReason::Closed { confirmed: false }));
    assert_eq!(host.sessions[index].session.timeout(), None);
}

/// More than the sockets hold goes both ways, while the loop reads only now and then.
#[test]
fn large_data_pass_both_ways() {
    let server = start();
    let mut host = Loop::new();
    let index = host.add(server.address(), None);
    host.until_told(index, &Told::State(KeeperState::SyncConnected));
    let data: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
    let create = Create::new("/a", &data, CreateMode::Persistent);
    let id = host.submit(index, &create, None);
    host.until_told(index, &Told::Done(id));
    let ids: Vec<_> = (0..20)
        .map(|_| {
            let set = SetData::new("/a", &data, None);
            host.submit(index, &set, None);
            host.submit(index, &GetData::new("/a"), None)
        })
        .collect();
    for round in 0..40 {
        host.sessions[index].session.set_reading(round % 2 == 0);
        host.sessions[index].work(host.poll.registry());
        host.sessions[index].session.receive(host.poll.registry());
    }
    host.sessions[index].session.set_reading(true);
    for id in ids {
        let told =
            host.until(index, |told| matches!(told, Told::Data(answered, _) if *answered == id));
        assert!(matches!(told, Told::Data(_, answer) if answer == data));
    }
}
