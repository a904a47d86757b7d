//! The servers that all other peer tests stand on: they start, answer, restart and end.

use zookeeper_peers::{Kind, Options, Server};

#[test]
fn a_server_starts_answers_stops_and_starts_again() {
    for kind in Kind::ALL {
        let Some(program) = kind.need() else { continue };
        let mut server = Server::start(&program, &Options::default()).expect("a server");
        let address = server.address();
        assert_eq!(server.four_letter_word("ruok").expect("an answer"), "imok");
        let first = server.process_id().expect("it runs");

        server.stop().expect("it ends");
        assert_eq!(server.process_id(), None);
        assert!(server.four_letter_word("ruok").is_err(), "nobody listens any more");

        server.restart().expect("it starts again");
        assert_eq!(server.address(), address);
        assert_ne!(server.process_id(), Some(first));
        server.reset().expect("it starts from nothing");
        let srvr = server.four_letter_word("srvr").expect("an answer");
        assert!(srvr.contains("Zxid: 0x0\n") && srvr.contains("Mode: standalone\n"), "{srvr}");

        let directory = server.directory().to_owned();
        drop(server);
        assert!(!directory.exists(), "the directory is gone with the server");
    }
}

#[test]
fn options_reach_the_server() {
    for kind in Kind::ALL {
        let Some(program) = kind.need() else { continue };
        let options = Options::default().set("tickTime", "1234").set("maxClientCnxns", "7");
        let server = Server::start(&program, &options).expect("a server");
        let conf = server.four_letter_word("conf").expect("an answer");
        assert!(conf.contains("tickTime=1234\n"), "{conf}");
        assert!(conf.contains("maxClientCnxns=7\n"), "{conf}");
    }
}
