//! Sessions as transactions make them: time-out and ephemerals. Deadlines are somebody else's.
//!
//! Behaviour: the table of `org.apache.zookeeper.server.SessionTrackerImpl`, and the `ephemerals`
//! of `DataTree`.

use std::collections::BTreeMap;

use super::node::{NodeId, Nodes, Owner, shrink};
use crate::{
    hash::{Keys, Map},
    ids::SessionId,
};

/// The sessions of a tree.
#[derive(Debug)]
pub struct Sessions {
    by_id: Map<SessionId, Box<Session>>,
    /// Those that are known, in the order of their creation.
    order: BTreeMap<u64, SessionId>,
    /// The place of the next one.
    next: u64,
    ephemerals: usize,
}

#[derive(Debug, Default)]
struct Session {
    /// `None` where only ephemerals are known: a log may lag behind the snapshot.
    timeout_ms: Option<i32>,
    /// Its place in the order.
    place: u64,
    /// In an order that depends on history only.
    ephemerals: Vec<NodeId>,
}

/// What a session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionView {
    /// The time-out it was created with, in milliseconds.
    pub timeout_ms: i32,
    /// How many ephemeral znodes it has.
    pub ephemerals: usize,
}

impl Sessions {
    pub(super) fn new(keys: &Keys) -> Self {
        Self { by_id: keys.map(), order: BTreeMap::new(), next: 0, ephemerals: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// A session.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<SessionView> {
        let session = self.by_id.get(&id)?;
        let timeout_ms = session.timeout_ms?;
        Some(SessionView { timeout_ms, ephemerals: session.ephemerals.len() })
    }

    /// All sessions, in the order of their creation.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, SessionView)> {
        self.order.values().filter_map(|&id| Some((id, self.get(id)?)))
    }

    /// The place that the next session will have in the order.
    pub(super) const fn next_place(&self) -> u64 {
        self.next
    }

    /// The place of a session that is known, and its time-out.
    pub(super) fn place(&self, id: SessionId) -> Option<(u64, i32)> {
        let session = self.by_id.get(&id)?;
        Some((session.place, session.timeout_ms?))
    }

    /// The sessions at the places `from..bound`, with their places and time-outs.
    pub(super) fn between(
        &self,
        from: u64,
        bound: u64,
    ) -> impl Iterator<Item = (u64, SessionId, i32)> {
        self.order
            .range(from..bound)
            .filter_map(|(&place, &id)| Some((place, id, self.by_id.get(&id)?.timeout_ms?)))
    }

    pub(super) const fn ephemeral_count(&self) -> usize {
        self.ephemerals
    }

    /// Whether a transaction has created it and none has ended it.
    pub(super) fn is_known(&self, id: SessionId) -> bool {
        self.by_id.get(&id).is_some_and(|session| session.timeout_ms.is_some())
    }

    /// A session's ephemerals, in an order that depends on history only.
    pub(super) fn ephemerals(&self, id: SessionId) -> &[NodeId] {
        self.by_id.get(&id).map_or(&[], |session| &session.ephemerals)
    }

    /// The ephemerals of sessions that nobody knows, sorted.
    pub(super) fn orphans(&self) -> Vec<NodeId> {
        let unknown = self.by_id.values().filter(|session| session.timeout_ms.is_none());
        let mut orphans: Vec<_> =
            unknown.flat_map(|session| session.ephemerals.iter().copied()).collect();
        orphans.sort_unstable();
        orphans
    }

    /// Makes a session known, or gives it another time-out.
    pub(super) fn create(&mut self, id: SessionId, timeout_ms: i32) {
        let session = self.by_id.entry(id).or_default();
        if session.timeout_ms.replace(timeout_ms).is_none() {
            session.place = self.next;
            self.order.insert(self.next, id);
            self.next += 1;
        }
    }

    /// Forgets a session whose ephemerals are gone.
    pub(super) fn remove(&mut self, id: SessionId) {
        let Some(session) = self.by_id.remove(&id) else { return };
        debug_assert!(session.ephemerals.is_empty(), "ephemerals go with their session");
        if session.timeout_ms.is_some() {
            self.order.remove(&session.place);
        }
    }

    /// Gives a znode to its session. Returns its place there.
    pub(super) fn add_ephemeral(&mut self, id: SessionId, node: NodeId) -> u32 {
        let ephemerals = &mut self.by_id.entry(id).or_default().ephemerals;
        self.ephemerals += 1;
        ephemerals.push(node);
        u32::try_from(ephemerals.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a znode from its session. Returns the znode that has its place now.
    pub(super) fn remove_ephemeral(&mut self, id: SessionId, place: u32) -> Option<NodeId> {
        let session = self.by_id.get_mut(&id)?;
        self.ephemerals -= 1;
        session.ephemerals.swap_remove(place as usize);
        shrink(&mut session.ephemerals);
        let moved = session.ephemerals.get(place as usize).copied();
        if session.timeout_ms.is_none() && session.ephemerals.is_empty() {
            self.by_id.remove(&id);
        }
        moved
    }

    pub(super) fn check_invariants(&self, nodes: &Nodes) {
        let mut known = 0;
        let mut total = 0;
        for (&id, session) in &self.by_id {
            if session.timeout_ms.is_some() {
                known += 1;
                assert_eq!(self.order.get(&session.place), Some(&id));
            } else {
                assert!(!session.ephemerals.is_empty(), "the unknown is forgotten");
            }
            for (place, &node) in session.ephemerals.iter().enumerate() {
                let node = nodes.get(node);
                assert_eq!(node.owner, Owner::Session(id));
                assert_eq!(node.ephemeral_place as usize, place);
            }
            total += session.ephemerals.len();
        }
        assert_eq!(known, self.order.len());
        assert_eq!(total, self.ephemerals);
        let owned = nodes.iter().filter(|(_, node)| node.owner.is_session()).count();
        assert_eq!(owned, total, "every ephemeral belongs to a session");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn sessions_keep_the_order_of_their_creation() {
        let mut sessions = Sessions::new(&Keys::new(&mut Rng::new(1)));
        for id in [30, 10, 20] {
            sessions.create(SessionId(id), 1);
        }
        sessions.create(SessionId(30), 5);
        sessions.remove(SessionId(10));
        sessions.create(SessionId(10), 2);
        let all: Vec<_> = sessions.iter().map(|(id, view)| (id.0, view.timeout_ms)).collect();
        assert_eq!(all, [(30, 5), (20, 1), (10, 2)]);
        assert_eq!(sessions.len(), 3);
    }
}
