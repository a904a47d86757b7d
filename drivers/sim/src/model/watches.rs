//! Watches as one list that is searched from end to end.

use std::collections::BTreeSet;

/// What a watch waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Data,
    Child,
    Persistent,
    Recursive,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Watch {
    path: String,
    watcher: u64,
    mode: Mode,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Watches(Vec<Watch>);

impl Watches {
    pub(super) fn add(&mut self, path: &str, watcher: u64, mode: Mode) {
        let watch = Watch { path: path.to_owned(), watcher, mode };
        if !self.0.contains(&watch) {
            self.0.push(watch);
        }
    }

    /// Everybody in the data table that a change of `path` reaches, the child table's, or both.
    pub(super) fn trigger(&mut self, path: &str, data: bool, child: bool) -> BTreeSet<u64> {
        let mut told = BTreeSet::new();
        self.0.retain(|watch| {
            let is_here = watch.path == path;
            let (is_reached, is_used_up) = match watch.mode {
                Mode::Data => (is_here && data, is_here && data),
                Mode::Child => (is_here && child, is_here && child),
                Mode::Persistent => (is_here && (data || child), false),
                Mode::Recursive => (data && covers(&watch.path, path), false),
            };
            if is_reached {
                told.insert(watch.watcher);
            }
            !is_used_up
        });
        told
    }

    pub(super) fn has(&self, path: &str, watcher: u64, code: i32) -> bool {
        self.0.iter().any(|watch| is_meant(watch, path, watcher, code))
    }

    pub(super) fn remove(&mut self, path: &str, watcher: u64, code: i32) {
        self.0.retain(|watch| !is_meant(watch, path, watcher, code));
    }

    pub(super) fn forget(&mut self, watcher: u64) {
        self.0.retain(|watch| watch.watcher != watcher);
    }

    /// Pairs of path and watcher in both tables.
    pub(super) fn count(&self) -> usize {
        let pairs = |is_in_table: fn(Mode) -> bool| {
            let watches = self.0.iter().filter(|watch| is_in_table(watch.mode));
            watches.map(|watch| (&watch.path, watch.watcher)).collect::<BTreeSet<_>>().len()
        };
        pairs(|mode| mode != Mode::Child)
            + pairs(|mode| matches!(mode, Mode::Child | Mode::Persistent))
    }
}

fn covers(ancestor: &str, path: &str) -> bool {
    ancestor == path
        || ancestor == "/" && path.starts_with('/')
        || !ancestor.is_empty() && path.starts_with(&format!("{ancestor}/"))
}

fn is_meant(watch: &Watch, path: &str, watcher: u64, code: i32) -> bool {
    let is_of_type = match code {
        1 => watch.mode == Mode::Child,
        2 => watch.mode == Mode::Data,
        3 => true,
        4 => watch.mode == Mode::Persistent,
        _ => watch.mode == Mode::Recursive,
    };
    is_of_type && watch.path == path && watch.watcher == watcher
}
