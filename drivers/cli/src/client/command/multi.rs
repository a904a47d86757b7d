//! A transaction of several operations, from a small language of lines.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use zookeeper_core::client::{Error, MultiError};

use super::{
    Context,
    write::{CreateArguments, DeleteArguments, SetArguments},
};
use crate::client::{
    connection::Change,
    failure::{About as _, CommandError},
    outcome::Outcome,
    value::read_stdin,
};

/// Do several operations at once, or none of them.
///
/// Each is a line, of standard input if no other is given.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = LANGUAGE)]
pub(crate) struct MultiCommand {
    /// The operations, each one argument.
    #[arg(value_name = "OPERATION", conflicts_with = "file")]
    operations: Vec<String>,

    /// Read the operations from a file.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

const LANGUAGE: &str = "\
Operations:
  create [-e] [-s] [-c] [-t TTL] PATH [DATA] [ACL]
  set [-v VERSION] PATH DATA
  delete [-v VERSION] PATH
  check [-v VERSION] PATH        it is there, and has this version

Words are quoted as in a POSIX shell; what follows a # is a comment.

Example:
  zk multi <<'END'
  check -v 7 /app/config
  set /app/state 'almost ready'
  delete /app/old
  END";

/// One line.
#[derive(Debug, Parser)]
#[command(multicall = true, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// Create a znode.
    Create(CreateArguments),
    /// Replace the data of a znode.
    Set(SetArguments),
    /// Delete a znode.
    Delete(DeleteArguments),
    /// Check the version of a znode, or that it is there.
    Check(DeleteArguments),
}

impl MultiCommand {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let changes = parse(&self.text(context)?)?;
        let error = match context.connection.multi(&changes) {
            Ok(results) => {
                let named = changes.iter().zip(results).map(|(change, result)| {
                    let (name, path) = change.name();
                    (name, path.to_owned(), result)
                });
                return Ok(Outcome::Multi(named.collect()));
            }
            Err(error) => error,
        };
        match error {
            Error::Multi(failed) => {
                let MultiError { index, code, results } = *failed;
                let what = changes.get(index).map_or_else(String::new, |change| {
                    let (name, path) = change.name();
                    format!("{name} {path}")
                });
                Err(CommandError::Multi { index, what, code, results })
            }
            error => Err(error).about_nothing(),
        }
    }

    fn text(&self, context: &Context<'_>) -> Result<String, CommandError> {
        if !self.operations.is_empty() {
            return Ok(self.operations.join("\n"));
        }
        if let Some(file) = &self.file {
            return std::fs::read_to_string(file).map_err(|source| CommandError::System {
                what: file.display().to_string(),
                source,
            });
        }
        let text = read_stdin(!context.is_shell())?;
        let not_text = |_| CommandError::Usage("standard input is not UTF-8".into());
        String::from_utf8(text.into()).map_err(not_text)
    }
}

/// The operations of a text, whose lines are numbered in what is wrong with them.
fn parse(text: &str) -> Result<Vec<Change>, CommandError> {
    let mut changes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |message: &str| {
            CommandError::Usage(format!("line {}: {}", number + 1, message.trim_end()))
        };
        let words = shlex::split(line).ok_or_else(|| wrong("a quote is not closed"))?;
        if words.is_empty() {
            continue;
        }
        let parsed = Line::try_parse_from(words);
        let Line { operation } = parsed.map_err(|error| {
            let message = error.render().to_string();
            wrong(message.trim_start_matches("error: "))
        })?;
        changes.push(operation.change().map_err(|error| wrong(&error.to_string()))?);
    }
    if changes.is_empty() {
        return Err(CommandError::Usage("there is no operation".into()));
    }
    Ok(changes)
}

impl Operation {
    /// Standard input is where lines come from, and never data.
    fn change(&self) -> Result<Change, CommandError> {
        Ok(match self {
            Self::Create(create) => Change::Create(create.node(false)?),
            Self::Set(set) => {
                let (path, data, version) = set.parts(false)?;
                Change::Set { path, data: Some(data), version }
            }
            Self::Delete(delete) => {
                let (path, version) = delete.parts();
                Change::Delete { path, version }
            }
            Self::Check(check) => {
                let (path, version) = check.parts();
                Change::Check { path, version }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use zookeeper_core::wire::CreateMode;

    use super::*;
    use crate::client::{connection::NewNode, value::open_acl};

    #[test]
    fn the_language_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn lines_are_operations() {
        let text = "\
            # a comment\n\
            create -e /app/lock 'held by me'\n\
            \n\
            set -v 3 /app/state ready # another\n\
            delete /app/old\n\
            check -v -1 /app\n";
        let node = NewNode {
            path: "/app/lock".into(),
            data: Some("held by me".into()),
            mode: CreateMode::Ephemeral,
            acl: open_acl(),
            ttl: None,
            with_stat: false,
        };
        let data = Some("ready".into());
        let set = Change::Set { path: "/app/state".into(), data, version: Some(3) };
        let delete = Change::Delete { path: "/app/old".into(), version: None };
        let check = Change::Check { path: "/app".into(), version: None };
        let changes = parse(text).expect("valid");
        assert_eq!(changes, [Change::Create(node), set, delete, check]);
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        for (text, message) in [
            ("delete /a\nset /b", "line 2: the data are missing"),
            ("delete", "line 1: the following required arguments were not provided"),
            ("delete a", "line 1: invalid value 'a'"),
            ("\nrename /a /b", "line 2: unrecognized subcommand 'rename'"),
            ("create /a 'x", "line 1: a quote is not closed"),
            ("create /a -", "line 1: the shell itself"),
            ("# nothing", "there is no operation"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}
