//! Free loopback ports, and the four-letter words by which readiness is seen.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Below the range from which Linux takes the ports of outgoing connections: a client that keeps
/// connecting to such a port while its server is down could otherwise meet itself.
const FIRST: u16 = 14_000;
const COUNT: u16 = 18_000;

/// How long one connection attempt or one read may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A loopback port on which nothing listens now. Two callers may rarely get the same one, so a
/// server that cannot bind is started again on another.
///
/// # Errors
///
/// If no port of the range can be bound.
pub fn free_port() -> io::Result<u16> {
    let start = RandomState::new().hash_one("port");
    for step in 0..u64::from(COUNT) {
        let offset = start.wrapping_add(step) % u64::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no free loopback port"))
}

/// Sends a four-letter word on a connection of its own and returns the whole answer.
///
/// # Errors
///
/// What connecting, writing or reading failed with.
pub fn four_letter_word(address: SocketAddr, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(word.as_bytes())?;
    // Not every server waits for it, none minds it.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_the_ephemeral_range() {
        let port = free_port().expect("a free port");
        assert!((FIRST..FIRST + COUNT).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("still free");
    }
}
