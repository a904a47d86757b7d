//! Listening sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// A socket that listens on `address` and does not block.
///
/// Made by hand because the standard library and other crates take a backlog of 128, with which a
/// storm of reconnecting clients takes half a minute in place of half a second.
pub(crate) fn listen(address: SocketAddr, backlog: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere the option means that somebody else may take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::from(backlog))?;
    Ok(socket.into())
}

/// Options of an accepted socket. Lingering stays off, which is the default everywhere.
pub(crate) fn set_options(stream: &TcpStream, keep_alive: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keep_alive {
        SockRef::from(stream).set_keepalive(true)?;
    }
    Ok(())
}
