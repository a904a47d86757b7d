//! A TCP proxy that cuts connections, holds bytes back, swallows answers or turns clients away.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

/// What becomes of bytes and of new connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Everything is passed on.
    Forward,
    /// Nothing is passed on, for now.
    Hold,
    /// What the server says is thrown away.
    Swallow,
    /// Connections are closed as soon as they are accepted.
    Refuse,
}

/// A proxy in front of one server; dropping it cuts everything.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    control: Mutex<Control>,
    changed: Condvar,
}

#[derive(Debug)]
struct Control {
    mode: Mode,
    is_over: bool,
    accepted: usize,
    /// Bytes that came from clients while they were held back.
    held: usize,
    sockets: Vec<TcpStream>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let control = Control {
            mode: Mode::Forward,
            is_over: false,
            accepted: 0,
            held: 0,
            sockets: Vec::new(),
        };
        let state = Arc::new(State { control: Mutex::new(control), changed: Condvar::new() });
        let accepting = Arc::clone(&state);
        let thread = thread::spawn(move || accepting.accept(&listener, server));
        Self { address, state, thread: Some(thread) }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub(crate) fn set_mode(&self, mode: Mode) {
        self.state.lock().mode = mode;
        self.state.changed.notify_all();
    }

    /// Ends every connection. What is held back is lost.
    pub(crate) fn cut(&self) {
        self.state.lock().cut();
        self.state.changed.notify_all();
    }

    /// Ends every connection, and turns everybody away from now on.
    pub(crate) fn refuse(&self) {
        let mut control = self.state.lock();
        control.cut();
        control.mode = Mode::Refuse;
        drop(control);
        self.state.changed.notify_all();
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().accepted
    }

    /// Bytes that came from clients while they were held back.
    pub(crate) fn held(&self) -> usize {
        self.state.lock().held
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.lock().is_over = true;
        self.cut();
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Control {
    fn cut(&mut self) {
        for socket in self.sockets.drain(..) {
            // It may have ended already.
            socket.shutdown(Shutdown::Both).ok();
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().expect("nobody panics with it")
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, server: SocketAddr) {
        for client in listener.incoming() {
            let mut control = self.lock();
            if control.is_over {
                return;
            }
            control.accepted += 1;
            if control.mode == Mode::Refuse {
                continue;
            }
            // A server that is gone is what tests are about.
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { continue };
            for socket in [&client, &server] {
                socket.set_nodelay(true).expect("a socket");
                control.sockets.push(socket.try_clone().expect("a descriptor is left"));
            }
            drop(control);
            let (from, to) = (client.try_clone(), server.try_clone());
            let (from, to) = (from.expect("a descriptor"), to.expect("a descriptor"));
            let (one, other) = (Arc::clone(self), Arc::clone(self));
            thread::spawn(move || one.copy(&from, &to, Direction::ToServer));
            thread::spawn(move || other.copy(&server, &client, Direction::ToClient));
        }
    }

    /// Passes bytes on until one side ends; then both do.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, direction: Direction) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = match from.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let mut control = self.lock();
            if control.mode == Mode::Hold && direction == Direction::ToServer {
                control.held += count;
            }
            while control.mode == Mode::Hold && !control.is_over && !control.sockets.is_empty() {
                control = self.changed.wait(control).expect("nobody panics with it");
            }
            let is_swallowed = control.mode == Mode::Swallow && direction == Direction::ToClient;
            drop(control);
            if !is_swallowed && to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }
}
