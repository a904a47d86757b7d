//! A whole standalone server: endpoint, tree and the write-ahead gate in one machine.
