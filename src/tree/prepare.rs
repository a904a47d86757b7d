//! Writes before they happen: every check, in upstream's order, and the transaction that results.
//!
//! Nothing here changes the tree.
//!
//! Behaviour: `org.apache.zookeeper.server.PrepRequestProcessor`.

use std::borrow::Cow;

use super::{
    Caller, Config, Tree, acl,
    node::{Owner, TTL_MAX_MS},
    pending::{Facts, View},
    quota::{self, Track, Verdict},
    signed,
};
use crate::{
    ids::SessionId,
    path,
    wire::{
        AclEntry, AclList, Blob, CreateKind, CreateMode, CreateRequest, ErrorCode, List, MultiOp,
        MultiOps, Op, Request, SetAclRequest, SetDataRequest, Text, Txn, VersionRequest, perms,
    },
};

/// Paths that nobody may delete.
const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// What a create asks for, whichever operation it came as.
struct Create<'a> {
    op: Op,
    path: Option<Text<'a>>,
    data: Option<Blob<'a>>,
    acl: Option<List<'a, AclEntry<'a>>>,
    flags: i32,
    ttl_ms: i64,
}

impl Tree {
    /// Turns a write into the transaction that it will be; everything but `closeSession`, for which
    /// there is [`Tree::prepare_close`]. A multi that fails is a transaction, too.
    ///
    /// # Errors
    ///
    /// What the reply has to say. The failure still takes a zxid, as [`Txn::Error`].
    pub fn prepare<'a>(
        &self,
        caller: &Caller<'_>,
        request: &Request<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        let view = View::new(self);
        let txn = match request {
            Request::Create(_)
            | Request::Create2(_)
            | Request::CreateContainer(_)
            | Request::CreateTtl(_) => {
                let create = Create::of(request).ok_or(ErrorCode::MARSHALLING_ERROR)?;
                self.prepare_create(&view, caller, &create)
            }
            Request::Delete(request) => self.prepare_delete(&view, caller, request),
            Request::SetData(request) => self.prepare_set_data(&view, caller, request),
            Request::SetAcl(request) => self.prepare_set_acl(&view, caller, request),
            Request::Multi(operations) => self.prepare_multi(caller, operations),
            Request::Reconfig(_) if self.config.reconfig_enabled => {
                self.check_session(caller).and(Err(ErrorCode::UNIMPLEMENTED))
            }
            Request::Reconfig(_) => Err(ErrorCode::RECONFIG_DISABLED),
            _ => {
                debug_assert!(false, "{} is no write", request.op());
                Err(ErrorCode::UNIMPLEMENTED)
            }
        }?;
        // `auth` in an ACL may have made it longer than the request it came in.
        if self.logged_length(&txn) > self.config.transaction_length_max {
            return Err(ErrorCode::MARSHALLING_ERROR);
        }
        Ok(txn)
    }

    /// The end of a session.
    #[must_use]
    pub fn prepare_close(&self, session: SessionId) -> Txn<'static> {
        if !self.config.close_session_paths {
            return Txn::CloseSession { paths: None };
        }
        let paths: Vec<Box<str>> = self.ephemerals(session).map(Into::into).collect();
        let txn = Txn::CloseSession { paths: Some(paths) };
        // Without its list it means the same, and is short.
        if self.logged_length(&txn) > self.config.transaction_length_max {
            return Txn::CloseSession { paths: None };
        }
        txn
    }

    /// The removal of a container or TTL znode that has no children.
    ///
    /// # Errors
    ///
    /// Why it stays.
    pub fn prepare_removal<'a>(&self, path: &'a str) -> Result<Txn<'a>, ErrorCode> {
        if RESERVED.contains(&path) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let id = self.nodes.find(path.as_bytes()).ok_or(ErrorCode::NO_NODE)?;
        let node = self.nodes.get(id);
        if !node.children.is_empty() {
            return Err(ErrorCode::NOT_EMPTY);
        }
        match node.owner {
            Owner::Container | Owner::Ttl(_) => {
                Ok(Txn::Delete { container: true, path: path.into() })
            }
            Owner::Nobody | Owner::Session(_) => Err(ErrorCode::BAD_VERSION),
        }
    }

    fn prepare_create<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        create: &Create<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        let mode = CreateMode::from_flags(create.flags).ok_or(ErrorCode::BAD_ARGUMENTS)?;
        if mode.has_ttl() && !self.config.extended_types {
            return Err(ErrorCode::UNIMPLEMENTED);
        }
        let is_ttl_right = if mode.has_ttl() {
            (1..=TTL_MAX_MS).contains(&create.ttl_ms)
        } else {
            create.op != Op::CreateTtl
        };
        if !is_ttl_right {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        self.check_session(caller).map_err(|error| {
            // As upstream: only who wants an ephemeral is told what it means.
            if mode.is_ephemeral() { ErrorCode::SESSION_EXPIRED } else { error }
        })?;
        let path = text(create.path)?;
        let (parent_path, _) = path.rsplit_once('/').ok_or(ErrorCode::BAD_ARGUMENTS)?;
        if path.contains('\0') {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let acl = self.fix_up(create.acl, caller)?;
        let parent = view.find(parent_path).ok_or(ErrorCode::NO_NODE)?;
        self.check(&parent, perms::CREATE, caller)?;
        let path: Cow<'a, str> = if mode.is_sequential() {
            Cow::Owned(format!("{path}{:010}", parent.created_children))
        } else {
            path
        };
        path::validate(&path).map_err(|_| ErrorCode::BAD_ARGUMENTS)?;
        if view.find(&path).is_some() {
            return Err(ErrorCode::NODE_EXISTS);
        }
        if parent.owner_is_session {
            return Err(ErrorCode::NO_CHILDREN_FOR_EPHEMERALS);
        }
        let length = create.data.as_ref().map_or(0, |data| data.len());
        self.check_quota(&path, 1, signed(length))?;
        let kind = match create.op {
            Op::CreateContainer => CreateKind::Container,
            Op::CreateTtl => CreateKind::Ttl(create.ttl_ms),
            _ if mode.is_ephemeral() => CreateKind::Ephemeral,
            _ => CreateKind::Persistent,
        };
        Ok(Txn::Create {
            create2: create.op == Op::Create2,
            path,
            data: create.data,
            acl,
            kind,
            parent_cversion: parent.created_children.wrapping_add(1),
        })
    }

    fn prepare_delete<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        request: &VersionRequest<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        self.check_session(caller)?;
        let path = text(request.path)?;
        let (parent_path, _) = path.rsplit_once('/').ok_or(ErrorCode::BAD_ARGUMENTS)?;
        if path.contains('\0') || RESERVED.contains(&&*path) {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
        let parent = view.find(parent_path).ok_or(ErrorCode::NO_NODE)?;
        self.check(&parent, perms::DELETE, caller)?;
        let node = view.find(&path).ok_or(ErrorCode::NO_NODE)?;
        check_version(node.version, request.version)?;
        if node.children > 0 {
            return Err(ErrorCode::NOT_EMPTY);
        }
        Ok(Txn::Delete { container: false, path })
    }

    fn prepare_set_data<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        request: &SetDataRequest<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        self.check_session(caller)?;
        let path = valid(request.path)?;
        let node = view.find(&path).ok_or(ErrorCode::NO_NODE)?;
        self.check(&node, perms::WRITE, caller)?;
        let length = request.data.as_ref().map_or(0, |data| data.len());
        self.check_quota(&path, 0, signed(length) - signed(node.data_length))?;
        let version = check_version(node.version, request.version)?;
        Ok(Txn::SetData { path, data: request.data, version })
    }

    fn prepare_set_acl<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        request: &SetAclRequest<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        self.check_session(caller)?;
        let path = valid(request.path)?;
        let acl = self.fix_up(request.acl, caller)?;
        let node = view.find(&path).ok_or(ErrorCode::NO_NODE)?;
        self.check(&node, perms::ADMIN, caller)?;
        let version = check_version(node.aversion, request.version)?;
        Ok(Txn::SetAcl { path, acl, version })
    }

    fn prepare_check<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        request: &VersionRequest<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        self.check_session(caller)?;
        let path = valid(request.path)?;
        let node = view.find(&path).ok_or(ErrorCode::NO_NODE)?;
        self.check(&node, perms::READ, caller)?;
        let version = check_version(node.version, request.version)?;
        Ok(Txn::Check { path, version })
    }

    /// Each operation sees what those before it did; the first failure fails all.
    fn prepare_multi<'a>(
        &self,
        caller: &Caller<'_>,
        operations: &MultiOps<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        if !operations.iter().all(|operation| is_well_formed(&operation)) {
            return Err(ErrorCode::MARSHALLING_ERROR);
        }
        let mut view = View::new(self);
        let mut txns = Vec::new();
        let mut length = 0;
        let mut has_failed = false;
        for operation in operations.iter() {
            if has_failed {
                txns.push(Txn::Error(ErrorCode::RUNTIME_INCONSISTENCY));
                continue;
            }
            match self.prepare_one(&view, caller, &operation) {
                Ok(txn) => {
                    view.record(&txn);
                    length += txn.encoded_length();
                    txns.push(txn);
                }
                // What upstream stumbles over fails the whole request, not the operation.
                Err(ErrorCode::MARSHALLING_ERROR) => return Err(ErrorCode::MARSHALLING_ERROR),
                Err(error) => {
                    has_failed = true;
                    txns.push(Txn::Error(error));
                }
            }
            // Early: each of many operations may repeat a long list of identities. The headers
            // counted here are longer than those of operations in the log.
            if length > self.config.transaction_length_max.saturating_mul(4) {
                return Err(ErrorCode::MARSHALLING_ERROR);
            }
        }
        Ok(Txn::Multi(txns))
    }

    fn prepare_one<'a>(
        &self,
        view: &View<'_>,
        caller: &Caller<'_>,
        operation: &MultiOp<'a>,
    ) -> Result<Txn<'a>, ErrorCode> {
        match operation {
            MultiOp::Create(_)
            | MultiOp::Create2(_)
            | MultiOp::CreateContainer(_)
            | MultiOp::CreateTtl(_) => {
                let create = Create::in_multi(operation).ok_or(ErrorCode::MARSHALLING_ERROR)?;
                self.prepare_create(view, caller, &create)
            }
            MultiOp::Delete(request) => self.prepare_delete(view, caller, request),
            MultiOp::SetData(request) => self.prepare_set_data(view, caller, request),
            MultiOp::Check(request) => self.prepare_check(view, caller, request),
            MultiOp::GetData(_) | MultiOp::GetChildren(_) => Err(ErrorCode::MARSHALLING_ERROR),
        }
    }

    /// The payload of a transaction's log record, in bytes: what upstream's limit is about when it
    /// reads the log.
    fn logged_length(&self, txn: &Txn<'_>) -> usize {
        let has_digest = self.config.digest && txn.takes_digest();
        txn.encoded_length() + if has_digest { Txn::DIGEST_LENGTH } else { 0 }
    }

    fn fix_up<'a>(
        &self,
        entries: Option<List<'a, AclEntry<'a>>>,
        caller: &Caller<'_>,
    ) -> Result<AclList, ErrorCode> {
        if entries.is_some_and(acl::is_open) {
            return Ok(self.acls.open());
        }
        let Config { digest_enabled, transaction_length_max, .. } = self.config;
        let list = acl::fix_up(entries, caller.identities, digest_enabled, transaction_length_max)?;
        Ok(self.acls.shared(list))
    }

    fn check_session(&self, caller: &Caller<'_>) -> Result<(), ErrorCode> {
        if self.sessions.is_known(caller.session) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_SESSION)
        }
    }

    fn check(
        &self,
        node: &Facts<'_>,
        permission: i32,
        caller: &Caller<'_>,
    ) -> Result<(), ErrorCode> {
        if self.allows(&node.acl, permission, caller.identities) {
            Ok(())
        } else {
            Err(ErrorCode::NO_AUTH)
        }
    }

    /// Whether a change of so many znodes and bytes fits the quota it falls under. Like upstream's,
    /// the check sees the tree without the multi it is part of.
    fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
        if !self.config.enforce_quota {
            return Ok(());
        }
        let Some(subject) = self.quotas.covering(path) else { return Ok(()) };
        let track = |name| {
            let id = self.nodes.find(quota::node_path(subject, name).as_bytes())?;
            Some(Track::parse(self.nodes.get(id).data.as_deref().unwrap_or_default()))
        };
        let Some((limits, used)) = track(quota::LIMITS).zip(track(quota::STATS)) else {
            return Ok(());
        };
        match quota::judge(&limits, &used, count, bytes) {
            Verdict::ExceedsHard => return Err(ErrorCode::QUOTA_EXCEEDED),
            Verdict::Fits | Verdict::ExceedsSoft => {}
        }
        Ok(())
    }
}

