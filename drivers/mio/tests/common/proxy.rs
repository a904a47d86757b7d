//! A way to a server that can be cut, blocked and closed.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, Weak},
    thread::{self, JoinHandle},
};

/// What happens on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Everything gets through.
    Open,
    /// Nothing does, until it is open again; connections stay.
    Stalled,
    /// Connections are closed as soon as they come.
    Closed,
}

/// The way to one server. It ends with everything on it when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    road: Arc<Road>,
    thread: Option<JoinHandle<()>>,
}

struct Road {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    way: Way,
    server: SocketAddr,
    is_over: bool,
    /// Connections ever made.
    accepted: usize,
    /// Pieces that came from clients.
    sent: usize,
    /// Bytes that clients have sent and the server was not given.
    held: usize,
    live: Vec<Weak<Pair>>,
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Proxy {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = State {
            way: Way::Open,
            server,
            is_over: false,
            accepted: 0,
            sent: 0,
            held: 0,
            live: Vec::new(),
        };
        let road = Arc::new(Road { state: Mutex::new(state), changed: Condvar::new() });
        let thread = {
            let road = Arc::clone(&road);
            thread::spawn(move || accept(&listener, &road))
        };
        Self { address, road, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, way: Way) {
        self.road.lock().way = way;
        self.road.changed.notify_all();
    }

    /// From now on the way leads to another server.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        self.road.lock().server = server;
    }

    /// Cuts every connection there is.
    pub(crate) fn cut(&self) {
        for pair in self.road.lock().live.drain(..) {
            if let Some(pair) = pair.upgrade() {
                pair.end();
            }
        }
        self.road.changed.notify_all();
    }

    pub(crate) fn accepted(&self) -> usize {
        self.road.lock().accepted
    }

    /// How often something came from clients.
    pub(crate) fn sent(&self) -> usize {
        self.road.lock().sent
    }

    /// Bytes that a stall holds back from the server.
    pub(crate) fn held(&self) -> usize {
        self.road.lock().held
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.road.lock().is_over = true;
        self.cut();
        // The thread waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

impl Road {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl Pair {
    fn end(&self) {
        // Either may have ended already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, road: &Arc<Road>) {
    for client in listener.incoming() {
        let client = client.expect("a connection");
        let mut state = road.lock();
        if state.is_over {
            return;
        }
        state.accepted += 1;
        if state.way == Way::Closed {
            continue;
        }
        let server = state.server;
        let Ok(server) = TcpStream::connect(server) else { continue };
        client.set_nodelay(true).expect("a socket");
        server.set_nodelay(true).expect("a socket");
        let pair = Arc::new(Pair { client, server });
        state.live.retain(|pair| pair.strong_count() > 0);
        state.live.push(Arc::downgrade(&pair));
        drop(state);
        let (there, back) = (Arc::clone(road), Arc::clone(road));
        let other = Arc::clone(&pair);
        thread::spawn(move || carry(&there, &pair, true));
        thread::spawn(move || carry(&back, &other, false));
    }
}

/// Carries bytes one way until one side ends; then both do.
fn carry(road: &Road, pair: &Pair, is_there: bool) {
    let (mut from, mut to) =
        if is_there { (&pair.client, &pair.server) } else { (&pair.server, &pair.client) };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut state = road.lock();
        state.sent += usize::from(is_there);
        if state.way == Way::Stalled {
            let held = if is_there { count } else { 0 };
            state.held += held;
            while state.way == Way::Stalled && !state.live.is_empty() && !state.is_over {
                state = road.changed.wait(state).expect("no panic");
            }
            state.held -= held;
        }
        drop(state);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    pair.end();
}
