//! Writes: the checks in their order, then the change and its events.

use zookeeper_core::wire::Op;

use super::{
    Body, Caller, Entry, Kind, Model, Operation, Reply,
    permissions::{self, ADMIN, CREATE, DELETE, READ, WRITE},
    quota::length,
};

const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
const TTL_MAX_MS: i64 = 0xff_ffff_ffff;

impl Model {
    pub(super) fn write(&mut self, caller: &Caller, write: &Operation) -> Result<Body, i32> {
        match write {
            Operation::Create { .. } => self.create(caller, write),
            Operation::Versioned { op: Op::Delete, path, version } => {
                self.delete(caller, path.as_deref(), *version)
            }
            Operation::Versioned { path, version, .. } => {
                self.check_version(caller, path.as_deref(), *version)
            }
            Operation::SetData { path, data, version } => {
                self.set_data(caller, path.as_deref(), data, *version)
            }
            Operation::SetAcl { path, acl, version } => {
                self.set_acl(caller, path.as_deref(), acl.as_deref(), *version)
            }
            _ => Err(-123),
        }
    }

    pub(super) fn multi(&mut self, caller: &Caller, multi: &Operation) -> Reply {
        let Operation::Multi { op, parts } = multi else { unreachable!("a multi is a multi") };
        let is_known = |part: &Operation| {
            let writes = matches!(
                part,
                Operation::Create { .. } | Operation::Versioned { .. } | Operation::SetData { .. }
            );
            writes || is_readable(part)
        };
        let reads = parts.iter().filter(|part| is_readable(part)).count();
        let is_mixed = reads != 0 && reads != parts.len();
        if is_mixed || !parts.iter().all(is_known) {
            return Reply::failed(-5);
        }
        if *op == Op::MultiRead {
            return self.multi_read(caller, parts);
        }
        let Some(parts) = parts.iter().map(in_multi).collect::<Option<Vec<_>>>() else {
            return Reply::failed(-5);
        };
        let mut attempt = self.clone();
        attempt.before = Some(Box::new(self.clone()));
        let mut results = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            match attempt.write(caller, part) {
                Ok(body) => results.push((result_type(part, &body), body)),
                // What upstream stumbles over fails the whole request.
                Err(-5) => return Reply::failed(-5),
                Err(error) => {
                    let code = |other: usize| match other.cmp(&place) {
                        std::cmp::Ordering::Less => 0,
                        std::cmp::Ordering::Equal => error,
                        std::cmp::Ordering::Greater => -2,
                    };
                    let all = (0..parts.len()).map(|other| (-1, Body::Error(code(other))));
                    return Reply::ok(Body::Multi(all.collect()));
                }
            }
        }
        attempt.before = None;
        *self = attempt;
        Reply::ok(Body::Multi(results))
    }

    /// Takes a znode without children away.
    pub(super) fn remove(&mut self, path: &str) {
        let node = self.nodes.remove(path).expect("the znode is there");
        let parent = parent(path).to_owned();
        let parent_node = self.nodes.get_mut(&parent).expect("the parent is there");
        parent_node.pzxid = self.zxid;
        let parent_acl = parent_node.acl.clone();
        self.use_quota(path, -1, -length(&node.data));
        self.fire(2, path, &node.acl, true, true);
        self.fire(4, &parent, &parent_acl, false, true);
    }

    fn create(&mut self, caller: &Caller, create: &Operation) -> Result<Body, i32> {
        let Operation::Create { op, path, data, acl, flags, ttl_ms } = create else {
            unreachable!("a create is a create")
        };
        let (is_ephemeral, is_sequential, has_ttl) = match flags {
            0 | 4 => (false, false, false),
            1 => (true, false, false),
            2 => (false, true, false),
            3 => (true, true, false),
            5 => (false, false, true),
            6 => (false, true, true),
            _ => return Err(-8),
        };
        if has_ttl && !self.settings.extended_types {
            return Err(-6);
        }
        if has_ttl != (*op == Op::CreateTtl) || has_ttl && !(1..=TTL_MAX_MS).contains(ttl_ms) {
            return Err(-8);
        }
        let path = path.as_deref().ok_or(-5)?;
        if !path.contains('/') || path.contains('\0') {
            return Err(-8);
        }
        let acl = permissions::stored(acl.as_deref(), &caller.identities)?;
        let parent_path = parent(path).to_owned();
        let parent = self.find(&parent_path)?;
        self.check(&parent.acl, CREATE, caller)?;
        let path =
            if is_sequential { format!("{path}{:010}", parent.created) } else { path.to_owned() };
        if !is_legal(&path) {
            return Err(-8);
        }
        if self.find(&path).is_ok() {
            return Err(-110);
        }
        if matches!(parent.kind, Kind::Ephemeral(_)) {
            return Err(-108);
        }
        self.check_quota(&path, 1, length(data))?;
        let kind = match op {
            Op::CreateContainer => Kind::Container,
            Op::CreateTtl => Kind::Ttl(*ttl_ms),
            _ if is_ephemeral => Kind::Ephemeral(caller.session),
            _ => Kind::Persistent,
        };

        self.nodes.insert(path.clone(), self.node(data.clone(), acl.clone(), kind));
        let parent = self.nodes.get_mut(&parent_path).expect("the parent is there");
        parent.created += 1;
        parent.pzxid = self.zxid;
        let parent_acl = parent.acl.clone();
        self.count_quota(&path);
        self.use_quota(&path, 1, length(data));
        self.fire(1, &path, &acl, true, false);
        self.fire(4, &parent_path, &parent_acl, false, true);
        Ok(match op {
            Op::Create => Body::Path(Some(path)),
            _ => Body::Created(Some(path.clone()), self.stat(&path)?),
        })
    }

    fn delete(&mut self, caller: &Caller, path: Option<&str>, version: i32) -> Result<Body, i32> {
        let path = path.ok_or(-5)?;
        if !path.contains('/') || path.contains('\0') || RESERVED.contains(&path) {
            return Err(-8);
        }
        self.check(&self.find(parent(path))?.acl, DELETE, caller)?;
        next_version(self.find(path)?.version, version)?;
        if !self.children(path).is_empty() {
            return Err(-111);
        }
        self.remove(path);
        Ok(Body::Empty)
    }

    fn set_data(
        &mut self,
        caller: &Caller,
        path: Option<&str>,
        data: &Option<Vec<u8>>,
        version: i32,
    ) -> Result<Body, i32> {
        let path = path.filter(|path| is_legal(path)).ok_or(-8)?;
        let node = self.find(path)?;
        self.check(&node.acl, WRITE, caller)?;
        let change = length(data) - length(&node.data);
        self.check_quota(path, 0, change)?;
        let version = next_version(node.version, version)?;

        let acl = node.acl.clone();
        let (zxid, time_ms) = (self.zxid, self.time_ms);
        let node = self.nodes.get_mut(path).expect("the znode is there");
        node.data.clone_from(data);
        node.version = version;
        node.mzxid = zxid;
        node.mtime_ms = time_ms;
        let stat = self.stat(path)?;
        self.use_quota(path, 0, change);
        self.fire(3, path, &acl, true, false);
        Ok(Body::Stat(stat))
    }

    fn set_acl(
        &mut self,
        caller: &Caller,
        path: Option<&str>,
        acl: Option<&[Entry]>,
        version: i32,
    ) -> Result<Body, i32> {
        let path = path.filter(|path| is_legal(path)).ok_or(-8)?;
        let acl = permissions::stored(acl, &caller.identities)?;
        let node = self.find(path)?;
        self.check(&node.acl, ADMIN, caller)?;
        let version = next_version(node.aversion, version)?;
        let node = self.nodes.get_mut(path).expect("the znode is there");
        node.acl = acl;
        node.aversion = version;
        Ok(Body::Stat(self.stat(path)?))
    }

    fn check_version(
        &self,
        caller: &Caller,
        path: Option<&str>,
        version: i32,
    ) -> Result<Body, i32> {
        let path = path.filter(|path| is_legal(path)).ok_or(-8)?;
        let node = self.find(path)?;
        self.check(&node.acl, READ, caller)?;
        next_version(node.version, version)?;
        Ok(Body::Empty)
    }
}