impl<'a> Create<'a> {
    fn of(request: &Request<'a>) -> Option<Self> {
        Some(match request {
            Request::Create(record) => Self::plain(Op::Create, record),
            Request::Create2(record) => Self::plain(Op::Create2, record),
            Request::CreateContainer(record) => Self::plain(Op::CreateContainer, record),
            Request::CreateTtl(record) => Self {
                op: Op::CreateTtl,
                path: record.path,
                data: record.data,
                acl: record.acl,
                flags: record.flags,
                ttl_ms: record.ttl_ms,
            },
            _ => return None,
        })
    }

    const fn plain(op: Op, record: &CreateRequest<'a>) -> Self {
        Self {
            op,
            path: record.path,
            data: record.data,
            acl: record.acl,
            flags: record.flags,
            ttl_ms: -1,
        }
    }

    /// Inside a multi the flags decide what a create is, whatever operation it came as. So there
    /// is no `create2`: upstream answers without a stat, and could not replay one from its log.
    fn in_multi(operation: &MultiOp<'a>) -> Option<Self> {
        let mut create = match operation {
            MultiOp::Create(record) | MultiOp::Create2(record) => Self::plain(Op::Create, record),
            MultiOp::CreateContainer(record) => Self::plain(Op::CreateContainer, record),
            MultiOp::CreateTtl(record) => Self {
                op: Op::CreateTtl,
                path: record.path,
                data: record.data,
                acl: record.acl,
                flags: record.flags,
                ttl_ms: record.ttl_ms,
            },
            _ => return None,
        };
        let mode = CreateMode::from_flags(create.flags)?;
        match create.op {
            _ if mode == CreateMode::Container => create.op = Op::CreateContainer,
            Op::CreateContainer => create.op = Op::Create,
            Op::CreateTtl if !mode.has_ttl() => create.op = Op::Create,
            _ => {}
        }
        Some(create)
    }
}

