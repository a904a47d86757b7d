//! Reads, and what is asked about watches.

use zookeeper_core::wire::Op;

use super::{
    Body, Caller, Event, Model, Operation, Reply,
    permissions::{self, ADMIN, READ},
    watches::Mode,
};

impl Model {
    pub(super) fn read(&mut self, caller: &Caller, read: &Operation) -> Result<Body, i32> {
        match read {
            Operation::Read { op, path, watch } => {
                let path = path.as_deref().ok_or(-5)?;
                if *op == Op::Exists {
                    return self.exists(caller, path, *watch);
                }
                let body = self.look(caller, *op, path)?;
                if *watch {
                    let mode = if *op == Op::GetData { Mode::Data } else { Mode::Child };
                    self.watches.add(path, caller.watcher, mode);
                }
                Ok(body)
            }
            Operation::OnPath { op: Op::Sync, path } => Ok(Body::Path(path.clone())),
            Operation::OnPath { op: Op::GetEphemerals, path } => {
                let prefix = path.as_deref().unwrap_or_default();
                // Java trims control characters, too.
                let trimmed = prefix.trim_matches(|character| character <= ' ');
                let is_all = matches!(trimmed, "" | "/");
                let mut paths = self.ephemerals(caller.session);
                paths.retain(|path| is_all || path.starts_with(prefix));
                Ok(Body::Names(paths))
            }
            Operation::OnPath { op, path } => {
                let path = path.as_deref().ok_or(-5)?;
                if *op == Op::GetAcl { self.acl(caller, path) } else { self.count(caller, path) }
            }
            Operation::OnWatch { op, path, code } => self.on_watch(caller, *op, path, *code),
            Operation::SetWatches { op, since, lists } => {
                self.set_watches(caller, *op, *since, lists)
            }
            _ => Ok(Body::Identities(caller.identities.iter().map(shown).collect())),
        }
    }

    pub(super) fn multi_read(&self, caller: &Caller, parts: &[Operation]) -> Reply {
        let mut results = Vec::new();
        for part in parts {
            // A null path is stumbled over like a write.
            let Operation::Read { op, path: Some(path), .. } = part else {
                return Reply { error: -5, body: Body::Multi(results) };
            };
            results.push(match self.look(caller, *op, path) {
                Ok(body) => (op.code(), body),
                Err(error) => (-1, Body::Error(error)),
            });
        }
        Reply::ok(Body::Multi(results))
    }

    fn exists(&mut self, caller: &Caller, path: &str, watch: bool) -> Result<Body, i32> {
        if path.contains('\0') {
            return Err(-8);
        }
        if let Ok(node) = self.find(path) {
            self.check(&node.acl, READ, caller)?;
        }
        if watch {
            self.watches.add(path, caller.watcher, Mode::Data);
        }
        Ok(Body::Stat(self.stat(path)?))
    }

    /// `getData` and `getChildren` without their watch.
    fn look(&self, caller: &Caller, op: Op, path: &str) -> Result<Body, i32> {
        let node = self.find(path)?;
        self.check(&node.acl, READ, caller)?;
        Ok(match op {
            Op::GetData => Body::Data(node.data.clone(), self.stat(path)?),
            Op::GetChildren => Body::Names(self.children(path)),
            _ => Body::Children(self.children(path), self.stat(path)?),
        })
    }

    fn acl(&self, caller: &Caller, path: &str) -> Result<Body, i32> {
        let node = self.find(path)?;
        self.check(&node.acl, READ | ADMIN, caller)?;
        let is_admin = self.check(&node.acl, ADMIN, caller).is_ok();
        let acl = if is_admin { node.acl.clone() } else { permissions::masked(&node.acl) };
        Ok(Body::Acl(acl, self.stat(path)?))
    }

    fn count(&self, caller: &Caller, path: &str) -> Result<Body, i32> {
        self.check(&self.find(path)?.acl, READ, caller)?;
        let above = format!("{}/", path.trim_end_matches('/'));
        let below = self
            .nodes
            .keys()
            .filter(|other| (path.is_empty() || *other != "/") && other.starts_with(&above));
        Ok(Body::Count(i32::try_from(below.count()).expect("few znodes")))
    }

    fn on_watch(&mut self, caller: &Caller, op: Op, path: &str, code: i32) -> Result<Body, i32> {
        if op == Op::AddWatch {
            let mode = match code {
                0 => Mode::Persistent,
                1 => Mode::Recursive,
                _ => return Err(-5),
            };
            self.watches.add(path, caller.watcher, mode);
            return Ok(Body::Error(0));
        }
        if !(1..=5).contains(&code) {
            return Err(-5);
        }
        if !self.watches.has(path, caller.watcher, code) {
            return Err(-121);
        }
        if op == Op::RemoveWatches {
            self.watches.remove(path, caller.watcher, code);
        }
        Ok(Body::Empty)
    }

    fn set_watches(
        &mut self,
        caller: &Caller,
        op: Op,
        since: i64,
        lists: &[Option<Vec<String>>; 5],
    ) -> Result<Body, i32> {
        let lists = &lists[..if op == Op::SetWatches { 3 } else { 5 }];
        if lists.iter().any(Option::is_none) {
            return Err(-5);
        }
        for (which, list) in lists.iter().enumerate() {
            for path in list.iter().flatten() {
                let node = self.find(path).ok();
                let missed = match (which, node) {
                    (0 | 2, None) => Some(2),
                    (0, Some(node)) if node.mzxid > since => Some(3),
                    (2, Some(node)) if node.pzxid > since => Some(4),
                    (1, Some(_)) => Some(1),
                    _ => None,
                };
                let mode = [Mode::Data, Mode::Data, Mode::Child, Mode::Persistent, Mode::Recursive];
                match missed {
                    Some(kind) => {
                        let (path, watchers) = (path.clone(), [caller.watcher].into());
                        self.events.push(Event { kind, path, watchers });
                    }
                    None => self.watches.add(path, caller.watcher, mode[which]),
                }
            }
        }
        Ok(Body::Empty)
    }
}

/// What `whoAmI` shows of an identity.
fn shown((scheme, id): &(String, String)) -> (String, String) {
    let user = match scheme.as_str() {
        "digest" => id.split(':').next().unwrap_or_default(),
        "ip" => id,
        _ => "",
    };
    (scheme.clone(), user.to_owned())
}
