//! Identities: which ones a connection has, and how it gets more.
//!
//! Behaviour: `org.apache.zookeeper.server.auth.DigestAuthenticationProvider` and
//! `IPAuthenticationProvider`.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::config::{Config, DigestAlgorithm};
use crate::wire::{AuthRequest, Id};

/// What a connection has from the start: its address.
pub(super) fn initial(peer: SocketAddr) -> Arc<[Id]> {
    Arc::new([address_id(peer)])
}

/// The identities after an `auth` request; `None` when it failed.
pub(super) fn authenticate(
    config: &Config,
    peer: SocketAddr,
    identities: &Arc<[Id]>,
    request: &AuthRequest<'_>,
) -> Option<Arc<[Id]>> {
    let mut added = Vec::new();
    match request.scheme?.as_bytes() {
        b"ip" => added.push(address_id(peer)),
        b"digest" if config.digest_enabled => {
            let id = digest_id(config.digest_algorithm, &request.credentials?);
            if config.super_digest.as_ref().is_some_and(|digest| *digest.0 == *id) {
                added.push(Id::new("super", ""));
            }
            added.push(Id::new("digest", &id));
        }
        _ => return None,
    }
    added.retain(|id| !identities.contains(id));
    if added.is_empty() {
        return Some(Arc::clone(identities));
    }
    let length = |id: &Id| id.scheme.len() + id.id.len();
    let total: usize = identities.iter().chain(&added).map(length).sum();
    if total > config.identities_length_max {
        return None;
    }
    Some(identities.iter().cloned().chain(added).collect())
}

/// Whether one of the schemes demanded is among the identities.
pub(super) fn is_authenticated(config: &Config, identities: &[Id]) -> bool {
    config.enforced_schemes.is_empty()
        || identities.iter().any(|id| config.enforced_schemes.contains(&id.scheme))
}

/// `user:` and the hash of the whole credentials, as ACLs of the scheme `digest` name a user.
///
/// Credentials that are not UTF-8 are read as upstream reads them, with replacement characters.
#[must_use]
pub fn digest_id(algorithm: DigestAlgorithm, credentials: &[u8]) -> String {
    let text = String::from_utf8_lossy(credentials);
    let user = text.split(':').next().unwrap_or_default();
    let bytes = text.as_bytes();
    let hash = match algorithm {
        DigestAlgorithm::Sha1 => BASE64.encode(Sha1::digest(bytes)),
        DigestAlgorithm::Sha256 => BASE64.encode(Sha256::digest(bytes)),
        DigestAlgorithm::Sha384 => BASE64.encode(Sha384::digest(bytes)),
        DigestAlgorithm::Sha512 => BASE64.encode(Sha512::digest(bytes)),
    };
    format!("{user}:{hash}")
}

fn address_id(peer: SocketAddr) -> Id {
    Id::new("ip", &peer.ip().to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::wire::Blob;

    #[test]
    fn digests_are_those_of_apache() {
        for (credentials, id) in [
            ("bob:pw", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
            ("", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            ("super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
        ] {
            assert_eq!(digest_id(DigestAlgorithm::Sha1, credentials.as_bytes()), id);
        }
        assert!(digest_id(DigestAlgorithm::Sha256, b"no colon").starts_with("no colon:"));
    }

    #[test]
    fn identities_are_a_set_that_grows() {
        let peer: SocketAddr = "[::ffff:127.0.0.1]:7".parse().unwrap();
        let mut config = Config::default();
        config.super_digest = Some(Secret("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()));
        let request = |scheme: &'static str, credentials: Option<&'static str>| AuthRequest {
            kind: 0,
            scheme: Some(scheme.into()),
            credentials: credentials.map(|text| Blob::Slice(text.as_bytes())),
        };
        let first = initial(peer);
        assert_eq!(*first, [Id::new("ip", "127.0.0.1")]);
        let again = authenticate(&config, peer, &first, &request("ip", None)).unwrap();
        assert_eq!(again, first);
        let user = request("digest", Some("bob:pw"));
        let second = authenticate(&config, peer, &first, &user).unwrap();
        assert_eq!(second.len(), 2);
        assert_eq!(authenticate(&config, peer, &second, &user).unwrap(), second);
        let root = request("digest", Some("super:test"));
        let third = authenticate(&config, peer, &second, &root).unwrap();
        assert!(third.contains(&Id::new("super", "")) && third.len() == 4);

        assert_eq!(authenticate(&config, peer, &first, &request("digest", None)), None);
        assert_eq!(authenticate(&config, peer, &first, &request("sasl", Some("x"))), None);
        config.digest_enabled = false;
        assert_eq!(authenticate(&config, peer, &first, &user), None);
    }

    #[test]
    fn enforcement_asks_for_one_of_the_schemes() {
        let mut config = Config::default();
        let ids = [Id::new("ip", "::1")];
        assert!(is_authenticated(&config, &ids));
        config.enforced_schemes = vec!["digest".into(), "sasl".into()];
        assert!(!is_authenticated(&config, &ids));
        assert!(is_authenticated(&config, &[Id::new("digest", "a:b")]));
    }
}
