//! What arguments are made of: paths, data, durations, ACLs.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use jiff::SignedDuration;
use zookeeper_core::{
    PathError, validate_path,
    wire::{Acl, perms},
};

use super::failure::CommandError;

/// The path of a znode. A slash at its end, which completion leaves there, does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ZnodePath(pub(crate) String);

impl FromStr for ZnodePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let text = match text.strip_suffix('/') {
            Some(before) if !before.is_empty() && !before.ends_with('/') => before,
            _ => text,
        };
        validate_path(text)?;
        Ok(Self(text.into()))
    }
}

/// Data for a znode.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DataArguments {
    /// The data; - reads standard input.
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub(crate) data: Option<OsString>,

    /// Read the data from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(crate) file: Option<PathBuf>,
}

impl DataArguments {
    /// The bytes; none if none were given. `stdin` says whether standard input may be read.
    pub(crate) fn read(&self, stdin: bool) -> Result<Option<Bytes>, CommandError> {
        if let Some(file) = &self.file {
            let what = || file.display().to_string();
            let read = fs::read(file);
            return read
                .map(|data| Some(data.into()))
                .map_err(|source| CommandError::System { what: what(), source });
        }
        match &self.data {
            Some(data) if data == "-" => read_stdin(stdin).map(Some),
            Some(data) => Ok(Some(data.clone().into_encoded_bytes().into())),
            None => Ok(None),
        }
    }
}

/// All of standard input, unless it is where commands come from.
pub(crate) fn read_stdin(allowed: bool) -> Result<Bytes, CommandError> {
    if !allowed {
        let message = "the shell itself reads standard input; use --file";
        return Err(CommandError::Usage(message.into()));
    }
    let mut data = Vec::new();
    match io::stdin().lock().read_to_end(&mut data) {
        Ok(_) => Ok(data.into()),
        Err(source) => Err(CommandError::System { what: "standard input".into(), source }),
    }
}

/// A duration: milliseconds, as everywhere in ZooKeeper, or with units, as `1h30m` or `10s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(Duration::from_millis(milliseconds));
    }
    let parsed: SignedDuration =
        text.parse().map_err(|_| "neither milliseconds nor a duration such as 10s".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it is negative".to_owned())
}

/// A list of ACL entries as upstream's shell takes them: `scheme:id:perms`, separated by commas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AclArgument(pub(crate) Vec<Acl>);

impl FromStr for AclArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(acl_entry).collect::<Result<_, _>>().map(Self)
    }
}

fn acl_entry(text: &str) -> Result<Acl, String> {
    let parts = text.split_once(':').and_then(|(scheme, rest)| {
        let (id, permissions) = rest.rsplit_once(':')?;
        Some((scheme, id, permissions))
    });
    let Some((scheme, id, permissions)) = parts.filter(|(scheme, ..)| !scheme.is_empty()) else {
        return Err(format!("{text:?} is not of the form scheme:id:perms"));
    };
    Ok(Acl::new(parse_permissions(permissions)?, scheme, id))
}

/// Letters in upstream's order.
const PERMISSIONS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

pub(crate) fn parse_permissions(letters: &str) -> Result<i32, String> {
    letters.chars().try_fold(0, |all, letter| {
        let known = PERMISSIONS.iter().find(|(known, _)| *known == letter);
        known
            .map(|(_, bit)| all | bit)
            .ok_or_else(|| format!("{letter:?} is no permission: they are c, d, r, w and a"))
    })
}

/// The letters of permission bits, such as `cdrwa`.
pub(crate) fn permission_letters(permissions: i32) -> String {
    PERMISSIONS.iter().filter(|(_, bit)| permissions & bit != 0).map(|(letter, _)| letter).collect()
}

/// What anybody may do anything with.
pub(crate) fn open_acl() -> Vec<Acl> {
    vec![Acl::new(perms::ALL, "world", "anyone")]
}

/// An identity to take on: `scheme:credentials`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AuthArgument {
    pub(crate) scheme: String,
    pub(crate) credentials: String,
}

impl std::fmt::Debug for AuthArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:x", self.scheme)
    }
}

impl FromStr for AuthArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.split_once(':') {
            Some((scheme, credentials)) if !scheme.is_empty() => {
                Ok(Self { scheme: scheme.into(), credentials: credentials.into() })
            }
            _ => Err("it is not of the form scheme:credentials"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_and_lose_a_slash_at_the_end() {
        for (text, expected) in [
            ("/", Some("/")),
            ("/a", Some("/a")),
            ("/a/", Some("/a")),
            ("/a b/", Some("/a b")),
            ("/a//", None),
            ("//", None),
            ("a", None),
            ("", None),
            ("/a/../b", None),
        ] {
            let parsed = text.parse().ok().map(|ZnodePath(path)| path);
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_are_milliseconds_or_have_units() {
        for (text, expected) in [
            ("600000", Some(600_000)),
            ("10s", Some(10_000)),
            ("1h30m", Some(5_400_000)),
            ("1500 ms", Some(1_500)),
            ("0", Some(0)),
            ("-5s", None),
            ("soon", None),
            ("", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(duration(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn acls_are_read_and_written() {
        let text = "world:anyone:r,digest:u:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=:cdrwa,auth::w";
        let AclArgument(acl) = text.parse().expect("valid");
        let digest = Acl::new(perms::ALL, "digest", "u:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=");
        let world = Acl::new(perms::READ, "world", "anyone");
        assert_eq!(acl, [world, digest, Acl::new(perms::WRITE, "auth", "")]);
        assert_eq!(permission_letters(perms::ALL), "cdrwa");
        assert_eq!(permission_letters(perms::READ | perms::ADMIN), "ra");
        for wrong in ["", "world:anyone", "world:anyone:x", ":anyone:r", "world:anyone:r,"] {
            assert!(wrong.parse::<AclArgument>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn identities_keep_their_secret() {
        let auth: AuthArgument = "digest:user:pass:word".parse().expect("valid");
        assert_eq!((&*auth.scheme, &*auth.credentials), ("digest", "user:pass:word"));
        assert!(!format!("{auth:?}").contains("pass"));
        assert!("digest".parse::<AuthArgument>().is_err());
        assert!(":x".parse::<AuthArgument>().is_err());
    }

    #[test]
    fn the_shells_own_input_is_no_data() {
        let data = DataArguments { data: Some("-".into()), file: None };
        assert!(matches!(data.read(false), Err(CommandError::Usage(_))));
        let data = DataArguments { data: Some("x".into()), file: None };
        assert_eq!(data.read(false).expect("an argument"), Some(Bytes::from_static(b"x")));
    }
}
