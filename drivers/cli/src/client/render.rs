//! Outcomes, notices and errors as text.

use std::fmt::Write as _;

use jiff::Timestamp;
use zookeeper_core::{
    client::operation::TransactionResult,
    wire::{Acl, Stat},
};

use super::{
    command::hidden_note,
    connection::{Notice, Reach},
    failure::CommandError,
    outcome::Outcome,
    output::{ERROR, EVENT, FIELD, Form, STATE},
    transfer::{End, Progress},
    value::permission_letters,
};

/// An outcome: nothing, lines, or data as they are.
pub(crate) fn outcome(outcome: &Outcome, form: &Form) -> Vec<u8> {
    let text = match outcome {
        Outcome::Shown
        | Outcome::Done { .. }
        | Outcome::Authenticated { .. }
        | Outcome::Set { stat_wanted: false, .. } => String::new(),
        Outcome::Data { data, stat, stat_wanted, .. } => {
            let stat = stat.as_ref().filter(|_| *stat_wanted);
            return data_and_stat(data, stat, form);
        }
        Outcome::Answer { text, .. } => return data_and_stat(text, None, form),
        Outcome::Children { names, stat, .. } => {
            lines(names, form)
                + &stat.as_ref().map_or_else(String::new, |stat| self::stat(stat, form))
        }
        Outcome::Paths(paths) => lines(paths, form),
        Outcome::Stat { stat, .. } | Outcome::Set { stat, .. } => self::stat(stat, form),
        Outcome::Created { created, stat_wanted } => {
            let stat = created.stat.as_ref().filter(|_| *stat_wanted);
            let path = lines([&created.path], form);
            path + &stat.map_or_else(String::new, |stat| self::stat(stat, form))
        }
        Outcome::Acl { acl, stat, stat_wanted, .. } => {
            let entry = |entry: &Acl| {
                let letters = permission_letters(entry.perms);
                format!("{}:{}:{letters}", entry.id.scheme, entry.id.id)
            };
            let stat = if *stat_wanted { self::stat(stat, form) } else { String::new() };
            lines(acl.iter().map(entry), form) + &stat
        }
        Outcome::Deleted { deleted, gone, .. } => counts("deleted", *deleted, *gone),
        Outcome::AclSet { changed, gone, .. } => counts("changed", *changed, *gone),
        Outcome::Exported { end, .. } => exported(end),
        Outcome::Imported { progress, is_dry, .. } => imported(progress, *is_dry),
        Outcome::Count { count, .. } => format!("{count}\n"),
        Outcome::Switch { name, is_on } => {
            format!("{name} is {}\n", if *is_on { "on" } else { "off" })
        }
        Outcome::Identities(identities) => {
            lines(identities.iter().map(|id| format!("{}:{}", id.scheme, id.id)), form)
        }
        Outcome::Multi(results) => lines(
            results.iter().map(|(name, path, changed)| changed_line(name, path, changed)),
            form,
        ),
    };
    text.into_bytes()
}

/// A notice, without a line end.
pub(crate) fn notice(notice: &Notice, form: &Form) -> String {
    match notice {
        Notice::Event { kind, path, .. } => {
            format!("{} {}", form.paint(EVENT, &format!("{kind:?}")), plain(path, form))
        }
        Notice::State(reach) => {
            let meaning = match reach {
                Reach::Connected { read_only: false } => "connected",
                Reach::Connected { read_only: true } => "connected, to a read-only server",
                Reach::Suspended => "connection lost; looking for a server",
                Reach::Lost => "the session is over: its ephemerals and watches are gone",
            };
            form.paint(STATE, &format!("{}: {meaning}", reach.name()))
        }
        Notice::Restored => {
            form.paint(STATE, "watches are set again; those that last may have missed changes")
        }
        Notice::WatchesLost => form.paint(STATE, "watches are gone without having fired"),
        Notice::Missed(count) => {
            form.paint(STATE, &format!("{count} more came too fast to be shown"))
        }
    }
}

/// Why a command failed, without a line end.
pub(crate) fn error(error: &CommandError, form: &Form) -> String {
    format!("{} {}", form.paint(ERROR, "error:"), plain(&error.to_string(), form))
}

