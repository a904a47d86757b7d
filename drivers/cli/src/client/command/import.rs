//! Znodes, made from the lines of an export.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use clap::Args;

use super::{Context, TICK, style, write::create_parents};
use crate::client::{
    failure::CommandError,
    outcome::Outcome,
    subtree,
    transfer::{AclPolicy, Existing, Importer, LineReader, Progress},
    value::ZnodePath,
};

/// Create the znodes that `zk export` has written.
///
/// Many go in one transaction, and a transaction happens as a whole or not at all. When something
/// goes wrong the message says which line it was, and up to which line everything is done; with
/// --existing skip the rest can follow later.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub(crate) struct Import {
    /// The file; - is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,

    /// Where the root of the export is to be; otherwise it is where it was.
    ///
    /// Missing parents are created: empty, and for everybody to use.
    #[arg(long, value_name = "PATH")]
    into: Option<ZnodePath>,

    /// What to do with znodes that are there already. The root of all never stands in the way.
    #[arg(long, value_enum, default_value_t)]
    existing: Existing,

    /// Import no ACLs: new znodes are for everybody to use, others keep theirs.
    #[arg(long)]
    no_acl: bool,

    /// Set ACLs when all znodes are there; until then they are for everybody to use.
    ///
    /// So an ACL that does not let this session create what is below it does no harm.
    #[arg(long, conflicts_with = "no_acl")]
    acl_last: bool,

    /// Change nothing; read everything and say what would be done.
    #[arg(long)]
    dry_run: bool,
}

const MORE: &str = "\
Examples:
  zk import app.jsonl
      to where it was exported from
  zk import --into /copy --existing skip app.jsonl
      somewhere else, or the rest of it
  zk export --server old:2181 /app | zk import --server new:2181 --dry-run
      to see what would come of it";

