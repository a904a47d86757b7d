//! A way between clients and a server that can be broken.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::ports::free_port;

/// Passes bytes between whoever connects to it and one server.
///
/// Its gate can be closed: connections end, and its port refuses. Dropping it ends every
/// connection and thread.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    /// Whether the port is listened on.
    is_listening: bool,
    /// Both sides of each connection that has not ended, by number.
    connections: Vec<(usize, [TcpStream; 2])>,
    accepted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
    /// For good.
    Removed,
}

impl Proxy {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = TcpListener::bind(address)?;
        let state =
            State { gate: Gate::Open, is_listening: true, connections: Vec::new(), accepted: 0 };
        let shared = Arc::new(Shared { target, state: Mutex::new(state), changed: Condvar::new() });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.accept(address, listener))
        };
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Ends every connection. New ones are accepted.
    pub fn cut(&self) {
        self.shared.lock().end_connections();
    }

    /// Ends every connection and refuses new ones. When this returns, the port refuses.
    pub fn close_gate(&self) {
        self.set_gate(Gate::Closed);
        let mut state = self.shared.lock();
        while state.is_listening {
            state = self.shared.wait(state);
        }
        state.end_connections();
    }

    /// Accepts connections again. When this returns, the port does not refuse.
    pub fn open_gate(&self) {
        self.set_gate(Gate::Open);
        let mut state = self.shared.lock();
        while !state.is_listening {
            state = self.shared.wait(state);
        }
    }

    fn set_gate(&self, gate: Gate) {
        let is_listening = {
            let mut state = self.shared.lock();
            state.gate = gate;
            self.shared.changed.notify_all();
            state.is_listening
        };
        if gate != Gate::Open && is_listening {
            // Wakes the acceptor.
            let _ = TcpStream::connect(self.address);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set_gate(Gate::Removed);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.shared.lock().end_connections();
    }
}

impl Shared {
    fn accept(self: Arc<Self>, address: SocketAddr, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let Some(listening) = &listener else {
                listener = match self.wait_for_gate() {
                    Gate::Removed => return,
                    // Whoever took the port meanwhile is short-lived: connections go out from
                    // other ports.
                    _ => TcpListener::bind(address).ok(),
                };
                self.set_listening(listener.is_some());
                continue;
            };
            let accepted = listening.accept();
            if self.lock().gate != Gate::Open {
                listener = None;
                self.set_listening(false);
            } else if let Ok((client, _)) = accepted {
                self.lock().accepted += 1;
                // A server that is not there is a connection that ends.
                let _ = self.connect(client);
            }
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let kept = [client.try_clone()?, server.try_clone()?];
        let back = (server.try_clone()?, client.try_clone()?);
        let number = {
            let mut state = self.lock();
            let number = state.accepted;
            state.connections.push((number, kept));
            number
        };
        for (from, to) in [(client, server), back] {
            let shared = Arc::clone(self);
            thread::spawn(move || {
                let _ = io::copy(&mut &from, &mut &to);
                shared.end(number);
            });
        }
        Ok(())
    }

    /// Whichever side ends first ends the other: a half-closed connection is nothing that
    /// ZooKeeper knows.
    fn end(&self, number: usize) {
        self.lock().end_where(|found| found == number);
    }

    fn wait_for_gate(&self) -> Gate {
        let mut state = self.lock();
        while state.gate == Gate::Closed {
            state = self.wait(state);
        }
        state.gate
    }

    fn set_listening(&self, is_listening: bool) {
        self.lock().is_listening = is_listening;
        self.changed.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_connections(&mut self) {
        self.end_where(|_| true);
    }

    fn end_where(&mut self, is_chosen: impl Fn(usize) -> bool) {
        self.connections.retain(|(number, streams)| {
            let is_chosen = is_chosen(*number);
            if is_chosen {
                for stream in streams {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            !is_chosen
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn bytes_pass_until_the_gate_closes_and_again_when_it_opens() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let proxy = Proxy::start(server.local_addr().expect("bound")).expect("a proxy");
        for round in 1..=3 {
            let mut client = TcpStream::connect(proxy.address()).expect("it listens");
            let (mut peer, _) = server.accept().expect("it passes the connection on");
            client.write_all(b"there").expect("it is connected");
            let mut bytes = [0; 5];
            peer.read_exact(&mut bytes).expect("they come");
            assert_eq!(&bytes, b"there");
            peer.write_all(b"again").expect("it is connected");
            client.read_exact(&mut bytes).expect("they come");
            assert_eq!(&bytes, b"again");
            assert_eq!(proxy.accepted(), round);

            if round == 1 {
                proxy.cut();
            } else {
                proxy.close_gate();
                assert!(TcpStream::connect(proxy.address()).is_err(), "it refuses");
                proxy.open_gate();
            }
            assert_eq!(client.read(&mut bytes).expect("a clean end"), 0);
            assert_eq!(peer.read(&mut bytes).expect("a clean end"), 0);
        }
    }
}
