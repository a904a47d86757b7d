//! Jute vectors, lent from a frame or from whoever holds the elements.

use std::{fmt, marker::PhantomData};

use super::codec::{Decode, DecodeError, Encode, Reader, Sink, length};

/// Elements that live elsewhere and can be had by index: a znode's children, a multi's results.
pub trait ListSource<'a, T> {
    /// How many there are.
    fn count(&self) -> usize;

    /// The element at `index`, which is below [`ListSource::count`].
    fn element(&'a self, index: usize) -> T;
}

/// A jute vector. One read from a frame was checked when it was decoded, so iterating cannot fail.
pub struct List<'a, T>(Inner<'a, T>);

enum Inner<'a, T> {
    Wire { bytes: &'a [u8], count: usize, element: PhantomData<fn() -> T> },
    Slice(&'a [T]),
    Source(&'a dyn ListSource<'a, T>),
}

impl<'a, T: Copy> List<'a, T> {
    /// A list of the elements of a slice.
    #[must_use]
    pub const fn new(elements: &'a [T]) -> Self {
        Self(Inner::Slice(elements))
    }

    /// A list of elements that live elsewhere.
    #[must_use]
    pub const fn from_source(source: &'a dyn ListSource<'a, T>) -> Self {
        Self(Inner::Source(source))
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Inner::Wire { count, .. } => count,
            Inner::Slice(elements) => elements.len(),
            Inner::Source(source) => source.count(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Copy + Decode<'a>> List<'a, T> {
    /// The elements in order.
    #[must_use]
    pub fn iter(&self) -> ListIter<'a, T> {
        let reader = match self.0 {
            Inner::Wire { bytes, .. } => Reader::new(bytes),
            Inner::Slice(_) | Inner::Source(_) => Reader::new(&[]),
        };
        ListIter { list: *self, reader, next: 0 }
    }
}

/// The elements of a [`List`].
#[derive(Debug)]
pub struct ListIter<'a, T> {
    list: List<'a, T>,
    reader: Reader<'a>,
    next: usize,
}

impl<'a, T: Copy + Decode<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next == self.list.len() {
            return None;
        }
        let index = self.next;
        self.next += 1;
        match self.list.0 {
            // Checked when the list was decoded, so this cannot fail.
            Inner::Wire { .. } => T::decode(&mut self.reader).ok(),
            Inner::Slice(elements) => elements.get(index).copied(),
            Inner::Source(source) => Some(source.element(index)),
        }
    }
}

impl<'a, T: Copy + Decode<'a>> Decode<'a> for Option<List<'a, T>> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let Some(count) = reader.count()? else { return Ok(None) };
        let bytes = reader.rest();
        // Every element takes at least one byte, so the frame's end bounds this loop.
        for _ in 0..count {
            T::decode(reader)?;
        }
        let bytes = &bytes[..bytes.len() - reader.rest().len()];
        Ok(Some(List(Inner::Wire { bytes, count, element: PhantomData })))
    }
}

impl<'a, T: Copy + Decode<'a> + Encode> Encode for List<'a, T> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        length(self.len()).encode(out);
        match self.0 {
            Inner::Wire { bytes, .. } => out.put(bytes),
            Inner::Slice(_) | Inner::Source(_) => {
                self.iter().for_each(|element| element.encode(out));
            }
        }
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T> Clone for Inner<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Inner<'_, T> {}

impl<'a, T: Copy + Decode<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Copy + Decode<'a> + Eq> Eq for List<'a, T> {}

impl<T> fmt::Debug for List<'_, T> {
    /// The count only: a list can be as long as a frame.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = match self.0 {
            Inner::Wire { count, .. } => count,
            Inner::Slice(elements) => elements.len(),
            Inner::Source(source) => source.count(),
        };
        write!(f, "{count} elements")
    }
}
