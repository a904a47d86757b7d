//! Sessions: their ids and passwords, and the way they begin, come back and end.
//!
//! Behaviour: `org.apache.zookeeper.server.ZooKeeperServer` (`createSession`, `reopenSession`,
//! `generatePasswd`) and `SessionTrackerImpl.initializeNextSessionId`.

use sha2::{Digest, Sha256};

use super::{Event, Server};
use crate::{
    endpoint::{Connect, Grant, Refusal},
    ids::{ConnId, SessionId, Zxid},
    wire::{PASSWORD_LENGTH, Txn},
};

/// A session password.
pub(super) type Password = [u8; PASSWORD_LENGTH];

/// The byte at the top of every id of a standalone server.
const SERVER_ID: i64 = 1;

/// What upstream mixes into a session id to get the seed of its password.
const PASSWORD_SALT: u64 = 0xb341_5c00;

/// Deals out session ids.
#[derive(Debug)]
pub(super) struct SessionIds {
    /// None until the first one is asked for: the clock is known by then.
    next: Option<i64>,
    /// No id may stem from before this time: recovered sessions have those.
    not_before_ms: i64,
}

impl SessionIds {
    pub(super) const fn new(newest_recovered_ms: i64) -> Self {
        Self { next: None, not_before_ms: newest_recovered_ms.saturating_add(1) }
    }

    fn next(&mut self, unix_ms: i64) -> SessionId {
        let id = match self.next {
            Some(id) => id,
            None => first_id(unix_ms.max(self.not_before_ms)),
        };
        self.next = Some(id.wrapping_add(1));
        SessionId(id)
    }
}

/// The 40 lower bits of the time, below the server's number and above 16 bits of counting.
const fn first_id(unix_ms: i64) -> i64 {
    (unix_ms << 24).cast_unsigned().wrapping_shr(8).cast_signed() | SERVER_ID << 56
}

/// The password of a session: Apache's public function of the id, or one keyed by a secret.
fn password(session: SessionId, key: Option<&[u8; 32]>) -> Password {
    let mut password = Password::default();
    let Some(key) = key else {
        // java.util.Random, four times 32 bits, each little endian.
        const MULTIPLIER: u64 = 0x5_deec_e66d;
        const MASK: u64 = (1 << 48) - 1;
        let mut state = (session.0.cast_unsigned() ^ PASSWORD_SALT ^ MULTIPLIER) & MASK;
        for word in password.chunks_exact_mut(4) {
            state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
            let bytes = (state >> 16).to_le_bytes();
            word.copy_from_slice(&bytes[..4]);
        }
        return password;
    };
    let digest = Sha256::new().chain_update(key).chain_update(session.0.to_be_bytes()).finalize();
    password.copy_from_slice(&digest[..PASSWORD_LENGTH]);
    password
}

/// Compares without telling by its duration where the difference is.
fn is_password(given: &[u8], expected: &Password) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

impl Server {
    /// Answers a handshake.
    pub(super) fn connect(&mut self, conn: ConnId, request: &Connect) {
        if request.last_zxid_seen > self.gate.applied() {
            // It knows a future that this server has not: a wiped data directory, most likely.
            self.endpoint.refuse_session(self.now, conn, Refusal::ClientAhead);
        } else if request.session == SessionId::NONE && self.gate.is_full() {
            self.endpoint.refuse_session(self.now, conn, Refusal::Busy);
        } else if request.session == SessionId::NONE {
            self.create_session(conn, request);
        } else {
            self.resume_session(conn, request);
        }
    }

    fn create_session(&mut self, conn: ConnId, request: &Connect) {
        let unix_ms = self.clock.unix_ms(self.now);
        let mut session = self.session_ids.next(unix_ms);
        // Recovered sessions may stem from a server that counted in another way.
        while self.tree.sessions().get(session).is_some() {
            session = self.session_ids.next(unix_ms);
        }
        let timeout_ms = i32::try_from(request.timeout.as_millis()).unwrap_or(i32::MAX);
        let Some(zxid) = self.commit_own(session, &Txn::CreateSession { timeout_ms }) else {
            return;
        };
        self.endpoint.accept_session(self.now, conn, self.grant(session, request, zxid));
        self.events.push_back(Event::SessionCreated { session, conn, timeout: request.timeout });
    }

