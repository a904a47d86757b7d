//! Completion: of commands and options from their definition, of paths from the living tree.

use clap::{Command, CommandFactory as _};
use rustyline::completion::{Pair, Quote, escape, extract_word, unescape};

use super::line::Line;
use crate::client::{connection::Connection, subtree::join};

/// What stands between words, or means something to the shell.
fn is_break(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\'' | '"' | '\\' | '#')
}

const ESCAPE: Option<char> = Some('\\');

/// Where the word before the cursor begins, and what it may become.
pub(super) fn complete(
    connection: &dyn Connection,
    line: &str,
    cursor: usize,
) -> (usize, Vec<Pair>) {
    let (start, word) = extract_word(line, cursor, ESCAPE, is_break);
    // Within quotes nothing is known.
    let Some(words) = shlex::split(&line[..start]) else { return (start, Vec::new()) };
    let word = unescape(word, ESCAPE);
    let definition = Line::command();
    let candidates = match words.first() {
        None => commands(&definition, &word),
        Some(name) if name == "help" => commands(&definition, &word),
        Some(name) => {
            let Some(command) = definition.find_subcommand(name) else {
                return (start, Vec::new());
            };
            if word.starts_with('-') { options(command, &word) } else { paths(connection, &word) }
        }
    };
    (start, candidates)
}

fn commands(definition: &Command, word: &str) -> Vec<Pair> {
    let mut names: Vec<&str> = definition
        .get_subcommands()
        .flat_map(|command| [command.get_name()].into_iter().chain(command.get_visible_aliases()))
        .chain(["help"])
        .filter(|name| name.starts_with(word))
        .collect();
    names.sort_unstable();
    names.into_iter().map(finished).collect()
}

fn options(command: &Command, word: &str) -> Vec<Pair> {
    let long = command.get_arguments().filter_map(|option| option.get_long());
    let mut names: Vec<String> =
        long.map(|name| format!("--{name}")).filter(|name| name.starts_with(word)).collect();
    names.sort_unstable();
    names.iter().map(|name| finished(name)).collect()
}

/// The children of the znode before the last slash whose names begin with what is behind it. A
/// lost connection completes nothing, rather than keep the prompt waiting.
fn paths(connection: &dyn Connection, word: &str) -> Vec<Pair> {
    let Some((parent, prefix)) = word.rsplit_once('/') else { return Vec::new() };
    if !word.starts_with('/') || !connection.is_connected() {
        return Vec::new();
    }
    let parent = if parent.is_empty() { "/" } else { parent };
    let Ok((mut names, _)) = connection.children(parent, false) else { return Vec::new() };
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    let mut pairs: Vec<Pair> = names
        .into_iter()
        .map(|name| {
            let replacement = escape(join(parent, &name), ESCAPE, is_break, Quote::None);
            Pair { display: name, replacement }
        })
        .collect();
    // The only one is taken at once: it goes on behind it where there is more.
    if let [only] = &mut pairs[..] {
        let path = join(parent, &only.display);
        let has_children =
            matches!(connection.children(&path, false), Ok((names, _)) if !names.is_empty());
        only.replacement.push(if has_children { '/' } else { ' ' });
    }
    pairs
}

/// Behind a whole word another one begins.
fn finished(name: &str) -> Pair {
    Pair { display: name.into(), replacement: format!("{name} ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::Fake;

    fn completed(line: &str) -> (usize, Vec<String>) {
        let fake = Fake::new(&["/app", "/app/one", "/app/other", "/a b", "/zebra"]);
        let (start, pairs) = complete(&fake, line, line.len());
        (start, pairs.into_iter().map(|pair| pair.replacement).collect())
    }

    #[test]
    fn commands_are_completed_from_their_definition() {
        assert_eq!(completed("cr"), (0, vec!["create ".into()]));
        assert_eq!(completed("help de").1, ["delete ", "deleteall "]);
        let (_, all) = completed("");
        assert!(all.contains(&"help ".into()) && all.contains(&"4lw ".into()), "{all:?}");
        assert!(!all.contains(&"serve ".into()) && !all.contains(&"getAcl ".into()), "{all:?}");
    }

    #[test]
    fn options_are_those_of_the_command() {
        assert_eq!(completed("create --se").1, ["--sequential "]);
        let (start, options) = completed("ls --");
        assert_eq!(start, 3);
        assert!(options.contains(&"--recursive ".into()), "{options:?}");
        assert!(completed("nonsense --").1.is_empty());
    }

    #[test]
    fn paths_come_from_the_tree() {
        assert_eq!(completed("get /z"), (4, vec!["/zebra ".into()]));
        assert_eq!(completed("get /app/o").1, ["/app/one", "/app/other"]);
        assert_eq!(completed("get /ap").1, ["/app/"]);
        assert_eq!(completed("ls -R /app/ot").1, ["/app/other "]);
        assert!(completed("get /none/x").1.is_empty());
        assert!(completed("get x").1.is_empty());
    }

    #[test]
    fn names_with_spaces_are_escaped() {
        assert_eq!(completed("get /a\\ ").1, ["/a\\ b "]);
        assert_eq!(completed("get /a").1, ["/a\\ b", "/app"]);
        assert!(completed("get '/a").1.is_empty());
    }

    #[test]
    fn a_lost_connection_does_not_hold_up_the_prompt() {
        let fake = Fake::new(&["/app"]);
        fake.lose_at(0);
        assert!(complete(&fake, "get /", 5).1.is_empty());
    }
}
