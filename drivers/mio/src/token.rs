//! What an event is about, packed into the one number that the system hands back.

use zookeeper_common::Source;

/// The bits that tell the kinds apart.
const KIND_BITS: u32 = 2;
const KIND_MASK: usize = (1 << KIND_BITS) - 1;

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// Another thread wants the loop's attention.
    Waker,
    /// A socket.
    Socket(Source),
}

impl Token {
    pub(crate) const fn pack(self) -> mio::Token {
        let (kind, index) = match self {
            Self::Waker => (0, 0),
            Self::Socket(Source::Listener(index)) => (1, index),
            Self::Socket(Source::Connection(index)) => (2, index),
            Self::Socket(Source::Closing(index)) => (3, index),
        };
        mio::Token(index << KIND_BITS | kind)
    }

    pub(crate) const fn of(token: mio::Token) -> Self {
        let index = token.0 >> KIND_BITS;
        match token.0 & KIND_MASK {
            0 => Self::Waker,
            1 => Self::Socket(Source::Listener(index)),
            2 => Self::Socket(Source::Connection(index)),
            _ => Self::Socket(Source::Closing(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_a_two_way_map() {
        for source in [
            Source::Listener(0),
            Source::Listener(7),
            Source::Connection(0),
            Source::Connection(usize::MAX >> KIND_BITS),
            Source::Closing(3),
        ] {
            let token = Token::Socket(source);
            assert_eq!(Token::of(token.pack()), token);
        }
        assert_eq!(Token::of(Token::Waker.pack()), Token::Waker);
    }
}
