//! Values as upstream reads them.

use super::{Builder, Mistake};

/// A boolean of a field: anything but these two is an error.
pub(super) fn strict_boolean(line: usize, key: &str, value: &str) -> Result<bool, Mistake> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Mistake::At(line, format!("{key} must be true or false, not {value:?}")))
    }
}

/// A number of a field, as `Integer.parseInt` reads it.
pub(super) fn strict_integer(line: usize, key: &str, value: &str) -> Result<i32, Mistake> {
    value.parse().map_err(|_| Mistake::At(line, format!("{key} must be a number, not {value:?}")))
}

/// A number as `Integer.decode` and `Long.decode` read it: also hexadecimal and octal.
pub(super) fn decode(value: &str) -> Option<i64> {
    let (sign, digits) = match value.strip_prefix(['-', '+']) {
        Some(digits) => (if value.starts_with('-') { "-" } else { "" }, digits),
        None => ("", value),
    };
    let (radix, digits) = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .or_else(|| digits.strip_prefix('#'))
    {
        (16, hex)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

impl Builder {
    /// A boolean of a property: anything but "true" is false, without an error.
    pub(super) fn boolean(&mut self, line: usize, key: &str, value: &str) -> bool {
        let is_true = value.eq_ignore_ascii_case("true");
        if !is_true && !value.eq_ignore_ascii_case("false") {
            self.warn(line, key, "is neither true nor false and counts as false");
        }
        is_true
    }

    /// A number of a property within bounds; anything else leaves the default, without an error.
    pub(super) fn integer(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = decode(value).filter(|number| bounds.contains(number));
        if number.is_none() {
            let (from, to) = (bounds.start(), bounds.end());
            self.warn(line, key, format!("is no number from {from} to {to}; the default counts"));
        }
        number
    }

    /// The same for numbers that count something: never below zero.
    pub(super) fn count(&mut self, line: usize, key: &str, value: &str) -> Option<usize> {
        let number = self.integer(line, key, value, 0..=i64::from(i32::MAX))?;
        usize::try_from(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_java_decodes_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x4fffff", Some(0x4f_ffff)),
            ("-0X10", Some(-16)),
            ("#ff", Some(255)),
            ("010", Some(8)),
            ("", None),
            ("-", None),
            ("--1", None),
            ("-+1", None),
            ("0x", None),
            ("0x-1", None),
            ("1k", None),
            ("08", None),
            (" 1", None),
        ] {
            assert_eq!(decode(text), number, "{text:?}");
        }
    }
}