/// The operation that a part of a multi is read as; `None` where it cannot be read at all.
fn in_multi(part: &Operation) -> Option<Operation> {
    let mut part = part.clone();
    if is_readable(&part) {
        return None;
    }
    match &part {
        Operation::Create { path, .. }
        | Operation::Versioned { path, .. }
        | Operation::SetData { path, .. } => drop(path.as_ref()?),
        _ => {}
    }
    if let Operation::Create { op, acl, flags, .. } = &mut part {
        match (*op, *flags) {
            (_, 0..=3) => *op = Op::Create,
            (Op::CreateTtl, 5 | 6) => {}
            (_, 4) => *op = Op::CreateContainer,
            _ => return None,
        }
        acl.as_ref()?;
    }
    Some(part)
}

fn is_readable(part: &Operation) -> bool {
    matches!(part, Operation::Read { op: Op::GetData | Op::GetChildren, .. })
}

fn result_type(part: &Operation, body: &Body) -> i32 {
    match body {
        Body::Created(..) => 15,
        _ => part.op().code(),
    }
}

/// The parent's path, the root for top-level znodes.
fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}

fn next_version(current: i32, expected: i32) -> Result<i32, i32> {
    if expected != -1 && expected != current {
        return Err(-103);
    }
    Ok(if current == -2 { 0 } else { current.wrapping_add(1) })
}

fn is_legal(path: &str) -> bool {
    let is_legal_unit =
        |unit: u16| !matches!(unit, 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..);
    let is_legal_name =
        |name: &str| !matches!(name, "" | "." | "..") && name.encode_utf16().all(is_legal_unit);
    path == "/" || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_legal_name))
}
