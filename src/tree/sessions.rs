//! Sessions as transactions make them: time-out and ephemerals. Deadlines are somebody else's.

use crate::{
    hash::{Keys, Map},
    ids::SessionId,
};

use super::node::{NodeId, Nodes};

/// The sessions of a tree.
#[derive(Debug)]
pub struct Sessions {
    by_id: Map<SessionId, Session>,
    /// Counts sessions, to keep them in order.
    created: u64,
    ephemerals: usize,
}

#[derive(Debug)]
struct Session {
    timeout_ms: i32,
    ephemerals: Vec<NodeId>,
    order: u64,
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
        Self { by_id: keys.map(), created: 0, ephemerals: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A session.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<SessionView> {
        self.by_id.get(&id).map(Session::view)
    }

    /// All sessions, in the order of their creation.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, SessionView)> {
        let mut all: Vec<_> = self.by_id.iter().collect();
        all.sort_unstable_by_key(|(_, session)| session.order);
        all.into_iter().map(|(&id, session)| (id, session.view()))
    }

    pub(super) const fn ephemeral_count(&self) -> usize {
        self.ephemerals
    }

    /// A session's ephemerals, in an order that depends on history only.
    pub(super) fn ephemerals(&self, id: SessionId) -> &[NodeId] {
        self.by_id.get(&id).map_or(&[], |session| &session.ephemerals)
    }

    pub(super) fn create(&mut self, id: SessionId, timeout_ms: i32) {
        self.created += 1;
        let order = self.created;
        let session =
            self.by_id.entry(id).or_insert(Session { timeout_ms, ephemerals: Vec::new(), order });
        session.timeout_ms = timeout_ms;
    }

    /// Forgets a session whose ephemerals are gone.
    pub(super) fn remove(&mut self, id: SessionId) {
        let session = self.by_id.remove(&id);
        debug_assert!(session.is_none_or(|session| session.ephemerals.is_empty()));
    }

    /// Gives a znode to its session. Returns its place there.
    pub(super) fn add_ephemeral(&mut self, id: SessionId, node: NodeId) -> u32 {
        self.created += 1;
        let order = self.created;
        // Old logs may have ephemerals of sessions that they do not create.
        let session = self.by_id.entry(id).or_insert(Session {
            timeout_ms: 0,
            ephemerals: Vec::new(),
            order,
        });
        self.ephemerals += 1;
        session.ephemerals.push(node);
        u32::try_from(session.ephemerals.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes a znode from its session. Returns the znode that has its place now.
    pub(super) fn remove_ephemeral(&mut self, id: SessionId, place: u32) -> Option<NodeId> {
        let session = self.by_id.get_mut(&id)?;
        self.ephemerals -= 1;
        session.ephemerals.swap_remove(place as usize);
        session.ephemerals.get(place as usize).copied()
    }

    pub(super) fn check_invariants(&self, nodes: &Nodes) {
        let mut total = 0;
        for (&id, session) in &self.by_id {
            for (place, &node) in session.ephemerals.iter().enumerate() {
                let node = nodes.get(node);
                assert_eq!(node.owner, super::node::Owner::Session(id));
                assert_eq!(node.ephemeral_place as usize, place);
            }
            total += session.ephemerals.len();
        }
        assert_eq!(total, self.ephemerals);
        let owned = nodes.iter().filter(|(_, node)| node.owner.is_session()).count();
        assert_eq!(owned, total, "every ephemeral belongs to a session");
    }
}

impl Session {
    const fn view(&self) -> SessionView {
        SessionView { timeout_ms: self.timeout_ms, ephemerals: self.ephemerals.len() }
    }
}
