//! What callers want of the loop, and how it is woken.

use std::{
    fmt, io, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mio::{Registry, Token, Waker};
use tracing::error;
use zookeeper_core::{
    Secret,
    client::{HostPort, SubmitError},
    wire::{Op, WatcherType},
};

use super::{call::Pending, watchers::Target};

/// Wakes the loop: once for all that rang before it woke.
#[derive(Debug)]
pub(super) struct Bell {
    waker: Waker,
    is_awake: AtomicBool,
}

impl Bell {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waker: Waker::new(registry, token)?, is_awake: AtomicBool::new(true) })
    }

    /// Whoever rings has left the news before.
    pub(super) fn ring(&self) {
        if !self.is_awake.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            error!(%error, "cannot wake the client");
        }
    }

    /// From now on the loop has to be woken. It looks for news once more before it sleeps.
    pub(super) fn fall_asleep(&self) {
        self.is_awake.store(false, Ordering::SeqCst);
    }

    /// The loop looks for news by itself.
    pub(super) fn wake_up(&self) {
        self.is_awake.store(true, Ordering::SeqCst);
    }
}

/// One thing a caller wants of the session.
pub(super) struct Command {
    pub(super) work: Work,
    /// Who is told what became of it.
    pub(super) pending: Box<dyn Pending>,
}

/// What is wanted. Paths are the server's.
pub(super) enum Work {
    /// A request, encoded by its caller: nothing of the caller's is borrowed.
    Request { op: Op, record: Vec<u8>, watcher: Option<Target>, timeout: Option<Duration> },
    /// The end of one watcher's watches, or of everybody's.
    RemoveWatches { path: String, watcher: Option<Target>, kind: WatcherType, local: bool },
    /// An identity.
    AddAuth { scheme: String, credentials: Secret<Vec<u8>> },
    /// Other servers.
    UpdateHosts(Vec<HostPort>),
}

/// How a session ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Ending {
    /// On the server, too.
    Close,
    /// Here alone, and at once.
    Detach,
}

/// The queue before the loop. Whoever finds it full waits for room.
#[derive(Debug)]
pub(super) struct Commands {
    state: Mutex<State>,
    room: Condvar,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    queue: Vec<Command>,
    ending: Option<Ending>,
    /// What is refused from now on, and why.
    closed: Option<SubmitError>,
}

/// Commands that may wait; the loop takes all of them at a time.
const COMMANDS_MAX: usize = 8_192;

impl Commands {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self { state: Mutex::default(), room: Condvar::new(), bell }
    }

    /// Queues a command; hands it back if there is no session any more.
    pub(super) fn push(&self, command: Command) -> Result<(), (Command, SubmitError)> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.refusal() {
                return Err((command, error));
            }
            if state.queue.len() < COMMANDS_MAX {
                break;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.queue.push(command);
        drop(state);
        self.bell.ring();
        Ok(())
    }

    /// Ends the session behind everything that waits. The harsher of two ends counts.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending = state.ending.max(Some(ending));
        drop(state);
        self.room.notify_all();
        self.bell.ring();
    }

    /// Takes everything that waits.
    pub(super) fn take(&self, commands: &mut Vec<Command>) {
        debug_assert!(commands.is_empty());
        let mut state = self.lock();
        let was_full = state.queue.len() >= COMMANDS_MAX;
        mem::swap(commands, &mut state.queue);
        drop(state);
        if was_full {
            self.room.notify_all();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// How the session is to end.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.lock().ending
    }

    /// Refuses everything from now on. Returns what still waits.
    pub(super) fn close(&self, error: SubmitError) -> Vec<Command> {
        let mut state = self.lock();
        state.closed = Some(error);
        let rest = mem::take(&mut state.queue);
        drop(state);
        self.room.notify_all();
        rest
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is half done when something panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Why nothing more is taken.
    const fn refusal(&self) -> Option<SubmitError> {
        match (self.closed, self.ending) {
            (Some(error), _) => Some(error),
            (None, Some(_)) => Some(SubmitError::Closing),
            (None, None) => None,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never what it holds: data, credentials.
        match &self.work {
            Work::Request { op, .. } => write!(f, "Command({op})"),
            Work::RemoveWatches { .. } => f.write_str("Command(remove watches)"),
            Work::AddAuth { .. } => f.write_str("Command(add auth)"),
            Work::UpdateHosts(_) => f.write_str("Command(update hosts)"),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("queue", &self.queue.len())
            .field("ending", &self.ending)
            .field("closed", &self.closed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    const BELL: Token = Token(7);

    fn rings(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).expect("polled");
        events.iter().filter(|event| event.token() == BELL).count()
    }

    #[test]
    fn a_bell_wakes_only_those_who_sleep() {
        let mut poll = Poll::new().expect("a queue");
        let bell = Bell::new(poll.registry(), BELL).expect("a waker");
        bell.ring();
        assert_eq!(rings(&mut poll), 0);
        bell.fall_asleep();
        bell.ring();
        assert_eq!(rings(&mut poll), 1);
        // It is on its way up already.
        bell.ring();
        assert_eq!(rings(&mut poll), 0);
        bell.wake_up();
        bell.fall_asleep();
        bell.ring();
        assert_eq!(rings(&mut poll), 1);
    }

    #[test]
    fn the_harsher_end_counts_and_nothing_is_taken_behind_it() {
        let poll = Poll::new().expect("a queue");
        let bell = Arc::new(Bell::new(poll.registry(), BELL).expect("a waker"));
        let commands = Commands::new(bell);
        let push = || {
            let (slot, filler) = super::super::call::Slot::new();
            let output: super::super::call::Output<()> = |_, result| Ok(result.map(drop)?);
            let pending = super::super::call::Call::new(output, Default::default(), filler);
            let work = Work::UpdateHosts(Vec::new());
            (commands.push(Command { work, pending: Box::new(pending) }), slot)
        };
        assert!(push().0.is_ok());
        commands.end(Ending::Detach);
        commands.end(Ending::Close);
        assert_eq!(commands.ending(), Some(Ending::Detach));
        let (refused, slot) = push();
        let (command, error) = refused.expect_err("it ends");
        assert_eq!(error, SubmitError::Closing);
        let mut callbacks = Vec::new();
        command.pending.refuse(error, &mut callbacks);
        assert_eq!(slot.wait(), Err(SubmitError::Closing.into()));
        assert_eq!(commands.close(SubmitError::Closed).len(), 1);
        assert_eq!(push().0.expect_err("it is over").1, SubmitError::Closed);
    }
}
