//! Four-letter words: commands in place of a first frame.
//!
//! Behaviour: `org.apache.zookeeper.server.command.FourLetterCommands`.

use std::fmt;

macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A command, sent as the first four bytes of a connection.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Command {
            $($(#[$meta])* $name,)*
        }

        impl Command {
            /// Every command.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The command these four bytes spell; lower case only.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
                match &bytes {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The four bytes.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 4] {
                match self {
                    $(Self::$name => *$code,)*
                }
            }

            /// The name as refusals print it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

commands! {
    /// Configuration.
    Conf = b"conf", "conf";
    /// Connections, in detail.
    Cons = b"cons", "cons";
    /// Resets every connection's statistics.
    Crst = b"crst", "crst";
    /// Sizes of the data directories.
    Dirs = b"dirs", "dirs";
    /// Sessions and ephemerals.
    Dump = b"dump", "dump";
    /// The host.
    Envi = b"envi", "envi";
    /// The trace mask.
    Gtmk = b"gtmk", "gtmk";
    /// Is the server there?
    Ruok = b"ruok", "ruok";
    /// Sets the trace mask.
    Stmk = b"stmk", "stmk";
    /// Resets the server's statistics.
    Srst = b"srst", "srst";
    /// The server, in short.
    Srvr = b"srvr", "srvr";
    /// The server and its connections.
    Stat = b"stat", "stat";
    /// Watches by session.
    Wchc = b"wchc", "wchc";
    /// Watches by path.
    Wchp = b"wchp", "wchp";
    /// Watches, counted.
    Wchs = b"wchs", "wchs";
    /// Metrics.
    Mntr = b"mntr", "mntr";
    /// Is the server read-only?
    Isro = b"isro", "isro";
    /// The history of tree digests.
    Hash = b"hash", "hash";
    /// What telnet sends on an interrupt.
    TelnetClose = b"\xff\xf4\xff\xfd", "telnet close";
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_two_way_map() {
        for &command in Command::ALL {
            assert_eq!(Command::from_bytes(command.to_bytes()), Some(command));
        }
        assert_eq!(Command::from_bytes(*b"RUOK"), None);
        assert_eq!(Command::from_bytes(*b"kill"), None);
    }
}
