//! Lists a znode and everything below it.
//!
//! Behaviour: `org.apache.zookeeper.ZKUtil.listSubTreeBFS`, which fails when a znode goes
//! meanwhile.

use std::collections::VecDeque;

use super::{IN_FLIGHT_MAX, Next, Procedure, Step, StepOutput, child_path, is_answer};
use crate::{
    client::{
        ArgumentError, Chroot, Error,
        operation::{GetChildren, rooted},
    },
    time::Instant,
    wire::ErrorCode,
};

/// Lists the paths of a znode and of everything below it, level by level: parents before children.
///
/// The tree may change meanwhile: a znode that goes before its own children are listed is left out.
/// Memory is held for one level and for what was found; [`ListSubtree::drain`] takes the latter.
#[derive(Debug)]
#[must_use]
pub struct ListSubtree {
    chroot: Chroot,
    /// Server paths whose children are not known: first those that are asked for.
    ///
    /// ```text
    ///  front                         back
    /// | 0 .. in_flight | in_flight .. len |
    ///      asked for        to be asked
    /// ```
    queue: VecDeque<String>,
    in_flight: usize,
    /// Client paths of znodes whose children are known.
    found: Vec<String>,
    /// Whether nothing was listed yet: if the first znode is not there, that is the failure.
    is_first: bool,
    failure: Option<Error>,
}

impl ListSubtree {
    /// Of this znode.
    ///
    /// # Errors
    ///
    /// What is wrong with the path.
    pub fn new(chroot: &Chroot, path: &str) -> Result<Self, ArgumentError> {
        let path = rooted(chroot, path)?.into_owned();
        Ok(Self {
            chroot: chroot.clone(),
            queue: [path].into(),
            in_flight: 0,
            found: Vec::new(),
            is_first: true,
            failure: None,
        })
    }

    /// Takes what was found since the last time, in order; the output is what is left.
    pub fn drain(&mut self) -> Vec<String> {
        std::mem::take(&mut self.found)
    }

    /// Keeps a znode, and remembers its children.
    fn settle(&mut self, path: &str, children: &[String]) -> Result<(), Error> {
        let found = self.chroot.strip(path).ok_or_else(|| Error::OutsideChroot(path.into()))?;
        self.found.push(found.to_owned());
        for name in children {
            self.queue.push_back(child_path(path, name)?);
        }
        Ok(())
    }
}

impl Procedure for ListSubtree {
    type Output = Vec<String>;

    fn next(&mut self) -> Next<'_> {
        if self.failure.is_none() && self.in_flight < IN_FLIGHT_MAX.min(self.queue.len()) {
            self.in_flight += 1;
            let path = self.queue[self.in_flight - 1].as_str();
            return Next::Run(Step::GetChildren(GetChildren::new(path)));
        }
        if self.in_flight > 0 { Next::Wait } else { Next::Done }
    }

    fn handle(&mut self, _now: Instant, result: Result<StepOutput, Error>) {
        debug_assert!(self.in_flight > 0, "a result without a step");
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(path) = self.queue.pop_front() else { return };
        let is_first = std::mem::replace(&mut self.is_first, false);
        let settled = match result {
            Ok(StepOutput::Children(children)) => self.settle(&path, &children),
            Ok(_) => Err(Error::UnexpectedReply),
            Err(error) if is_answer(&error, ErrorCode::NO_NODE) && !is_first => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            self.failure.get_or_insert(error);
        }
    }

    fn finish(self) -> Result<Vec<String>, Error> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.found),
        }
    }
}