/// The fields in the order and by the names of upstream's shell; times as RFC 3339 has them.
fn stat(stat: &Stat, form: &Form) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: String| {
        let _ = writeln!(text, "{} {value}", form.paint(FIELD, &format!("{name} =")));
    };
    field("cZxid", format!("0x{:x}", stat.czxid.0));
    field("ctime", time(stat.ctime_ms));
    field("mZxid", format!("0x{:x}", stat.mzxid.0));
    field("mtime", time(stat.mtime_ms));
    field("pZxid", format!("0x{:x}", stat.pzxid.0));
    field("cversion", stat.cversion.to_string());
    field("dataVersion", stat.version.to_string());
    field("aclVersion", stat.aversion.to_string());
    field("ephemeralOwner", stat.ephemeral_owner.to_string());
    field("dataLength", stat.data_length.to_string());
    field("numChildren", stat.num_children.to_string());
    text
}

/// A number where it is no time that anybody can have meant.
fn time(unix_ms: i64) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => unix_ms.to_string(),
    }
}

fn data_and_stat(data: &[u8], stat: Option<&Stat>, form: &Form) -> Vec<u8> {
    let mut text = if form.terminal { visible(data, "\n\t").into_bytes() } else { data.to_vec() };
    let ends = text.is_empty() || text.ends_with(b"\n");
    if stat.is_some() || form.line_end && !ends {
        text.push(b'\n');
    }
    if let Some(stat) = stat {
        text.extend_from_slice(self::stat(stat, form).as_bytes());
    }
    text
}

fn exported(end: &End) -> String {
    let End { znodes, skipped, gone, hidden, .. } = *end;
    let mut text = counts("exported", znodes, gone);
    if skipped > 0 {
        let _ = writeln!(text, "left out {skipped} ephemeral {}", noun(skipped));
    }
    if hidden > 0 {
        let _ = writeln!(text, "{}", hidden_note(hidden));
    }
    text
}

fn imported(progress: &Progress, is_dry: bool) -> String {
    let Progress { created, overwritten, skipped, .. } = *progress;
    let verbs = match is_dry {
        false => ["created", "overwrote", "left alone"],
        true => ["would create", "would overwrite", "would leave alone"],
    };
    let mut text = format!("{} {created} {}\n", verbs[0], noun(created));
    for (verb, count) in [(verbs[1], overwritten), (verbs[2], skipped)] {
        if count > 0 {
            let _ = writeln!(text, "{verb} {count} {}", noun(count));
        }
    }
    text
}

fn noun(count: u64) -> &'static str {
    if count == 1 { "znode" } else { "znodes" }
}

fn counts(done: &str, count: u64, gone: u64) -> String {
    let znodes = noun(count);
    match gone {
        0 => format!("{done} {count} {znodes}\n"),
        _ => format!("{done} {count} {znodes}; {gone} had gone already\n"),
    }
}

fn changed_line(name: &str, path: &str, changed: &TransactionResult) -> String {
    match changed {
        TransactionResult::Created(created) => format!("{name} {}", created.path),
        TransactionResult::DataSet(stat) => format!("{name} {path} (version {})", stat.version),
        _ => format!("{name} {path}"),
    }
}

fn lines<T: AsRef<str>>(items: impl IntoIterator<Item = T>, form: &Form) -> String {
    let mut text = String::new();
    for item in items {
        text.push_str(&plain(item.as_ref(), form));
        text.push('\n');
    }
    text
}

/// One line: on a terminal nothing in it is obeyed.
fn plain(text: &str, form: &Form) -> String {
    if form.terminal { visible(text.as_bytes(), "") } else { text.into() }
}

