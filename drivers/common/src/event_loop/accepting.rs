//! New connections.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use tracing::{debug, warn};
use zookeeper_core::Disconnect;

use super::EventLoop;
use crate::{
    accept::Accepted,
    connection::Connection,
    listen::set_options,
    poll::{Poll, Source},
};

/// Connections accepted in a turn, over all listeners.
const ACCEPTS_PER_TURN: usize = 128;

impl<P: Poll> EventLoop<P> {
    /// Accepts a bounded number of connections.
    pub(super) fn accept(&mut self) {
        let mut left = ACCEPTS_PER_TURN;
        let mut idle = 0;
        // One of each listener in turn, until all are idle.
        for index in (0..self.listeners.len()).cycle() {
            if left == 0 || idle == self.listeners.len() {
                return;
            }
            idle += 1;
            match self.accept_from(index) {
                Accepted::Stream(stream, peer) => {
                    self.has_room = true;
                    self.admit(stream, peer);
                    idle = 0;
                    left -= 1;
                }
                Accepted::Again => {
                    idle = 0;
                    left -= 1;
                }
                Accepted::None => {}
                Accepted::NoRoom(error) => self.make_room(index, &error),
            }
        }
    }

    fn accept_from(&mut self, index: usize) -> Accepted {
        self.listeners[index].accept(self.now, self.config.accept_backoff, &mut self.poll)
    }

    /// The system has no room for a connection: closing sockets do not have to stay.
    fn make_room(&mut self, index: usize, error: &io::Error) {
        let address = self.listeners[index].address();
        let connections = self.server.connection_count();
        if self.closing.clear() {
            self.listeners[index].resume();
        } else if self.has_room {
            self.has_room = false;
            warn!(%address, %error, connections, "cannot accept: waiting for room");
        } else {
            debug!(%address, %error, connections, "still cannot accept");
        }
    }

    /// Asks the server about a new connection. One that is refused is dropped at once.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = set_options(&stream, self.config.keep_alive) {
            // The peer is gone already.
            debug!(%peer, %error, "connection lost");
            return;
        }
        let id = match self.server.handle_accept(self.now, peer) {
            Ok(id) => id,
            Err(error) => {
                debug!(%peer, %error, "connection refused");
                return;
            }
        };
        let slot = id.slot() as usize;
        match self.poll.register(stream, Source::Connection(slot)) {
            Ok(stream) => {
                debug!(%peer, "connection accepted");
                let connection = Connection::new(stream, peer, id);
                if self.connections.len() <= slot {
                    self.connections.resize_with(slot + 1, || None);
                }
                self.connections[slot] = Some(connection);
            }
            Err(error) => {
                warn!(%peer, %error, "cannot wait for a connection");
                self.server.handle_eof(self.now, id, Disconnect::Other(error.kind()));
            }
        }
    }
}
