//! One count of transactions over two servers that do not number them alike.

/// The zxids one server spent on something that the other does not count as a transaction.
///
/// A *logical* zxid leaves these out, so that it is the same number on both servers. Zxids are
/// compared in this form; they are never masked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zxids {
    burned: Vec<i64>,
}

impl Zxids {
    /// The logical form of what a frame holds; zero and negative numbers stand for themselves.
    #[must_use]
    pub(crate) fn logical(&self, raw: i64) -> i64 {
        let burned = self.burned.partition_point(|&burned| burned <= raw);
        if raw <= 0 { raw } else { raw - i64::try_from(burned).unwrap_or(i64::MAX) }
    }

    /// The number this server gave to a logical zxid.
    #[must_use]
    pub(crate) fn raw(&self, logical: i64) -> i64 {
        if logical <= 0 {
            return logical;
        }
        self.burned.iter().fold(logical, |raw, &burned| if burned <= raw { raw + 1 } else { raw })
    }

    /// Notes that `raw` counts for nothing on the other server. Only the newest zxid can burn.
    pub(crate) fn burn(&mut self, raw: i64) {
        debug_assert!(self.burned.last().is_none_or(|&last| last < raw), "burned twice");
        self.burned.push(raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burned_zxids_leave_no_gap() {
        let mut zxids = Zxids::default();
        zxids.burn(3);
        zxids.burn(4);
        zxids.burn(7);
        let logical: Vec<i64> =
            [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8].map(|raw| zxids.logical(raw)).into();
        assert_eq!(logical, [-1, 0, 1, 2, 2, 2, 3, 4, 4, 5]);
        for logical in [-1, 0, 1, 2, 3, 4, 5] {
            assert_eq!(zxids.logical(zxids.raw(logical)), logical);
        }
        assert_eq!(zxids.raw(3), 5);
    }
}
