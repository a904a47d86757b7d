//! A line of the shell: the commands of the command line, and a few that only a shell has.
//!
//! Behaviour: `org.apache.zookeeper.ZooKeeperMain.MyCommandOptions`, for the spellings.

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use zookeeper_core::wire::AddWatchMode;

use crate::client::{
    command::{ClientCommand, Removewatches, Watch},
    failure::CommandError,
    output::Form,
    value::ZnodePath,
};

/// A line.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, max_term_width = 100)]
#[command(help_template = "{subcommands}\n\n`help COMMAND` says more.\n")]
pub(super) struct Line {
    #[command(subcommand)]
    pub(super) command: LineCommand,

    /// Print JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What a line may say.
#[derive(Debug, Subcommand)]
pub(super) enum LineCommand {
    #[command(flatten)]
    Client(ClientCommand),
    Removewatches(Removewatches),
    #[command(name = "addWatch")]
    AddWatch(AddWatch),
    /// Show events of watches, or do not; without an argument, say whether they are shown.
    Printwatches {
        state: Option<Switch>,
    },
    /// Leave the shell.
    #[command(visible_alias = "exit")]
    Quit,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(super) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// What upstream's shell calls watch, with other defaults.
#[derive(Args, Clone, Debug)]
pub(super) struct AddWatch {
    /// PERSISTENT, or PERSISTENT_RECURSIVE for everything below it too.
    #[arg(short, default_value = "PERSISTENT_RECURSIVE", value_parser = mode)]
    mode: AddWatchMode,

    /// The znode.
    path: ZnodePath,
}

impl AddWatch {
    /// The same, as this shell calls it.
    pub(super) fn watch(&self) -> Watch {
        Watch::new(self.path.clone(), self.mode == AddWatchMode::PersistentRecursive)
    }
}

fn mode(text: &str) -> Result<AddWatchMode, &'static str> {
    match text {
        "PERSISTENT" => Ok(AddWatchMode::Persistent),
        "PERSISTENT_RECURSIVE" => Ok(AddWatchMode::PersistentRecursive),
        _ => Err("it is PERSISTENT or PERSISTENT_RECURSIVE"),
    }
}

impl Line {
    /// What a line says; `None` if nothing, or if it asked for help and got it.
    pub(super) fn parse(line: &str, form: Form) -> Result<Option<Self>, CommandError> {
        let Some(words) = shlex::split(line) else {
            return Err(CommandError::Usage("a quote is not closed".into()));
        };
        if words.is_empty() {
            return Ok(None);
        }
        match Self::try_parse_from(words) {
            Ok(line) => Ok(Some(line)),
            Err(error) => match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    show_help(&error, form)?;
                    Ok(None)
                }
                _ => Err(CommandError::Usage(message(&error))),
            },
        }
    }
}

fn show_help(error: &clap::Error, form: Form) -> Result<(), CommandError> {
    use std::io::Write as _;
    let text = error.render();
    let text = if form.colour { text.ansi().to_string() } else { text.to_string() };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(CommandError::output)
}

/// Without the first word, which whoever shows it puts there again, and without advice for those
/// who are not in a shell.
fn message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    let text = text.split("\n\nFor more information").next().unwrap_or(text).trim_end();
    if error.kind() == ErrorKind::InvalidSubcommand {
        let first = text.lines().next().unwrap_or(text);
        return format!("{first}; `help` lists the commands");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::client::command::SessionCommand;

    const FORM: Form = Form { json: false, terminal: false, line_end: true, colour: false };

    fn parse(line: &str) -> LineCommand {
        let parsed = Line::parse(line, FORM);
        parsed.expect(line).unwrap_or_else(|| panic!("{line}: nothing")).command
    }

    fn name(line: &str) -> String {
        let debug = match parse(line) {
            LineCommand::Client(ClientCommand::Session(command)) => format!("{command:?}"),
            command => format!("{command:?}"),
        };
        debug.split(['(', ' ']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_definition_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn upstreams_spellings_are_understood() {
        for (line, expected) in [
            ("ls -s -R /", None),
            ("ls -R /", Some("Ls")),
            ("ls -s -w /a", Some("Ls")),
            ("get -s -w /a", Some("Get")),
            ("set -s -v -1 /a data", Some("Set")),
            ("create -s -e /a data world:anyone:r", Some("Create")),
            ("create -t 1000 /a", Some("Create")),
            ("stat -w /a", Some("Stat")),
            ("getAcl -s /a", Some("Acl")),
            ("setAcl -v 1 /a world:anyone:cdrwa", Some("Acl")),
            ("deleteall /a", Some("Rmr")),
            ("addauth digest user:password", Some("Addauth")),
            ("addWatch -m PERSISTENT /a", Some("AddWatch")),
            ("removewatches /a -d", Some("Removewatches")),
            ("getEphemerals", Some("Ephemerals")),
            ("getAllChildrenNumber /a", Some("Count")),
            ("printwatches off", Some("Printwatches")),
            ("whoami", Some("Whoami")),
            ("config -s", Some("Config")),
            ("sync /a", Some("Sync")),
            ("4lw ruok", Some("Client")),
            ("quit", Some("Quit")),
            ("exit", Some("Quit")),
        ] {
            match expected {
                Some(expected) => assert_eq!(name(line), expected, "{line}"),
                None => assert!(Line::parse(line, FORM).is_err(), "{line}"),
            }
        }
    }

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        let LineCommand::Client(ClientCommand::Session(SessionCommand::Set(set))) =
            parse(r#"set "/a b" 'c "d"' # a comment"#)
        else {
            panic!("set");
        };
        let debug = format!("{set:?}");
        assert!(debug.contains(r#"ZnodePath("/a b")"#), "{debug}");
        assert!(debug.contains(r#"c \"d\""#), "{debug}");
        assert!(Line::parse("get '/a", FORM).is_err());
        assert!(Line::parse("  # only a comment", FORM).expect("nothing").is_none());
        assert!(Line::parse("", FORM).expect("nothing").is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = Line::parse("gte /a", FORM).expect_err("no command").to_string();
        assert!(error.starts_with("unrecognized subcommand 'gte'"), "{error}");
        assert!(Line::parse("serve", FORM).is_err(), "a server is not started from here");
    }
}
