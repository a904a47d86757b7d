//! Access control: which ACLs are legal, and what they permit to whom.
//!
//! Behaviour: `org.apache.zookeeper.server.PrepRequestProcessor.fixupACL`,
//! `ZooKeeperServer.checkACL` and the providers of `org.apache.zookeeper.server.auth`.

mod address;
mod name;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use crate::wire::{Acl, AclEntry, AclList, ClientInfo, ErrorCode, Id, List, perms};

/// Everything to everybody.
static OPEN: LazyLock<AclList> =
    LazyLock::new(|| Arc::new([Acl::new(perms::ALL, "world", "anyone")]));

/// Reading to everybody.
static READ_ONLY: LazyLock<AclList> =
    LazyLock::new(|| Arc::new([Acl::new(perms::READ, "world", "anyone")]));

/// The list that gives everything to everybody; always the same one.
#[must_use]
pub(crate) fn open() -> AclList {
    Arc::clone(&OPEN)
}

/// The list that lets everybody read; always the same one.
#[must_use]
pub(crate) fn read_only() -> AclList {
    Arc::clone(&READ_ONLY)
}

/// The identity schemes a server knows besides `world`, `auth`, `ip` and `super`. An entry of a
/// scheme that is switched off is not legal in a new ACL, and in an old one it matches nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Schemes {
    /// `digest`: a user and the hash of a password.
    pub digest: bool,
    /// `sasl`: whoever a SASL mechanism says it is.
    pub sasl: bool,
    /// `x509`: the subject of a client's certificate.
    pub x509: bool,
    /// The id that in ACLs of the scheme `sasl` stands for every user of that scheme.
    pub sasl_anyone: Option<Box<str>>,
}

impl Default for Schemes {
    fn default() -> Self {
        Self { digest: true, sasl: false, x509: false, sasl_anyone: None }
    }
}

impl Schemes {
    /// Makes the ACL of a request into the one that is stored: checked, without duplicates, and
    /// with `auth` replaced by the caller's authenticated identities.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_ACL`], or [`ErrorCode::MARSHALLING_ERROR`] for an id that is null
    /// where its scheme needs one.
    pub(crate) fn fix_up<'a>(
        &self,
        entries: Option<List<'a, AclEntry<'a>>>,
        identities: &[Id],
    ) -> Result<AclList, ErrorCode> {
        let entries: Vec<AclEntry<'a>> = entries.iter().flat_map(List::iter).collect();
        if is_one_open_entry(&entries) {
            return Ok(open());
        }
        let mut fixed = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if entries[..index].contains(entry) {
                continue;
            }
            self.fix_up_entry(entry, identities, &mut fixed)?;
        }
        if fixed.is_empty() { Err(ErrorCode::INVALID_ACL) } else { Ok(fixed.into()) }
    }

    /// Whether somebody with these identities has one of the permissions `perm`.
    pub(crate) fn permits(&self, acl: &[Acl], perm: i32, identities: &[Id]) -> bool {
        acl.is_empty()
            || acl.iter().any(|entry| entry.perms & perm != 0 && is_anyone(&entry.id))
            || identities.iter().any(|id| &*id.scheme == "super")
            || acl.iter().any(|entry| {
                entry.perms & perm != 0
                    && identities
                        .iter()
                        .any(|id| id.scheme == entry.id.scheme && self.matches(id, &entry.id.id))
            })
    }

    /// What `whoAmI` tells about an identity: no secrets.
    pub(crate) fn client_info<'a>(&self, id: &'a Id) -> ClientInfo<'a> {
        let user = match &*id.scheme {
            "digest" if self.digest => id.id.split(':').next().unwrap_or_default(),
            "ip" => &*id.id,
            "sasl" if self.sasl => &*id.id,
            "x509" if self.x509 => &*id.id,
            _ => "",
        };
        ClientInfo { scheme: Some((&*id.scheme).into()), user: Some(user.into()) }
    }

    fn fix_up_entry(
        &self,
        entry: &AclEntry<'_>,
        identities: &[Id],
        fixed: &mut Vec<Acl>,
    ) -> Result<(), ErrorCode> {
        let scheme = entry.scheme.ok_or(ErrorCode::INVALID_ACL)?.to_str_lossy();
        if scheme == "auth" {
            let authenticated = identities.iter().filter(|id| self.is_authenticated(&id.scheme));
            let before = fixed.len();
            fixed.extend(authenticated.map(|id| Acl { perms: entry.perms, id: id.clone() }));
            return if fixed.len() > before { Ok(()) } else { Err(ErrorCode::INVALID_ACL) };
        }
        if scheme != "world" && !self.is_registered(&scheme) {
            return Err(ErrorCode::INVALID_ACL);
        }
        // Upstream stumbles over a null here, and answers as to any request it stumbles over.
        let id = entry.id.ok_or(ErrorCode::MARSHALLING_ERROR)?.to_str_lossy();
        let legal = match &*scheme {
            "world" => id == "anyone",
            "ip" => address::Pattern::parse(&id).is_some(),
            "digest" => is_digest(&id),
            "sasl" => name::is_sasl(&id),
            _ => name::is_x500(&id),
        };
        if !legal {
            return Err(ErrorCode::INVALID_ACL);
        }
        fixed.push(Acl::new(entry.perms, &scheme, &id));
        Ok(())
    }

    fn is_registered(&self, scheme: &str) -> bool {
        scheme == "ip" || self.is_authenticated(scheme)
    }

    /// Whether the scheme proves who somebody is.
    fn is_authenticated(&self, scheme: &str) -> bool {
        match scheme {
            "digest" => self.digest,
            "sasl" => self.sasl,
            "x509" => self.x509,
            _ => false,
        }
    }

    /// Whether an identity is the one that an ACL entry of the same scheme asks for.
    fn matches(&self, id: &Id, wanted: &str) -> bool {
        match &*id.scheme {
            "ip" => address::Pattern::parse(wanted).is_some_and(|pattern| pattern.covers(&id.id)),
            "digest" => self.digest && *id.id == *wanted,
            "x509" => self.x509 && *id.id == *wanted,
            "sasl" => {
                self.sasl
                    && (*id.id == *wanted
                        || &*id.id == "super"
                        || self.sasl_anyone.as_deref() == Some(wanted))
            }
            _ => false,
        }
    }
}

/// The ACL as somebody sees it who may not change it: no hashes of passwords.
#[must_use]
pub(crate) fn masked(acl: &AclList) -> AclList {
    let masked_id = |entry: &Acl| {
        let (user, _) = entry.id.id.split_once(':')?;
        (&*entry.id.scheme == "digest").then(|| format!("{user}:x"))
    };
    if !acl.iter().any(|entry| masked_id(entry).is_some()) {
        return Arc::clone(acl);
    }
    acl.iter()
        .map(|entry| match masked_id(entry) {
            Some(id) => Acl::new(entry.perms, "digest", &id),
            None => entry.clone(),
        })
        .collect()
}

/// What nearly every request carries; no other form of it comes out differently.
fn is_one_open_entry(entries: &[AclEntry<'_>]) -> bool {
    matches!(entries, [entry] if *entry == OPEN[0].as_entry())
}

fn is_anyone(id: &Id) -> bool {
    &*id.scheme == "world" && &*id.id == "anyone"
}

/// Two parts around a colon, counted as Java splits: empty parts at the end do not count.
fn is_digest(id: &str) -> bool {
    let parts = id.trim_end_matches(':').split(':').count();
    !id.is_empty() && parts == 2
}
