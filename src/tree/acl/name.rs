//! Names of principals in ACLs of the schemes `sasl` and `x509`.
//!
//! Behaviour: `org.apache.zookeeper.server.auth.KerberosName` and the names that
//! `javax.security.auth.x500.X500Principal` takes.

/// Attribute types a distinguished name may use by name; any other needs its number.
const ATTRIBUTES: [&str; 21] = [
    "C",
    "CN",
    "DC",
    "DNQ",
    "DNQUALIFIER",
    "EMAIL",
    "EMAILADDRESS",
    "GENERATION",
    "GIVENNAME",
    "INITIALS",
    "IP",
    "L",
    "O",
    "OU",
    "S",
    "SERIALNUMBER",
    "ST",
    "STREET",
    "SURNAME",
    "T",
    "UID",
];

/// Any text without `@`, or `service[/host]@realm`.
pub(super) fn is_sasl(id: &str) -> bool {
    let Some((principal, realm)) = id.split_once('@') else { return true };
    !realm.contains(['@', '/']) && principal.matches('/').count() <= 1
}

/// A distinguished name: `type=value` pairs between `,`, `;` or `+`. Empty text is the empty name.
pub(super) fn is_x500(id: &str) -> bool {
    id.trim().is_empty() || split_unquoted(id).is_some_and(|pairs| pairs.iter().all(is_pair))
}

fn is_pair(pair: &&str) -> bool {
    let Some((kind, _)) = pair.split_once('=') else { return false };
    let kind = kind.trim().to_ascii_uppercase();
    let number = kind.strip_prefix("OID.").unwrap_or(&kind);
    let is_number = number.contains('.')
        && number.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    is_number || ATTRIBUTES.contains(&&*kind)
}

/// Splits at separators that are neither quoted nor escaped; `None` where a quote stays open.
fn split_unquoted(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '+' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted && !escaped).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kerberos_names_have_at_most_one_host_and_one_realm() {
        for good in ["bob", "", "a/b/c", "bob@REALM", "bob/host@REALM", "@", "/@"] {
            assert!(is_sasl(good), "{good}");
        }
        for bad in ["a@b@c", "a/b/c@d", "a@b/c"] {
            assert!(!is_sasl(bad), "{bad}");
        }
    }

    #[test]
    fn distinguished_names_are_pairs() {
        for good in [
            "",
            "CN=bob",
            "cn=bob, o=home",
            "CN=a+OU=b;C=de",
            "2.5.4.3=x",
            "OID.2.5.4.3=x",
            r#"CN="a, b",O=c"#,
            r"CN=a\,b",
            "CN=a=b",
        ] {
            assert!(is_x500(good), "{good}");
        }
        for bad in ["bob", "CN", "X=1", "CN=a,", r#"CN="a"#, r"CN=a\", "2..5=x", "5=x"] {
            assert!(!is_x500(bad), "{bad}");
        }
    }
}
