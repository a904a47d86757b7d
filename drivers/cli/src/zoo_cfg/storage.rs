//! Keys about files: what is kept, for how long, and how safely.
//!
//! Behaviour: `org.apache.zookeeper.server.ZooKeeperServer`, `persistence.FileTxnLog`,
//! `persistence.FilePadding`, `DatadirCleanupManager`.

use std::time::Duration;

use zookeeper_core::storage::Retention;

use super::{
    Builder, Mistake,
    value::{decode, strict_integer},
};

const UNCOMPRESSED: &str = "snapshots are written without compression; compressed ones are read";

/// Numbers of kilobytes that are not too many bytes.
const KILOBYTES: std::ops::RangeInclusive<i64> = i64::MIN..=(i64::MAX >> 10);

/// Snapshots that are always kept.
const SNAPSHOTS_MIN: usize = 3;

/// `autopurge.*`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Autopurge {
    snapshots: usize,
    interval: Duration,
}

impl Default for Autopurge {
    fn default() -> Self {
        Self { snapshots: SNAPSHOTS_MIN, interval: Duration::ZERO }
    }
}

impl Builder {
    /// Applies the key if it is one of these.
    pub(super) fn apply_storage(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<bool, Mistake> {
        match key {
            "dataDir" => self.config.data_dir = Some(value.into()),
            "dataLogDir" => self.config.data_log_dir = Some(value.into()),
            "autopurge.snapRetainCount" => self.snapshots_kept(line, key, value)?,
            "autopurge.purgeInterval" => {
                self.autopurge.interval = interval(value).ok_or_else(|| {
                    let message = format!(
                        "{key} must be a number of hours, or have a unit as 90m, not {value:?}"
                    );
                    Mistake::At(line, message)
                })?;
            }
            _ => {
                return Ok(self.apply_size(line, key, value) || self.apply_switch(line, key, value));
            }
        }
        Ok(true)
    }

    fn snapshots_kept(&mut self, line: usize, key: &str, value: &str) -> Result<(), Mistake> {
        let count = usize::try_from(strict_integer(line, key, value)?).unwrap_or(0);
        if count < SNAPSHOTS_MIN {
            self.warn(line, key, format!("is less than {SNAPSHOTS_MIN}, which are kept"));
        }
        self.autopurge.snapshots = count.max(SNAPSHOTS_MIN);
        Ok(())
    }

    fn apply_size(&mut self, line: usize, key: &str, value: &str) -> bool {
        let storage = &self.config.storage;
        match key {
            "snapCount" => {
                if let Some(count) = self.count(line, key, value) {
                    if count < 2 {
                        self.warn(line, key, "is less than 2, which counts");
                    }
                    self.config.storage.snapshot_transactions = count.max(2) as u64;
                }
            }
            "snapSizeLimitInKb" => {
                self.config.storage.snapshot_bytes =
                    self.bytes(line, key, value, storage.snapshot_bytes);
            }
            "txnLogSizeLimitInKb" => {
                self.config.storage.log_length_max =
                    self.bytes(line, key, value, storage.log_length_max);
            }
            "preAllocSize" => {
                let reserve = self.bytes(line, key, value, Some(storage.reserve));
                self.config.storage.reserve = reserve.unwrap_or(0);
            }
            "fsync.warningthresholdms" => {
                if let Some(ms) = self.integer(line, key, value, 0..=i64::MAX) {
                    self.config.sync_warning = Self::duration(ms);
                }
            }
            _ => return false,
        }
        true
    }

    fn apply_switch(&mut self, line: usize, key: &str, value: &str) -> bool {
        match key {
            "forceSync" => {
                self.config.storage.sync = value != "no";
                if value == "no" {
                    self.warn(line, key, "a power cut may take what clients were told is done");
                } else if value != "yes" {
                    self.warn(line, key, "is neither yes nor no and counts as yes");
                }
            }
            "snapshot.compression.method" => {
                if !value.is_empty() {
                    self.warn(line, key, UNCOMPRESSED);
                }
            }
            "snapshot.trust.empty" => {
                self.config.trust_empty_snapshot = self.boolean(line, key, value);
            }
            "datadir.autocreate" => {
                self.config.create_directories = self.boolean(line, key, value);
            }
            "db.autocreate" => self.config.create_database = self.boolean(line, key, value),
            "serializeLastProcessedZxid.enabled" => {
                self.config.storage.last_zxid_in_snapshot = self.boolean(line, key, value);
            }
            _ => return false,
        }
        true
    }

    /// A number of kilobytes, as bytes; none if it is not above zero.
    fn bytes(&mut self, line: usize, key: &str, value: &str, default: Option<u64>) -> Option<u64> {
        let Some(kilobytes) = self.integer(line, key, value, KILOBYTES) else { return default };
        u64::try_from(kilobytes).ok().filter(|&kilobytes| kilobytes > 0).map(|count| count << 10)
    }

    /// What only all keys together tell.
    pub(super) fn finish_storage(&mut self) {
        let Autopurge { snapshots, interval } = self.autopurge;
        self.config.storage.retention =
            (interval > Duration::ZERO).then_some(Retention { snapshots, interval });
    }
}

/// A time between two purges: hours, unless a unit is named. Zero or less is none at all.
fn interval(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let unit = UNITS.into_iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms)));
    let (number, ms) = unit.unwrap_or((text, 3_600_000));
    let number = u64::try_from(decode(number.trim_end())?).unwrap_or(0);
    Some(Duration::from_millis(number.saturating_mul(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_hours_or_have_a_unit() {
        const HOUR: u64 = 3_600;
        for (text, seconds) in [
            ("1", Some(HOUR)),
            ("24", Some(24 * HOUR)),
            ("0", Some(0)),
            ("-1", Some(0)),
            ("90m", Some(5_400)),
            ("2h", Some(2 * HOUR)),
            ("1d", Some(24 * HOUR)),
            ("30s", Some(30)),
            ("3000ms", Some(3)),
            ("5 m", Some(300)),
            ("", None),
            ("m", None),
            ("1w", None),
            ("soon", None),
        ] {
            assert_eq!(interval(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
