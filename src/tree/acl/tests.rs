//! The rules of stored ACLs and of permissions, example by example.

use super::*;
use crate::wire::Text;

fn entry<'a>(perms: i32, scheme: Option<&'a str>, id: Option<&'a str>) -> AclEntry<'a> {
    AclEntry { perms, scheme: scheme.map(Text::from), id: id.map(Text::from) }
}

fn fix(entries: &[AclEntry<'_>], identities: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
    Schemes::default().fix_up(Some(List::new(entries)), identities).map(|acl| acl.to_vec())
}

fn fix_one(scheme: Option<&str>, id: Option<&str>) -> Result<Vec<Acl>, ErrorCode> {
    fix(&[entry(31, scheme, id)], &[])
}

#[test]
fn a_list_needs_an_entry() {
    assert_eq!(fix(&[], &[]), Err(ErrorCode::INVALID_ACL));
    assert_eq!(Schemes::default().fix_up(None, &[]), Err(ErrorCode::INVALID_ACL));
}

#[test]
fn duplicates_go_and_the_first_stays() {
    let (one, two) = (entry(1, Some("world"), Some("anyone")), entry(2, Some("ip"), Some("::1")));
    let fixed = fix(&[one, two, one, two], &[]).unwrap();
    assert_eq!(fixed, [Acl::new(1, "world", "anyone"), Acl::new(2, "ip", "::1")]);
}

#[test]
fn permission_bits_are_not_validated() {
    for perms in [0, -1, i32::MIN, 31] {
        let fixed = fix(&[entry(perms, Some("world"), Some("anyone"))], &[]).unwrap();
        assert_eq!(fixed, [Acl::new(perms, "world", "anyone")]);
    }
}

#[test]
fn schemes_and_ids_are_checked() {
    for (scheme, id) in [
        (None, None),
        (None, Some("anyone")),
        (Some("world"), Some("somebody")),
        (Some("super"), Some("")),
        (Some("nonsense"), Some("x")),
        (Some("nonsense"), None),
        (Some(""), Some("")),
        (Some("sasl"), Some("bob")),
        (Some("x509"), Some("CN=bob")),
        (Some("auth"), Some("")),
        (Some("auth"), None),
        (Some("ip"), Some("1.2.3.4/33")),
        (Some("ip"), Some("1.2.3")),
        (Some("ip"), Some("localhost")),
        (Some("ip"), Some("/8")),
        (Some("ip"), Some("1::2::3")),
        (Some("digest"), Some("a")),
        (Some("digest"), Some("a:")),
        (Some("digest"), Some("a:b:c")),
        (Some("digest"), Some("")),
        (Some("digest"), Some(":")),
    ] {
        assert_eq!(fix_one(scheme, id), Err(ErrorCode::INVALID_ACL), "{scheme:?} {id:?}");
    }
    for (scheme, id) in [
        ("world", "anyone"),
        ("ip", "10.0.0.0/8"),
        ("ip", "::1"),
        ("digest", "a:b"),
        ("digest", ":b"),
        ("digest", "a:b:"),
    ] {
        assert_eq!(fix_one(Some(scheme), Some(id)).unwrap(), [Acl::new(31, scheme, id)]);
    }
}

#[test]
fn null_ids_of_known_schemes_are_marshalling_errors() {
    for scheme in ["world", "digest", "ip"] {
        assert_eq!(fix_one(Some(scheme), None), Err(ErrorCode::MARSHALLING_ERROR), "{scheme}");
    }
}

#[test]
fn the_first_bad_entry_decides() {
    let (bad, null) = (entry(1, Some("digest"), Some("a")), entry(1, Some("world"), None));
    assert_eq!(fix(&[bad, null], &[]), Err(ErrorCode::INVALID_ACL));
    assert_eq!(fix(&[null, bad], &[]), Err(ErrorCode::MARSHALLING_ERROR));
}

#[test]
fn auth_becomes_the_authenticated_identities() {
    let identities = [
        Id::new("ip", "::1"),
        Id::new("digest", "a:1"),
        Id::new("super", ""),
        Id::new("digest", "b:2"),
        Id::new("sasl", "c"),
    ];
    for id in [None, Some("ignored")] {
        let fixed = fix(&[entry(5, Some("auth"), id)], &identities).unwrap();
        assert_eq!(fixed, [Acl::new(5, "digest", "a:1"), Acl::new(5, "digest", "b:2")]);
    }
    let only = fix(&[entry(5, Some("auth"), None)], &identities[..1]);
    assert_eq!(only, Err(ErrorCode::INVALID_ACL));
    // Duplicates are dropped before the expansion, so it may bring one back.
    let both = [entry(5, Some("digest"), Some("a:1")), entry(5, Some("auth"), None)];
    assert_eq!(fix(&both, &identities[1..2]).unwrap().len(), 2);
}

#[test]
fn schemes_can_be_switched() {
    let mut schemes = Schemes::default();
    schemes.digest = false;
    schemes.sasl = true;
    schemes.x509 = true;
    schemes.sasl_anyone = Some("*".into());
    let legal = |schemes: &Schemes, scheme: &str, id: &str| {
        schemes.fix_up(Some(List::new(&[entry(1, Some(scheme), Some(id))])), &[]).is_ok()
    };
    assert!(!legal(&schemes, "digest", "a:b"));
    assert!(legal(&schemes, "sasl", "bob@HOME") && !legal(&schemes, "sasl", "a@b@c"));
    assert!(legal(&schemes, "x509", "CN=bob") && !legal(&schemes, "x509", "bob"));

    let permits = |scheme: &str, wanted: &str, id: &str| {
        schemes.permits(&[Acl::new(1, scheme, wanted)], 1, &[Id::new(scheme, id)])
    };
    assert!(!permits("digest", "a:b", "a:b"));
    assert!(permits("x509", "CN=bob", "CN=bob") && !permits("x509", "CN=bob", "CN=eve"));
    assert!(permits("sasl", "bob", "bob") && !permits("sasl", "bob", "eve"));
    assert!(permits("sasl", "bob", "super") && permits("sasl", "*", "eve"));
}

#[test]
fn permissions() {
    let schemes = Schemes::default();
    let world = [Acl::new(perms::READ, "world", "anyone")];
    assert!(schemes.permits(&[], perms::ADMIN, &[]), "an empty list allows everything");
    assert!(schemes.permits(&world, perms::READ, &[]));
    assert!(!schemes.permits(&world, perms::WRITE, &[]));
    assert!(schemes.permits(&world, perms::READ | perms::ADMIN, &[]), "either is enough");
    assert!(schemes.permits(&world, perms::WRITE, &[Id::new("super", "")]));

    let user = [Acl::new(perms::ALL, "digest", "a:1")];
    assert!(schemes.permits(
        &user,
        perms::WRITE,
        &[Id::new("ip", "::1"), Id::new("digest", "a:1")]
    ));
    assert!(!schemes.permits(&user, perms::WRITE, &[Id::new("digest", "a:2")]));
    assert!(!schemes.permits(&user, perms::WRITE, &[Id::new("ip", "a:1")]));
    let net = [Acl::new(perms::CREATE, "ip", "10.0.0.0/8")];
    assert!(schemes.permits(&net, perms::CREATE, &[Id::new("ip", "10.9.8.7")]));
    assert!(!schemes.permits(&net, perms::CREATE, &[Id::new("ip", "11.9.8.7")]));
    for scheme in ["nonsense", "world", "super", "sasl", "x509"] {
        let unknown = [Acl::new(-1, scheme, "x")];
        let same = [Id::new(if scheme == "super" { "world" } else { scheme }, "x")];
        assert!(!schemes.permits(&unknown, perms::READ, &same), "{scheme}");
    }
}

#[test]
fn hashes_are_masked() {
    let acl: AclList = Arc::new([
        Acl::new(1, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
        Acl::new(2, "digest", ":a:b"),
        Acl::new(3, "digest", "plain"),
        Acl::new(4, "ip", "::1"),
    ]);
    let seen: Vec<_> = masked(&acl).iter().map(|entry| entry.id.id.clone()).collect();
    assert_eq!(seen, ["bob:x".into(), ":x".into(), "plain".into(), Box::<str>::from("::1")]);
    assert!(Arc::ptr_eq(&masked(&open()), &open()), "nothing to hide, nothing to copy");
}

#[test]
fn who_am_i_hides_hashes_and_unknown_schemes() {
    let schemes = Schemes::default();
    for (scheme, id, user) in [
        ("ip", "127.0.0.1", "127.0.0.1"),
        ("digest", "bob:hash", "bob"),
        ("digest", ":hash", ""),
        ("super", "x", ""),
        ("sasl", "bob", ""),
    ] {
        let id = Id::new(scheme, id);
        let info = schemes.client_info(&id);
        assert_eq!((info.scheme, info.user), (Some(scheme.into()), Some(user.into())));
    }
}

#[test]
fn the_open_list_is_shared() {
    let fixed = Schemes::default().fix_up(Some(List::new(&[OPEN[0].as_entry()])), &[]).unwrap();
    assert!(Arc::ptr_eq(&fixed, &open()));
    assert_eq!(*read_only(), [Acl::new(1, "world", "anyone")]);
}
