//! ACLs, by the book.

use std::net::IpAddr;

use super::{Entry, Identity, reply::Acl};

pub(super) const READ: i32 = 1;
pub(super) const WRITE: i32 = 2;
pub(super) const CREATE: i32 = 4;
pub(super) const DELETE: i32 = 8;
pub(super) const ADMIN: i32 = 16;

/// The ACL that is stored for one that was sent, or the error.
pub(super) fn stored(sent: Option<&[Entry]>, caller: &[Identity]) -> Result<Acl, i32> {
    let mut unique: Vec<&Entry> = Vec::new();
    for entry in sent.unwrap_or_default() {
        if !unique.contains(&entry) {
            unique.push(entry);
        }
    }
    if unique.is_empty() {
        return Err(-114);
    }
    let mut stored = Acl::new();
    for (perms, scheme, id) in unique {
        match (scheme.as_deref(), id.as_deref()) {
            (Some("auth"), _) => {
                let own: Vec<_> = caller.iter().filter(|own| own.0 == "digest").collect();
                if own.is_empty() {
                    return Err(-114);
                }
                stored.extend(own.into_iter().map(|own| (*perms, own.0.clone(), own.1.clone())));
            }
            (Some("world" | "digest" | "ip"), None) => return Err(-5),
            (Some(scheme), Some(id)) if is_legal(scheme, id) => {
                stored.push((*perms, scheme.to_owned(), id.to_owned()));
            }
            _ => return Err(-114),
        }
    }
    Ok(stored)
}

/// Whether the caller has one of the permissions.
pub(super) fn permits(acl: &Acl, wanted: i32, caller: &[Identity]) -> bool {
    if acl.is_empty() || caller.iter().any(|own| own.0 == "super") {
        return true;
    }
    acl.iter().filter(|(perms, ..)| perms & wanted != 0).any(|(_, scheme, id)| {
        match scheme.as_str() {
            "world" => id == "anyone",
            "digest" => caller.contains(&(scheme.clone(), id.clone())),
            "ip" => caller.iter().any(|own| own.0 == "ip" && is_within(id, &own.1)),
            _ => false,
        }
    })
}

/// What somebody without ADMIN sees of an ACL.
pub(super) fn masked(acl: &Acl) -> Acl {
    let mask = |(perms, scheme, id): &(i32, String, String)| {
        let shown = match id.find(':') {
            Some(colon) if scheme == "digest" => format!("{}:x", &id[..colon]),
            _ => id.clone(),
        };
        (*perms, scheme.clone(), shown)
    };
    acl.iter().map(mask).collect()
}

fn is_legal(scheme: &str, id: &str) -> bool {
    match scheme {
        "world" => id == "anyone",
        "ip" => bits(id).is_some(),
        "digest" => {
            let mut parts: Vec<&str> = id.split(':').collect();
            while parts.last() == Some(&"") {
                parts.pop();
            }
            parts.len() == 2
        }
        _ => false,
    }
}

/// Whether the address begins with the bits that `id` spells out.
fn is_within(id: &str, address: &str) -> bool {
    let (Some((family, prefix)), Some((own_family, own))) = (bits(id), bits(address)) else {
        return false;
    };
    family == own_family && own.starts_with(&prefix)
}

/// The family, and an address or its significant part as a text of zeros and ones.
fn bits(id: &str) -> Option<(u8, String)> {
    let (address, length) = match id.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<usize>().ok()?)),
        None => (id, None),
    };
    let (family, mut text) = match address.parse().ok()? {
        IpAddr::V4(address) => (4, format!("{:032b}", address.to_bits())),
        IpAddr::V6(address) => (6, format!("{:0128b}", address.to_bits())),
    };
    if let Some(length) = length {
        if length > text.len() {
            return None;
        }
        text.truncate(length);
    }
    Some((family, text))
}
