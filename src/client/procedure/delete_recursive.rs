//! Removes a znode and everything below it.
//!
//! Behaviour: `org.apache.zookeeper.ZKUtil.deleteRecursive`, which lists the whole tree first and
//! fails when it changes meanwhile.

use std::collections::VecDeque;

use super::{IN_FLIGHT_MAX, Next, Procedure, Step, StepOutput, child_path, is_answer};
use crate::{
    client::{
        ArgumentError, Chroot, Error, MultiError,
        operation::{GetChildren, Transaction, rooted},
    },
    time::Instant,
    wire::ErrorCode,
};

/// Znodes in one transaction.
const BATCH_COUNT_MAX: usize = 1_000;

/// Bytes of one transaction, but for a single longer path.
const BATCH_BYTES_MAX: usize = 128 * 1024;

/// What a delete in a multi takes besides its path: its header, a length, a version.
const DELETE_OVERHEAD: usize = 17;

/// Znodes that may wait to be removed while a transaction is under way.
const DELETABLE_MAX: usize = 4 * BATCH_COUNT_MAX;

/// How often new children may appear in a znode that was to go, before it counts as a failure.
const REFILLS_MAX: u32 = 100;

/// Removes a znode and everything below it, children before parents, many in one transaction.
///
/// What others remove meanwhile is as good as removed; what they add is removed, too, unless they
/// never stop. Memory is held for the path from the top to where it works, siblings included, and
/// for what is about to go. A client's own root cannot be removed. The output is the number of
/// znodes that went by this.
///
/// ```text
///   stack                        deletable
/// | parent .. child | --list--> | child .. parent | --transaction--> gone
///         a znode is above its parent     behind its children
/// ```
#[derive(Debug)]
#[must_use]
pub struct DeleteRecursive {
    stack: Vec<Znode>,
    /// Znodes whose children are being listed, oldest first.
    listing: VecDeque<String>,
    /// Znodes without children but for those before them.
    deletable: VecDeque<Znode>,
    /// How many of them, from the front, are in a transaction.
    batch: usize,
    /// The steps without a result, oldest first.
    in_flight: VecDeque<Asked>,
    /// Whether all that is deletable has to go before anything is listed: a znode among the next
    /// ones is still the parent of what is.
    is_flushing: bool,
    refills: u32,
    deleted: u64,
    /// Whether nothing was listed yet: if the first znode is not there, that is the failure.
    is_first: bool,
    failure: Option<Error>,
}

#[derive(Debug)]
struct Znode {
    path: String,
    /// Whether it has children that are known: they are above it, or to go before it.
    has_children: bool,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    List,
    Delete,
}

impl DeleteRecursive {
    /// Of this znode.
    ///
    /// # Errors
    ///
    /// What is wrong with the path; the root cannot be removed.
    pub fn new(chroot: &Chroot, path: &str) -> Result<Self, ArgumentError> {
        let server_path = rooted(chroot, path)?.into_owned();
        if path == "/" {
            return Err(ArgumentError::DeleteRoot);
        }
        Ok(Self {
            stack: vec![Znode { path: server_path, has_children: false }],
            listing: VecDeque::new(),
            deletable: VecDeque::new(),
            batch: 0,
            in_flight: VecDeque::new(),
            is_flushing: false,
            refills: 0,
            deleted: 0,
            is_first: true,
            failure: None,
        })
    }

    /// How many znodes are gone by now.
    #[must_use]
    pub const fn deleted(&self) -> u64 {
        self.deleted
    }

    /// Whether a znode can be listed now.
    fn can_list(&self) -> bool {
        !self.is_flushing
            && self.in_flight.len() < IN_FLIGHT_MAX
            && self.deletable.len() < DELETABLE_MAX
            && self.stack.last().is_some_and(|znode| !znode.has_children)
    }

    /// Moves parents behind their children, once none of those is being listed.
    fn collect_parents(&mut self) {
        while self.listing.is_empty() && self.stack.last().is_some_and(|znode| znode.has_children) {
            self.deletable.extend(self.stack.pop());
        }
    }

