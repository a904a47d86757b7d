//! A znode and everything below it, written as JSON lines.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use jiff::Timestamp;
use zookeeper_core::{SessionId, Zxid, wire::ErrorCode};

use super::{Context, TICK, style};
use crate::client::{
    connection::Node,
    failure::{About as _, CommandError},
    outcome::Outcome,
    subtree,
    transfer::{End, Header, Kind, Line, NodeLine, relative},
    value::ZnodePath,
};

/// How many znodes are read at once: as many of the largest data have room in memory.
const BATCH: usize = 64;

/// Write a znode and everything below it as JSON lines, for `zk import`.
///
/// The first line names the format and the root, each other line is a znode, parents before their
/// children, with paths relative to the root; the last line tells that nothing is missing.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub(crate) struct Export {
    /// The znode.
    #[arg(default_value = "/")]
    path: ZnodePath,

    /// Write to this file; - is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,

    /// Write ephemeral znodes too, as persistent ones; otherwise they are left out and counted.
    #[arg(long)]
    ephemeral_as_persistent: bool,
}

const MORE: &str = "\
Each znode has path, data, encoding (utf-8 or base64), acl, kind, and stat for information.

What an export cannot hold:
  - It is no snapshot of one moment: what others change meanwhile may be there or not.
  - Servers tell no client which znodes are containers or have a time to live; all are persistent.
  - Versions, times and zxids are the new server's own after an import. So are the counters of
    sequential names, which begin at the number of children: a new name may be taken already.
  - Of /zookeeper nothing is exported, quotas neither.
  - Hashes in digest ACLs are shown only to those who may administer the znode; use --auth.

Examples:
  zk export /app -o app.jsonl
      to a file
  zk export --server old:2181 /app | zk import --server new:2181
      from one ensemble to another
  zk export / | jq -r 'select(.path) | .path'
      for other tools";

impl Export {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        if self.output.as_os_str() == "-" {
            let what = "standard output";
            let end = self.write(context, &mut BufWriter::new(io::stdout().lock()), what)?;
            if end.hidden > 0 {
                // Nobody may be listening there.
                let _ = writeln!(io::stderr(), "warning: {}", hidden_note(end.hidden));
            }
            return Ok(Outcome::Shown);
        }
        let file = self.output.display().to_string();
        let system = |source| CommandError::System { what: file.clone(), source };
        let mut out = BufWriter::new(File::create(&self.output).map_err(system)?);
        let end = self.write(context, &mut out, &file)?;
        out.get_ref().sync_all().map_err(system)?;
        Ok(Outcome::Exported { file, end })
    }

    /// Writes all lines to `out`, which is called `what` if it refuses.
    fn write(
        &self,
        context: &Context<'_>,
        out: &mut dyn Write,
        what: &str,
    ) -> Result<End, CommandError> {
        if context.connection.is_reserved(&self.path.0) {
            let message = "/zookeeper is the server's own and is not exported";
            return Err(CommandError::Usage(message.into()));
        }
        let mut writer = Writer { out, what, root: &self.path.0, end: End::default() };
        context.progress.enable_steady_tick(TICK);
        let result = self.walk(context, &mut writer);
        context.progress.finish_and_clear();
        result.map(|()| writer.end)
    }

    fn walk(&self, context: &Context<'_>, writer: &mut Writer<'_>) -> Result<(), CommandError> {
        let progress = context.progress;
        progress.set_style(style("{spinner} {pos} found"));
        let found = subtree::read(context.connection, context.interrupt, writer.root, |found| {
            progress.set_position(u64::try_from(found).unwrap_or(u64::MAX));
        })?;
        writer.end.gone = found.gone;
        let mut paths: Vec<&str> = found.paths.iter().map(String::as_str).collect();
        paths.retain(|path| !context.connection.is_reserved(path));
        // Every server has an order of its own; equal trees are to have equal exports.
        subtree::sort(&mut paths);
        progress.set_style(style("{spinner} {pos}/{len} exported {bar:30} {per_sec}"));
        progress.set_length(u64::try_from(paths.len()).unwrap_or(u64::MAX));
        progress.set_position(0);
        let exported = format!("{:.3}", Timestamp::now());
        writer.line(&Line::Header(Header { root: writer.root.into(), exported }))?;
        for batch in paths.chunks(BATCH) {
            context.interrupt.check()?;
            for (path, node) in batch.iter().zip(context.connection.nodes(batch)) {
                match node {
                    Ok(node) => self.node(writer, path, node)?,
                    Err(error) if error.code() == ErrorCode::NO_NODE && *path != writer.root => {
                        writer.end.gone += 1;
                    }
                    Err(error) => return Err(error).about(path),
                }
                progress.inc(1);
            }
        }
        writer.finish()
    }

    fn node(&self, writer: &mut Writer<'_>, path: &str, node: Node) -> Result<(), CommandError> {
        let Node { data, acl, stat } = node;
        if stat.ephemeral_owner != SessionId::NONE && !self.ephemeral_as_persistent {
            writer.end.skipped += 1;
            return Ok(());
        }
        let path = relative(path, writer.root).into();
        let node = NodeLine { path, data, acl, kind: Kind::Persistent, stat: Some(stat) };
        let end = &mut writer.end;
        end.znodes += 1;
        end.hidden += u64::from(node.has_hidden_acl());
        end.zxid = newest([end.zxid, stat.czxid, stat.mzxid, stat.pzxid]);
        writer.line(&Line::Node(node))
    }
}

