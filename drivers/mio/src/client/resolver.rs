//! Names to addresses, on a thread of its own, because the system's resolver blocks.

use std::{
    fmt, io, mem,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tracing::{debug, error};
use zookeeper_core::{ConnId, client::HostPort};

use super::{commands::Bell, steppable::Resolve};

/// A question that nobody waits for any more need not be asked, and a session waits for two
/// answers at most. Beyond that the oldest goes.
const QUESTIONS_MAX: usize = 2;

/// What finds the addresses of a server.
pub(super) type Lookup = dyn Fn(&HostPort) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Asks the system.
pub(super) fn system(host: &HostPort) -> io::Result<Vec<SocketAddr>> {
    Ok((host.host.as_str(), host.port).to_socket_addrs()?.collect())
}

/// The way to the resolver's thread, which begins with the first name.
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    /// Whether addresses that need no resolver are asked for all the same.
    is_custom: bool,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asked: Condvar,
    has_answers: AtomicBool,
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct State {
    questions: Vec<Resolve>,
    answers: Vec<(ConnId, Vec<SocketAddr>)>,
    /// Whether the resolver is asked right now.
    is_busy: bool,
    is_over: bool,
}

impl Resolver {
    pub(super) fn new(lookup: Option<Arc<Lookup>>, bell: Arc<Bell>) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            asked: Condvar::new(),
            has_answers: AtomicBool::new(false),
            bell,
        };
        Self {
            is_custom: lookup.is_some(),
            lookup: lookup.unwrap_or_else(|| Arc::new(system)),
            shared: Arc::new(shared),
            thread: None,
        }
    }

    /// Looks a server up. What needs no asking is answered at once.
    pub(super) fn resolve(&mut self, wanted: Resolve) -> Option<(ConnId, Vec<SocketAddr>)> {
        if !self.is_custom
            && let Ok(address) = wanted.host.host.parse::<IpAddr>()
        {
            return Some((wanted.conn, vec![SocketAddr::new(address, wanted.host.port)]));
        }
        if self.thread.is_none() {
            let (lookup, shared) = (Arc::clone(&self.lookup), Arc::clone(&self.shared));
            let builder = thread::Builder::new().name("zookeeper-resolver".into());
            match builder.spawn(move || run(&*lookup, &shared)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    error!(%error, host = %wanted.host, "no thread to look a server up");
                    return Some((wanted.conn, Vec::new()));
                }
            }
        }
        let mut state = self.shared.lock();
        if state.questions.len() >= QUESTIONS_MAX {
            drop(state.questions.remove(0));
        }
        state.questions.push(wanted);
        drop(state);
        self.shared.asked.notify_one();
        None
    }

    /// Whether something was found.
    pub(super) fn has_answers(&self) -> bool {
        self.shared.has_answers.load(Ordering::SeqCst)
    }

    /// What was found since the last time.
    pub(super) fn answers(&self) -> Vec<(ConnId, Vec<SocketAddr>)> {
        if !self.shared.has_answers.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        mem::take(&mut self.shared.lock().answers)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("is_custom", &self.is_custom).finish_non_exhaustive()
    }
}

impl Drop for Resolver {
    /// Waits for the thread only if it is idle: the system's resolver cannot be interrupted, and
    /// its answer is thrown away when it comes.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        let is_busy = state.is_busy;
        drop(state);
        self.shared.asked.notify_one();
        if let Some(thread) = self.thread.take()
            && !is_busy
            && thread.join().is_err()
        {
            error!("the resolver's thread panicked");
        }
    }
}

impl Shared {
    /// The next question; `None` when there will be none.
    fn next(&self) -> Option<Resolve> {
        let mut state = self.lock();
        state.is_busy = false;
        loop {
            if state.is_over {
                return None;
            }
            if !state.questions.is_empty() {
                state.is_busy = true;
                return Some(state.questions.remove(0));
            }
            state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn answer(&self, conn: ConnId, addresses: Vec<SocketAddr>) {
        let mut state = self.lock();
        if state.is_over {
            return;
        }
        state.answers.push((conn, addresses));
        drop(state);
        self.has_answers.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is half done when something panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(lookup: &Lookup, shared: &Shared) {
    while let Some(Resolve { conn, host, .. }) = shared.next() {
        // The lookup may be the application's.
        let found = panic::catch_unwind(AssertUnwindSafe(|| lookup(&host)));
        let addresses = match found {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                debug!(%host, %error, "cannot look the server up");
                Vec::new()
            }
            Err(_) => {
                error!(%host, "looking the server up panicked");
                Vec::new()
            }
        };
        shared.answer(conn, addresses);
    }
}
