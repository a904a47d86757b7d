//! Znode paths: the rules of creation and the way from a path to its parent.
//!
//! Behaviour: `org.apache.zookeeper.common.PathUtils`.

use thiserror::Error;

/// Why a path is not a legal znode path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PathError {
    /// The empty string.
    #[error("path is empty")]
    Empty,
    /// Not absolute.
    #[error("path does not start with '/'")]
    NotAbsolute,
    /// Ends in `/` and is not the root.
    #[error("path ends with '/'")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("path has an empty component")]
    EmptyComponent,
    /// A component `.` or `..`.
    #[error("path has a relative component")]
    RelativeComponent,
    /// A control character, a private-use or supplementary character, or U+FFF0 and up.
    #[error("path has the illegal character U+{:04X}", u32::from(*.0))]
    IllegalCharacter(char),
}

/// Checks the rules that apply to the full name of a znode.
///
/// # Errors
///
/// The first rule broken, reading from the left.
pub fn validate(path: &str) -> Result<(), PathError> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(if path.is_empty() { PathError::Empty } else { PathError::NotAbsolute });
    };
    if rest.is_empty() {
        return Ok(());
    }
    if is_plain(rest) {
        return Ok(());
    }
    if rest.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    for component in rest.split('/') {
        match component {
            "" => return Err(PathError::EmptyComponent),
            "." | ".." => return Err(PathError::RelativeComponent),
            _ => {}
        }
        if let Some(illegal) = component.chars().find(|&character| !is_legal(character)) {
            return Err(PathError::IllegalCharacter(illegal));
        }
    }
    Ok(())
}

/// The parent's path and the last component. `None` for the root and for text without a slash.
///
/// The parent of a top-level node is the empty string, an alias of `/` in ZooKeeper's tree.
#[must_use]
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    if path == "/" {
        return None;
    }
    // Names are short: a plain loop is done before a search for long text has begun.
    let slash = path.as_bytes().iter().rposition(|&byte| byte == b'/')?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// Whether no rule can be broken: printable ASCII, and components that begin with neither a slash
/// nor a dot. Most paths are settled by this one pass.
fn is_plain(rest: &str) -> bool {
    let mut starts_component = true;
    for &byte in rest.as_bytes() {
        if !(0x20..0x7f).contains(&byte) || (starts_component && matches!(byte, b'/' | b'.')) {
            return false;
        }
        starts_component = byte == b'/';
    }
    !starts_component
}

fn is_legal(character: char) -> bool {
    !matches!(u32::from(character),
        0x00..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_path_utils() {
        for good in ["/", "/a", "/.a", "/..a", "/a.", "/...", "/a b", "/\u{a0}", "/a/b", "/ü/日本"]
        {
            assert_eq!(validate(good), Ok(()), "{good:?}");
        }
        let bad = [
            ("", PathError::Empty),
            ("a", PathError::NotAbsolute),
            ("/a/", PathError::TrailingSlash),
            ("//", PathError::TrailingSlash),
            ("/a//b", PathError::EmptyComponent),
            ("/a/./b", PathError::RelativeComponent),
            ("/..", PathError::RelativeComponent),
            ("/a\0", PathError::IllegalCharacter('\0')),
            ("/\u{7f}", PathError::IllegalCharacter('\u{7f}')),
            ("/\u{e000}", PathError::IllegalCharacter('\u{e000}')),
            ("/\u{fffd}", PathError::IllegalCharacter('\u{fffd}')),
            ("/\u{1f600}", PathError::IllegalCharacter('\u{1f600}')),
        ];
        for (path, error) in bad {
            assert_eq!(validate(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn parents_of_top_level_nodes_are_the_empty_alias() {
        assert_eq!(split("/a"), Some(("", "a")));
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/"), None);
        assert_eq!(split("a"), None);
    }
}
