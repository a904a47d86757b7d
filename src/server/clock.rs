//! Wall-clock time, carried forward from the last reading by the machine's own clock.

use std::fmt;

use crate::time::Instant;

/// Unix time as of the last reading. Session deadlines never look at it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WallClock {
    at: Instant,
    unix_ms: i64,
}

impl WallClock {
    /// Starts from a reading.
    pub(super) const fn set(&mut self, now: Instant, unix_ms: i64) {
        self.at = now;
        self.unix_ms = unix_ms;
    }

    /// Unix time in milliseconds at `now`.
    pub(super) fn unix_ms(self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.at).as_millis();
        self.unix_ms.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// Unix time in milliseconds at an instant that may lie before the last reading.
    pub(super) fn unix_ms_at(self, instant: Instant) -> i64 {
        let before = self.at.saturating_duration_since(instant).as_millis();
        self.unix_ms(instant).saturating_sub(i64::try_from(before).unwrap_or(i64::MAX))
    }
}

/// A point of Unix time, printed as `java.util.Date` prints it in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) unix_ms: i64,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.unix_ms.div_euclid(1_000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{} {} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}",
            DAYS[weekday], MONTHS[month]
        )
    }
}

/// Year, month (from 0) and day (from 1) of a day counted from 1970-01-01, in the Gregorian
/// calendar.
fn civil(days: i64) -> (i64, usize, i64) {
    // Years are counted from a first of March, so that a leap day ends its year: 400 of them are
    // 146,097 days, and months have lengths of a simple pattern.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    (year, usize::try_from(month).unwrap_or(0), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_java_prints_them() {
        for (unix_ms, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_344_352_999, "Sun Nov 22 10:45:52 UTC 2026"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (4_107_542_399_000, "Sun Feb 28 23:59:59 UTC 2100"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(Date { unix_ms }.to_string(), text);
        }
    }

    #[test]
    fn goes_on_from_the_last_reading_both_ways() {
        let mut clock = WallClock::default();
        clock.set(Instant::from_millis(50), 1_000);
        assert_eq!(clock.unix_ms(Instant::from_millis(57)), 1_007);
        assert_eq!(clock.unix_ms_at(Instant::from_millis(57)), 1_007);
        assert_eq!(clock.unix_ms_at(Instant::from_millis(40)), 990);
    }
}
