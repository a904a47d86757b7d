//! From a host's name to a connected socket.
//!
//! Behaviour: `org.apache.zookeeper.client.StaticHostProvider`, which looks a name up again for
//! every attempt; here all its addresses get their share of the attempt's time.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant as SystemInstant,
};

use async_io::{Async, Timer};
use futures_lite::future;
use zookeeper_core::{Disconnect, client::HostPort};

/// Look-ups of one client that may be under way: one that hangs outlives its attempt.
const LOOKUPS_MAX: usize = 8;

/// Addresses of one name that are tried in one attempt.
const ADDRESSES_MAX: usize = 16;

/// A socket and what it is connected to.
pub(crate) type Connected = (Async<TcpStream>, SocketAddr);

/// Counts the look-ups under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookups(Arc<AtomicUsize>);

/// One look-up under way.
#[derive(Debug)]
struct Lookup(Arc<AtomicUsize>);

impl Lookups {
    fn begin(&self) -> Option<Lookup> {
        // The count is taken first, so that dropping the look-up gives it back either way.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let lookup = Lookup(Arc::clone(&self.0));
        (before < LOOKUPS_MAX).then_some(lookup)
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects to one of the host's addresses, in the system's order, until `deadline`.
pub(crate) async fn connect(
    host: HostPort,
    deadline: SystemInstant,
    lookups: Lookups,
) -> Result<Connected, Disconnect> {
    let addresses = resolve(host, &lookups).await.ok_or(Disconnect::Unresolved)?;
    let mut failure = Disconnect::Unresolved;
    for (index, &address) in addresses.iter().enumerate() {
        let until = share(deadline, addresses.len() - index);
        match connect_to(address, until).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => failure = error.kind().into(),
        }
    }
    Err(failure)
}

/// When the first of `count` attempts has had its share of the time left.
fn share(deadline: SystemInstant, count: usize) -> SystemInstant {
    let now = SystemInstant::now();
    let left = deadline.saturating_duration_since(now);
    now + left / u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

async fn resolve(host: HostPort, lookups: &Lookups) -> Option<Vec<SocketAddr>> {
    if let Ok(address) = host.host.parse::<IpAddr>() {
        return Some(vec![SocketAddr::new(address, host.port)]);
    }
    let lookup = lookups.begin()?;
    let found = blocking::unblock(move || {
        let _lookup = lookup;
        (host.host.as_str(), host.port)
            .to_socket_addrs()
            .map(|addresses| addresses.take(ADDRESSES_MAX).collect::<Vec<_>>())
    });
    match found.await {
        Ok(addresses) if !addresses.is_empty() => Some(addresses),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "name not resolved");
            None
        }
    }
}

async fn connect_to(address: SocketAddr, until: SystemInstant) -> io::Result<Async<TcpStream>> {
    let connecting = async {
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        // A port of this machine that nobody listens on may be the very one that the system
        // chose for this end: then the socket is connected to itself.
        if stream.get_ref().local_addr()? == address {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(stream)
    };
    let timeout = async {
        Timer::at(until).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future::or(connecting, timeout).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn host(host: &str, port: u16) -> HostPort {
        HostPort { host: host.into(), port }
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let lookups = Lookups(Arc::new(AtomicUsize::new(LOOKUPS_MAX)));
        let found = future::block_on(resolve(host("::1", 7), &lookups));
        assert_eq!(found, Some(vec!["[::1]:7".parse().expect("an address")]));
        assert_eq!(future::block_on(resolve(host("localhost", 7), &lookups)), None);
        assert_eq!(lookups.0.load(Ordering::Relaxed), LOOKUPS_MAX);
    }

    #[test]
    fn a_name_is_tried_at_every_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let deadline = SystemInstant::now() + Duration::from_secs(60);
        let lookups = Lookups::default();
        let connected = connect(host("localhost", port), deadline, lookups.clone());
        let (stream, peer) = async_io::block_on(connected).expect("one address listens");
        assert!(peer.ip().is_loopback());
        assert!(stream.get_ref().nodelay().expect("a socket"));
        assert_eq!(lookups.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nobody_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let deadline = SystemInstant::now() + Duration::from_secs(60);
        let result =
            async_io::block_on(connect(host("127.0.0.1", port), deadline, Lookups::default()));
        assert_eq!(result.map(|(_, peer)| peer), Err(Disconnect::Refused));
    }
}
