//! Row 18: SASL with DIGEST-MD5, and its vectors.
