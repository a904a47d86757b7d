//! Which server to try next, and how a new list spreads the clients over its servers.
//!
//! Every client shuffles the list for itself, so that no server is everybody's first. When the
//! list changes, each client decides by chance, and alone, whether it moves and where to, with odds
//! that leave every server of the new list with its fair share.
//!
//! Behaviour: `org.apache.zookeeper.client.StaticHostProvider`; where its client passes an address
//! that may be stale, the current server is what the caller knows it to be.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::HostPort;
use crate::rng::Rng;

/// The servers of one session, in its own order.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Never empty.
    list: Vec<HostPort>,
    /// The place in `list` tried last; `None` before the first attempt.
    current: Option<usize>,
    /// The place that served last, or where the first round began: coming back to it ends a round.
    last: Option<usize>,
    /// While the client moves to its share of a new list.
    rebalance: Option<Rebalance>,
}

/// One server to try.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub(super) struct Turn {
    pub(super) host: HostPort,
    /// How long to wait before it.
    pub(super) wait: Duration,
}

/// Places in the list that have not been tried since it changed.
#[derive(Debug)]
struct Rebalance {
    /// Servers that were in the list before.
    old: VecDeque<usize>,
    /// Servers that were not.
    new: VecDeque<usize>,
    /// How often one of the old is taken while there are both.
    old_odds: Odds,
}

/// A probability, exactly: `hits` times in `of`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Odds {
    hits: u64,
    of: u64,
}

impl Hosts {
    /// The servers of a list, shuffled.
    ///
    /// # Panics
    ///
    /// When the list is empty.
    #[must_use]
    pub(super) fn new(mut list: Vec<HostPort>, rng: &mut Rng) -> Self {
        assert!(!list.is_empty(), "a session needs a server to connect to");
        shuffle(&mut list, rng);
        Self { list, current: None, last: None, rebalance: None }
    }

    /// The next server. `spin` is waited when all were tried since the last good one.
    pub(super) fn next(&mut self, spin: Duration, rng: &mut Rng) -> Turn {
        let mut ends_round = false;
        if let Some(rebalance) = &mut self.rebalance {
            if let Some(place) = rebalance.next(rng) {
                self.current = Some(place);
                return Turn { host: self.list[place].clone(), wait: Duration::ZERO };
            }
            self.rebalance = None;
            ends_round = true;
        }
        let place = self.current.map_or(0, |current| (current + 1) % self.list.len());
        self.current = Some(place);
        ends_round |= self.last == Some(place);
        // The very first attempt begins a round rather than ending one.
        self.last = self.last.or(Some(0));
        let wait = if ends_round { spin } else { Duration::ZERO };
        Turn { host: self.list[place].clone(), wait }
    }

    /// The server tried last is a good one.
    pub(super) fn connected(&mut self) {
        self.last = self.current;
        self.rebalance = None;
    }

    /// Replaces the list; whether the client has to leave its server for another one. An empty
    /// list changes nothing.
    ///
    /// `current` is the server that the client is connected to or connecting to, with its address
    /// once that is known: an address in the new list is recognised by it.
    pub(super) fn update(
        &mut self,
        mut list: Vec<HostPort>,
        current: Option<(&HostPort, Option<SocketAddr>)>,
        rng: &mut Rng,
    ) -> bool {
        if list.is_empty() {
            return false;
        }
        shuffle(&mut list, rng);
        let stays_at = match current {
            Some((host, peer)) => position(&list, host, peer.map(|peer| peer.ip())),
            None => {
                let expected = self.expected(rng);
                position(&list, &expected, None)
            }
        };
        let (old, new): (VecDeque<_>, _) = (0..list.len())
            .partition(|&place| self.list.iter().any(|known| is_same(known, &list[place])));
        let rebalance = decide(self.list.len(), old, new, stays_at.is_some(), rng);
        self.current = match (&rebalance, current) {
            (Some(_), _) => None,
            (None, Some(_)) => stays_at,
            // The round goes on where it is, if that server is still there.
            (None, None) => self
                .current
                .and_then(|place| list.iter().position(|host| is_same(host, &self.list[place]))),
        };
        self.last = self.current;
        self.list = list;
        self.rebalance = rebalance;
        self.rebalance.is_some()
    }

    /// The list, in its shuffled order.
    #[must_use]
    pub(super) fn list(&self) -> &[HostPort] {
        &self.list
    }

    /// How many servers the list names.
    #[must_use]
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// The server that stands for a client without one: its share of the load is counted there.
    fn expected(&mut self, rng: &mut Rng) -> HostPort {
        if self.rebalance.is_some() {
            return self.next(Duration::ZERO, rng).host;
        }
        self.list[self.last.unwrap_or(0)].clone()
    }
}

impl Rebalance {
    fn next(&mut self, rng: &mut Rng) -> Option<usize> {
        if self.old_odds.draw(rng) {
            self.old.pop_front().or_else(|| self.new.pop_front())
        } else {
            self.new.pop_front().or_else(|| self.old.pop_front())
        }
    }
}

impl Odds {
    const NEVER: Self = Self { hits: 0, of: 1 };
    const ALWAYS: Self = Self { hits: 1, of: 1 };

    fn draw(self, rng: &mut Rng) -> bool {
        rng.below(self.of) < self.hits
    }
}

/// Whether a client moves, and then where to first. `old` and `new` are the places of the new list
/// whose servers were and were not among the `before` servers of the list before; `stays_in_list`
/// says whether the client's own server is one of them.
fn decide(
    before: usize,
    old: VecDeque<usize>,
    new: VecDeque<usize>,
    stays_in_list: bool,
    rng: &mut Rng,
) -> Option<Rebalance> {
    let (before, kept, after) = (before as u64, old.len() as u64, (old.len() + new.len()) as u64);
    let old_odds = if after > before {
        // Each server gives away what is over its new share; all of that goes to new servers.
        let moves = Odds { hits: after - before, of: after };
        if stays_in_list && !moves.draw(rng) {
            return None;
        }
        Odds::NEVER
    } else if stays_in_list {
        // Every share grows, so nobody leaves; clients of servers that are gone fill it up.
        return None;
    } else if kept >= before {
        // Only a server outside of both lists was left: there is nothing new.
        Odds::ALWAYS
    } else {
        Odds { hits: kept.saturating_mul(before - after), of: after.saturating_mul(before - kept) }
    };
    Some(Rebalance { old, new, old_odds })
}

/// Where a server stands in a list: its name, or the address that it has.
fn position(list: &[HostPort], host: &HostPort, address: Option<IpAddr>) -> Option<usize> {
    let address = address.or_else(|| host.host.parse().ok()).map(|address| address.to_canonical());
    let has_address = |other: &HostPort| {
        let parsed = other.host.parse().ok().map(|address: IpAddr| address.to_canonical());
        other.port == host.port && parsed.is_some() && parsed == address
    };
    list.iter().position(|other| is_same(other, host)).or_else(|| list.iter().position(has_address))
}

/// Names are the same whatever their case.
fn is_same(one: &HostPort, other: &HostPort) -> bool {
    one.port == other.port && one.host.eq_ignore_ascii_case(&other.host)
}

/// Every order is equally likely.
fn shuffle(list: &mut [HostPort], rng: &mut Rng) {
    for last in (1..list.len()).rev() {
        let pick = usize::try_from(rng.below(last as u64 + 1)).unwrap_or(last);
        list.swap(last, pick);
    }
}
