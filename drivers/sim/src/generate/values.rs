//! Arbitrary numbers and texts.

use zookeeper_core::Rng;

/// A number that is often one of those where things go wrong.
pub fn number(rng: &mut Rng) -> i32 {
    match rng.below(8) {
        0 => 0,
        1 => -1,
        2 => 1,
        3 => i32::MAX,
        4 => i32::MIN,
        _ => i32::from_be_bytes(low_half(rng)),
    }
}

/// As [`number`], with 64 bits.
pub fn long_number(rng: &mut Rng) -> i64 {
    match rng.below(8) {
        0 => 0,
        1 => -1,
        2 => i64::MAX,
        3 => i64::MIN,
        _ => i64::from_be_bytes(rng.next_u64().to_be_bytes()),
    }
}

/// A number in `0..bound`, as an index.
pub fn index(rng: &mut Rng, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    usize::try_from(rng.below(bound)).unwrap_or(usize::MAX)
}

/// A short text of arbitrary characters, many of them slashes.
pub fn name(rng: &mut Rng) -> String {
    (0..rng.below(12)).map(|_| character(rng)).collect()
}

/// A slash, a letter, or any character at all.
pub fn character(rng: &mut Rng) -> char {
    match rng.below(4) {
        0 => '/',
        1 => char::from_u32(number(rng).unsigned_abs()).unwrap_or('\u{fffd}'),
        _ => char::from(b'a' + byte(rng) % 26),
    }
}

/// Any byte.
pub fn byte(rng: &mut Rng) -> u8 {
    low_half(rng)[3]
}

fn low_half(rng: &mut Rng) -> [u8; 4] {
    let [_, _, _, _, half @ ..] = rng.next_u64().to_be_bytes();
    half
}
