//! ZooKeeper network layer.
