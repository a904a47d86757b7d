//! Compressed snapshots, decompressed piece by piece.
//!
//! ```text
//! gzip:   one member of RFC 1952
//! snappy: 82 "SNAPPY" 00 │ version i32 │ compatible version i32 │ block │ block │ …
//! block:  length i32 │ raw snappy
//! ```
//!
//! Behaviour: `org.apache.zookeeper.server.persistence.SnapStream`,
//! `java.util.zip.GZIPInputStream` and `org.xerial.snappy.SnappyInputStream`.

use std::{fmt, io::Write};

use flate2::write::GzDecoder;
use thiserror::Error;

/// How a snapshot is compressed (`snapshot.compression.method`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// `gz`.
    Gzip,
    /// `snappy`, in the framing of `snappy-java`.
    Snappy,
}

impl Compression {
    /// What a file's name says.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, "gz")) => Self::Gzip,
            Some((_, "snappy")) => Self::Snappy,
            _ => Self::None,
        }
    }

    /// What a file's name ends with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        }
    }
}

/// Why compressed bytes cannot be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CompressionDamage {
    /// The compressed stream is not what it should be, or its checksum is wrong.
    #[error("the gzip stream is damaged")]
    Gzip,
    /// The file does not start as the format does.
    #[error("this is no snappy stream")]
    SnappyHeader,
    /// A block of no length, a negative one, or one that would decompress to more than the limit.
    #[error("a snappy block has an impossible length")]
    SnappyLength,
    /// A block that is not what it should be.
    #[error("a snappy block is damaged")]
    SnappyBlock,
    /// The file ends inside the compressed stream.
    #[error("the file ends inside the compressed stream")]
    Cut,
}

/// The longest block of snappy read, in bytes, compressed and not. Java writes 32 KiB.
const BLOCK_LENGTH_MAX: usize = 1 << 20;

/// Gzip is decompressed in parts of this many bytes, counted from the start: what comes out before
/// damage then does not depend on how the bytes came.
const GZIP_PART: usize = 4096;

/// What a snappy stream starts with, versions excepted.
const SNAPPY_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";

const SNAPPY_HEADER_LENGTH: usize = 16;

/// Decompresses one stream; compressed bytes go in as they come, and pieces of bounded size come
/// out.
pub(super) struct Decompressor {
    method: Method,
    /// Compressed bytes; those from `start` on are not used yet.
    input: Vec<u8>,
    start: usize,
    /// Bytes to the end of a part.
    part: usize,
    is_finished: bool,
}

enum Method {
    None,
    Gzip(Box<GzDecoder<Vec<u8>>>),
    Snappy {
        decoder: snap::raw::Decoder,
        has_header: bool,
    },
    /// All is out.
    Over,
}

impl Decompressor {
    pub(super) fn new(compression: Compression) -> Self {
        let method = match compression {
            Compression::None => Method::None,
            Compression::Gzip => Method::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            Compression::Snappy => {
                Method::Snappy { decoder: snap::raw::Decoder::new(), has_header: false }
            }
        };
        Self { method, input: Vec::new(), start: 0, part: GZIP_PART, is_finished: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.input.drain(..self.start);
        self.start = 0;
        self.input.extend_from_slice(bytes);
    }

    pub(super) const fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Whether nothing more will come out.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.method, Method::Over)
    }

    /// Appends the next piece to `out`. Returns whether there was one; if not, and it is not over,
    /// more bytes are needed.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, CompressionDamage> {
        let before = out.len();
        while out.len() == before && !self.is_over() {
            let input = &self.input[self.start..];
            if input.is_empty() && !self.is_finished {
                return Ok(false);
            }
            let used = match &mut self.method {
                Method::None => {
                    out.extend_from_slice(input);
                    Some(input.len())
                }
                Method::Gzip(_) if input.len() < self.part && !self.is_finished => {
                    return Ok(false);
                }
                Method::Gzip(decoder) => {
                    let used = gunzip(decoder, &input[..input.len().min(self.part)], out)?;
                    self.part -= used.unwrap_or(0);
                    self.part = if self.part == 0 { GZIP_PART } else { self.part };
                    used
                }
                Method::Snappy { decoder, has_header } => {
                    match unsnap(decoder, has_header, input, out)? {
                        Some(0) if !self.is_finished => return Ok(false),
                        Some(0) if !input.is_empty() => return Err(CompressionDamage::Cut),
                        Some(0) if !*has_header => return Err(CompressionDamage::Cut),
                        used => used,
                    }
                }
                Method::Over => None,
            };
            match used {
                Some(used) if used > 0 => self.start += used,
                _ => self.method = Method::Over,
            }
        }
        Ok(out.len() > before)
    }
}

/// Decompresses a piece; one call to the decoder gives at most its buffer. Returns how much of the
/// input was used, `None` at the end of the stream, whatever follows it.
fn gunzip(
    decoder: &mut GzDecoder<Vec<u8>>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<usize>, CompressionDamage> {
    let used = match input {
        [] => 0,
        _ => decoder.write(input).map_err(|_| CompressionDamage::Gzip)?,
    };
    let end = match used {
        0 => decoder.try_finish(),
        _ => Ok(()),
    };
    out.append(decoder.get_mut());
    match end {
        Err(_) if input.is_empty() => Err(CompressionDamage::Cut),
        Err(_) => Err(CompressionDamage::Gzip),
        Ok(()) => Ok((used > 0).then_some(used)),
    }
}

/// Decompresses a block. Returns how much of the input was used; nothing when it is incomplete.
fn unsnap(
    decoder: &mut snap::raw::Decoder,
    has_header: &mut bool,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<usize>, CompressionDamage> {
    if !*has_header {
        let magic = &input[..input.len().min(SNAPPY_MAGIC.len())];
        if !SNAPPY_MAGIC.starts_with(magic) {
            return Err(CompressionDamage::SnappyHeader);
        }
        *has_header = input.len() >= SNAPPY_HEADER_LENGTH;
        return Ok(Some(if *has_header { SNAPPY_HEADER_LENGTH } else { 0 }));
    }
    let Some((length, rest)) = input.split_first_chunk() else { return Ok(Some(0)) };
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    if length == 0 || length > BLOCK_LENGTH_MAX {
        return Err(CompressionDamage::SnappyLength);
    }
    let Some(block) = rest.get(..length) else { return Ok(Some(0)) };
    let plain = snap::raw::decompress_len(block).map_err(|_| CompressionDamage::SnappyBlock)?;
    if plain == 0 || plain > BLOCK_LENGTH_MAX {
        return Err(CompressionDamage::SnappyLength);
    }
    let start = out.len();
    out.resize(start + plain, 0);
    match decoder.decompress(block, &mut out[start..]) {
        Ok(written) if written == plain => Ok(Some(size_of::<i32>() + length)),
        _ => {
            out.truncate(start);
            Err(CompressionDamage::SnappyBlock)
        }
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::None => "none",
            Method::Gzip(_) => "gzip",
            Method::Snappy { .. } => "snappy",
            Method::Over => "over",
        };
        let waiting = self.input.len() - self.start;
        f.debug_struct("Decompressor").field("method", &method).field("waiting", &waiting).finish()
    }
}
