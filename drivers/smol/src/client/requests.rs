//! Who waits for which request.

use std::{collections::VecDeque, sync::Arc};

use zookeeper_core::client::{RequestId, WatcherId};

use super::{call::Complete, watch::WatchCell};

/// A request that is not complete.
pub(crate) struct Request {
    pub(crate) slot: Arc<dyn Complete>,
    /// The watch that it sets.
    pub(crate) watch: Option<(WatcherId, Arc<WatchCell>)>,
}

/// Requests that are not complete, by their ids: these rise, and requests complete nearly in order,
/// so that a window is enough.
///
/// ```text
///     oldest                          the next id
///       |  some  gone  some  some       |
///       +-----+-----+-----+-----+ - - - +
/// ```
#[derive(Default)]
pub(crate) struct Requests {
    oldest: u64,
    /// `None` is complete, or the session's own.
    window: VecDeque<Option<Request>>,
}

impl Requests {
    pub(crate) fn insert(&mut self, id: RequestId, request: Request) {
        if self.window.is_empty() {
            self.oldest = id.0;
        }
        let newest = self.oldest + self.window.len() as u64;
        debug_assert!(newest <= id.0, "ids rise");
        self.window.extend((newest..id.0).map(|_| None));
        self.window.push_back(Some(request));
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Request> {
        let index = usize::try_from(id.0.checked_sub(self.oldest)?).ok()?;
        let request = self.window.get_mut(index)?.take();
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.oldest += 1;
        }
        request
    }

    /// All that are not complete.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Request> {
        self.window.drain(..).flatten()
    }

    /// The width of the window.
    pub(crate) fn len(&self) -> usize {
        self.window.len()
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::client::{Chroot, operation::RemoveWatches};

    use super::{super::call::Slot, *};

    fn request() -> Request {
        Request {
            slot: Slot::new(|_, result| RemoveWatches::output(result), Chroot::none()),
            watch: None,
        }
    }

    #[test]
    fn the_window_moves_with_the_oldest() {
        let mut requests = Requests::default();
        for id in [7, 8, 12] {
            requests.insert(RequestId(id), request());
        }
        assert!(requests.remove(RequestId(6)).is_none());
        assert!(requests.remove(RequestId(10)).is_none());
        assert!(requests.remove(RequestId(8)).is_some());
        assert_eq!(requests.len(), 6);
        assert!(requests.remove(RequestId(7)).is_some());
        assert_eq!(requests.len(), 1);
        assert!(requests.remove(RequestId(8)).is_none());
        assert!(requests.remove(RequestId(12)).is_some());
        assert_eq!(requests.len(), 0);
        requests.insert(RequestId(90), request());
        assert_eq!((requests.len(), requests.drain().count()), (1, 1));
    }
}
