//! Creating a znode in such a way that a lost reply does not lose the znode.
//!
//! When the connection is lost while a sequential create is under way, nobody knows whether there
//! is a znode, nor its name. So the name gets a mark that nobody else uses, by which it is found.
//!
//! Behaviour: `withProtection` of Apache Curator, whose names these are.

use std::{
    future::Future,
    hash::{BuildHasher as _, RandomState},
};

use async_io::Timer;
use tracing::debug;
use zookeeper_core::client::{
    Error, Repetition, Retry, RetryPolicy,
    operation::{Create, CreateOptions, Created, Payload},
};

use super::{
    Client,
    recursive::{child, owned},
};

impl Client {
    /// Makes a znode with a name that can be found again: `_c_<32 hex digits>-` stands before it.
    /// When the connection is lost, the znode is looked for, and made again only if it is not
    /// there; as often as the default [`RetryPolicy`] allows. It is meant for ephemeral sequential
    /// znodes, such as those of locks and elections.
    ///
    /// # Errors
    ///
    /// Why the znode could not be made. It may be there all the same if nobody could look for it
    /// ([`Error::maybe_executed`]); an ephemeral one goes with the session.
    pub fn create_protected<'a>(
        &self,
        path: &str,
        data: impl Into<Payload<'a>>,
        options: impl Into<CreateOptions>,
    ) -> impl Future<Output = Result<Created, Error>> + Send + 'static {
        let client = self.clone();
        let name = MarkedName::new(path, [random(), random()]);
        let create = Create::new(child(&name.parent, &name.name), owned(data.into()), options);
        let mut creating = self.call_ref(&create);
        let clock = self.shared().clock;
        let policy = RetryPolicy::default();
        let mut retry = Retry::new(policy, clock.now(), random());
        async move {
            loop {
                let error = match creating.await {
                    Ok(created) => return Ok(created),
                    Err(error) => error,
                };
                let mut is_in_doubt = error.maybe_executed();
                loop {
                    // It is looked for before it is made again: so that is harmless.
                    let delay = retry.handle_failure(clock.now(), &error, Repetition::Harmless);
                    let Some(delay) = delay else { return Err(error) };
                    Timer::after(delay).await;
                    if !is_in_doubt {
                        break;
                    }
                    match client.find(&name, create.options.with_stat).await {
                        Ok(Some(created)) => return Ok(created),
                        Ok(None) => is_in_doubt = false,
                        Err(failure) if policy.repeats(&failure, Repetition::Harmless) => {
                            debug!(%failure, "znode not looked for");
                        }
                        Err(_) => return Err(error),
                    }
                }
                creating = client.call_ref(&create);
            }
        }
    }

    /// Looks for the znode with this mark.
    async fn find(&self, name: &MarkedName, with_stat: bool) -> Result<Option<Created>, Error> {
        // Another server of the ensemble may not have heard of it yet.
        let (sync, listing) = (self.sync(&name.parent), self.get_children(&name.parent));
        sync.await?;
        let names = listing.await?;
        let Some(found) = names.iter().find(|found| found.starts_with(&name.mark)) else {
            return Ok(None);
        };
        let path = child(&name.parent, found);
        let stat = if with_stat { self.exists(&path).await? } else { None };
        Ok(Some(Created { path, stat }))
    }
}

/// A name with a mark.
#[derive(Debug)]
struct MarkedName {
    parent: String,
    mark: String,
    /// The mark and the name asked for.
    name: String,
}

impl MarkedName {
    fn new(path: &str, id: [u64; 2]) -> Self {
        // Without a slash it is no path, and will be refused as such.
        let (parent, name) = path.rsplit_once('/').unwrap_or((path, ""));
        let mark = format!("_c_{:016x}{:016x}-", id[0], id[1]);
        let parent = if parent.is_empty() && path.starts_with('/') { "/" } else { parent };
        Self { parent: parent.to_owned(), name: format!("{mark}{name}"), mark }
    }
}

/// A number that nobody foresees.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> String {
        let name = MarkedName::new(path, [1, 2]);
        child(&name.parent, &name.name)
    }

    #[test]
    fn the_mark_stands_before_the_name() {
        let mark = "_c_00000000000000010000000000000002-";
        assert_eq!(path("/locks/lock-"), format!("/locks/{mark}lock-"));
        assert_eq!(path("/lock-"), format!("/{mark}lock-"));
        assert_eq!(path("/locks/"), format!("/locks/{mark}"));
        assert!(!path("lock-").starts_with('/'));
    }
}