impl Import {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        if self.file.as_os_str() == "-" {
            if context.is_shell() {
                let message = "the shell itself reads standard input; name a file";
                return Err(CommandError::Usage(message.into()));
            }
            context.progress.set_style(style("{spinner} {bytes} read, {msg}"));
            return self.import(context, io::stdin().lock(), "standard input".into());
        }
        let file = self.file.display().to_string();
        let system = |source| CommandError::System { what: file.clone(), source };
        let input = File::open(&self.file).map_err(system)?;
        context.progress.set_length(input.metadata().map_err(system)?.len());
        context.progress.set_style(style("{spinner} {bytes}/{total_bytes} {bar:30} {msg}"));
        self.import(context, BufReader::new(input), file)
    }

    fn import(
        &self,
        context: &Context<'_>,
        input: impl BufRead,
        file: String,
    ) -> Result<Outcome, CommandError> {
        let mut reader = LineReader::new(input, file);
        let header = reader.header()?;
        let into = self.into.as_ref().map_or(header.root, |ZnodePath(path)| path.clone());
        if context.connection.is_reserved(&into) {
            let message = "/zookeeper is the server's own; --into names another place";
            return Err(CommandError::Usage(message.into()));
        }
        if !self.dry_run {
            create_parents(context.connection, &into)?;
        }
        let acl_policy = match (self.no_acl, self.acl_last) {
            (true, _) => AclPolicy::Never,
            (_, true) => AclPolicy::Last,
            _ => AclPolicy::AtOnce,
        };
        let mut importer =
            Importer::new(context.connection, self.existing, acl_policy, self.dry_run);
        context.progress.enable_steady_tick(TICK);
        let result = self.lines(context, &mut reader, &mut importer, &into);
        let closed = importer.close().map_err(|(first, last, error)| reader.at(first, last, error));
        context.progress.finish_and_clear();
        let (progress, is_dry) = (importer.progress(), self.dry_run);
        // The first error is the cause of the second.
        match result.and(closed) {
            Ok(()) => Ok(Outcome::Imported { into, progress, is_dry }),
            Err(error) if is_dry || progress == Progress::default() => Err(error),
            Err(error) => Err(CommandError::PartlyImported { progress, error: Box::new(error) }),
        }
    }

    fn lines(
        &self,
        context: &Context<'_>,
        reader: &mut LineReader<impl BufRead>,
        importer: &mut Importer<'_>,
        into: &str,
    ) -> Result<(), CommandError> {
        loop {
            let next = match reader.node() {
                Ok(next) => next,
                // What comes before it is right.
                Err(error) => {
                    let rest = importer.flush();
                    rest.map_err(|(first, last, error)| reader.at(first, last, error))?;
                    return Err(error);
                }
            };
            let Some((line, node)) = next else { break };
            let path = match &*node.path {
                "/" => into.to_owned(),
                below => subtree::join(into, &below[1..]),
            };
            let at = |(first, last, error)| reader.at(first, last, error);
            if importer.add(line, path, node).map_err(at)? {
                context.interrupt.check()?;
                importer.flush().map_err(at)?;
                let Progress { created, overwritten, skipped, .. } = importer.progress();
                let done = created + overwritten + skipped;
                context.progress.set_position(reader.bytes());
                context.progress.set_message(format!("{done} znodes"));
            }
        }
        context.interrupt.check()?;
        importer.flush().map_err(|(first, last, error)| reader.at(first, last, error))
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressBar;
    use zookeeper_core::{
        Rng,
        wire::{Acl, ErrorCode, perms},
    };
    use zookeeper_sim::replay;

    use super::{super::export::tests::export, *};
    use crate::client::{
        fake::{Fake, Tree},
        interrupt::Interrupt,
        value::open_acl,
        watching::Watching,
    };

    fn plain(existing: Existing) -> Import {
        let file = "unused".into();
        Import { file, into: None, existing, no_acl: false, acl_last: false, dry_run: false }
    }

    fn into(path: &str) -> Import {
        Import { into: Some(path.parse().expect("valid")), ..plain(Existing::Fail) }
    }

    fn run(import: &Import, fake: &Fake, text: &str) -> Result<Progress, CommandError> {
        run_until(import, fake, text, &Interrupt::default())
    }

    fn run_until(
        import: &Import,
        fake: &Fake,
        text: &str,
        interrupt: &Interrupt,
    ) -> Result<Progress, CommandError> {
        let context = Context {
            connection: fake,
            interrupt,
            watching: Watching::InBackground,
            progress: &ProgressBar::hidden(),
        };
        match import.import(&context, text.as_bytes(), "f".into())? {
            Outcome::Imported { progress, .. } => Ok(progress),
            other => panic!("{other:?}"),
        }
    }

    /// A tree that holds whatever a tree can.
    fn random_tree(rng: &mut Rng) -> Fake {
        const NAMES: [&str; 6] = ["a", "b c", "ü", "zookeeper", "鯨", "x.y"];
        let fake = Fake::new(&["/app"]);
        let mut paths = vec!["/app".to_owned()];
        for _ in 0..rng.below(1_500) {
            let parent = &paths[pick(rng, paths.len())];
            let name = format!("{}{}", NAMES[pick(rng, NAMES.len())], rng.below(9));
            paths.push(format!("{parent}/{name}"));
        }
        fake.meddle(|tree| {
            for path in paths {
                let data = match rng.below(4) {
                    0 => None,
                    1 => Some("text \" \\ \n \u{0}".into()),
                    _ => {
                        let most = if rng.one_in(99) { 99_999 } else { 99 };
                        let length = pick(rng, most);
                        let byte = u8::try_from(rng.below(256)).expect("below");
                        Some(vec![byte; length].into())
                    }
                };
                let digest = Acl::new(perms::ALL, "digest", "u:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=");
                let closed = Acl::new(i32::try_from(rng.below(32)).expect("below"), "ip", "::1");
                let acl = if rng.one_in(3) { vec![digest, closed] } else { open_acl() };
                tree.put(path, data, acl);
            }
        });
        fake
    }

    fn pick(rng: &mut Rng, count: usize) -> usize {
        usize::try_from(rng.below(count as u64)).expect("below")
    }

    /// What is below one znode, as if it were below another.
    fn below(tree: &Tree, root: &str) -> Vec<(String, Option<Vec<u8>>, Vec<Acl>)> {
        let node = |path: &String| {
            let rest = path.strip_prefix(root)?;
            let node = tree.get(path).expect("listed");
            Some((rest.to_owned(), node.data.as_deref().map(<[u8]>::to_vec), node.acl.clone()))
        };
        tree.paths().iter().filter_map(node).collect()
    }

    #[test]
    fn every_tree_survives_the_way_there_and_back() {
        let mut rng = Rng::new(replay::seed());
        for _ in 0..12 {
            let source = random_tree(&mut rng);
            let text = export(&source, "/app", false).expect("it is there");
            let expected = below(&source.tree(), "/app");
            for (import, root) in [
                (plain(Existing::Fail), "/app"),
                (into("/deep/er"), "/deep/er"),
                (Import { acl_last: true, ..into("/late") }, "/late"),
            ] {
                let target = Fake::new(&["/old"]);
                let progress = run(&import, &target, &text).expect("room");
                assert_eq!(below(&target.tree(), root), expected);
                assert_eq!((progress.created, progress.open), (expected.len() as u64, 0));
            }
        }
    }

    #[test]
    fn the_tree_of_a_root_goes_below_a_root() {
        let source = Fake::new(&["/a", "/a/b"]);
        source.meddle(|tree| tree.put("/".into(), Some("root".into()), open_acl()));
        let text = export(&source, "/", false).expect("it is there");
        let target = Fake::new(&["/old"]);
        let progress = run(&plain(Existing::Fail), &target, &text).expect("room");
        assert_eq!((progress.created, progress.skipped), (2, 1));
        assert_eq!(target.paths(), ["/", "/a", "/a/b", "/old"]);
        assert_eq!(target.tree().get("/").expect("always").data, None, "it is not overwritten");
        run(&plain(Existing::Overwrite), &target, &text).expect("room");
        assert_eq!(target.tree().get("/").expect("always").data, Some("root".into()));
        run(&into("/new"), &target, &text).expect("room");
        assert_eq!(target.paths()[3..6], ["/new", "/new/a", "/new/a/b"]);
    }

    #[test]
    fn many_znodes_take_few_requests() {
        let paths: Vec<String> = (0..5_000).map(|number| format!("/a/{number}")).collect();
        let source = Fake::new(&[vec!["/a".into()], paths].concat());
        let text = export(&source, "/a", false).expect("it is there");
        let target = Fake::new(&["/x"]);
        run(&plain(Existing::Fail), &target, &text).expect("room");
        assert_eq!(target.paths().len(), 5_003);
        assert!(target.requests() < 20, "{}", target.requests());
    }

    #[test]
    fn what_is_there_is_kept_replaced_or_in_the_way() {
        let source = Fake::new(&["/a", "/a/b", "/a/c"]);
        let closed = vec![Acl::new(perms::READ, "world", "anyone")];
        source.meddle(|tree| tree.put("/a/b".into(), Some("new".into()), closed.clone()));
        let text = export(&source, "/a", false).expect("it is there");
        let target = || {
            let target = Fake::new(&["/a", "/a/b"]);
            target.meddle(|tree| tree.put("/a/b".into(), Some("old".into()), open_acl()));
            target
        };
        let state = |target: &Fake| {
            let node = target.tree().get("/a/b").expect("it stays").clone();
            (node.data.expect("some"), node.acl)
        };

        let fail = target();
        let error = run(&plain(Existing::Fail), &fail, &text).expect_err("in the way");
        assert_eq!(error.to_string(), "f, line 2: /a: node exists (NODEEXISTS)");
        assert_eq!(error.code(), Some(ErrorCode::NODE_EXISTS));
        assert_eq!(fail.paths(), ["/", "/a", "/a/b"], "nothing was done");

        let skip = target();
        let progress = run(&plain(Existing::Skip), &skip, &text).expect("room");
        assert_eq!((progress.created, progress.skipped), (1, 2));
        assert_eq!(state(&skip), ("old".into(), open_acl()));

        let overwrite = target();
        let progress = run(&plain(Existing::Overwrite), &overwrite, &text).expect("room");
        assert_eq!((progress.created, progress.overwritten), (1, 2));
        assert_eq!(state(&overwrite), ("new".into(), closed));

        let no_acl = target();
        let import = Import { no_acl: true, ..plain(Existing::Overwrite) };
        run(&import, &no_acl, &text).expect("room");
        assert_eq!(state(&no_acl), ("new".into(), open_acl()));
    }

    #[test]
    fn others_may_create_the_same_meanwhile() {
        let text = export(&Fake::new(&["/a", "/a/b"]), "/a", false).expect("it is there");
        for existing in [Existing::Skip, Existing::Overwrite] {
            let target = Fake::new(&["/x"]);
            // Parents, stats, then the transaction.
            target.on_request(2, |tree| {
                tree.insert("/a".into());
            });
            let progress = run(&plain(existing), &target, &text).expect("room");
            assert_eq!(progress.created, 1);
            assert_eq!(target.paths(), ["/", "/a", "/a/b", "/x"]);
        }
    }

    #[test]
    fn a_dry_run_changes_nothing_and_sees_what_is_in_the_way() {
        let text = export(&Fake::new(&["/a", "/a/b"]), "/a", false).expect("it is there");
        let target = Fake::new(&["/a"]);
        let dry = |existing| Import { dry_run: true, ..plain(existing) };
        let progress = run(&dry(Existing::Overwrite), &target, &text).expect("possible");
        assert_eq!((progress.created, progress.overwritten), (1, 1));
        let error = run(&dry(Existing::Fail), &target, &text).expect_err("in the way");
        assert_eq!(error.to_string(), "f, line 2: /a: node exists (NODEEXISTS)");
        let far = Import { dry_run: true, ..into("/far/away") };
        assert_eq!(run(&far, &target, &text).expect("possible").created, 2);
        assert_eq!(target.paths(), ["/", "/a"]);
    }

    #[test]
    fn an_end_on_the_way_says_how_far_it_came() {
        let paths: Vec<String> = (0..1_200).map(|number| format!("/a/{number}")).collect();
        let source = Fake::new(&[vec!["/a".into()], paths].concat());
        let text = export(&source, "/a", false).expect("it is there");

        // Parents, and one transaction.
        let target = Fake::new(&["/x"]);
        target.lose_at(2);
        let error = run(&plain(Existing::Fail), &target, &text).expect_err("lost");
        assert_eq!(error.exit_code(), 3);
        let message = error.to_string();
        assert!(message.starts_with("f, lines 502 to 1001: connection lost"), "{message}");
        let done = "(done up to line 501: 500 created, 0 overwritten, 0 skipped)";
        assert!(message.ends_with(done), "{message}");
        assert_eq!(error.to_json()["done"]["line"], 501);
        assert_eq!(error.to_json()["lines"], serde_json::json!([502, 1001]));

        // What is cut off counts as far as it goes, and the rest can follow.
        let target = Fake::new(&["/x"]);
        let cut: String = text.split_inclusive('\n').take(900).collect();
        let error = run(&plain(Existing::Fail), &target, &cut).expect_err("cut off");
        let message = error.to_string();
        assert!(message.starts_with("f, line 901: the last line"), "{message}");
        assert_eq!((error.exit_code(), target.paths().len()), (1, 2 + 899));
        let progress = run(&plain(Existing::Skip), &target, &text).expect("room");
        assert_eq!((progress.created, progress.skipped), (1_201 - 899, 899));

        let interrupt = Interrupt::default();
        interrupt.set();
        let stopped = run_until(&plain(Existing::Fail), &Fake::new(&["/x"]), &text, &interrupt);
        assert!(matches!(stopped, Err(CommandError::Interrupted)));
    }

    #[test]
    fn a_failed_import_leaves_no_znode_open() {
        let source = Fake::new(&["/a", "/a/b"]);
        let closed = vec![Acl::new(perms::READ, "world", "anyone")];
        source.meddle(|tree| tree.put("/a/b".into(), None, closed.clone()));
        let text = export(&source, "/a", false).expect("it is there");
        let cut: String = text.split_inclusive('\n').take(3).collect();
        let target = Fake::new(&["/x"]);
        let import = Import { acl_last: true, ..plain(Existing::Fail) };
        run(&import, &target, &cut).expect_err("cut off");
        assert_eq!(target.tree().get("/a/b").expect("it came").acl, closed);
        // Parents, the transaction, then the ACLs.
        let target = Fake::new(&["/x"]);
        target.lose_at(2);
        let error = run(&import, &target, &text).expect_err("lost");
        assert!(error.to_string().ends_with("; 1 lack their ACLs and are open to everybody)"));
    }

    #[test]
    fn what_nobody_can_want_is_refused() {
        let hidden = Fake::new(&["/a"]);
        hidden.meddle(|tree| {
            tree.put("/a".into(), None, vec![Acl::new(perms::ALL, "digest", "user:x")]);
        });
        let text = export(&hidden, "/a", false).expect("it is there");
        let target = Fake::new(&["/x"]);
        let error = run(&plain(Existing::Fail), &target, &text).expect_err("useless");
        assert!(error.to_string().starts_with("f, line 2: the hash of a digest"), "{error}");
        let import = Import { no_acl: true, ..plain(Existing::Fail) };
        run(&import, &target, &text).expect("room");
        assert_eq!(target.tree().get("/a").expect("it came").acl, open_acl());

        let source = Fake::new(&["/a", "/a/zookeeper"]);
        let text = export(&source, "/a", false).expect("it is there");
        let error = run(&into("/"), &target, &text).expect_err("the server's own");
        assert!(error.to_string().starts_with("f, line 3: below /zookeeper"), "{error}");
        let error = run(&into("/zookeeper/a"), &target, &text).expect_err("the server's own");
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}
