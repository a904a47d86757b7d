//! Watches: what a session tells one watcher.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use zookeeper_core::{
    client::{Chroot, WatchEvent, WatchedEvent, WatcherId},
    wire::WatcherType,
};

use super::{call::Call, shared::Shared};

/// What a [`Watch`] tells.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WatchUpdate {
    /// The watched znode changed, or the watch was removed.
    Event(WatchedEvent),
    /// The server is lost for now, and changes are not told. What comes next is either
    /// [`WatchUpdate::Restored`], with or without changes before it, or [`WatchUpdate::Lost`].
    Suspended,
    /// The watch is set again. A one-shot watch has missed nothing; a persistent one may have:
    /// read again what depends on it.
    Restored,
    /// So many changes were dropped because nobody read this watch: read again what depends on it.
    Missed(u64),
    /// The watch will not fire: the session is over, or the watch could not be set again. This is
    /// the last update.
    Lost,
}

/// A watch: a [`Stream`] of what happens to a znode.
///
/// - A one-shot watch tells one change and ends. A persistent watch tells every change until it is
///   removed or [lost](WatchUpdate::Lost).
/// - Every change is told before the reply to any request that shows a newer state is given.
/// - What nobody reads is kept up to a
///   [number of updates](super::ClientBuilder::watch_updates_max); beyond that it is counted and
///   told as [`WatchUpdate::Missed`].
/// - Dropping it forgets the watch here, at once and without a word to the server: what the server
///   still says of it is ignored, and a reconnect does not set it again.
///   [`Client::remove_all_watches`](super::Client::remove_all_watches) ends both sides.
/// - It keeps no session open.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    cell: Arc<WatchCell>,
    id: WatcherId,
}

impl Watch {
    pub(crate) const fn new(shared: Arc<Shared>, cell: Arc<WatchCell>, id: WatcherId) -> Self {
        Self { shared, cell, id }
    }

    /// The next update; `None` when there will be none.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "only one task is woken")]
    pub async fn next(&mut self) -> Option<WatchUpdate> {
        poll_fn(|cx| self.cell.poll(cx)).await
    }

    /// Whether it may still tell something that it has not told yet.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let queue = self.cell.lock();
        !queue.is_finished || !queue.is_empty()
    }

    /// Removes the watch here, and asks the server whether it was there, as upstream's clients do.
    /// The server's side of it stays: another watcher of this session may depend on it.
    pub fn remove(self) -> Call<()> {
        self.shared.remove_watch(&self.cell, self.id)
    }
}

impl Stream for Watch {
    type Item = WatchUpdate;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchUpdate>> {
        self.cell.poll(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.forget_watch(&self.cell, self.id);
        let waker = self.cell.lock().waker.take();
        drop(waker);
    }
}

/// What driver and watch share.
#[derive(Debug)]
pub(crate) struct WatchCell {
    /// The server's name of the watched path.
    pub(crate) path: Box<str>,
    pub(crate) kind: WatcherType,
    chroot: Chroot,
    updates_max: usize,
    queue: Mutex<Queue>,
}

/// Updates not read yet. Once `waiting` is full, what comes goes to `overflow`, and everything
/// after it too until the reader has caught up: so order is kept and room bounded.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<WatchUpdate>,
    overflow: Overflow,
    is_lost: bool,
    /// Nothing will come any more.
    is_finished: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Overflow {
    missed: u64,
    /// The newest of `Suspended` and `Restored`.
    state: Option<WatchUpdate>,
}

impl WatchCell {
    pub(crate) fn new(
        path: Box<str>,
        kind: WatcherType,
        chroot: Chroot,
        updates_max: usize,
    ) -> Arc<Self> {
        Arc::new(Self { path, kind, chroot, updates_max, queue: Mutex::default() })
    }

    /// Tells a change; whether it was the last.
    pub(crate) fn tell(&self, event: &WatchEvent<'_>, wakers: &mut Vec<Waker>) -> bool {
        let is_one_shot = matches!(self.kind, WatcherType::Children | WatcherType::Data);
        let is_last = is_one_shot || event.kind.is_removal();
        let event = WatchUpdate::Event(WatchedEvent::new(event, &self.chroot));
        let mut queue = self.lock();
        queue.push(event, self.updates_max);
        queue.is_finished |= is_last;
        wakers.extend(queue.waker.take());
        is_last
    }

