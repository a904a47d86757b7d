//! What always holds between two calls, checked in full: for tests, fuzzing and simulation.

use super::{
    Endpoint,
    connection::{Connection, State},
};

impl Endpoint {
    /// Checks everything that must always hold: for tests, fuzzing and simulation.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug in this crate.
    pub fn check_invariants(&self) {
        self.liveness.check_invariants();
        let (mut outstanding, mut output, mut large, mut deadlines) = (0, 0, 0, 0);
        for connection in self.table.iter() {
            connection.outbox.check_invariants();
            outstanding += connection.unanswered();
            output += connection.counted_output;
            large += connection.lent.iter().map(|lent| lent.large).sum::<usize>();
            let waiting = self.ready.iter().filter(|&&id| id == connection.id).count();
            assert_eq!(waiting, usize::from(connection.is_ready));
            self.check_flow(connection);
            if let Some(at) = connection.deadline {
                deadlines += 1;
                assert!(self.deadlines.contains(&(at, connection.id)));
            }
        }
        assert_eq!(outstanding, self.outstanding);
        assert_eq!(output, self.output_total);
        assert_eq!(large, self.large_total);
        assert_eq!(deadlines, self.deadlines.len());
        assert_eq!(self.per_address.values().sum::<usize>(), self.table.len());
    }

    /// A connection that may go on must have been told so: what is not is a lost wake-up.
    fn check_flow(&self, connection: &Connection) {
        let State::Active { slot, .. } = connection.state else { return };
        let flow = self.flow(connection);
        let id = connection.id;
        if self.transmitting == Some(id) {
            return;
        }
        assert!(!connection.is_waiting || !connection.lent.is_empty(), "{id} waits for nothing");
        // The total may be reached by others: it is looked at when there is something to serve. And
        // those that wait for it are woken in turn.
        if flow.stalls || connection.is_stalled {
            return;
        }
        let has_frame = self.has_frame(connection);
        assert!(!flow.serves || !has_frame || connection.is_ready, "{id} is served");
        assert!(flow.reads || !connection.wants_read, "{id} is read against the limits");
        assert!(!flow.reads || connection.wants_read || has_frame, "{id} is read");
        assert_eq!(flow.pauses, self.liveness.is_paused(slot), "{id}'s session is paused");
    }
}
