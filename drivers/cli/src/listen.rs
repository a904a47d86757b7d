//! Where to listen.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _},
    str::FromStr,
};

/// The addresses that one `--listen` stands for: a name may have several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listen(pub(crate) Vec<SocketAddr>);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(vec![address]));
        }
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing: ADDR:PORT")?;
        let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
        resolve(host, port).map(Self).map_err(|error| format!("{host:?}: {error}"))
    }
}

/// The addresses of a host's name.
pub(crate) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(addresses)
}

/// Every address of this machine. One for each protocol it speaks.
pub(crate) fn everywhere(port: u16) -> Vec<SocketAddr> {
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    if TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
        addresses.push((Ipv6Addr::UNSPECIFIED, port).into());
    }
    addresses
}

/// Where a client on this machine finds what listens on `address`.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_understood() {
        for (text, expected) in [
            ("127.0.0.1:2181", Some("127.0.0.1:2181")),
            ("[::1]:0", Some("[::1]:0")),
            ("0.0.0.0:65535", Some("0.0.0.0:65535")),
            ("127.0.0.1", None),
            ("127.0.0.1:", None),
            ("127.0.0.1:65536", None),
            ("[::1]", None),
            ("2181", None),
            ("", None),
        ] {
            let expected = expected.map(|address| Listen(vec![address.parse().expect("valid")]));
            assert_eq!(text.parse().ok(), expected, "{text:?}");
        }
        let Listen(addresses) = "localhost:7".parse().expect("every machine has this name");
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
    }

    #[test]
    fn clients_are_sent_to_an_address_they_can_reach() {
        for (listening, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            let listening = listening.parse().expect("valid");
            assert_eq!(reachable(listening).to_string(), reached);
        }
    }
}
