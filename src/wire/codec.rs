//! Jute: ZooKeeper's record encoding, big endian and without tags.
//!
//! Decoding lends: strings, buffers and vectors stay slices of the frame. Behaviour:
//! `org.apache.jute.BinaryInputArchive` and `BinaryOutputArchive`.

use std::{borrow::Cow, fmt, ops::Deref, str};

use bytes::Bytes;
use thiserror::Error;

/// Why bytes are not the record they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame ends inside the record.
    #[error("record ends {0} bytes too early")]
    Truncated(usize),
    /// A buffer or string with a length below -1.
    #[error("length {0} is negative")]
    NegativeLength(i32),
    /// A null where the record cannot do without a value.
    #[error("required field is null")]
    UnexpectedNull,
    /// Text that must be UTF-8 and is not.
    #[error("text is not UTF-8")]
    InvalidText,
    /// A number outside its enumeration.
    #[error("{what} has no value {value}")]
    UnknownValue {
        /// The enumeration.
        what: &'static str,
        /// The number found.
        value: i32,
    },
    /// A multi that mixes reads with writes, or holds what its opcode does not allow.
    #[error("multi may not hold operation {0}")]
    MisplacedOperation(i32),
}

/// Reads records from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads one record.
    ///
    /// # Errors
    ///
    /// The record's own; the reader then stands somewhere inside the record.
    pub fn read<T: Decode<'a>>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Truncated(count - self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(DecodeError::Truncated(N - self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Reads a length and that many bytes; -1 is null.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.read::<i32>()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(DecodeError::NegativeLength(length)),
            },
        }
    }

    /// Reads the count of a vector: -1 is null, other negative numbers count as zero, as upstream
    /// reads them.
    pub(crate) fn count(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.read::<i32>()? {
            -1 => Ok(None),
            count => Ok(Some(usize::try_from(count).unwrap_or(0))),
        }
    }
}

/// A record that can be read. Trailing bytes are the caller's business.
pub trait Decode<'a>: Sized {
    /// Reads one record from the front of `reader`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// A record that can be written. Encoding cannot fail.
pub trait Encode {
    /// Appends the record to `out`.
    fn encode<S: Sink + ?Sized>(&self, out: &mut S);

    /// The record as a fresh vector, for tests and small one-off uses.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// Where encoded bytes go.
pub trait Sink {
    /// Appends a copy of `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Appends `bytes`, by reference where the sink can hold one.
    fn put_shared(&mut self, bytes: &Bytes) {
        self.put(bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A [`Sink`] that only counts, to know a record's size beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measure(pub usize);

impl Measure {
    /// The length of an encoded record, in bytes.
    pub fn of(record: &(impl Encode + ?Sized)) -> usize {
        let mut length = Self::default();
        record.encode(&mut length);
        length.0
    }
}

impl Sink for Measure {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Text as it came: the bytes of a jute string, checked for UTF-8 only when somebody asks.
///
/// Look-ups go by bytes; a path that is not UTF-8 cannot name an existing znode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Text known beforehand.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Text<'static> {
        Text(text.as_bytes())
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if it is UTF-8.
    ///
    /// # Errors
    ///
    /// [`DecodeError::InvalidText`] when it is not.
    pub fn to_str(self) -> Result<&'a str, DecodeError> {
        str::from_utf8(self.0).map_err(|_| DecodeError::InvalidText)
    }

    /// The text with U+FFFD in place of malformed sequences, as upstream decodes it.
    #[must_use]
    pub fn to_str_lossy(self) -> Cow<'a, str> {
        match str::from_utf8(self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(self.0),
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str_lossy())
    }
}

/// A jute buffer: borrowed from a frame, or shared with whoever owns the bytes.
#[derive(Clone, Copy)]
pub enum Blob<'a> {
    /// Borrowed bytes; written by copy.
    Slice(&'a [u8]),
    /// Counted bytes; a large one is written by reference ([`Sink::put_shared`]).
    Shared(&'a Bytes),
}

impl Deref for Blob<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Blob<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Blob<'_> {}

impl fmt::Debug for Blob<'_> {
    /// The length only: data may be large, and may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl<'a> From<&'a [u8]> for Blob<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Slice(bytes)
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl<'a> Decode<'a> for $type {
            fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                reader.array().map(|bytes| <$type>::from_be_bytes(*bytes))
            }
        }

        impl Encode for $type {
            fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
                out.put(&self.to_be_bytes());
            }
        }
    )*};
}

number!(i32, i64, u64);

impl<'a> Decode<'a> for bool {
    /// Any byte but zero is true.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.array().map(|[byte]: &[u8; 1]| *byte != 0)
    }
}

impl Encode for bool {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        out.put(&[u8::from(*self)]);
    }
}

impl<'a> Decode<'a> for Option<Text<'a>> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(reader.nullable()?.map(Text))
    }
}

impl<'a> Decode<'a> for Text<'a> {
    /// For strings that may not be null.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.nullable()?.map(Text).ok_or(DecodeError::UnexpectedNull)
    }
}

impl Encode for Text<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        length(self.0.len()).encode(out);
        out.put(self.0);
    }
}

impl Encode for str {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        Text::from(self).encode(out);
    }
}

impl<'a> Decode<'a> for Option<Blob<'a>> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(reader.nullable()?.map(Blob::Slice))
    }
}

impl Encode for Blob<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        length(self.len()).encode(out);
        match self {
            Self::Slice(bytes) => out.put(bytes),
            Self::Shared(bytes) => out.put_shared(bytes),
        }
    }
}

impl<T: Encode> Encode for Option<T> {
    /// Null is a length (or count) of -1.
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        match self {
            Some(value) => value.encode(out),
            None => (-1).encode(out),
        }
    }
}

/// A length as jute writes it; what no frame can hold saturates.
pub(crate) fn length(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Declares a record: its fields, in order, are its encoding.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident<$life:lifetime> {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name<$life> {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl<$life> $crate::wire::codec::Decode<$life> for $name<$life> {
            fn decode(
                reader: &mut $crate::wire::codec::Reader<$life>,
            ) -> Result<Self, $crate::wire::codec::DecodeError> {
                Ok(Self { $($field: reader.read()?,)* })
            }
        }

        impl $crate::wire::codec::Encode for $name<'_> {
            fn encode<S: $crate::wire::codec::Sink + ?Sized>(&self, out: &mut S) {
                $($crate::wire::codec::Encode::encode(&self.$field, out);)*
            }
        }
    };
}
pub(crate) use record;
