//! Creating a znode with a number so that a lost reply does not lose the znode.
//!
//! When the connection is lost while such a create is under way, nobody knows whether there is a
//! znode, nor its name. So the name gets a mark that nobody else uses, by which it is found again.
//!
//! Behaviour: `withProtection` of Apache Curator, whose names this follows.

use std::{
    future::Future,
    hash::{BuildHasher as _, RandomState},
};

use async_io::Timer;
use zookeeper_core::client::{
    Error, Repetition, Retry, RetryPolicy,
    operation::{Create, CreateOptions, Created, Payload},
};

use super::{Client, recursive::owned};

/// What a marked name begins with.
const MARK_BEGIN: &str = "_c_";

impl Client {
    /// Makes a znode with a name that can be found again: `_c_<32 hex digits>-` stands before it.
    /// When the connection is lost, the znode is looked for, and made again only if it is not
    /// there; as often as the default [`RetryPolicy`] allows. For ephemeral sequential znodes, such
    /// as those of locks and elections, above all.
    ///
    /// # Errors
    ///
    /// Why the znode could not be made, or not be looked for. In the latter case it may be there
    /// ([`Error::maybe_executed`]), until the session is over if it is ephemeral.
    pub fn create_protected<'a>(
        &self,
        path: &str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> impl Future<Output = Result<Created, Error>> + Send + 'static {
        let client = self.clone();
        let (parent, mark, path) = marked(path);
        let create = Create::new(path, owned(data.into()), options);
        let mut creating = self.call_ref(&create);
        let clock = self.shared().clock;
        let mut retry = Retry::new(RetryPolicy::default(), clock.now(), random());
        async move {
            loop {
                let mut error = match creating.await {
                    Ok(created) => return Ok(created),
                    Err(error) => error,
                };
                // Now that it is known whether it was made, to try again is harmless.
                while let Some(delay) =
                    retry.handle_failure(clock.now(), &error, Repetition::Harmless)
                {
                    Timer::after(delay).await;
                    if !error.maybe_executed() {
                        break;
                    }
                    match client.find(&parent, &mark).await {
                        Ok(Some(created)) => return Ok(created),
                        Ok(None) => break,
                        Err(failure) => error = uncertain(failure),
                    }
                }
                todo!()
            }
        }
    }
}
