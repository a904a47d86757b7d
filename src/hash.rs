//! The core's only hash: keyed from the machine's seed.
//!
//! Clients choose paths, so a map over them must not degrade when they are chosen badly. `ahash`
//! mixes four key words into every block. (`foldhash` is as fast, but with its fixed shared seed
//! an input that equals a known constant cancels the key.) Nothing observable may depend on a
//! map's order: it differs with the seed.

use std::hash::{BuildHasher, Hash};

use ahash::RandomState;

use crate::rng::Rng;

/// A hash map keyed by [`Keys`]; build it with [`Keys::map`].
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, Keys>;

/// The key words of one machine's hashes.
#[derive(Clone, Debug)]
pub(crate) struct Keys(RandomState);

impl Keys {
    /// Draws the key words from the machine's generator.
    #[must_use]
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self(RandomState::with_seeds(
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
        ))
    }

    /// An empty map with these keys.
    #[must_use]
    pub(crate) fn map<K, V>(&self) -> Map<K, V> {
        Map::with_hasher(self.clone())
    }

    /// The hash of `value` under these keys.
    #[must_use]
    pub(crate) fn hash<T: Hash + ?Sized>(&self, value: &T) -> u64 {
        self.0.hash_one(value)
    }
}

impl BuildHasher for Keys {
    type Hasher = ahash::AHasher;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_the_seed_alone() {
        let (one, two) = (Keys::new(&mut Rng::new(1)), Keys::new(&mut Rng::new(1)));
        assert_eq!(one.hash("/a"), two.hash("/a"));
        assert_ne!(one.hash("/a"), Keys::new(&mut Rng::new(2)).hash("/a"));
    }
}
