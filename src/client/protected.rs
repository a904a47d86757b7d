//! Names of znodes that say who made them and in what order.
//!
//! A create whose reply is lost leaves its maker in doubt. A name that nobody else uses settles it:
//! it is there or not. And where names are numbered, the numbers alone tell the order: what comes
//! before them differs from maker to maker.
//!
//! Behaviour: Curator's protected creates, `_c_<uuid>-name`, here without dashes in the UUID as
//! other clients have it; and the numbers of `org.apache.zookeeper.server.PrepRequestProcessor`.

use std::fmt;

/// What protected names begin with.
const MARK: &str = "_c_";

/// The length of an id in a name: 32 hexadecimal digits, or a UUID with its four dashes.
const ID_LENGTHS: [usize; 2] = [32, 36];

/// What one create, and nobody else, begins its name with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProtectionId(u128);

impl ProtectionId {
    /// An id of these bits, which have to be drawn at random for each create.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u128 {
        self.0
    }

    /// The protected name for a name, or for the beginning of a numbered one.
    #[must_use]
    pub fn protect(self, name: &str) -> String {
        format!("{self}{name}")
    }

    /// Whether a name was made with this id.
    #[must_use]
    pub fn owns(self, name: &str) -> bool {
        name.starts_with(&self.to_string())
    }
}

impl fmt::Display for ProtectionId {
    /// What the names begin with: `_c_`, 32 hexadecimal digits and `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{:032x}-", self.0)
    }
}

/// A name without its protection; names without one stay as they are.
#[must_use]
pub fn unprotected(name: &str) -> &str {
    let Some(rest) = name.strip_prefix(MARK) else { return name };
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    ID_LENGTHS
        .into_iter()
        .filter_map(|length| rest.split_at_checked(length))
        .find_map(|(id, rest)| rest.strip_prefix('-').filter(|_| is_id(id)))
        .unwrap_or(name)
}

/// The number that a server put behind a name.
///
/// A parent's counter runs from zero to `i32::MAX`, and then on from `i32::MIN`: a greater number
/// is not always a later one. See [`Sequence::precedes`] and [`in_order`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sequence(pub i32);

impl Sequence {
    /// The number that is all of a name behind `stem`: `lock-` in `_c_0123-lock-0000000007`. An
    /// empty stem is for names that are nothing but the number, protected or not.
    #[must_use]
    pub fn of(name: &str, stem: &str) -> Option<Self> {
        if stem.is_empty() {
            return Self::parse(unprotected(name));
        }
        // From the left: behind a stem that ends with a dash another one is the sign.
        name.match_indices(stem).find_map(|(index, _)| Self::parse(&name[index + stem.len()..]))
    }

    /// Reads what `%010d` prints: ten characters, or the sign and ten digits.
    fn parse(number: &str) -> Option<Self> {
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_number = match (number.len(), digits.len()) {
            (10, _) => true,
            (11, 10) => !digits.starts_with('0'),
            _ => false,
        };
        if is_number && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            number.parse().ok().map(Self)
        } else {
            None
        }
    }

    /// Whether it was given before the other, if they are less than 2^31 creates apart.
    #[must_use]
    pub const fn precedes(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) < 0
    }
}

