//! Addresses in ACLs, with an optional prefix length.
//!
//! Behaviour: `org.apache.zookeeper.server.auth.IPAuthenticationProvider`. It parses by hand, and
//! so does this: leading zeros are legal, an IPv4 tail in an IPv6 address is not.

/// An address, or all that share its first bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    address: Address,
    bits: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Address {
    V4(u32),
    V6(u128),
}

impl Pattern {
    /// Reads `address` or `address/bits`; `None` when it is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<i32>().ok()?)),
            None => (text, None),
        };
        let address = Address::parse(address)?;
        let width = address.width();
        let bits = bits.map_or(Some(width), |bits| u32::try_from(bits).ok())?;
        (bits <= width).then_some(Self { address, bits })
    }

    /// Whether the textual address is of the same family and shares the bits.
    pub(super) fn covers(self, address: &str) -> bool {
        let unused = self.address.width() - self.bits;
        // Shifting by the whole width is what a prefix of no bits asks for.
        match (self.address, Address::parse(address)) {
            (Address::V4(wanted), Some(Address::V4(given))) => {
                (wanted ^ given).checked_shr(unused).unwrap_or(0) == 0
            }
            (Address::V6(wanted), Some(Address::V6(given))) => {
                (wanted ^ given).checked_shr(unused).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if text.contains(':') { parse_v6(text).map(Self::V6) } else { parse_v4(text).map(Self::V4) }
    }

    const fn width(self) -> u32 {
        match self {
            Self::V4(_) => 32,
            Self::V6(_) => 128,
        }
    }
}

fn parse_v4(text: &str) -> Option<u32> {
    let mut bytes = [0; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        *byte = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(u32::from_be_bytes(bytes))
}

fn parse_v6(text: &str) -> Option<u128> {
    let mut halves = text.split("::");
    let (head, tail) = (halves.next()?, halves.next());
    if halves.next().is_some() {
        return None;
    }
    let (head, head_count) = parse_groups(head)?;
    let Some(tail) = tail else { return (head_count == 8).then_some(head) };
    let (tail, tail_count) = parse_groups(tail)?;
    // The gap stands for at least one group.
    if head_count + tail_count > 7 {
        return None;
    }
    // With no group in front there is nothing to shift, and the shift would be the whole width.
    Some(head.checked_shl(16 * (8 - head_count)).unwrap_or(0) | tail)
}

/// The groups as one number, and how many there are; none in empty text.
fn parse_groups(text: &str) -> Option<(u128, u32)> {
    let (mut groups, mut count) = (0, 0);
    if text.is_empty() {
        return Some((groups, count));
    }
    for group in text.split(':') {
        groups = groups << 16 | u128::from(u16::from_str_radix(group, 16).ok()?);
        count += 1;
        if count > 8 {
            return None;
        }
    }
    Some((groups, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        let good = [
            "127.0.0.1",
            "0.0.0.0",
            "10.0.0.0/8",
            "1.2.3.4/0",
            "1.2.3.4/32",
            "001.2.3.4",
            "::",
            "::1",
            "1::",
            "2001:db8::1/64",
            "::/0",
            "::/128",
            "1:2:3:4:5:6:7:8",
            "FE80::1",
        ];
        for text in good {
            assert!(Pattern::parse(text).is_some(), "{text}");
        }
        let bad = [
            "",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.-1",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/",
            "1.2.3.4/x",
            "1.2.3.4/8/8",
            "/8",
            "1::2::3",
            "::/129",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "12345::",
            "::g",
            ":::",
            "1:",
            ":1",
            "::1%eth0",
            "1..2.3",
        ];
        for text in bad {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_covers_what_shares_its_bits() {
        let covers =
            |pattern: &str, address: &str| Pattern::parse(pattern).unwrap().covers(address);
        assert!(covers("10.1.2.3/8", "10.200.0.1") && !covers("10.1.2.3/8", "11.1.2.3"));
        assert!(covers("10.0.0.1", "10.0.0.1") && !covers("10.0.0.1", "10.0.0.2"));
        assert!(covers("1.2.3.4/0", "255.0.0.1") && covers("128.0.0.0/1", "255.0.0.1"));
        assert!(covers("10.0.0.2/31", "10.0.0.3") && !covers("10.0.0.2/31", "10.0.0.4"));
        assert!(covers("2001:db8::/32", "2001:db8:1::7") && !covers("2001:db8::/32", "2001:db9::"));
        assert!(covers("::1", "0:0:0:0:0:0:0:1") && covers("::/0", "ffff::"));
        assert!(!covers("0.0.0.0/0", "::1") && !covers("::/0", "1.2.3.4"));
        assert!(!covers("0.0.0.0/0", "nonsense"));
    }
}
