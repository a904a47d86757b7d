//! `mntr`, and the numbers as Java prints them.
//!
//! Behaviour: `org.apache.zookeeper.server.command.MonitorCommand` and
//! `ZooKeeperServer.dumpMonitorValues`.

use std::fmt::{self, Display, Write};

/// `total / count` as upstream prints a mean: rounded half up to four decimals, then by
/// `Double.toString`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    pub(super) total: u64,
    pub(super) count: u64,
}

impl Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, count) = (u128::from(self.total), u128::from(self.count.max(1)));
        let scaled = (total * 20_000 + count) / (2 * count);
        let (whole, fraction) = (scaled / 10_000, scaled % 10_000);
        match (whole, fraction) {
            (0, 1..10) => write!(f, "{fraction}.0E-4"),
            (10_000_000.., _) => {
                let mut digits = format!("{whole}{fraction:04}");
                let exponent = whole.ilog10();
                digits.truncate(digits.trim_end_matches('0').len().max(2));
                write!(f, "{}.{}E{exponent}", &digits[..1], &digits[1..])
            }
            _ => {
                let fraction = format!("{fraction:04}");
                let kept = fraction.trim_end_matches('0').len().max(1);
                write!(f, "{whole}.{}", &fraction[..kept])
            }
        }
    }
}

/// Appends one line of `mntr`.
pub(super) fn line(out: &mut impl Write, key: impl Display, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "zk_{key}\t{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_look_as_java_prints_them() {
        for (total, count, text) in [
            (0, 0, "0.0"),
            (0, 5, "0.0"),
            (5, 1, "5.0"),
            (1, 2, "0.5"),
            (1, 3, "0.3333"),
            (2, 3, "0.6667"),
            (1, 10_000, "1.0E-4"),
            (9, 10_000, "9.0E-4"),
            (1, 1_000, "0.001"),
            (1, 20_000, "1.0E-4"),
            (1, 20_001, "0.0"),
            (10_000_000, 1, "1.0E7"),
            (123_456_785, 10, "1.23456785E7"),
        ] {
            assert_eq!(Mean { total, count }.to_string(), text, "{total} / {count}");
        }
    }
}
