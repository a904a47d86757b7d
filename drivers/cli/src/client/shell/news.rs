//! What the session tells while somebody types: printed by a thread of its own, since the prompt
//! may be busy for as long as a command runs, and the session must not wait for it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::client::{connection::Notice, failure::CommandError};

/// How many notices may wait for the prompt. What comes behind that is counted, and dropped.
const WAITING_MAX: usize = 10_000;

/// How long the last notices may take to be shown.
const LINGER: Duration = Duration::from_secs(1);

/// Prints notices.
pub(super) struct NewsPrinter {
    sender: SyncSender<Option<Notice>>,
    shared: Arc<Shared>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Shared {
    is_hidden: AtomicBool,
    dropped: AtomicU64,
}

impl NewsPrinter {
    /// Starts the thread, which ends when `print` fails.
    pub(super) fn start(
        mut print: impl FnMut(&Notice) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, CommandError> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let (alive, ended) = sync_channel(0);
        let work = move || {
            work(&receiver, &its, &mut print);
            drop(alive);
        };
        let system = |source| CommandError::System { what: "a thread".into(), source };
        thread::Builder::new().name("news".into()).spawn(work).map_err(system)?;
        Ok(Self { sender, shared, ended })
    }

    /// What the session is to tell.
    pub(super) fn listener(&self) -> impl Fn(Notice) + Clone + Send + 'static {
        let sender = self.sender.clone();
        let shared = Arc::clone(&self.shared);
        move |notice| {
            let is_event = matches!(notice, Notice::Event { .. });
            if is_event && shared.is_hidden.load(Ordering::Relaxed) {
                return;
            }
            if let Err(TrySendError::Full(_)) = sender.try_send(Some(notice)) {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Shows events or does not; what it is now.
    pub(super) fn show(&self, is_on: bool) -> bool {
        self.shared.is_hidden.store(!is_on, Ordering::Relaxed);
        is_on
    }

    /// Whether events are shown.
    pub(super) fn is_shown(&self) -> bool {
        !self.shared.is_hidden.load(Ordering::Relaxed)
    }

    /// Prints what is left. The prompt may have taken a line that it never shows: nobody waits for
    /// that.
    pub(super) fn finish(self) {
        if self.sender.try_send(None).is_ok() {
            // Nothing is ever sent: it ends, or it does not.
            let _ = self.ended.recv_timeout(LINGER);
        }
    }
}

fn work(
    receiver: &Receiver<Option<Notice>>,
    shared: &Shared,
    print: &mut impl FnMut(&Notice) -> io::Result<()>,
) {
    while let Ok(Some(notice)) = receiver.recv() {
        let missed = shared.dropped.swap(0, Ordering::Relaxed);
        if missed > 0 && print(&Notice::Missed(missed)).is_err() {
            return;
        }
        if print(&notice).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use zookeeper_core::{Zxid, client::WatchEventKind};

    use super::*;
    use crate::client::connection::Reach;

    fn event(path: &str) -> Notice {
        Notice::Event { kind: WatchEventKind::NodeCreated, path: path.into(), zxid: Zxid(1) }
    }

    #[test]
    fn notices_are_printed_in_order_unless_they_are_hidden() {
        let printed = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&printed);
        let print = move |notice: &Notice| {
            its.lock().expect("no panic").push(notice.clone());
            Ok(())
        };
        let news = NewsPrinter::start(print).expect("a thread");
        let tell = news.listener();
        tell(event("/a"));
        assert!(news.is_shown());
        assert!(!news.show(false));
        tell(event("/hidden"));
        tell(Notice::State(Reach::Suspended));
        assert!(news.show(true));
        tell(event("/b"));
        drop(tell);
        news.finish();
        let expected = [event("/a"), Notice::State(Reach::Suspended), event("/b")];
        assert_eq!(printed.lock().expect("no panic")[..], expected);
    }
}
