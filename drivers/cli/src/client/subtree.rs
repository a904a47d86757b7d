//! Everything below a znode.

use zookeeper_core::wire::ErrorCode;

use super::{
    connection::{Answer, Connection},
    failure::{About as _, CommandError, answered, is_loss},
    interrupt::Interrupt,
};

/// How many znodes are asked for their children at once.
const BATCH: usize = 128;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subtree {
    /// The znode itself and all below it, parents before children.
    pub(crate) paths: Vec<String>,
    /// How many went between their parent's answer and their own.
    pub(crate) gone: u64,
}

/// Reads level by level; `found` is told how many there are so far.
///
/// This is no snapshot: what comes and goes meanwhile may be missing, or be there.
pub(crate) fn read(
    connection: &dyn Connection,
    interrupt: &Interrupt,
    root: &str,
    mut found: impl FnMut(usize),
) -> Result<Subtree, CommandError> {
    let mut tree = Subtree::default();
    let mut level = vec![root.to_owned()];
    while !level.is_empty() {
        let mut below = Vec::new();
        for batch in level.chunks(BATCH) {
            interrupt.check()?;
            for (path, children) in batch.iter().zip(children(connection, batch)?) {
                match children {
                    Ok(names) => {
                        below.extend(names.iter().map(|name| join(path, name)));
                        tree.paths.push(path.clone());
                    }
                    Err(error) if error.code() == ErrorCode::NO_NODE && path != root => {
                        tree.gone += 1;
                    }
                    Err(error) => return Err(error).about(path),
                }
            }
            found(tree.paths.len());
        }
        level = below;
    }
    Ok(tree)
}

/// The path of a child.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

/// Puts siblings in order, and all that is below a znode behind it.
pub(crate) fn sort(paths: &mut [impl AsRef<str>]) {
    // A slash is to come before every other character, so that a child follows its parent.
    paths.sort_unstable_by(|one, other| one.as_ref().split('/').cmp(other.as_ref().split('/')));
}

/// The children of each. A server from before 3.6 does not know the request for several, and an
/// answer to all together may be too large; then each is asked for alone.
fn children(
    connection: &dyn Connection,
    paths: &[String],
) -> Result<Vec<Answer<Vec<String>>>, CommandError> {
    if let [_, _, ..] = paths {
        let together: Vec<&str> = paths.iter().map(String::as_str).collect();
        match connection.children_of(&together) {
            Ok(answers) if answers.len() == paths.len() => {
                return Ok(answers.into_iter().map(|answer| answer.map_err(answered)).collect());
            }
            Err(error) if is_loss(&error) => return Err(error).about_nothing(),
            _ => {}
        }
    }
    let one = |path: &String| connection.children(path, false).map(|(names, _)| names);
    Ok(paths.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::Fake;

    fn paths(fake: &Fake, root: &str) -> Subtree {
        read(fake, &Interrupt::default(), root, |_| ()).expect("it is there")
    }

    #[test]
    fn parents_come_before_children() {
        let fake = Fake::new(&["/a", "/a/b", "/a/c", "/a/b/d", "/ab"]);
        let tree = paths(&fake, "/a");
        assert_eq!(tree, Subtree { paths: names(&["/a", "/a/b", "/a/c", "/a/b/d"]), gone: 0 });
        assert_eq!(paths(&fake, "/").paths[..3], names(&["/", "/a", "/ab"]));
    }

    #[test]
    fn a_server_that_knows_no_multi_read_is_asked_one_by_one() {
        let fake = Fake::new(&["/a", "/a/b", "/a/c", "/a/b/d"]);
        let tree = paths(&fake, "/a");
        fake.refuse_multi_reads();
        assert_eq!(paths(&fake, "/a"), tree);
    }

    #[test]
    fn what_goes_meanwhile_is_counted() {
        let fake = Fake::new(&["/a", "/a/b", "/a/c"]);
        fake.on_request(1, |tree| {
            tree.remove("/a/b");
        });
        assert_eq!(paths(&fake, "/a"), Subtree { paths: names(&["/a", "/a/c"]), gone: 1 });
        let error = read(&fake, &Interrupt::default(), "/none", |_| ()).expect_err("no root");
        assert_eq!(error.to_string(), "/none: no node (NONODE)");
    }

    #[test]
    fn an_interrupt_stops_it() {
        let fake = Fake::new(&["/a"]);
        let interrupt = Interrupt::default();
        interrupt.set();
        let stopped = read(&fake, &interrupt, "/a", |_| ());
        assert!(matches!(stopped, Err(CommandError::Interrupted)));
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }
}