impl fmt::Display for Sequence {
    /// As it stands in names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// The names that are numbered behind `stem`, in the order of their numbers, across the overflow of
/// the counter; others are left out.
///
/// The numbers of znodes that exist at the same time take up one stretch of the circle of all
/// numbers: its oldest one follows the widest gap.
#[must_use]
pub fn in_order<'a>(
    names: impl IntoIterator<Item = &'a str>,
    stem: &str,
) -> Vec<(Sequence, &'a str)> {
    let numbered = |name| Sequence::of(name, stem).map(|sequence| (sequence, name));
    let mut names: Vec<_> = names.into_iter().filter_map(numbered).collect();
    names.sort_unstable_by_key(|&(sequence, name)| (sequence.0, name));
    let gap = |index: usize| {
        let before = if index == 0 { names.len() - 1 } else { index - 1 };
        // Modulo 2^32, as the counter goes. Equal numbers at both ends are the whole circle.
        let gap = names[index].0.0.wrapping_sub(names[before].0.0).cast_unsigned();
        if index == 0 && gap == 0 { u32::MAX } else { gap }
    };
    // Of equal gaps the first: without an overflow the order is that of the numbers.
    let widest = (0..names.len()).rev().max_by_key(|&index| gap(index)).unwrap_or(0);
    names.rotate_left(widest);
    names
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    const ID: ProtectionId = ProtectionId::from_random(0xab << 64 | 0xcd);

    #[test]
    fn protected_names() {
        let name = ID.protect("lock-");
        assert_eq!(name, "_c_00000000000000ab00000000000000cd-lock-");
        assert!(ID.owns(&format!("{name}0000000001")));
        assert!(!ID.owns("lock-0000000001"));
        assert!(!ProtectionId::from_random(1).owns(&name));
        assert_eq!(unprotected(&name), "lock-");
        let curators = "_c_0b9cb2a8-3b0e-4f2c-8d9a-6a5c1f0e7d42-lock-0000000003";
        assert_eq!(unprotected(curators), "lock-0000000003");
        for other in
            ["lock-1", "_c_", "_c_short-lock", "_c_00000000000000ab00000000000000cdlock", ""]
        {
            assert_eq!(unprotected(other), other);
        }
        assert_eq!(unprotected("_c_zz000000000000ab00000000000000cd-a").len(), 37, "no digits");
    }

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        for number in [0, 1, 1_234_567_890, i32::MAX, -1, -123_456_789, -1_234_567_890, i32::MIN] {
            let name = ID.protect("lock-") + &Sequence(number).to_string();
            assert_eq!(Sequence::of(&name, "lock-"), Some(Sequence(number)), "{name}");
        }
        assert_eq!(Sequence(-1).to_string(), "-000000001");
        assert_eq!(Sequence::of("0000000007", ""), Some(Sequence(7)));
        assert_eq!(Sequence::of(&ID.protect("0000000007"), ""), Some(Sequence(7)));
        assert_eq!(Sequence::of("lock-0000000007", ""), None);
        // Other names, short numbers, numbers that no counter has.
        let others = ["read-0000000001", "lock-", "lock-1", "lock-00000000x1", "lock-9999999999"];
        for name in others.into_iter().chain(["lock--0000000001", "lock-00000000001"]) {
            assert_eq!(Sequence::of(name, "lock-"), None, "{name}");
        }
        assert_eq!(Sequence::of("lock-+000000001", "lock-"), None);
        assert_eq!(Sequence::of("lock---00000001", "lock-"), None);
    }

    #[test]
    fn the_order_goes_on_across_the_overflow() {
        let names = ["b-2147483647", "a--2147483648", "c-2147483646", "x", "d--2147483647"];
        let ordered: Vec<_> = in_order(names, "-").into_iter().map(|(_, name)| name).collect();
        assert_eq!(ordered, [names[2], names[0], names[1], names[4]]);
        assert!(Sequence(i32::MAX).precedes(Sequence(i32::MIN)));
        assert!(!Sequence(3).precedes(Sequence(3)));
        assert_eq!(in_order(["x"], "-"), []);
        assert_eq!(in_order(["n0000000001"], "n"), [(Sequence(1), "n0000000001")]);
    }

    quickcheck! {
        /// Wherever the counter stands: names come in the order of their creation.
        fn order_is_that_of_creation(start: i32, steps: Vec<u16>, shuffle: u64) -> bool {
            let mut number = start;
            let mut created = vec![format!("n{}", Sequence(number))];
            for step in steps {
                number = number.wrapping_add(i32::from(step) + 1);
                created.push(format!("n{}", Sequence(number)));
            }
            let mut mixed = created.clone();
            let mut rng = crate::rng::Rng::new(shuffle);
            for index in (1..mixed.len()).rev() {
                let other = usize::try_from(rng.below(index as u64 + 1)).unwrap();
                mixed.swap(index, other);
            }
            let ordered = in_order(mixed.iter().map(String::as_str), "n");
            ordered.iter().map(|&(_, name)| name).eq(created.iter())
                && ordered.windows(2).all(|pair| pair[0].0.precedes(pair[1].0))
        }

        /// Any names, sorted without a panic and without loss.
        fn any_numbers_can_be_ordered(numbers: Vec<i32>) -> bool {
            let names: Vec<_> = numbers.iter().map(|&n| format!("n{}", Sequence(n))).collect();
            in_order(names.iter().map(String::as_str), "n").len() == numbers.len()
        }
    }
}
