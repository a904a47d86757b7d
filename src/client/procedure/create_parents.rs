//! Makes a znode, and the way to it where that is missing.
//!
//! Each tries the last step first, which is all there is to do most of the time, and then climbs
//! up to what is there and down again. A chroot that is missing is made as well.

use std::borrow::Cow;

use super::{Next, Procedure, Step, StepOutput, is_answer};
use crate::{
    client::{
        ArgumentError, Chroot, Error,
        operation::{AccessList, Create, CreateOptions, Created, Exists, rooted},
    },
    time::Instant,
    wire::{CreateMode, ErrorCode},
};

/// How often others may remove a parent that was there or made, before it counts as a failure.
const RACES_MAX: usize = 16;

/// Makes a znode and its missing parents. The output is what [`Create`] brings.
///
/// Parents are persistent and without data; they get the ACL of the znode, unless they are given
/// one of their own. That they are there already is no error; that the znode is, is.
#[derive(Debug)]
#[must_use]
pub struct CreateWithParents<'a>(Climb<'a>);

impl<'a> CreateWithParents<'a> {
    /// For this znode.
    ///
    /// # Errors
    ///
    /// What is wrong with its arguments.
    pub fn new(chroot: &Chroot, create: Create<'a>) -> Result<Self, ArgumentError> {
        let path = create.server_path(chroot)?.into_owned();
        let parents = CreateOptions::default().acl(create.options.acl.clone());
        Ok(Self(Climb::new(chroot, Create { path: path.into(), ..create }, parents)))
    }

    /// With this ACL for the parents that have to be made.
    ///
    /// # Errors
    ///
    /// The list is empty.
    pub fn parent_acl(mut self, acl: impl Into<AccessList>) -> Result<Self, ArgumentError> {
        self.0.parents.acl = acl.into();
        self.0.parents.acl.check()?;
        Ok(self)
    }

    /// With containers for the parents that have to be made: each goes with its last child.
    pub fn container_parents(mut self) -> Self {
        self.0.parents.mode = CreateMode::Container;
        self
    }
}

impl Procedure for CreateWithParents<'_> {
    type Output = Created;

    fn next(&mut self) -> Next<'_> {
        self.0.next()
    }

    fn handle(&mut self, _now: Instant, result: Result<StepOutput, Error>) {
        self.0.handle(result);
    }

    fn finish(self) -> Result<Created, Error> {
        let mut created = self.0.outcome.unwrap_or(Err(Error::UnexpectedReply))?;
        match self.0.chroot.strip(&created.path) {
            Some(path) => created.path = path.to_owned(),
            None => return Err(Error::OutsideChroot(created.path.into())),
        }
        Ok(created)
    }
}

/// Makes a persistent znode without data and its missing parents, if it is not there. The output is
/// whether it was made by this.
#[derive(Debug)]
#[must_use]
pub struct EnsurePath<'a> {
    climb: Climb<'a>,
    look: Look,
}

/// The first step: a read, which is all there is to do most of the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Look {
    Due,
    InFlight,
    Missing,
    There,
}

impl<'a> EnsurePath<'a> {
    /// For this path; whatever has to be made gets this ACL.
    ///
    /// # Errors
    ///
    /// What is wrong with the path or the list.
    pub fn new(
        chroot: &Chroot,
        path: &'a str,
        acl: impl Into<AccessList>,
    ) -> Result<Self, ArgumentError> {
        let options = CreateOptions::default().acl(acl);
        options.acl.check()?;
        let path = rooted(chroot, path)?;
        let create = Create::new(path, &[], options.clone());
        Ok(Self { climb: Climb::new(chroot, create, options), look: Look::Due })
    }
}

impl Procedure for EnsurePath<'_> {
    type Output = bool;

    fn next(&mut self) -> Next<'_> {
        match self.look {
            Look::Due => {
                self.look = Look::InFlight;
                Next::Run(Step::Exists(Exists::new(&*self.climb.target.path)))
            }
            Look::InFlight => Next::Wait,
            Look::Missing => self.climb.next(),
            Look::There => Next::Done,
        }
    }

    fn handle(&mut self, _now: Instant, result: Result<StepOutput, Error>) {
        if self.look != Look::InFlight {
            return self.climb.handle(result);
        }
        self.look = match result {
            Ok(StepOutput::Stat(_)) => Look::There,
            Err(error) if is_answer(&error, ErrorCode::NO_NODE) => Look::Missing,
            Ok(_) => self.climb.fail(Error::UnexpectedReply),
            Err(error) => self.climb.fail(error),
        };
    }

    fn finish(self) -> Result<bool, Error> {
        match (self.look, self.climb.outcome) {
            (Look::There, _) => Ok(false),
            (_, Some(Ok(_))) => Ok(true),
            (_, Some(Err(error))) if is_answer(&error, ErrorCode::NODE_EXISTS) => Ok(false),
            (_, Some(Err(error))) => Err(error),
            (_, None) => Err(Error::UnexpectedReply),
        }
    }
}

/// The way up to what is there, and down again.
#[derive(Debug)]
struct Climb<'a> {
    chroot: Chroot,
    /// What is to be made, by its server path.
    target: Create<'a>,
    parents: CreateOptions,
    /// The parents to make, as lengths of their paths; the next one is the last.
    missing: Vec<usize>,
    /// How often a parent may turn out to be missing yet.
    surprises: usize,
    is_in_flight: bool,
    outcome: Option<Result<Created, Error>>,
}

impl<'a> Climb<'a> {
    fn new(chroot: &Chroot, target: Create<'a>, parents: CreateOptions) -> Self {
        let depth = target.path.split('/').count();
        Self {
            chroot: chroot.clone(),
            target,
            parents,
            missing: Vec::new(),
            surprises: depth + RACES_MAX,
            is_in_flight: false,
            outcome: None,
        }
    }

    fn next(&mut self) -> Next<'_> {
        if self.outcome.is_some() {
            return Next::Done;
        }
        if self.is_in_flight {
            return Next::Wait;
        }
        self.is_in_flight = true;
        Next::Run(Step::Create(match self.missing.last() {
            Some(&length) => Create::new(&self.target.path[..length], &[], self.parents.clone()),
            None => Create {
                path: Cow::Borrowed(&*self.target.path),
                data: self.target.data.clone(),
                options: self.target.options.clone(),
            },
        }))
    }

    fn handle(&mut self, result: Result<StepOutput, Error>) {
        debug_assert!(self.is_in_flight, "a result without a step");
        self.is_in_flight = false;
        match result {
            Ok(StepOutput::Created(created)) => {
                if self.missing.pop().is_none() {
                    self.outcome = Some(Ok(created));
                }
            }
            Ok(_) => self.outcome = Some(Err(Error::UnexpectedReply)),
            Err(error) if is_answer(&error, ErrorCode::NO_NODE) => match self.missing_parent() {
                Some(length) => self.missing.push(length),
                None => self.outcome = Some(Err(error)),
            },
            Err(error) if is_answer(&error, ErrorCode::NODE_EXISTS) && !self.missing.is_empty() => {
                self.missing.pop();
            }
            Err(error) => self.outcome = Some(Err(error)),
        }
    }

    /// The length of the path of the parent whose absence was just told.
    fn missing_parent(&mut self) -> Option<usize> {
        self.surprises = self.surprises.checked_sub(1)?;
        let length = self.missing.last().copied().unwrap_or(self.target.path.len());
        self.target.path[..length].rfind('/').filter(|&slash| slash > 0)
    }

    fn fail(&mut self, error: Error) -> Look {
        self.outcome = Some(Err(error));
        Look::Missing
    }
}
