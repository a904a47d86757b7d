//! Access control: which lists are well formed, and who may do what.
//!
//! Behaviour: `org.apache.zookeeper.server.PrepRequestProcessor.fixupACL`,
//! `ZooKeeperServer.checkACL` and `org.apache.zookeeper.server.auth.*`.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use crate::wire::{Acl, AclEntry, AclList, ErrorCode, Id, List, Text, perms};

/// Entries of one list. Every read, write and event asks the whole list, and one small request may
/// be thousands of those.
const ENTRIES_MAX: usize = 1_024;

/// What every client may do everything with.
pub(super) fn open() -> AclList {
    Arc::new([Acl::new(perms::ALL, "world", "anyone")])
}

/// What every client may only read.
pub(super) fn read_only() -> AclList {
    Arc::new([Acl::new(perms::READ, "world", "anyone")])
}

/// Whether a list as a client sent it is just [`open`], which needs no look at anything else.
pub(super) fn is_open<'a>(entries: List<'a, AclEntry<'a>>) -> bool {
    let is_text = |text: Option<Text<'_>>, wanted: &str| text.is_some_and(|text| text == *wanted);
    entries.len() == 1
        && entries.iter().all(|entry| {
            entry.perms == perms::ALL
                && is_text(entry.scheme, "world")
                && is_text(entry.id, "anyone")
        })
}

/// Checks a list as a client sent it and turns it into the one to store: entries once each, `auth`
/// replaced by the caller's own identities, unless those come to more than `length_max` bytes.
pub(super) fn fix_up<'a>(
    entries: Option<List<'a, AclEntry<'a>>>,
    identities: &[Id],
    digest_enabled: bool,
    length_max: usize,
) -> Result<Vec<Acl>, ErrorCode> {
    let mut fixed: Vec<Acl> = Vec::new();
    // A frame holds tens of thousands of entries: too many to compare each with each.
    let mut seen = BTreeSet::new();
    let mut length = 0;
    for entry in entries.into_iter().flat_map(|entries| entries.iter()) {
        if !seen.insert((entry.perms, entry.scheme, entry.id)) {
            continue;
        }
        let Some(scheme) = entry.scheme else { return Err(ErrorCode::INVALID_ACL) };
        let scheme = scheme.to_str().map_err(|_| ErrorCode::INVALID_ACL)?;
        if scheme == "auth" {
            let before = fixed.len();
            for id in identities.iter().filter(|id| is_authenticated(id)) {
                if fixed.len() >= ENTRIES_MAX {
                    return Err(ErrorCode::INVALID_ACL);
                }
                length += id.scheme.len() + id.id.len();
                if length > length_max {
                    return Err(ErrorCode::MARSHALLING_ERROR);
                }
                fixed.push(Acl { perms: entry.perms, id: id.clone() });
            }
            if fixed.len() == before {
                return Err(ErrorCode::INVALID_ACL);
            }
            continue;
        }
        let id = match entry.id {
            Some(id) => id.to_str_lossy(),
            None if matches!(scheme, "world" | "digest" | "ip") => {
                return Err(ErrorCode::MARSHALLING_ERROR);
            }
            None => return Err(ErrorCode::INVALID_ACL),
        };
        let is_valid = match scheme {
            "world" => id == "anyone",
            "ip" => AddressRange::parse(&id).is_some(),
            "digest" => digest_enabled && is_digest(&id),
            _ => false,
        };
        if !is_valid {
            return Err(ErrorCode::INVALID_ACL);
        }
        if fixed.len() >= ENTRIES_MAX {
            return Err(ErrorCode::INVALID_ACL);
        }
        fixed.push(Acl::new(entry.perms, scheme, &id));
    }
    if fixed.is_empty() { Err(ErrorCode::INVALID_ACL) } else { Ok(fixed) }
}

/// Whether the list gives one of the permissions to somebody with these identities.
pub(super) fn permits(acl: &[Acl], permission: i32, identities: &[Id]) -> bool {
    let is_given = |entry: &Acl| {
        let id = &entry.id;
        entry.perms & permission != 0
            && ((&*id.scheme == "world" && &*id.id == "anyone")
                || identities.iter().any(|own| matches(own, id)))
    };
    acl.is_empty()
        || acl.iter().any(is_given)
        || identities.iter().any(|own| &*own.scheme == "super")
}

