//! Numbers as people give and read them: zxids, sessions, bytes, times.

use jiff::Timestamp;
use zookeeper_core::{SessionId, Zxid};

/// A zxid: in hexadecimal behind `0x`, as it is shown, or in decimal.
pub(super) fn zxid(text: &str) -> Result<Zxid, String> {
    number(text).map(Zxid)
}

/// A session's id, likewise.
pub(super) fn session(text: &str) -> Result<SessionId, String> {
    number(text).map(SessionId)
}

fn number(text: &str) -> Result<i64, String> {
    let parsed = match text.strip_prefix("0x") {
        // The upper half is shown as what it is without a sign.
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| "neither a number nor one in hexadecimal behind 0x".into())
}

/// A number and its noun, which gets an s behind it unless there is one.
pub(super) fn count(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A time as RFC 3339 has it; a number where nobody can have meant it as a time.
pub(super) fn time(unix_ms: i64) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => unix_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_shown() {
        for (text, expected) in [
            ("0x1f", Some(0x1f)),
            ("31", Some(31)),
            ("-1", Some(-1)),
            ("0xffffffffffffffff", Some(-1)),
            ("0x", None),
            ("1f", None),
            ("", None),
        ] {
            assert_eq!(zxid(text).ok().map(|zxid| zxid.0), expected, "{text:?}");
        }
        let id = SessionId(-2);
        assert_eq!(session(&id.to_string()), Ok(id));
    }

    #[test]
    fn nouns_follow_their_numbers() {
        assert_eq!(
            (count(1, "record"), count(0, "record")),
            ("1 record".into(), "0 records".into())
        );
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
    }
}
