//! Which transaction may be the first of a log.

use crate::ids::Zxid;

/// Whether nothing can be missing between `last`, the newest transaction of a log or a snapshot,
/// and `next`, the first of the log behind it: it is the next one, or begins a newer epoch.
///
/// A leader counts from 1 in an epoch of its own, which is the upper half of a zxid. A standalone
/// server just counts on, from half to half.
#[must_use]
pub const fn follows(last: Zxid, next: Zxid) -> bool {
    let is_next = match last.0.checked_add(1) {
        Some(expected) => next.0 == expected,
        None => false,
    };
    is_next || next.0 >> 32 > last.0 >> 32 && next.0 & 0xffff_ffff <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_between_neighbours_and_epochs() {
        for (last, next, expected) in [
            (0, 1, true),
            (7, 8, true),
            (7, 7, false),
            (7, 9, false),
            (8, 7, false),
            (7, 0x1_0000_0000, true),
            (7, 0x1_0000_0001, true),
            (7, 0x1_0000_0002, false),
            (7, 0x5_0000_0001, true),
            (0x5_0000_0007, 0x4_0000_0001, false),
            (0x5_0000_0000, 0x5_0000_0001, true),
            (i64::MAX, i64::MIN, false),
        ] {
            assert_eq!(follows(Zxid(last), Zxid(next)), expected, "{last:#x} {next:#x}");
        }
    }
}