/// Whether upstream can read the operation at all: what it cannot fails the whole multi.
fn is_well_formed(operation: &MultiOp<'_>) -> bool {
    let path = match operation {
        MultiOp::Create(record) | MultiOp::Create2(record) | MultiOp::CreateContainer(record) => {
            record.path
        }
        MultiOp::CreateTtl(record) => record.path,
        MultiOp::Delete(request) | MultiOp::Check(request) => request.path,
        MultiOp::SetData(request) => request.path,
        MultiOp::GetData(request) | MultiOp::GetChildren(request) => request.path,
    };
    if path.is_none() {
        return false;
    }
    let (acl, flags) = match operation {
        MultiOp::Create(record) | MultiOp::Create2(record) | MultiOp::CreateContainer(record) => {
            if CreateMode::from_flags(record.flags).is_some_and(CreateMode::has_ttl) {
                return false;
            }
            (record.acl, record.flags)
        }
        MultiOp::CreateTtl(record) => (record.acl, record.flags),
        _ => return !operation.is_read(),
    };
    acl.is_some() && CreateMode::from_flags(flags).is_some()
}

/// A path that may not be null. What is not UTF-8 has a character no znode may have.
fn text(path: Option<Text<'_>>) -> Result<Cow<'_, str>, ErrorCode> {
    path.map(Text::to_str_lossy).ok_or(ErrorCode::MARSHALLING_ERROR)
}

/// A path that follows all rules.
fn valid(path: Option<Text<'_>>) -> Result<Cow<'_, str>, ErrorCode> {
    let path = path.ok_or(ErrorCode::BAD_ARGUMENTS)?.to_str_lossy();
    path::validate(&path).map_err(|_| ErrorCode::BAD_ARGUMENTS)?;
    Ok(path)
}

/// The version after this one, if the one expected is right; -1 expects any.
const fn check_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BAD_VERSION);
    }
    // -1 means "any" to clients, so no znode gets it.
    Ok(match current.wrapping_add(1) {
        -1 => 0,
        next => next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_skip_minus_one_and_wrap() {
        assert_eq!(check_version(0, -1), Ok(1));
        assert_eq!(check_version(7, 7), Ok(8));
        assert_eq!(check_version(7, 6), Err(ErrorCode::BAD_VERSION));
        assert_eq!(check_version(-2, -2), Ok(0));
        assert_eq!(check_version(i32::MAX, -1), Ok(i32::MIN));
    }
}