/// The list without the hashes of digests, for those who may not change it.
pub(super) fn without_hashes(acl: &[Acl]) -> Vec<Acl> {
    let mask = |entry: &Acl| match entry.id.id.split_once(':') {
        Some((user, _)) if &*entry.id.scheme == "digest" => {
            Acl::new(entry.perms, "digest", &format!("{user}:x"))
        }
        _ => entry.clone(),
    };
    acl.iter().map(mask).collect()
}

/// What `whoAmI` says of an identity: no secrets.
pub(super) fn user(id: &Id) -> &str {
    match &*id.scheme {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        "ip" | "sasl" | "x509" => &id.id,
        _ => "",
    }
}

/// Whether an identity stands for somebody, as the scheme `auth` asks.
fn is_authenticated(id: &Id) -> bool {
    matches!(&*id.scheme, "digest" | "sasl" | "x509")
}

/// Whether a connection's identity is the one that an entry names.
fn matches(own: &Id, entry: &Id) -> bool {
    if own.scheme != entry.scheme {
        return false;
    }
    match &*own.scheme {
        "ip" => {
            let address = own.id.parse().ok();
            let range = AddressRange::parse(&entry.id);
            range.zip(address).is_some_and(|(range, address)| range.contains(address))
        }
        "digest" | "sasl" | "x509" => own.id == entry.id,
        _ => false,
    }
}

/// `user:hash`, by the rules of Java's `split(":")`: two parts, empty ones at the end dropped.
fn is_digest(id: &str) -> bool {
    let parts: Vec<_> = id.split(':').collect();
    let kept = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    kept == 2
}

