//! A request under way that sets a watch.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use zookeeper_core::client::Error;

use super::{Call, Watch};

/// A request that was submitted, and both its outcome and its watch to come.
///
/// As [`Call`]; dropping it forgets the watch, too. A request that fails sets no watch.
#[derive(Debug)]
#[must_use = "the request is sent, but what becomes of it is not known, and nothing is watched"]
pub struct WatchCall<T> {
    call: Call<T>,
    /// Until it is handed out; none if the request was not submitted.
    watch: Option<Watch>,
}

impl<T> WatchCall<T> {
    pub(crate) const fn new(call: Call<T>, watch: Option<Watch>) -> Self {
        Self { call, watch }
    }
}

impl<T> Future for WatchCall<T> {
    type Output = Result<(T, Watch), Error>;

    /// # Panics
    ///
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.call).poll(cx));
        let watch = self.watch.take();
        Poll::Ready(match (result, watch) {
            (Ok(output), Some(watch)) => Ok((output, watch)),
            (Ok(_), None) => unreachable!("what was submitted has its watch"),
            // A watch that was not set is forgotten.
            (Err(error), _) => Err(error),
        })
    }
}