    /// Tells that the connection went or came back.
    pub(crate) fn tell_state(&self, update: WatchUpdate, wakers: &mut Vec<Waker>) {
        let mut queue = self.lock();
        queue.push(update, self.updates_max);
        wakers.extend(queue.waker.take());
    }

    /// Tells that it is over.
    pub(crate) fn lose(&self, wakers: &mut Vec<Waker>) {
        let mut queue = self.lock();
        if !mem::replace(&mut queue.is_finished, true) {
            queue.is_lost = true;
        }
        wakers.extend(queue.waker.take());
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<WatchUpdate>> {
        let mut queue = self.lock();
        if let Some(update) = queue.pop() {
            return Poll::Ready(Some(update));
        }
        if queue.is_finished {
            return Poll::Ready(None);
        }
        let old = queue.waker.replace(cx.waker().clone());
        drop(queue);
        drop(old);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, update: WatchUpdate, max: usize) {
        if self.is_finished {
            return;
        }
        if self.overflow.is_empty() && self.waiting.len() < max {
            self.waiting.push_back(update);
        } else if let WatchUpdate::Event(_) = update {
            self.overflow.missed += 1;
        } else {
            self.overflow.state = Some(update);
        }
    }

    fn pop(&mut self) -> Option<WatchUpdate> {
        if let Some(update) = self.waiting.pop_front() {
            return Some(update);
        }
        match mem::take(&mut self.overflow.missed) {
            0 => {}
            missed => return Some(WatchUpdate::Missed(missed)),
        }
        if let Some(state) = self.overflow.state.take() {
            return Some(state);
        }
        mem::take(&mut self.is_lost).then_some(WatchUpdate::Lost)
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.overflow.is_empty() && !self.is_lost
    }
}

impl Overflow {
    const fn is_empty(&self) -> bool {
        self.missed == 0 && self.state.is_none()
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::{
        Zxid,
        client::{KeeperState, WatchEventKind},
    };

    use super::*;

    fn event(path: &str) -> WatchEvent<'_> {
        WatchEvent {
            kind: WatchEventKind::NodeDataChanged,
            path,
            zxid: Zxid(7),
            state: KeeperState::SyncConnected,
        }
    }

    fn updates(cell: &WatchCell) -> Vec<WatchUpdate> {
        std::iter::from_fn(|| cell.lock().pop()).collect()
    }

    fn changed(path: &str) -> WatchUpdate {
        WatchUpdate::Event(WatchedEvent::new(&event(path), &Chroot::none()))
    }

    fn cell(kind: WatcherType, chroot: &str, updates_max: usize) -> Arc<WatchCell> {
        let chroot = Chroot::new(chroot).expect("a path");
        WatchCell::new("/a/b".into(), kind, chroot, updates_max)
    }

    #[test]
    fn a_one_shot_watch_ends_with_its_change() {
        let cell = cell(WatcherType::Data, "/", 8);
        assert!(cell.tell(&event("/a/b"), &mut Vec::new()));
        cell.lose(&mut Vec::new());
        assert_eq!(updates(&cell), [changed("/a/b")]);
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_said() {
        let cell = cell(WatcherType::Persistent, "/a", 2);
        for _ in 0..1_000 {
            assert!(!cell.tell(&event("/a/b"), &mut Vec::new()));
            cell.tell_state(WatchUpdate::Suspended, &mut Vec::new());
            cell.tell_state(WatchUpdate::Restored, &mut Vec::new());
        }
        cell.lose(&mut Vec::new());
        let lost = WatchUpdate::Lost;
        let (missed, restored) = (WatchUpdate::Missed(999), WatchUpdate::Restored);
        assert_eq!(updates(&cell), [changed("/b"), WatchUpdate::Suspended, missed, restored, lost]);
    }

    #[test]
    fn a_path_outside_the_chroot_keeps_its_name() {
        let cell = cell(WatcherType::Data, "/a", 8);
        cell.tell(&event("/zookeeper/config"), &mut Vec::new());
        assert_eq!(updates(&cell), [changed("/zookeeper/config")]);
    }
}
