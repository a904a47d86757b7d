//! A request under way, and where its outcome goes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use zookeeper_core::{
    client::{Chroot, Error, RequestError, SubmitError},
    wire::Response,
};

use super::callbacks::Callback;

/// What a reply means to its caller. It runs while the reply is still in the input buffer.
pub(super) type Output<T> = fn(&Chroot, Result<Response<'_>, RequestError>) -> Result<T, Error>;

/// Somebody who waits for an outcome, whatever its type.
pub(super) trait Pending: Send {
    /// The session's answer. What is to run on the callback thread is added to `callbacks`.
    fn complete(
        self: Box<Self>,
        result: Result<Response<'_>, RequestError>,
        callbacks: &mut Vec<Callback>,
    );

    /// The session takes no such request.
    fn refuse(self: Box<Self>, error: SubmitError, callbacks: &mut Vec<Callback>);
}

/// Where an outcome goes.
pub(super) trait Sink<T>: Send {
    /// Puts it there.
    fn put(self, result: Result<T, Error>, callbacks: &mut Vec<Callback>);
}

/// A request under way.
pub(super) struct Call<T, S> {
    output: Output<T>,
    chroot: Chroot,
    sink: S,
}

impl<T, S: Sink<T>> Call<T, S> {
    pub(super) const fn new(output: Output<T>, chroot: Chroot, sink: S) -> Self {
        Self { output, chroot, sink }
    }
}

impl<T, S: Sink<T>> Pending for Call<T, S> {
    fn complete(
        self: Box<Self>,
        result: Result<Response<'_>, RequestError>,
        callbacks: &mut Vec<Callback>,
    ) {
        let result = (self.output)(&self.chroot, result);
        self.sink.put(result, callbacks);
    }

    fn refuse(self: Box<Self>, error: SubmitError, callbacks: &mut Vec<Callback>) {
        self.sink.put(Err(error.into()), callbacks);
    }
}

/// A function that runs on the callback thread, in the session's order.
pub(super) struct Later<F>(pub(super) F);

impl<T, F> Sink<T> for Later<F>
where
    T: Send + 'static,
    F: FnOnce(Result<T, Error>) + Send + 'static,
{
    fn put(self, result: Result<T, Error>, callbacks: &mut Vec<Callback>) {
        callbacks.push(Box::new(move || (self.0)(result)));
    }
}

/// Where a blocked caller finds its outcome.
#[derive(Debug)]
pub(super) struct Slot<T> {
    result: Mutex<Option<Result<T, Error>>>,
    is_there: Condvar,
}

impl<T> Slot<T> {
    /// The slot, and the end of it that is handed to the loop.
    pub(super) fn new() -> (Arc<Self>, Filler<T>) {
        let slot = Arc::new(Self { result: Mutex::new(None), is_there: Condvar::new() });
        (Arc::clone(&slot), Filler(Some(slot)))
    }

    /// Waits for the outcome. The loop wakes the caller itself.
    pub(super) fn wait(&self) -> Result<T, Error> {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = result.take() {
                return result;
            }
            result = self.is_there.wait(result).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fill(&self, result: Result<T, Error>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.is_there.notify_one();
    }
}

/// Fills a slot, whatever happens.
pub(super) struct Filler<T>(Option<Arc<Slot<T>>>);

impl<T: Send> Sink<T> for Filler<T> {
    fn put(mut self, result: Result<T, Error>, _callbacks: &mut Vec<Callback>) {
        if let Some(slot) = self.0.take() {
            slot.fill(result);
        }
    }
}

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.fill(Err(RequestError::Closed { maybe_executed: true }.into()));
        }
    }
}
