//! The calls of the file system. Tests put failures in their place.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// The calls of the file system that store and load data.
pub(crate) trait System: fmt::Debug + Send + Sync {
    /// Makes an empty file, or empties the one of that name; for writing.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Opens a file that is there, for writing.
    fn open_to_write(&self, path: &Path) -> io::Result<File>;

    /// Opens a file that is there, for reading.
    fn open_to_read(&self, path: &Path) -> io::Result<File>;

    /// Reserves room, which the file then counts as its own. Returns whether the file system can.
    fn reserve(&self, file: &File, offset: u64, length: u64) -> io::Result<bool>;

    /// Writes zeros.
    fn fill(&self, file: &File, offset: u64, length: u64) -> io::Result<()>;

    /// Writes some of `bytes`; says how many.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Reads some bytes; says how many, and none at the end.
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes the content survive a power cut.
    fn sync_data(&self, file: &File) -> io::Result<()>;

    /// Makes everything about a file survive a power cut.
    fn sync_all(&self, file: &File) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Cuts a file.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;

    /// Gives a file another name, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The system itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real;

impl System for Real {
    fn create(&self, path: &Path) -> io::Result<File> {
        for_data().create(true).truncate(true).open(path)
    }

    fn open_to_write(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).open(path)
    }

    fn open_to_read(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reserve(&self, file: &File, offset: u64, length: u64) -> io::Result<bool> {
        use rustix::{
            fs::{FallocateFlags, fallocate},
            io::Errno,
        };
        match fallocate(file, FallocateFlags::empty(), offset, length) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NODEV) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn reserve(&self, _file: &File, _offset: u64, _length: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn fill(&self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let end = offset.saturating_add(length);
        let mut at = offset;
        while at < end {
            let count = usize::try_from(end - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            match self.write_at(file, &ZEROS[..count], at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => at += written as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(file, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
    }

    #[cfg(unix)]
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        sync_directory(path)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// For files with data, to be written: not everybody may read what ACLs keep from clients.
#[cfg(unix)]
pub(crate) fn for_data() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o640);
    options
}

/// Elsewhere files have the permissions of their directory.
#[cfg(not(unix))]
pub(crate) fn for_data() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Makes a directory for such files.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "they have no mode"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(path)
}

/// Makes the names in a directory survive a power cut, where the system has such a thing.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // What a file system says that has no such thing.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Elsewhere a directory cannot be synced, and names are as durable as the system makes them.
#[cfg(not(unix))]
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads until the buffer is full or the file ends, however little the system gives at a time.
pub(crate) fn read_all(
    system: &dyn System,
    handle: &File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match system.read_at(handle, &mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Writes everything, however little the system takes at a time.
pub(crate) fn write_all(
    system: &dyn System,
    handle: &File,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match system.write_at(handle, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode()
    }

    /// No bit more, whatever the umask; it may take some away.
    #[test]
    fn data_are_not_for_everybody() {
        let dir = tempfile::tempdir().expect("room");
        let (directory, file) = (dir.path().join("directory"), dir.path().join("file"));
        create_directory(&directory).expect("room");
        assert_eq!(mode(&directory) & 0o777 & !0o750, 0);
        drop(Real.create(&file).expect("room"));
        assert_eq!(mode(&file) & 0o777 & !0o640, 0);
    }

    /// One file system that cannot sync directories is in every machine.
    #[cfg(target_os = "linux")]
    #[test]
    fn where_directories_cannot_be_synced_they_need_not_be() {
        let path = Path::new("/proc");
        let error = File::open(path).expect("it is there").sync_all().expect_err("it cannot");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        sync_directory(path).expect("that is not its fault");
        sync_directory(Path::new("/proc/none")).expect_err("it is not there");
    }
}
