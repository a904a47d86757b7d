//! A request under way: the caller's future and the place where its outcome is put.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use zookeeper_core::{
    client::{Chroot, Error, RequestError},
    wire::Response,
};

/// What a reply means to its caller. It runs while the reply is still in the input buffer.
pub(crate) type Output<T> = fn(&Chroot, Result<Response<'_>, RequestError>) -> Result<T, Error>;

/// A request that was submitted, and its outcome to come.
///
/// The request is on its way before this is polled, and requests are sent in the order in which
/// they were submitted. Dropping it forgets the outcome, not the request.
#[must_use = "the request is sent, but what becomes of it is not known"]
pub struct Call<T>(State<T>);

enum State<T> {
    /// It was not submitted: it was refused, or nothing had to be asked.
    Settled(Option<Result<T, Error>>),
    Submitted(Arc<Slot<T>>),
}

impl<T> Call<T> {
    pub(crate) const fn settled(result: Result<T, Error>) -> Self {
        Self(State::Settled(Some(result)))
    }

    pub(crate) fn refused(error: impl Into<Error>) -> Self {
        Self::settled(Err(error.into()))
    }

    pub(crate) const fn submitted(slot: Arc<Slot<T>>) -> Self {
        Self(State::Submitted(slot))
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Error>;

    /// # Panics
    ///
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Settled(result) => {
                Poll::Ready(result.take().expect("a call is not polled after its end"))
            }
            State::Submitted(slot) => {
                let result = ready!(slot.poll(cx));
                // There is nothing left to forget when this is dropped.
                self.0 = State::Settled(None);
                Poll::Ready(result)
            }
        }
    }
}

// Nothing in it is pinned: the outcome lives elsewhere.
impl<T> Unpin for Call<T> {}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if let State::Submitted(slot) = &self.0 {
            slot.forget();
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Settled(_) => "Call(settled)",
            State::Submitted(_) => "Call(submitted)",
        })
    }
}

/// Where the driver puts an outcome, whatever its type.
pub(crate) trait Complete: Send + Sync {
    /// Puts it there; the waker is the caller's, to be woken once nothing is locked.
    fn complete(&self, result: Result<Response<'_>, RequestError>) -> Option<Waker>;
}

/// Where the outcome of one request is put.
pub(crate) struct Slot<T> {
    output: Output<T>,
    chroot: Chroot,
    progress: Mutex<Progress<T>>,
}

enum Progress<T> {
    Waiting(Option<Waker>),
    Done(Result<T, Error>),
    /// The outcome was taken, or nobody wants it.
    Over,
}

impl<T> Slot<T> {
    pub(crate) fn new(output: Output<T>, chroot: Chroot) -> Arc<Self> {
        Arc::new(Self { output, chroot, progress: Mutex::new(Progress::Waiting(None)) })
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, Error>> {
        let mut progress = self.lock();
        match &mut *progress {
            Progress::Waiting(waker) => {
                let old = match waker {
                    Some(waker) if waker.will_wake(cx.waker()) => None,
                    waker => waker.replace(cx.waker().clone()),
                };
                // Dropping a waker may run anything, this slot's own end included.
                drop(progress);
                drop(old);
                Poll::Pending
            }
            Progress::Done(_) => match mem::replace(&mut *progress, Progress::Over) {
                Progress::Done(result) => Poll::Ready(result),
                _ => unreachable!("it was just seen"),
            },
            Progress::Over => panic!("a call is not polled after its end"),
        }
    }

    fn forget(&self) {
        let old = mem::replace(&mut *self.lock(), Progress::Over);
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        // Nothing in here is half done when something panics.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Complete for Slot<T> {
    fn complete(&self, result: Result<Response<'_>, RequestError>) -> Option<Waker> {
        let mut progress = self.lock();
        let Progress::Waiting(waker) = &mut *progress else { return None };
        let waker = waker.take();
        *progress = Progress::Done((self.output)(&self.chroot, result));
        waker
    }
}
