//! Java properties: the syntax of `zoo.cfg`.
//!
//! Behaviour: `java.util.Properties.load`, with one difference: bytes that are UTF-8 are read as
//! UTF-8, and only others as Latin-1, which is what Java takes all of them for.

use thiserror::Error;

/// One entry, with the number of the line it begins on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Property {
    /// The line, counted from 1.
    pub line: usize,
    /// The key; never trimmed, as blanks inside are escaped ones.
    pub key: String,
    /// The value, without blanks in front.
    pub value: String,
}

/// The one thing that can be wrong with properties.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("malformed \\uXXXX escape")]
pub struct PropertiesError {
    /// The line of the entry, counted from 1.
    pub line: usize,
}

/// Reads all entries in order; a key may come twice.
///
/// # Errors
///
/// [`PropertiesError`] where `\u` is not followed by four hexadecimal digits.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, PropertiesError> {
    let text = decode(bytes);
    let mut properties = Vec::new();
    let mut lines = natural_lines(&text);
    while let Some((line, text)) = lines.next() {
        let text = text.trim_start_matches(is_blank);
        if text.is_empty() || text.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = String::new();
        let mut part = text;
        // A line goes on when its last backslash is not itself escaped.
        while let Some(continued) = continued(part) {
            logical.push_str(continued);
            part = lines.next().map_or("", |(_, text)| text.trim_start_matches(is_blank));
        }
        logical.push_str(part);
        properties.push(entry(&logical, line)?);
    }
    Ok(properties)
}

fn decode(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Lines end at a line feed, a carriage return, or both together.
fn natural_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = Some(text);
    let lines = std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else { return rest.take() };
        let after = &text[end..];
        rest = Some(after.strip_prefix("\r\n").unwrap_or_else(|| &after[1..]));
        Some(&text[..end])
    });
    lines.enumerate().map(|(index, text)| (index + 1, text))
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// The line without its last backslash, if that makes the next line a part of it.
fn continued(line: &str) -> Option<&str> {
    let backslashes = line.bytes().rev().take_while(|&byte| byte == b'\\').count();
    (backslashes % 2 == 1).then(|| &line[..line.len() - 1])
}

/// Splits a logical line at the first separator that is not escaped.
fn entry(text: &str, line: usize) -> Result<Property, PropertiesError> {
    let mut escaped = false;
    let is_separator = |c: char| {
        let ends = !escaped && (is_blank(c) || matches!(c, '=' | ':'));
        escaped = c == '\\' && !escaped;
        ends
    };
    let (key, rest) = text.split_at(text.find(is_separator).unwrap_or(text.len()));
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    Ok(Property { line, key: unescape(key, line)?, value: unescape(value, line)? })
}

fn unescape(text: &str, line: usize) -> Result<String, PropertiesError> {
    // In UTF-16, because two escapes may be the halves of one character.
    let mut units = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match rest.next() {
            Some('t') => units.push(0x09),
            Some('n') => units.push(0x0a),
            Some('f') => units.push(0x0c),
            Some('r') => units.push(0x0d),
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = rest.next().and_then(|c| c.to_digit(16));
                    let digit = digit.and_then(|digit| u16::try_from(digit).ok());
                    unit = unit << 4 | digit.ok_or(PropertiesError { line })?;
                }
                units.push(unit);
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut buffer)),
            None => {}
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(usize, String, String)> {
        let properties = parse(text.as_bytes()).expect("well-formed");
        properties.into_iter().map(|entry| (entry.line, entry.key, entry.value)).collect()
    }

    #[test]
    fn one_line_is_one_entry() {
        for (text, key, value) in [
            ("key=value", "key", "value"),
            ("key = value", "key", "value"),
            ("key:value", "key", "value"),
            ("key : value", "key", "value"),
            ("key value", "key", "value"),
            ("key\tvalue", "key", "value"),
            ("key\x0c\t =\t value", "key", "value"),
            ("  key=value", "key", "value"),
            ("key=value ", "key", "value "),
            ("key", "key", ""),
            ("key=", "key", ""),
            ("key==value", "key", "=value"),
            ("key = = value", "key", "= value"),
            ("key :=value", "key", "=value"),
            ("=value", "", "value"),
            ("key=a=b:c d", "key", "a=b:c d"),
            ("key=#value", "key", "#value"),
            (r"a\=b\:c\ d=value", "a=b:c d", "value"),
            (r"a\\=value", r"a\", "value"),
            (r"key=\t\n\r\f\q\\", "key", "\t\n\r\x0cq\\"),
            (r"key=\ value", "key", " value"),
            (r"key=\u0041\u00e9", "key", "Aé"),
            (r"key=\ud83d\ude00", "key", "😀"),
            (r"\u0041=b", "A", "b"),
            ("key=C:\\\\data", "key", "C:\\data"),
        ] {
            assert_eq!(parsed(text), [(1, key.to_owned(), value.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        let text = "# one\n\n  ! two \\\nkey=1\r\n\t\r# three\rother=2";
        let expected = [(4, "key".into(), "1".into()), (7, "other".into(), "2".into())];
        assert_eq!(parsed(text), expected);
        assert_eq!(parsed(""), []);
    }

    #[test]
    fn lines_go_on_behind_a_backslash() {
        for (text, value) in [
            ("key=a\\\n  b", "ab"),
            ("key=a\\\r\n\tb\\\n c", "abc"),
            ("key=a\\\n#b", "a#b"),
            ("key=a\\\n\nother=1", "a"),
            ("key=a\\", "a"),
            ("key=a\\\\\nother=1", "a\\"),
            ("key\\\n =a", "a"),
        ] {
            assert_eq!(parsed(text)[0].2, value, "{text:?}");
        }
        let text = "a=1\\\n2\nb=3";
        assert_eq!(parsed(text), [(1, "a".into(), "12".into()), (3, "b".into(), "3".into())]);
    }

    #[test]
    fn half_an_escape_is_an_error() {
        for text in ["\nkey=\\u12", "\nkey=\\u12g4", "\n\\u=1"] {
            assert_eq!(parse(text.as_bytes()), Err(PropertiesError { line: 2 }), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_latin_1() {
        let properties = parse(b"dir=/d\xe9").expect("well-formed");
        assert_eq!(properties[0].value, "/dé");
        let properties = parse("dir=/dé".as_bytes()).expect("well-formed");
        assert_eq!(properties[0].value, "/dé");
    }

    #[test]
    fn java_keeps_the_last_of_equal_keys_and_this_keeps_all() {
        assert_eq!(parsed("a=1\na=2").len(), 2);
    }
}
