//! The connections, by slot and generation.

use super::connection::Connection;
use crate::ids::ConnId;

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// All connections. A stale id finds nothing.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    len: usize,
}

impl Table {
    /// Takes a free slot for what `make` returns.
    pub(super) fn insert(&mut self, make: impl FnOnce(ConnId) -> Connection) -> ConnId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        let id = ConnId::new(index, slot.generation);
        slot.connection = Some(Box::new(make(id)));
        self.len += 1;
        id
    }

    pub(super) fn get(&self, id: ConnId) -> Option<&Connection> {
        let slot = self.slots.get(id.slot() as usize)?;
        if slot.generation == id.generation() { slot.connection.as_deref() } else { None }
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(id.slot() as usize)?;
        if slot.generation == id.generation() { slot.connection.as_deref_mut() } else { None }
    }

    /// Frees the slot; its next user has another generation.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Box<Connection>> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot() as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot());
        self.len -= 1;
        slot.connection.take()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().filter_map(|slot| slot.connection.as_deref())
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}
