//! The three-level view of a session, and who waits for it to change.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use slab::Slab;
use zookeeper_core::client::{CloseReason, ConnectionState};

use super::shared::Shared;

/// States kept for those who are slow to look.
const HISTORY_MAX: usize = 64;

/// Tells every change of the session's state, in order, beginning with the present one.
///
/// It is a [`Stream`], which ends after the last [`ConnectionState::Lost`]. Who does not look for
/// long misses the oldest of many changes, never the newest. It keeps no session open.
#[derive(Debug)]
pub struct StateWatcher {
    shared: Arc<Shared>,
    /// The number of the state to tell next.
    next: u64,
    /// Its place among those who wait.
    key: usize,
}

impl StateWatcher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (next, key) = {
            let mut inner = shared.lock();
            (inner.states.newest_number(), inner.states.waiting.insert(None))
        };
        Self { shared, next, key }
    }

    /// The next state; `None` when there will be none.
    pub async fn next(&mut self) -> Option<ConnectionState> {
        poll_fn(|cx| self.poll_state(cx)).await
    }

    /// Waits until a server is reached; `Err` says why none ever will.
    pub(crate) async fn connected(mut self) -> Result<(), CloseReason> {
        while let Some(state) = self.next().await {
            if state.is_connected() {
                return Ok(());
            }
        }
        Err(self.ended().await)
    }

    /// Waits until the session is over for good.
    pub(crate) async fn ended(mut self) -> CloseReason {
        while self.next().await.is_some() {}
        // The stream ends when there is a reason.
        self.shared.lock().close_reason().unwrap_or(CloseReason::Detached)
    }

    fn poll_state(&mut self, cx: &Context<'_>) -> Poll<Option<ConnectionState>> {
        let mut inner = self.shared.lock();
        if let Some(state) = inner.states.state(&mut self.next) {
            return Poll::Ready(Some(state));
        }
        if inner.close_reason().is_some() {
            return Poll::Ready(None);
        }
        let old = inner.states.waiting[self.key].replace(cx.waker().clone());
        drop(inner);
        drop(old);
        Poll::Pending
    }
}

impl Stream for StateWatcher {
    type Item = ConnectionState;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        self.poll_state(cx)
    }
}

impl Drop for StateWatcher {
    fn drop(&mut self) {
        let waker = self.shared.lock().states.waiting.remove(self.key);
        drop(waker);
    }
}

/// The newest states, and who waits for the next.
#[derive(Debug)]
pub(crate) struct States {
    history: VecDeque<ConnectionState>,
    /// The number of the oldest in `history`, counted from the first ever.
    oldest: u64,
    waiting: Slab<Option<Waker>>,
}

impl States {
    pub(crate) fn new() -> Self {
        Self { history: [ConnectionState::Suspended].into(), oldest: 0, waiting: Slab::new() }
    }

    pub(crate) fn current(&self) -> ConnectionState {
        self.history.back().copied().unwrap_or(ConnectionState::Suspended)
    }

    /// Notes a change. Those who wait are added to `wakers`.
    pub(crate) fn change(&mut self, state: ConnectionState, wakers: &mut Vec<Waker>) {
        if self.current() == state {
            return;
        }
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
            self.oldest += 1;
        }
        self.history.push_back(state);
        self.wake(wakers);
    }

    /// Adds those who wait to `wakers`.
    pub(crate) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.waiting.iter_mut().filter_map(|(_, waker)| waker.take()));
    }

    fn newest_number(&self) -> u64 {
        self.oldest + self.history.len().saturating_sub(1) as u64
    }

    /// The state of this number or the oldest known after it; `next` becomes the one behind.
    fn state(&self, next: &mut u64) -> Option<ConnectionState> {
        let number = (*next).max(self.oldest);
        let index = usize::try_from(number - self.oldest).ok()?;
        let state = *self.history.get(index)?;
        *next = number + 1;
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTED: ConnectionState = ConnectionState::Connected { read_only: false };

    #[test]
    fn states_are_told_in_order_and_each_change_once() {
        let mut states = States::new();
        let mut next = 0;
        for state in [CONNECTED, CONNECTED, ConnectionState::Suspended, ConnectionState::Lost] {
            states.change(state, &mut Vec::new());
        }
        let told: Vec<_> = std::iter::from_fn(|| states.state(&mut next)).collect();
        let suspended = ConnectionState::Suspended;
        assert_eq!(told, [suspended, CONNECTED, suspended, ConnectionState::Lost]);
    }

    #[test]
    fn who_is_slow_misses_the_oldest_only() {
        let mut states = States::new();
        let mut next = 0;
        for _ in 0..HISTORY_MAX {
            states.change(CONNECTED, &mut Vec::new());
            states.change(ConnectionState::Suspended, &mut Vec::new());
        }
        let told: Vec<_> = std::iter::from_fn(|| states.state(&mut next)).collect();
        assert_eq!(told.len(), HISTORY_MAX);
        assert_eq!(told.last(), Some(&ConnectionState::Suspended));
        assert_eq!(next, 2 * HISTORY_MAX as u64 + 1);
    }
}