    /// How many znodes the next transaction takes.
    fn next_batch(&self) -> usize {
        let mut bytes = 0;
        let fits = |znode: &&Znode| {
            bytes += znode.path.len() + DELETE_OVERHEAD;
            bytes <= BATCH_BYTES_MAX
        };
        self.deletable.iter().take(BATCH_COUNT_MAX).take_while(fits).count().max(1)
    }

    fn handle_listing(&mut self, result: Result<StepOutput, Error>) -> Result<(), Error> {
        let Some(path) = self.listing.pop_front() else { return Err(Error::UnexpectedReply) };
        let is_first = std::mem::replace(&mut self.is_first, false);
        let names = match result {
            Ok(StepOutput::Children(names)) => names,
            Ok(_) => return Err(Error::UnexpectedReply),
            Err(error) if is_answer(&error, ErrorCode::NO_NODE) && !is_first => return Ok(()),
            Err(error) => return Err(error),
        };
        if names.is_empty() {
            self.deletable.push_back(Znode { path, has_children: false });
            return Ok(());
        }
        let child =
            |name: &String| child_path(&path, name).map(|path| Znode { path, has_children: false });
        let children = names.iter().map(child).collect::<Result<Vec<_>, _>>()?;
        self.stack.push(Znode { path, has_children: true });
        self.stack.extend(children);
        Ok(())
    }

    fn handle_batch(&mut self, result: Result<StepOutput, Error>) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        match result {
            Ok(StepOutput::Results(_)) => {
                self.deletable.drain(..batch);
                self.deleted += batch as u64;
                Ok(())
            }
            Ok(_) => Err(Error::UnexpectedReply),
            Err(Error::Multi(error)) => self.handle_failed_batch(batch, &error),
            Err(error) => Err(error),
        }
    }

    /// Somebody else is at work in the same place. What comes before goes first; the rest is looked
    /// at again.
    fn handle_failed_batch(&mut self, batch: usize, error: &MultiError) -> Result<(), Error> {
        let is_refill = error.code == ErrorCode::NOT_EMPTY;
        self.refills += u32::from(is_refill);
        let is_race = is_refill || error.code == ErrorCode::NO_NODE;
        if !is_race || error.index >= batch || self.refills > REFILLS_MAX {
            return Err(Error::server(error.code));
        }
        let mut rest = self.deletable.split_off(error.index);
        if !is_refill {
            rest.pop_front();
        } else if let Some(refilled) = rest.front_mut() {
            refilled.has_children = false;
        }
        self.stack.extend(rest.into_iter().rev());
        self.is_flushing = true;
        Ok(())
    }
}

impl Procedure for DeleteRecursive {
    type Output = u64;

    fn next(&mut self) -> Next<'_> {
        if self.failure.is_none() {
            self.is_flushing &= !self.deletable.is_empty();
            if !self.is_flushing {
                self.collect_parents();
            }
            if self.can_list()
                && let Some(znode) = self.stack.pop()
            {
                self.in_flight.push_back(Asked::List);
                self.listing.push_back(znode.path);
                let path = self.listing.back().map_or("", String::as_str);
                return Next::Run(Step::GetChildren(GetChildren::new(path)));
            }
            let is_enough = self.deletable.len() >= BATCH_COUNT_MAX || self.listing.is_empty();
            if self.batch == 0 && is_enough && !self.deletable.is_empty() {
                self.batch = self.next_batch();
                self.in_flight.push_back(Asked::Delete);
                let batch = self.deletable.iter().take(self.batch);
                let transaction = batch.fold(Transaction::new(), |transaction, znode| {
                    transaction.delete(znode.path.as_str(), None)
                });
                return Next::Run(Step::Transaction(transaction));
            }
        }
        if self.in_flight.is_empty() { Next::Done } else { Next::Wait }
    }

    fn handle(&mut self, _now: Instant, result: Result<StepOutput, Error>) {
        let handled = match self.in_flight.pop_front() {
            Some(Asked::List) => self.handle_listing(result),
            Some(Asked::Delete) => self.handle_batch(result),
            None => return debug_assert!(false, "a result without a step"),
        };
        if let Err(error) = handled {
            self.failure.get_or_insert(error);
        }
    }

    fn finish(self) -> Result<u64, Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.deleted),
        }
    }
}
