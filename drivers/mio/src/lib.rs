//! ZooKeeper's state machines on real sockets, driven by mio.
