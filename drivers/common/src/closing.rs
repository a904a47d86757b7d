//! Sockets that are closed for the server but not for the system.
//!
//! A socket that is closed with unread input answers with a reset, and a reset may take from the
//! peer what it was sent last. So a socket is first closed for writing only; what still comes is
//! thrown away until the peer closes too, or its time is up.

use std::{collections::VecDeque, io, net::Shutdown, ops::ControlFlow};

use slab::Slab;
use zookeeper_core::Instant;

use crate::poll::{Poll, Source, Stream};

/// Sockets that may be closing at a time; beyond that the oldest goes.
const SOCKETS_MAX: usize = 1_024;

/// Bytes thrown away for one of them; who sends more gets its reset.
const DISCARDED_MAX: usize = 1 << 20;

#[derive(Debug)]
struct Closing<S> {
    stream: S,
    discarded: usize,
    serial: u64,
}

/// All closing sockets, in the order in which their time is up.
#[derive(Debug)]
pub(crate) struct ClosingSockets<S> {
    sockets: Slab<Closing<S>>,
    deadlines: VecDeque<(Instant, usize, u64)>,
    serial: u64,
}

impl<S: Stream> ClosingSockets<S> {
    pub(crate) const fn new() -> Self {
        Self { sockets: Slab::new(), deadlines: VecDeque::new(), serial: 0 }
    }

    /// Closes a socket that was registered for input, by `deadline` at the latest.
    pub(crate) fn close(
        &mut self,
        mut stream: S,
        deadline: Instant,
        poll: &mut impl Poll<Stream = S>,
        buffer: &mut [u8],
    ) {
        if stream.socket().shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut discarded = 0;
        if discard(&mut stream, &mut discarded, buffer).is_break() {
            return;
        }
        if self.sockets.len() >= SOCKETS_MAX {
            self.drop_oldest();
        }
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        if poll.reregister(&mut stream, Source::Closing(key)).is_err() {
            return;
        }
        self.serial += 1;
        entry.insert(Closing { stream, discarded, serial: self.serial });
        self.deadlines.push_back((deadline, key, self.serial));
    }

    /// Something came on the socket of that key, or on another one before it.
    pub(crate) fn notice(
        &mut self,
        key: usize,
        poll: &mut impl Poll<Stream = S>,
        buffer: &mut [u8],
    ) {
        let Some(Closing { stream, discarded, .. }) = self.sockets.get_mut(key) else { return };
        if discard(stream, discarded, buffer).is_break() || poll.expect_input(stream).is_err() {
            self.sockets.remove(key);
        }
    }

    /// Drops those whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(&(deadline, key, serial)) = self.deadlines.front() {
            let is_gone = self.sockets.get(key).is_none_or(|closing| closing.serial != serial);
            if !is_gone && deadline > now {
                return;
            }
            self.deadlines.pop_front();
            if !is_gone {
                self.sockets.remove(key);
            }
        }
    }

    /// Drops all. Returns whether there were any.
    pub(crate) fn clear(&mut self) -> bool {
        let had_any = !self.sockets.is_empty();
        self.sockets.clear();
        self.deadlines.clear();
        had_any
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// When [`ClosingSockets::expire`] may have something to do.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.deadlines.front().map(|&(deadline, ..)| deadline)
    }

    fn drop_oldest(&mut self) {
        while let Some((_, key, serial)) = self.deadlines.pop_front() {
            if self.sockets.get(key).is_some_and(|closing| closing.serial == serial) {
                self.sockets.remove(key);
                return;
            }
        }
    }
}

/// Throws away what there is. Breaks when the socket has nothing more to wait for.
fn discard(stream: &mut impl Stream, discarded: &mut usize, buffer: &mut [u8]) -> ControlFlow<()> {
    use ControlFlow::{Break, Continue};
    while *discarded < DISCARDED_MAX {
        match stream.read(buffer) {
            Ok(0) => return Break(()),
            Ok(count) => *discarded += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Continue(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Break(()),
        }
    }
    Break(())
}
