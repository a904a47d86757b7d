//! What the host says about itself, for the commands `envi` and `mntr`.

use std::{env, path::Path};

use zookeeper_core::server::Environment;

/// What Java servers print and others do not have.
const NO_JAVA: &str = "<NA>";

/// The properties, which stay the same, with figures that do not.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    properties: Vec<(Box<str>, Box<str>)>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let [name, os_name, os_version] = system();
        let properties = [
            ("host.name", name),
            // Tools look for this one.
            ("java.version", NO_JAVA.into()),
            ("java.vendor", NO_JAVA.into()),
            ("java.home", NO_JAVA.into()),
            ("java.class.path", NO_JAVA.into()),
            ("java.library.path", NO_JAVA.into()),
            ("java.io.tmpdir", path(&env::temp_dir())),
            ("java.compiler", NO_JAVA.into()),
            ("os.name", os_name),
            ("os.arch", env::consts::ARCH.into()),
            ("os.version", os_version),
            ("user.name", variable(&["USER", "LOGNAME", "USERNAME"])),
            ("user.home", variable(&["HOME", "USERPROFILE"])),
            ("user.dir", env::current_dir().map_or_else(|_| NO_JAVA.into(), |dir| path(&dir))),
        ];
        let properties = properties.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { properties }
    }

    /// The figures of this moment; cheap enough for every few seconds.
    pub(crate) fn environment(&self) -> Environment {
        let mut environment = Environment::default();
        environment.properties.clone_from(&self.properties);
        for (key, value) in memory_mb() {
            environment.properties.push((key.into(), format!("{value}MB").into()));
        }
        (environment.open_files, environment.open_files_max) = descriptors();
        environment
    }
}

fn path(path: &Path) -> Box<str> {
    path.to_string_lossy().into()
}

/// The first of these that is set.
fn variable(names: &[&str]) -> Box<str> {
    let value = names.iter().find_map(env::var_os);
    value.map_or_else(|| NO_JAVA.into(), |value| value.to_string_lossy().into())
}

/// The host's name, its system's, and the system's version.
#[cfg(unix)]
fn system() -> [Box<str>; 3] {
    let uname = rustix::system::uname();
    [uname.nodename(), uname.sysname(), uname.release()].map(|text| text.to_string_lossy().into())
}

#[cfg(not(unix))]
fn system() -> [Box<str>; 3] {
    [variable(&["COMPUTERNAME", "HOSTNAME"]), env::consts::OS.into(), NO_JAVA.into()]
}

/// The host's memory, where a Java server would print its heap's.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(clippy::useless_conversion, reason = "not everywhere are these as long as here")]
fn memory_mb() -> [(&'static str, u64); 3] {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit);
    let mb = |count: u64| count.saturating_mul(unit) >> 20;
    let (free, total) = (mb(info.freeram.into()), mb(info.totalram.into()));
    [("os.memory.free", free), ("os.memory.max", total), ("os.memory.total", total)]
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn memory_mb() -> [(&'static str, u64); 3] {
    [("os.memory.free", 0), ("os.memory.max", 0), ("os.memory.total", 0)]
}

/// Descriptors open, and allowed.
#[cfg(unix)]
fn descriptors() -> (u64, u64) {
    use rustix::process::{Resource, getrlimit};
    let max = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (open_descriptors(), max)
}

#[cfg(not(unix))]
const fn descriptors() -> (u64, u64) {
    (0, 0)
}

/// Descriptors open. Newer Linux tells the number as the directory's size, without a listing.
#[cfg(unix)]
fn open_descriptors() -> u64 {
    const DIRECTORY: &str = "/dev/fd";
    let known = std::fs::metadata(DIRECTORY).map_or(0, |data| data.len());
    if cfg!(target_os = "linux") && known > 0 {
        return known;
    }
    std::fs::read_dir(DIRECTORY).map_or(0, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_envi_are_there_in_order() {
        let environment = Host::new().environment();
        let keys: Vec<&str> = environment.properties.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys.first(), Some(&"host.name"));
        assert_eq!(keys.last(), Some(&"os.memory.total"));
        assert!(environment.properties.iter().all(|(_, value)| !value.is_empty()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn open_files_are_counted() {
        let environment = Host::new().environment();
        // At least the three of every process.
        assert!((3..=environment.open_files_max).contains(&environment.open_files));
    }
}
