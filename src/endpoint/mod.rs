//! Many client connections: handshake, sessions' deadlines, limits, answers in order.
