//! A log from front to back, and what its end is.

use std::path::Path;

use serde_json::{Value, json};
use zookeeper_core::{
    Zxid,
    storage::{LogRecord, LogScan, LogTail, ScanItem, TailState},
};

use super::{failure::OfflineError, number::count, source::Source, verdict::Verdict};

/// What a scan has seen.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    /// The file, as it was named.
    pub(super) file: String,
    /// Its length in bytes.
    pub(super) length: u64,
    /// How many records there are before the tail.
    pub(super) records: u64,
    /// The zxids of the first and of the last of them.
    pub(super) range: Option<(Zxid, Zxid)>,
    /// What follows them.
    pub(super) tail: LogTail,
}

/// Scans a log. `record_length_max` is the longest payload of a record, in bytes.
pub(super) fn scan(
    path: &Path,
    record_length_max: usize,
    quiet: bool,
    mut on_record: impl FnMut(&LogRecord<'_>) -> Result<(), OfflineError>,
) -> Result<Scanned, OfflineError> {
    let mut source = Source::open(path, quiet)?;
    let mut scan = LogScan::new(record_length_max);
    let (mut records, mut range) = (0, None);
    loop {
        match scan.next() {
            ScanItem::NeedBytes => {
                let bytes = source.read()?;
                if bytes.is_empty() { scan.finish() } else { scan.push(bytes) }
            }
            ScanItem::Record(record) => {
                records += 1;
                let zxid = record.header.zxid;
                range = Some((range.map_or(zxid, |(first, _)| first), zxid));
                on_record(&record)?;
            }
            ScanItem::RecordsEnd { .. } => {}
            ScanItem::Tail(tail) => {
                let (file, length) = (source.name().to_owned(), source.length());
                return Ok(Scanned { file, length, records, range, tail });
            }
        }
    }
}

impl Scanned {
    /// What the file alone is worth.
    pub(super) fn verdict(&self) -> Verdict {
        match self.tail.state {
            TailState::Clean => Verdict::Fine,
            TailState::Torn { .. } => Verdict::Torn,
            _ => Verdict::Damaged,
        }
    }

    /// What is wrong with it, in a sentence.
    pub(super) fn complaint(&self) -> Option<String> {
        let LogTail { offset, length, state } = self.tail;
        let fitting = |length: Option<u64>| match length {
            Some(length) => format!("; its checksum is right for {length} bytes"),
            None => String::new(),
        };
        Some(match state {
            TailState::Clean => return None,
            TailState::Torn { kind, records_behind: 0 } => {
                format!("torn tail at offset {offset}, {length} bytes to the end: {kind}")
            }
            TailState::Torn { kind, records_behind } => {
                let records = count(records_behind, "record");
                format!(
                    "torn tail at offset {offset}, {length} bytes to the end: {kind}; \
                    {records} in it that cannot have been acknowledged if the disk kept what it \
                    said is stored"
                )
            }
            TailState::Corrupt { kind, fitting_length } => {
                let fitting = fitting(fitting_length);
                format!(
                    "corrupt tail at offset {offset}, {length} bytes to the end, nothing \
                    valid behind it: {kind}{fitting}"
                )
            }
            TailState::DamagedInside {
                kind,
                fitting_length,
                next_offset,
                next_zxid,
                records_behind,
            } => {
                let (fitting, records) =
                    (fitting(fitting_length), count(records_behind, "valid record"));
                format!(
                    "damaged in the middle at offset {offset}: {kind}{fitting}; {records} \
                    behind it, from {next_zxid} at offset {next_offset} on"
                )
            }
            _ => format!("damaged at offset {offset}"),
        })
    }

    /// Everything for JSON.
    pub(super) fn json(&self) -> Value {
        let zxid = |zxid: Option<Zxid>| zxid.map(|zxid| zxid.to_string());
        let LogTail { offset, length, state } = self.tail;
        let mut value = json!({
            "file": self.file,
            "bytes": self.length,
            "records": self.records,
            "firstZxid": zxid(self.range.map(|(first, _)| first)),
            "lastZxid": zxid(self.range.map(|(_, last)| last)),
            "tail": { "offset": offset, "length": length },
        });
        let tail = &mut value["tail"];
        let (name, kind) = match state {
            TailState::Clean => ("clean", None),
            TailState::Torn { kind, records_behind } => {
                tail["recordsBehind"] = records_behind.into();
                ("torn", Some(kind))
            }
            TailState::Corrupt { kind, fitting_length } => {
                tail["fittingLength"] = fitting_length.into();
                ("corrupt", Some(kind))
            }
            TailState::DamagedInside {
                kind,
                fitting_length,
                next_offset,
                next_zxid,
                records_behind,
            } => {
                tail["fittingLength"] = fitting_length.into();
                tail["nextOffset"] = next_offset.into();
                tail["nextZxid"] = next_zxid.to_string().into();
                tail["recordsBehind"] = records_behind.into();
                ("damagedInside", Some(kind))
            }
            _ => ("damaged", None),
        };
        tail["state"] = name.into();
        tail["reason"] = kind.map(|kind| kind.to_string()).into();
        value
    }
}
