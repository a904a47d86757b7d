//! Trying again.

use std::{
    future::Future,
    hash::{BuildHasher as _, RandomState},
};

use async_io::Timer;
use zookeeper_core::client::{Error, Operation, Repetition, Retry, RetryPolicy};

use super::Client;

impl Client {
    /// Does something, again and again while it fails for reasons that may pass, as often and as
    /// long as `policy` allows. `repetition` says what happens when it is done again although it
    /// was done already, of which nobody can be sure when a connection is lost.
    ///
    /// ```no_run
    /// # use zookeeper_smol::{Client, client::Error};
    /// # async fn example(client: Client) -> Result<(), Error> {
    /// use zookeeper_smol::client::{Repetition, RetryPolicy};
    ///
    /// let policy = RetryPolicy::default();
    /// let names = client.retry(policy, Repetition::Harmless, || client.get_children("/")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The last try's.
    pub fn retry<T, F, R>(
        &self,
        policy: RetryPolicy,
        repetition: Repetition,
        mut attempt: F,
    ) -> impl Future<Output = Result<T, Error>> + use<T, F, R>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, Error>>,
    {
        let clock = self.shared().clock;
        let mut retry = Retry::new(policy, clock.now(), random());
        async move {
            loop {
                let error = match attempt().await {
                    Ok(output) => return Ok(output),
                    Err(error) => error,
                };
                let Some(delay) = retry.handle_failure(clock.now(), &error, repetition) else {
                    return Err(error);
                };
                tracing::debug!(%error, ?delay, "trying again");
                Timer::after(delay).await;
            }
        }
    }

    /// Submits an operation again and again, while it fails for reasons that may pass and its
    /// [`repetition`](Operation::repetition) allows it.
    ///
    /// # Errors
    ///
    /// The last try's.
    pub fn call_retrying<O>(
        &self,
        policy: RetryPolicy,
        operation: O,
    ) -> impl Future<Output = Result<O::Output, Error>> + Send + 'static + use<O>
    where
        O: Operation + Send + 'static,
    {
        let client = self.clone();
        let repetition = operation.repetition();
        self.retry(policy, repetition, move || client.call_ref(&operation))
    }
}

/// A number that nobody foresees.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