    fn resume_session(&mut self, conn: ConnId, request: &Connect) {
        let session = request.session;
        let expected = password(session, self.config.private_passwords.as_ref().map(|key| &key.0));
        if !is_password(&request.password, &expected) || self.tree.sessions().get(session).is_none()
        {
            // The session may have ended a moment ago: the refusal says so to its client, and may
            // not say it before the end is certain.
            let hold = self.newest_close;
            self.endpoint.refuse_session(self.now, conn, Refusal::Expired { hold });
            self.events.push_back(Event::SessionRefused { session, conn });
            return;
        }
        // Nobody knows the session whose creation is not durable yet: its ConnectResponse waits.
        self.endpoint.accept_session(self.now, conn, self.grant(session, request, Zxid::ZERO));
        self.events.push_back(Event::SessionResumed { session, conn, timeout: request.timeout });
    }

    fn grant(&self, session: SessionId, request: &Connect, hold: Zxid) -> Grant {
        Grant {
            session,
            password: password(session, self.config.private_passwords.as_ref().map(|key| &key.0)),
            timeout: request.timeout,
            read_only: false,
            hold,
        }
    }

    /// Ends a session whose client fell silent.
    pub(super) fn expire(&mut self, session: SessionId) {
        if self.tree.sessions().get(session).is_none() {
            return;
        }
        let txn = self.tree.prepare_close(session);
        let Some(zxid) = self.commit_own(session, &txn) else { return };
        self.newest_close = zxid;
        self.endpoint.end_session(self.now, session, zxid);
        self.events.push_back(Event::SessionExpired { session });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Instant, Rng,
        server::{Config, Recovered},
        tree::{self, Fired, Outcome, Tree},
        wire::TxnHeader,
    };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn passwords_are_those_of_apache() {
        for (session, expected) in [
            (0x0100_000c_aa62_0000, "6c17fac88932ac4f2a6605ae7a847022"),
            (0x0100_000c_aa62_0026, "f57b32c8c83d5475bc4abc7196b02a5f"),
            (1, "054cc74a37327db215e702e20c73f005"),
            (-2, "0dd532b5c441e3927c04b55e50fd9421"),
        ] {
            assert_eq!(hex(&password(SessionId(session), None)), expected, "{session:x}");
        }
    }

    #[test]
    fn a_key_makes_other_passwords() {
        let public = password(SessionId(1), None);
        let private = password(SessionId(1), Some(&[7; 32]));
        assert_ne!(public, private);
        assert_eq!(private, password(SessionId(1), Some(&[7; 32])));
        assert_ne!(private, password(SessionId(2), Some(&[7; 32])));
    }

    #[test]
    fn a_password_is_right_as_a_whole_or_not_at_all() {
        let right = password(SessionId(1), None);
        assert!(is_password(&right, &right));
        let mut wrong = right;
        wrong[15] ^= 1;
        assert!(!is_password(&wrong, &right));
        assert!(!is_password(&right[..15], &right) && !is_password(&[], &right));
    }

    #[test]
    fn ids_start_at_the_clock_but_after_everything_recovered() {
        let mut ids = SessionIds::new(0);
        let first = ids.next(0x01a2_02d7_40e0);
        assert_eq!(first, SessionId(0x01a2_02d7_40e0_0000));
        assert_eq!(ids.next(5), SessionId(first.0 + 1));

        let mut recovered = SessionIds::new(0x01a2_02d7_40e0);
        assert!(recovered.next(0) > first);
    }

    #[test]
    fn an_id_that_a_recovered_session_has_is_not_given_again() {
        const UNIX_MS: i64 = 0x01a2_02d7_40e0;
        let taken = SessionId(first_id(UNIX_MS));
        let mut tree = Tree::new(tree::Config::default(), &mut Rng::new(1));
        let header = TxnHeader { session: taken, cxid: 0, zxid: Zxid(1), time_ms: 0 };
        let create = Txn::CreateSession { timeout_ms: 60_000 };
        assert_eq!(tree.apply(&header, &create, &mut Fired::default()), Outcome::Done);

        let now = Instant::from_millis(1);
        let recovered = Recovered::new(tree, 0);
        let mut server = Server::new(Arc::new(Config::default()), now, 1, recovered);
        server.handle_wall_clock(now, UNIX_MS);
        let conn = server.handle_accept(now, ([127, 0, 0, 1], 1).into()).unwrap();
        server.handle_input(now, conn, &[&[0, 0, 0, 44][..], &[0; 44]].concat());
        let Some(Event::SessionCreated { session, .. }) = server.poll_event() else {
            panic!("no session")
        };
        assert_eq!(session, SessionId(taken.0 + 1));
        server.check_invariants();
    }
}
