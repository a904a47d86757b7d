//! The end of a server that cannot keep its promises any more.

use super::{Event, Failure, Server};

impl Server {
    /// Stops for good. What waits for storage is never sent: nobody may be told what could be lost.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.failure.is_some() {
            return;
        }
        self.fired.clear();
        self.tree.end_snapshot();
        self.events.push_back(Event::Failed(failure.clone()));
        self.failure = Some(failure);
        self.endpoint.abort(self.now);
    }
}
