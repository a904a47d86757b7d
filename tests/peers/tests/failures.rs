//! The five failures that break clients of other projects, with each client on a real socket:
//! against our servers, and against one that does what a script says. They need no foreign program.

use zookeeper_peers::client::{MioClient, SmolClient};
use zookeeper_peers::scenarios::failures;

macro_rules! failures {
    ($($client:ident: $type:ty;)*) => {$(
        mod $client {
            use super::*;

            #[test]
            fn failed_reconnect() {
                failures::failed_reconnect::<$type>();
            }

            #[test]
            fn expiry() {
                failures::expiry::<$type>();
            }

            #[test]
            fn watch_rearm() {
                failures::watch_rearm::<$type>();
            }

            #[test]
            fn leak_after_many_reconnects() {
                failures::leak::<$type>();
            }

            #[test]
            fn unexpected_notification() {
                failures::unexpected_notification::<$type>();
            }
        }
    )*};
}

failures! {
    smol: SmolClient;
    mio: MioClient;
}
