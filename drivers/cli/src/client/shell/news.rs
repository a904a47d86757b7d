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

use crate::client::{connection::Notice, failure::CommandError, json, output::Form, render};

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
    /// Starts the thread. `print` gets whole lines.
    pub(super) fn start(
        mut print: impl FnMut(String) -> io::Result<()> + Send + 'static,
        form: Form,
    ) -> Result<Self, CommandError> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let (alive, ended) = sync_channel(0);
        let work = move || {
            work(&receiver, &its, form, &mut print);
            drop(alive);
        };
        let system = |source| CommandError::System { what: "a thread".into(), source };
        thread::Builder::new().name("news".into()).spawn(work).map_err(system)?;
        Ok(Self { sender, shared, ended })
    }

    /// What the session is to tell.
    pub(super) fn listener(&self) -> impl Fn(Notice) + Send + Sync + 'static {
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
    form: Form,
    print: &mut impl FnMut(String) -> io::Result<()>,
) {
    while let Ok(Some(notice)) = receiver.recv() {
        let mut text = if form.json {
            json::notice(&notice).to_string()
        } else {
            render::notice(&notice, &form)
        };
        text.push('\n');
        let dropped = shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !form.json {
            text.push_str(&format!("{dropped} more came too fast to be shown\n"));
        }
        if print(text).is_err() {
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

    const FORM: Form = Form { json: false, terminal: true, line_end: true, colour: false };

    fn event(path: &str) -> Notice {
        Notice::Event { kind: WatchEventKind::NodeCreated, path: path.into(), zxid: Zxid(1) }
    }

    #[test]
    fn notices_are_printed_in_order_unless_they_are_hidden() {
        let printed = Arc::new(Mutex::new(String::new()));
        let its = Arc::clone(&printed);
        let print = move |text: String| {
            its.lock().expect("no panic").push_str(&text);
            Ok(())
        };
        let news = NewsPrinter::start(print, FORM).expect("a thread");
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
        let text = printed.lock().expect("no panic");
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            matches!(lines[..], ["NodeCreated /a", state, "NodeCreated /b"]
                if state.starts_with("Disconnected")),
            "{lines:?}"
        );
    }
}
