//! What an event is about, packed into the one number that the system hands back.

use mio::Token;

/// The bits that tell the kinds apart.
const KIND_BITS: u32 = 2;
const KIND_MASK: usize = (1 << KIND_BITS) - 1;

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Another thread wants the loop's attention.
    Waker,
    /// The listener of this index.
    Listener(usize),
    /// The connection in this slot. It may be another one than the event was meant for, which is
    /// harmless: a socket that is not ready says so.
    Connection(usize),
    /// The closing socket of this key; the same holds for it.
    Closing(usize),
}

impl Source {
    pub(crate) const fn token(self) -> Token {
        let (kind, index) = match self {
            Self::Waker => (0, 0),
            Self::Listener(index) => (1, index),
            Self::Connection(index) => (2, index),
            Self::Closing(index) => (3, index),
        };
        Token(index << KIND_BITS | kind)
    }

    pub(crate) const fn of(token: Token) -> Self {
        let index = token.0 >> KIND_BITS;
        match token.0 & KIND_MASK {
            0 => Self::Waker,
            1 => Self::Listener(index),
            2 => Self::Connection(index),
            _ => Self::Closing(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_a_two_way_map() {
        for source in [
            Source::Waker,
            Source::Listener(0),
            Source::Listener(7),
            Source::Connection(0),
            Source::Connection(usize::MAX >> KIND_BITS),
            Source::Closing(3),
        ] {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
