//! Values that are not to be seen in logs.

use std::fmt;

/// A value whose [`Debug`](fmt::Debug) shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(pub T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret("word"))), "Some((secret))");
    }
}
