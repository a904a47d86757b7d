//! Where typed lines are kept, and which.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The file, whose directory is made if need be; `None` where nothing is to be kept or there is no
/// place for it.
pub(super) fn file(chosen: Option<&Path>) -> io::Result<Option<PathBuf>> {
    let path = match chosen {
        Some(path) if path.as_os_str().is_empty() => return Ok(None),
        Some(path) => path.to_owned(),
        None => match state_directory() {
            Some(directory) => directory.join("zk").join("history"),
            None => return Ok(None),
        },
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    Ok(Some(path))
}

/// Whether a line may be kept: secrets may not, and who begins with a space does not want it.
pub(super) fn may_keep(line: &str) -> bool {
    !line.starts_with(' ') && !line.trim().is_empty() && !line.contains("addauth")
}

/// As the XDG base directories have it.
fn state_directory() -> Option<PathBuf> {
    let named = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(".local").join("state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        assert!(may_keep("get /a"));
        for line in ["addauth digest u:p", "  ls", "", "  ", "\taddauth digest u:p"] {
            assert!(!may_keep(line), "{line:?}");
        }
    }

    #[test]
    fn an_empty_name_keeps_nothing() {
        assert_eq!(file(Some(Path::new(""))).expect("nothing to do"), None);
        let directory = tempfile::tempdir().expect("room");
        let path = directory.path().join("new").join("history");
        assert_eq!(file(Some(&path)).expect("room"), Some(path.clone()));
        assert!(path.parent().is_some_and(Path::is_dir));
    }
}
