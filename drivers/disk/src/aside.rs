//! What a server or a repair takes from files is kept in a folder beside them, where no server
//! looks.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    error::RecoverError,
    system::{System, create_directory, read_all, write_all},
};

/// The folder's name.
const ASIDE: &str = "damaged";

/// How much is copied at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// Copies a part of a file, so that a power cut leaves the copy. Gives its path.
pub(crate) fn copy(
    system: &dyn System,
    path: &Path,
    range: Range<u64>,
) -> Result<PathBuf, RecoverError> {
    let (folder, copy) = place(system, path)?;
    copy_to(system, path, range, &copy)
        .and_then(|()| system.sync_dir(&folder))
        .map_err(failed(&copy))?;
    Ok(copy)
}

/// Copies what a log loses that is cut at `offset`, without the zeros at its end.
pub(crate) fn copy_tail(
    system: &dyn System,
    path: &Path,
    offset: u64,
) -> Result<PathBuf, RecoverError> {
    let end = written(system, path, offset).map_err(failed(path))?;
    copy(system, path, offset..end)
}

/// Moves a file there, so that a power cut leaves it in one of both places. Gives its new path.
pub(crate) fn take(system: &dyn System, path: &Path) -> Result<PathBuf, RecoverError> {
    let (folder, moved) = place(system, path)?;
    system
        .rename(path, &moved)
        .and_then(|()| system.sync_dir(&folder))
        .and_then(|()| system.sync_dir(directory(path)))
        .map_err(failed(&moved))?;
    Ok(moved)
}

/// The folder for what is taken from this file, made if need be, and a name there that nothing has
/// yet: what was kept before stays.
fn place(system: &dyn System, path: &Path) -> Result<(PathBuf, PathBuf), RecoverError> {
    let folder = directory(path).join(ASIDE);
    match create_directory(&folder) {
        // It may be there from a process that ended before it had synced its name.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        result => result,
    }
    .and_then(|()| system.sync_dir(directory(path)))
    .map_err(failed(&folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut names = (1_u32..).map(|number| folder.join(format!("{name}.{number}")));
    let is_free = |path: &PathBuf| !path.exists() && !path.is_symlink();
    match names.find(is_free) {
        Some(free) => Ok((folder, free)),
        None => Err(failed(&folder)(io::ErrorKind::AlreadyExists.into())),
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("."))
}

fn copy_to(system: &dyn System, from: &Path, range: Range<u64>, to: &Path) -> io::Result<()> {
    let (from, to) = (system.open_to_read(from)?, system.create(to)?);
    let mut buffer = vec![0; CHUNK];
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).map_or(CHUNK, |left| left.min(CHUNK));
        let count = read_all(system, &from, &mut buffer[..wanted], at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all(system, &to, &buffer[..count], at - range.start)?;
        at += count as u64;
    }
    system.sync_all(&to)
}

/// Where the zeros begin that a file ends in, from `offset` on.
fn written(system: &dyn System, path: &Path, offset: u64) -> io::Result<u64> {
    let file = system.open_to_read(path)?;
    let mut buffer = vec![0; CHUNK];
    let (mut at, mut end) = (offset, offset);
    loop {
        let count = read_all(system, &file, &mut buffer, at)?;
        if count == 0 {
            return Ok(end);
        }
        if let Some(last) = buffer[..count].iter().rposition(|byte| *byte != 0) {
            end = at + last as u64 + 1;
        }
        at += count as u64;
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    move |source| RecoverError::Keep { path: path.into(), source }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::system::Real;

    #[test]
    fn copies_are_not_for_everybody() {
        let dir = tempfile::tempdir().expect("room");
        let log = dir.path().join("log.1");
        fs::write(&log, "data").expect("room");
        let kept = copy(&Real, &log, 0..4).expect("room");
        for path in [directory(&kept), &kept] {
            let mode = fs::metadata(path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o027, 0, "{}: {mode:o}", path.display());
        }
    }
}
