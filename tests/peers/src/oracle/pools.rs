//! What the generator chooses from.

use zookeeper_core::Rng;

/// Names of znodes: few, so that clients meet.
pub(crate) const NAMES: [&str; 12] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "\u{fc}\u{65e5}",
    "x y",
    "z.z",
    "...",
    "long-name-0123456789",
];

/// Prefixes of sequential znodes.
pub(crate) const PREFIXES: [&str; 6] = ["s", "lock-", "", ".", "..", "\u{fc}"];

/// Paths that every server has.
pub(crate) const RESERVED: [&str; 5] =
    ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", ""];

/// Paths that break a rule, or look as if they did.
pub(crate) const ODD_PATHS: [&str; 30] = [
    "",
    "b",
    "b/c",
    "//",
    "/a/",
    "/a//b",
    "//a",
    "/.",
    "/..",
    "/a/.",
    "/a/..",
    "/a/./b",
    "/a/../b",
    "/a\0",
    "/a\u{1}b",
    "/a\u{1f}",
    "/a\u{7f}",
    "/a\u{9f}",
    "/a\u{a0}",
    "/a\u{d7ff}",
    "/a\u{e000}",
    "/a\u{f8ff}",
    "/a\u{f900}",
    "/a\u{ffef}",
    "/a\u{fff0}",
    "/a\u{fffd}",
    "/a\u{1f600}",
    "/nope/x",
    "/a/b/c/d/e/f/g",
    "/zookeeper/nope",
];

/// A path on which no client ever has a watch.
pub(crate) const UNWATCHED: &str = "/never-watched";

/// Users by their `auth` data, with the digest ids that stand in ACLs.
pub(crate) const USERS: [(&str, &str); 3] = [
    ("alice:pw", "alice:V55/p2T0OpjQ+low3NVAH4aLvm0="),
    ("bob:pw", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
    ("carol:pw", "carol:RffyCdXXV1Js0ywLAoP5/l25yKs="),
];

/// The superuser, who must be in the servers' configuration.
pub(crate) const SUPERUSER: &str = "super:test";

/// One entry of an ACL in a request.
pub(crate) type AclSpec = (i32, Option<&'static str>, Option<&'static str>);

/// Everybody may do everything.
pub(crate) const OPEN_ACL: [AclSpec; 1] = [(31, Some("world"), Some("anyone"))];

/// Well-formed identities.
pub(crate) const GOOD_IDS: [(&str, Option<&str>); 15] = [
    ("world", Some("anyone")),
    ("world", Some("anyone")),
    ("auth", Some("")),
    ("auth", None),
    ("auth", Some("ignored")),
    ("digest", Some(USERS[0].1)),
    ("digest", Some(USERS[1].1)),
    ("digest", Some(USERS[2].1)),
    ("digest", Some("eve:c2VjcmV0")),
    ("digest", Some(":b")),
    ("digest", Some("a:b:")),
    ("ip", Some("127.0.0.1")),
    ("ip", Some("127.0.0.0/8")),
    ("ip", Some("10.0.0.1")),
    ("ip", Some("10.0.0.0/0")),
];

/// Identities that a server refuses.
pub(crate) const BAD_IDS: [(Option<&str>, Option<&str>); 26] = [
    (Some("world"), Some("someone")),
    (Some("world"), Some("")),
    (Some("world"), None),
    (None, Some("anyone")),
    (None, None),
    (Some(""), Some("")),
    (Some("digest"), Some("a")),
    (Some("digest"), Some("a:")),
    (Some("digest"), Some("a:b:c")),
    (Some("digest"), Some("")),
    (Some("digest"), None),
    (Some("ip"), Some("127.0.0.1/33")),
    (Some("ip"), Some("127.0.0.1/-1")),
    (Some("ip"), Some("1.2.3")),
    (Some("ip"), Some("1.2.3.256")),
    (Some("ip"), Some("localhost")),
    (Some("ip"), Some("/8")),
    (Some("ip"), Some("1::2::3")),
    (Some("ip"), Some("::1/129")),
    (Some("ip"), Some("")),
    (Some("ip"), None),
    (Some("super"), Some("")),
    (Some("sasl"), Some("bob")),
    (Some("x509"), Some("CN=a")),
    (Some("World"), Some("anyone")),
    (Some("foo"), Some("bar")),
];

/// Permission bits.
pub(crate) const PERMS: [i32; 16] = [31, 31, 31, 1, 2, 4, 8, 16, 3, 7, 15, 23, 30, 27, 0, -1];

/// Create flags, the common ones several times.
pub(crate) const FLAGS: [i32; 24] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, -1, 100, i32::MIN];

/// Create flags that `createTTL` is meant for, and others.
pub(crate) const TTL_FLAGS: [i32; 10] = [5, 5, 5, 5, 6, 6, 0, 1, 4, 7];

/// Times to live, in milliseconds; none so short that a znode goes during a run.
pub(crate) const TTLS_MS: [i64; 9] = [
    100_000_000,
    100_000_000,
    3_600_000_000,
    0xff_ffff_ffff,
    0x100_0000_0000,
    0,
    -1,
    i64::MAX,
    i64::MIN,
];

/// Versions.
pub(crate) const VERSIONS: [i32; 16] =
    [-1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 2, 3, -2, i32::MAX];

/// Xids of ordinary requests besides those that count up.
pub(crate) const ODD_XIDS: [i32; 6] = [0, -3, -4, -8, i32::MIN, i32::MAX];

/// Operation numbers that no server knows. `check`, `deleteContainer` and `createSession` are not
/// among them.
pub(crate) const UNKNOWN_OPS: [i32; 9] = [0, 10, 23, 99, 108, -1, -12, i32::MAX, i32::MIN];

/// Texts of quota limits, all well-formed: upstream does not survive others.
pub(crate) const LIMITS: [&str; 12] = [
    "count=3,bytes=20",
    "count=100,bytes=-1",
    "count=5,bytes=50=",
    "count=0,bytes=0",
    "bytes=7",
    "countHardLimit=3",
    "countHardLimit=2;byteHardLimit=1000",
    "byteHardLimit=12;count=1",
    "byteHardLimit=40",
    "count=-1,bytes=10=;byteHardLimit=25",
    "count=-1,bytes=-1=;byteHardLimit=30;countHardLimit=4",
    "count=2,bytes=5=;byteHardLimit=60;countHardLimit=5",
];

/// Znodes under which quotas are set. Nothing is pipelined there: upstream checks a quota against
/// what is applied, not against what waits.
pub(crate) const QUOTA_PATHS: [&str; 3] = ["/q0", "/q1", "/q1/deep"];

/// One of `all`, each equally likely.
pub(crate) fn pick<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    let bound = u64::try_from(all.len()).unwrap_or(u64::MAX);
    all[usize::try_from(rng.below(bound)).unwrap_or(0)].clone()
}

/// A number from `low` to `high`, both included.
pub(crate) fn between(rng: &mut Rng, low: usize, high: usize) -> usize {
    let width = u64::try_from(high - low).unwrap_or(0);
    low + usize::try_from(rng.below(width + 1)).unwrap_or(0)
}