/// An address, or a network: `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct AddressRange {
    address: IpAddr,
    bits: u32,
}

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|&bits| bits <= all)?,
            None => all,
        };
        Some(Self { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVALID: ErrorCode = ErrorCode::INVALID_ACL;

    fn entry(perms: i32, scheme: &'static str, id: &'static str) -> AclEntry<'static> {
        AclEntry { perms, scheme: Some(scheme.into()), id: Some(id.into()) }
    }

    fn fix(entries: &[AclEntry<'_>], identities: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
        fix_up(Some(List::new(entries)), identities, true, 100)
    }

    #[test]
    fn ids_are_checked_by_their_scheme() {
        let good = [
            ("world", "anyone"),
            ("digest", "a:b"),
            ("digest", ":b"),
            ("digest", "a:b:"),
            ("ip", "1.2.3.4"),
            ("ip", "10.0.0.0/8"),
            ("ip", "0.0.0.0/0"),
            ("ip", "::1"),
            ("ip", "fe80::/10"),
            ("ip", "::/128"),
        ];
        for (scheme, id) in good {
            assert_eq!(fix(&[entry(31, scheme, id)], &[]), Ok(vec![Acl::new(31, scheme, id)]));
        }
        let bad = [
            ("world", "nobody"),
            ("world", ""),
            ("digest", "a"),
            ("digest", "a:"),
            ("digest", "a:b:c"),
            ("digest", ""),
            ("ip", "1.2.3.4/33"),
            ("ip", "1.2.3"),
            ("ip", "localhost"),
            ("ip", "/8"),
            ("ip", "1::2::3"),
            ("ip", "::/129"),
            ("super", ""),
            ("sasl", "user"),
            ("x509", "CN=a"),
            ("nonsense", "x"),
            ("auth", ""),
        ];
        for (scheme, id) in bad {
            assert_eq!(fix(&[entry(31, scheme, id)], &[]), Err(INVALID), "{scheme}:{id}");
        }
        let digest = [entry(1, "digest", "a:b")];
        assert_eq!(fix_up(Some(List::new(&digest)), &[], false, 100), Err(INVALID));
    }

    #[test]
    fn a_list_has_a_limit() {
        let limit = i32::try_from(ENTRIES_MAX).unwrap();
        let mut list: Vec<_> = (0..limit).map(|perms| entry(perms, "world", "anyone")).collect();
        list.extend_from_within(..);
        assert_eq!(fix(&list, &[]).unwrap().len(), ENTRIES_MAX, "the same ones do not count");
        list.push(entry(limit, "world", "anyone"));
        assert_eq!(fix(&list, &[]), Err(INVALID));
        *list.last_mut().unwrap() = entry(limit, "auth", "");
        assert_eq!(fix(&list, &[Id::new("digest", "a:b")]), Err(INVALID));
    }

    #[test]
    fn nulls_and_empty_lists() {
        assert_eq!(fix_up(None, &[], true, 100), Err(INVALID));
        assert_eq!(fix(&[], &[]), Err(INVALID));
        let null = AclEntry { perms: 31, scheme: None, id: None };
        assert_eq!(fix(&[null], &[]), Err(INVALID));
        for scheme in ["world", "digest"] {
            let entry = AclEntry { perms: 31, scheme: Some(scheme.into()), id: None };
            assert_eq!(fix(&[entry], &[]), Err(ErrorCode::MARSHALLING_ERROR));
        }
        let auth = AclEntry { perms: 31, scheme: Some("auth".into()), id: None };
        assert!(fix(&[auth], &[Id::new("digest", "a:b")]).is_ok());
    }

    #[test]
    fn entries_count_once_and_auth_becomes_the_callers_own() {
        let open = entry(31, "world", "anyone");
        assert_eq!(fix(&[open, open], &[]).unwrap().len(), 1);
        let ids = [Id::new("ip", "::1"), Id::new("digest", "a:b"), Id::new("digest", "c:d")];
        let fixed = fix(&[entry(5, "auth", "ignored"), open], &ids).unwrap();
        let expected = [
            Acl::new(5, "digest", "a:b"),
            Acl::new(5, "digest", "c:d"),
            Acl::new(31, "world", "anyone"),
        ];
        assert_eq!(fixed, expected);
        assert_eq!(fix(&[entry(5, "auth", "")], &ids[..1]), Err(INVALID), "an address is nobody");
        // Each of these stands for both identities, and so do a frame's tens of thousands.
        let many: Vec<_> = (0..6).map(|perms| entry(perms, "auth", "")).collect();
        assert_eq!(fix(&many[..5], &ids).unwrap().len(), 10);
        assert_eq!(fix(&many, &ids), Err(ErrorCode::MARSHALLING_ERROR));
    }

    #[test]
    fn permission_needs_a_matching_entry() {
        let acl = [Acl::new(perms::READ, "world", "anyone"), Acl::new(31, "digest", "a:b")];
        assert!(permits(&acl, perms::READ, &[]));
        assert!(!permits(&acl, perms::WRITE, &[Id::new("digest", "a:c")]));
        assert!(permits(&acl, perms::WRITE, &[Id::new("digest", "a:b")]));
        assert!(permits(&acl, perms::WRITE, &[Id::new("super", "")]));
        assert!(permits(&[], perms::ADMIN, &[]), "no list, no limits");
        let net = [Acl::new(31, "ip", "10.1.0.0/16")];
        assert!(permits(&net, perms::READ, &[Id::new("ip", "10.1.2.3")]));
        assert!(!permits(&net, perms::READ, &[Id::new("ip", "10.2.2.3")]));
        assert!(!permits(&net, perms::READ, &[Id::new("ip", "::1")]));
        let all = [Acl::new(31, "ip", "::/0")];
        assert!(permits(&all, perms::READ, &[Id::new("ip", "fe80::1")]));
        assert!(!permits(&all, perms::READ, &[Id::new("ip", "10.2.2.3")]));
    }

    #[test]
    fn hashes_are_shown_to_nobody_else() {
        let acl = [Acl::new(1, "digest", "a:hash:more"), Acl::new(2, "ip", "1.2.3.4")];
        assert_eq!(
            without_hashes(&acl),
            [Acl::new(1, "digest", "a:x"), Acl::new(2, "ip", "1.2.3.4")]
        );
        assert_eq!(user(&Id::new("digest", "a:hash")), "a");
        assert_eq!(user(&Id::new("ip", "::1")), "::1");
        assert_eq!(user(&Id::new("super", "secret")), "");
    }
}