/// Bytes as a terminal can show them: what it would obey, and what is no text, as \xNN.
pub(crate) fn visible(bytes: &[u8], kept: &str) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() && !kept.contains(character) {
                let _ = write!(text, "\\x{:02x}", u32::from(character));
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zookeeper_core::{
        SessionId, Zxid,
        client::{WatchEventKind, operation::Created},
        wire::perms,
    };

    use super::*;

    const PIPE: Form = Form { json: false, terminal: false, line_end: false, colour: false };
    const TERMINAL: Form = Form { json: false, terminal: true, line_end: true, colour: false };
    const COLOUR: Form = Form { colour: true, ..TERMINAL };

    fn shown(outcome: &Outcome, form: &Form) -> String {
        String::from_utf8(super::outcome(outcome, form)).expect("text")
    }

    fn data(data: &'static [u8], stat_wanted: bool) -> Outcome {
        let stat = Some(Stat::default());
        Outcome::Data { path: "/a".into(), data: Bytes::from_static(data), stat, stat_wanted }
    }

    #[test]
    fn data_go_to_a_pipe_as_they_are() {
        let bytes = b"\x00\xff\x1b[2Jline\n";
        assert_eq!(outcome(&data(bytes, false), &PIPE), bytes);
        assert_eq!(outcome(&data(b"line", false), &PIPE), b"line");
        assert_eq!(outcome(&data(b"", false), &PIPE), b"");
    }

    #[test]
    fn a_terminal_obeys_no_data() {
        assert_eq!(
            shown(&data(b"\x00\xff\x1b[2Jl\tne", false), &TERMINAL),
            "\\x00\\xff\\x1b[2Jl\tne\n"
        );
        assert_eq!(shown(&data("grün\n".as_bytes(), false), &TERMINAL), "grün\n");
        assert_eq!(shown(&data(b"", false), &TERMINAL), "");
        let names = vec!["a\u{9b}b\nc".to_owned()];
        assert_eq!(shown(&Outcome::Paths(names.clone()), &TERMINAL), "a\\x9bb\\x0ac\n");
        assert_eq!(shown(&Outcome::Paths(names), &PIPE), "a\u{9b}b\nc\n");
    }

    #[test]
    fn a_stat_reads_as_upstreams_shell_prints_it() {
        let stat = Stat {
            czxid: Zxid(0x1a),
            ctime_ms: 1_700_000_000_123,
            mtime_ms: i64::MAX,
            version: 7,
            ephemeral_owner: SessionId(0x10),
            ..Stat::default()
        };
        let text = shown(&Outcome::Stat { path: "/a".into(), stat }, &PIPE);
        let expected = "cZxid = 0x1a\nctime = 2023-11-14T22:13:20.123Z\nmZxid = 0x0\n\
            mtime = 9223372036854775807\npZxid = 0x0\ncversion = 0\ndataVersion = 7\n\
            aclVersion = 0\nephemeralOwner = 0x10\ndataLength = 0\nnumChildren = 0\n";
        assert_eq!(text, expected);
        let both = shown(&data(b"x", true), &PIPE);
        assert!(both.starts_with("x\ncZxid = 0x0\nctime = 1970-01-01T00:00:00.000Z\n"), "{both}");
    }

    #[test]
    fn an_acl_can_be_given_back() {
        let acl = vec![Acl::new(perms::ALL, "world", "anyone"), Acl::new(1, "ip", "10.0.0.0/8")];
        let stat = Stat::default();
        let outcome = Outcome::Acl { path: "/a".into(), acl, stat, stat_wanted: false };
        assert_eq!(shown(&outcome, &PIPE), "world:anyone:cdrwa\nip:10.0.0.0/8:r\n");
    }

    #[test]
    fn counts_are_told_apart() {
        let deleted =
            |deleted, gone| shown(&Outcome::Deleted { path: "/".into(), deleted, gone }, &PIPE);
        assert_eq!(deleted(1, 0), "deleted 1 znode\n");
        assert_eq!(deleted(12, 3), "deleted 12 znodes; 3 had gone already\n");
    }

    #[test]
    fn a_multi_tells_of_each_operation() {
        let created = Created { path: "/s1".into(), stat: None };
        let results = vec![
            ("create", "/s".into(), TransactionResult::Created(created)),
            (
                "set",
                "/b".into(),
                TransactionResult::DataSet(Stat { version: 2, ..Stat::default() }),
            ),
            ("check", "/c".into(), TransactionResult::Checked),
        ];
        let text = shown(&Outcome::Multi(results), &PIPE);
        assert_eq!(text, "create /s1\nset /b (version 2)\ncheck /c\n");
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        let kind = WatchEventKind::NodeDeleted;
        let event = Notice::Event { kind, path: "/a b".into(), zxid: Zxid(1) };
        assert_eq!(notice(&event, &TERMINAL), "NodeDeleted /a b");
        let coloured = notice(&event, &COLOUR);
        assert!(coloured.starts_with('\x1b') && coloured.ends_with(" /a b"), "{coloured:?}");
        let lost = CommandError::SessionLost;
        assert_eq!(error(&lost, &TERMINAL), "error: the session is over");
        assert!(error(&lost, &COLOUR).contains("\x1b["));
    }
}
