//! A client's own root: the part of the tree that it sees.
//!
//! Behaviour: `org.apache.zookeeper.client.Chroot` and `ChrootWatcher`, except that upstream takes
//! `/ab` to be below `/a`.

use std::{borrow::Cow, sync::Arc};

use crate::path::{self, PathError};

/// The znode that a client sees as `/`, or none: then client paths are server paths.
///
/// Validate client paths before they are prefixed, so that errors speak of what the user wrote.
/// Paths that are the same for every client, such as `/zookeeper/config`, pass it by.
///
/// ```
/// use zookeeper_core::client::Chroot;
///
/// let app = Chroot::new("/app")?;
/// assert_eq!(app.apply("/leader"), "/app/leader");
/// assert_eq!(app.strip("/app/leader"), Some("/leader"));
/// assert_eq!(app.strip("/application"), None);
/// # Ok::<(), zookeeper_core::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Chroot(Option<Arc<str>>);

impl Chroot {
    /// The server's root.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The root at `path`; the path `/` is none.
    ///
    /// # Errors
    ///
    /// `path` is not a legal znode path.
    pub fn new(path: &str) -> Result<Self, PathError> {
        path::validate(path)?;
        Ok(Self((path != "/").then(|| path.into())))
    }

    /// The path, without a slash at its end; `None` for the server's root.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The root that `inner` is to a client whose root is this one.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        match (&self.0, &inner.0) {
            (None, _) => inner.clone(),
            (_, None) => self.clone(),
            (Some(outer), Some(inner)) => Self(Some(format!("{outer}{inner}").into())),
        }
    }

    /// The server's path for a client's path.
    #[must_use]
    pub fn apply<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match (self.as_str(), path) {
            (None, _) => Cow::Borrowed(path),
            (Some(root), "/") => Cow::Owned(root.to_owned()),
            (Some(root), _) => Cow::Owned([root, path].concat()),
        }
    }

    /// The client's path for a server's path; `None` if the client does not see it.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let Some(root) = self.as_str() else { return Some(path) };
        match path.strip_prefix(root)? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    fn root(path: &str) -> Chroot {
        Chroot::new(path).unwrap()
    }

    #[test]
    fn none_changes_nothing() {
        assert_eq!(Chroot::new("/"), Ok(Chroot::none()));
        assert_eq!(Chroot::default(), Chroot::none());
        assert_eq!(Chroot::none().as_str(), None);
        for path in ["/", "/a", "/a/b", ""] {
            assert!(matches!(Chroot::none().apply(path), Cow::Borrowed(same) if same == path));
            assert_eq!(Chroot::none().strip(path), Some(path));
        }
    }

    #[test]
    fn a_root_is_a_legal_path() {
        assert_eq!(root("/a/b ").as_str(), Some("/a/b "));
        for (path, error) in [
            ("", PathError::Empty),
            ("a", PathError::NotAbsolute),
            ("/a/", PathError::TrailingSlash),
            ("//", PathError::TrailingSlash),
            ("//a", PathError::EmptyComponent),
            ("/a/..", PathError::RelativeComponent),
            ("/a\0", PathError::IllegalCharacter('\0')),
        ] {
            assert_eq!(Chroot::new(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn the_root_itself_is_a_slash() {
        assert_eq!(root("/a").apply("/"), "/a");
        assert_eq!(root("/a").strip("/a"), Some("/"));
        assert_eq!(root("/a/b").apply("/c/d"), "/a/b/c/d");
        assert_eq!(root("/a/b").strip("/a/b/c/d"), Some("/c/d"));
    }

    #[test]
    fn what_only_begins_alike_is_outside() {
        for path in ["/ab", "/", "", "/b/a", "/a b", "a", "/A"] {
            assert_eq!(root("/a").strip(path), None, "{path:?}");
        }
        assert_eq!(root("/a").strip("/a//"), Some("//"), "server paths are not judged");
        assert_eq!(root("/é").strip("/è"), None);
    }

    #[test]
    fn a_sequential_name_keeps_its_slash() {
        assert_eq!(root("/a").apply("/b/"), "/a/b/");
    }

    #[test]
    fn roots_nest() {
        let (outer, inner) = (root("/a"), root("/b/c"));
        assert_eq!(outer.join(&inner), root("/a/b/c"));
        assert_eq!(outer.join(&Chroot::none()), outer);
        assert_eq!(Chroot::none().join(&inner), inner);
        assert_eq!(Chroot::none().join(&Chroot::none()), Chroot::none());
    }

    /// Path pieces of few letters, so that one often begins with another.
    fn path_of(pieces: &[u8]) -> String {
        let text: String = pieces.iter().map(|n| ["/a", "/b", "a", "é"][*n as usize % 4]).collect();
        if text.starts_with('/') { text } else { format!("/{text}") }
    }

    quickcheck! {
        fn strip_undoes_apply(roots: (Vec<u8>, Vec<u8>), path: Vec<u8>) -> bool {
            let (outer, inner, path) = (path_of(&roots.0), path_of(&roots.1), path_of(&path));
            let (outer, inner) = (root(&outer), root(&inner));
            let joined = outer.join(&inner);
            let server = joined.apply(&path);
            joined.strip(&server) == Some(path.as_str())
                && outer.apply(&inner.apply(&path)) == server
                && outer.strip(&server).and_then(|path| inner.strip(path)) == Some(path.as_str())
        }

        fn what_strip_accepts_apply_gives_back(root_path: Vec<u8>, path: Vec<u8>) -> bool {
            let (root, path) = (root(&path_of(&root_path)), path_of(&path));
            root.strip(&path).is_none_or(|client| root.apply(client) == path)
        }
    }
}
