//! The formats of the transaction log, and the operations that write it.