/// Where lines go, and what they held.
struct Writer<'a> {
    out: &'a mut dyn Write,
    what: &'a str,
    root: &'a str,
    end: End,
}

impl Writer<'_> {
    fn line(&mut self, line: &Line) -> Result<(), CommandError> {
        let written = writeln!(self.out, "{}", line.to_json());
        written.map_err(|source| self.refusal(source))
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        self.line(&Line::End(self.end))?;
        self.out.flush().map_err(|source| self.refusal(source))
    }

    fn refusal(&self, source: io::Error) -> CommandError {
        CommandError::System { what: self.what.into(), source }
    }
}

/// What is to be said of ACLs that are not whole.
pub(crate) fn hidden_note(count: u64) -> String {
    let acls = if count == 1 { "ACL lacks" } else { "ACLs lack" };
    format!("{count} {acls} the hashes of digests; export with an --auth that may administer them")
}

fn newest(zxids: [Zxid; 4]) -> Zxid {
    zxids.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use indicatif::ProgressBar;
    use zookeeper_core::wire::{Acl, perms};

    use super::*;
    use crate::client::{fake::Fake, interrupt::Interrupt, value::open_acl, watching::Watching};

    /// What an export of a fake says.
    pub(in crate::client::command) fn export(
        fake: &Fake,
        path: &str,
        ephemeral_as_persistent: bool,
    ) -> Result<String, CommandError> {
        let context = Context {
            connection: fake,
            interrupt: &Interrupt::default(),
            watching: Watching::InBackground,
            progress: &ProgressBar::hidden(),
        };
        let path = path.parse().expect("valid");
        let export = Export { path, output: "-".into(), ephemeral_as_persistent };
        let mut out = Vec::new();
        export.write(&context, &mut out, "memory")?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn lines(text: &str) -> Vec<Line> {
        text.lines().map(|line| Line::parse(line.as_bytes()).expect(line)).collect()
    }

    fn paths(lines: &[Line]) -> Vec<&str> {
        let nodes = lines.iter().filter_map(|line| match line {
            Line::Node(node) => Some(&*node.path),
            _ => None,
        });
        nodes.collect()
    }

    #[test]
    fn paths_are_relative_and_parents_come_first() {
        let fake = Fake::new(&["/app", "/app/b", "/app/b c", "/app/b/c", "/app/a", "/apple"]);
        let exported = lines(&export(&fake, "/app", false).expect("it is there"));
        assert!(matches!(&exported[0], Line::Header(header) if header.root == "/app"));
        assert_eq!(paths(&exported), ["/", "/a", "/b", "/b/c", "/b c"]);
        let end = End { znodes: 5, ..End::default() };
        assert_eq!(exported.last(), Some(&Line::End(end)));
    }

    #[test]
    fn the_servers_own_stays_there() {
        let fake = Fake::new(&["/a", "/zookeeper", "/zookeeper/quota", "/zookeepers"]);
        let exported = lines(&export(&fake, "/", false).expect("it is there"));
        assert_eq!(paths(&exported), ["/", "/a", "/zookeepers"]);
        let error = export(&fake, "/zookeeper/quota", false).expect_err("refused");
        assert!(matches!(error, CommandError::Usage(_)), "{error}");
    }

    #[test]
    fn ephemerals_are_left_out_unless_they_are_wanted() {
        let fake = Fake::new(&["/a", "/a/e", "/a/p"]);
        fake.meddle(|tree| tree.make_ephemeral("/a/e"));
        let exported = lines(&export(&fake, "/a", false).expect("it is there"));
        assert_eq!(paths(&exported), ["/", "/p"]);
        let end = End { znodes: 2, skipped: 1, ..End::default() };
        assert_eq!(exported.last(), Some(&Line::End(end)));
        let exported = lines(&export(&fake, "/a", true).expect("it is there"));
        assert_eq!(paths(&exported), ["/", "/e", "/p"]);
    }

    #[test]
    fn what_goes_meanwhile_and_what_is_hidden_is_counted() {
        let fake = Fake::new(&["/a", "/a/b", "/a/c"]);
        fake.meddle(|tree| {
            let digest = Acl::new(perms::ALL, "digest", "user:x");
            tree.put("/a/c".into(), None, [open_acl(), vec![digest]].concat());
        });
        // The children of /a, those of /a/b and /a/c, then the data.
        fake.on_request(2, |tree| {
            tree.remove("/a/b");
        });
        let exported = lines(&export(&fake, "/a", false).expect("it is there"));
        let end = End { znodes: 2, gone: 1, hidden: 1, ..End::default() };
        assert_eq!(exported.last(), Some(&Line::End(end)));
    }

    #[test]
    fn a_loss_ends_it_without_a_last_line() {
        let fake = Fake::new(&["/a", "/a/b"]);
        fake.lose_at(2);
        let error = export(&fake, "/a", false).expect_err("lost");
        assert_eq!(error.exit_code(), 3);
        assert_eq!(export(&fake, "/none", false).expect_err("lost").exit_code(), 3);
    }
}
