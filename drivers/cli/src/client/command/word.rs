//! Four-letter words, which need no session.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream, ToSocketAddrs as _},
    str::FromStr,
    time::{Duration, Instant},
};

use clap::Args;
use zookeeper_core::{client::HostPort, wire::ErrorCode};

use crate::client::{failure::CommandError, outcome::Outcome};

/// What a server may say at most.
const ANSWER_MAX: u64 = 64 << 20;

/// Send a four-letter word to a server, without a session, and print the answer.
///
/// The first of the servers that can be reached is asked. Words are ruok, srvr, stat, mntr, conf,
/// cons, dump, envi, wchs and more; which of them a server answers is its own setting.
#[derive(Args, Clone, Debug)]
pub(crate) struct Word {
    word: FourLetters,
}

/// A word of four letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FourLetters(String);

impl FromStr for FourLetters {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.as_bytes() {
            bytes @ [_, _, _, _] if bytes.iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self(text.into()))
            }
            _ => Err("it does not have four letters"),
        }
    }
}

impl Word {
    /// Asks the first server that answers.
    pub(crate) fn run(
        &self,
        servers: &str,
        hosts: &[HostPort],
        timeout: Duration,
    ) -> Result<Outcome, CommandError> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for host in hosts {
            match ask(host, &self.word.0, timeout) {
                Ok(answer) => {
                    return Ok(Outcome::Answer { server: host.to_string(), text: answer.into() });
                }
                Err(error) => last = error,
            }
        }
        Err(CommandError::Unreachable {
            servers: servers.into(),
            reason: last.to_string(),
            code: ErrorCode::CONNECTION_LOSS,
        })
    }
}

/// The time-out is for the whole: a name may have several addresses.
fn ask(host: &HostPort, word: &str, timeout: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + timeout;
    let mut stream = connect(host, deadline)?;
    stream.write_all(word.as_bytes())?;
    // Not every server waits for it, none minds it.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while u64::try_from(answer.len()).is_ok_and(|length| length < ANSWER_MAX) {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut buffer) {
            Ok(0) if answer.is_empty() => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection without an answer",
                ));
            }
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a read that timed out is called differs.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(timed_out()),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the answer does not end"))
}

fn connect(host: &HostPort, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host.host.as_str(), host.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                stream.set_write_timeout(Some(left(deadline)?))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Never zero, which would be for ever.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(timed_out()),
        left => Ok(left),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_four_letters() {
        for (text, valid) in [("ruok", true), ("MNTR", true), ("ru", false), ("ru k", false)] {
            assert_eq!(text.parse::<FourLetters>().is_ok(), valid, "{text:?}");
        }
    }
}
