//! SASL DIGEST-MD5, the client's side: the one mechanism that ZooKeeper servers offer without
//! Kerberos.
//!
//! ```text
//!   client                      server
//!   empty token          ─►
//!                        ◄─     realm, nonce, …
//!   username, response … ─►
//!                        ◄─     rspauth=…          verified: the server knows the password too
//! ```
//!
//! Behaviour: RFC 2831 and `org.apache.zookeeper.client.ZooKeeperSaslClient`, whose protocol and
//! server name are fixed.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest as _, Md5};

use super::SaslLogin;
use crate::rng::Rng;

/// Protocol and server name, as the Java client and server agree on them.
const DIGEST_URI: &str = "zookeeper/zk-sasl-md5";

/// Every exchange uses its nonce once.
const NONCE_COUNT: &str = "00000001";

/// The protection offered: authentication alone.
const PROTECTION: &str = "auth";

/// Random bytes in a client's nonce.
const NONCE_BYTES: usize = 24;

/// What comes of a server's token.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// This is to be sent.
    Answer(Vec<u8>),
    /// Both sides know each other.
    Done,
    /// They never will.
    Failed(&'static str),
}

/// One exchange; every connection begins a new one.
#[derive(Debug)]
pub(super) struct Exchange {
    login: SaslLogin,
    client_nonce: String,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The server's challenge is due.
    Challenge,
    /// The server's proof is due, and has to be this.
    Proof(String),
    /// Nothing is due.
    Over,
}

impl Exchange {
    pub(super) fn new(login: SaslLogin, rng: &mut Rng) -> Self {
        let client_nonce = login.client_nonce.clone().unwrap_or_else(|| nonce(rng));
        Self { login, client_nonce, step: Step::Challenge }
    }

    /// Takes the server's next token.
    pub(super) fn step(&mut self, token: &[u8]) -> Progress {
        let Ok(text) = str::from_utf8(token) else {
            return Progress::Failed("the server's token is no text");
        };
        let Some(directives) = Directives::parse(text) else {
            return Progress::Failed("the server's token is malformed");
        };
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Challenge => self.answer(&directives),
            Step::Proof(due) => match directives.get("rspauth") {
                Some(proof) if proof == due => Progress::Done,
                Some(_) => Progress::Failed("the server does not know the password"),
                None => Progress::Failed("the server proves nothing"),
            },
            Step::Over => Progress::Failed("the exchange is over"),
        }
    }

    fn answer(&mut self, challenge: &Directives<'_>) -> Progress {
        let Some(server_nonce) = challenge.get("nonce").filter(|nonce| !nonce.is_empty()) else {
            return Progress::Failed("the server's challenge has no nonce");
        };
        if challenge.get("algorithm").is_some_and(|algorithm| algorithm != "md5-sess") {
            return Progress::Failed("the server wants another algorithm");
        }
        let offered = challenge.get("qop").unwrap_or(PROTECTION);
        if !offered.split(',').any(|offer| offer.trim() == PROTECTION) {
            return Progress::Failed("the server wants another quality of protection");
        }
        let realm = challenge.get("realm").unwrap_or_default();
        let proof =
            Proof { login: &self.login, realm, server_nonce, client_nonce: &self.client_nonce };
        let user = &self.login.user;
        let mut answer = String::from("charset=utf-8");
        for (name, value) in [
            ("username", user.as_str()),
            ("realm", realm),
            ("nonce", server_nonce),
            ("cnonce", &self.client_nonce),
            ("digest-uri", DIGEST_URI),
            ("authzid", user),
        ] {
            push_quoted(&mut answer, name, value);
        }
        let response = proof.digest("AUTHENTICATE");
        for (name, value) in
            [("nc", NONCE_COUNT), ("maxbuf", "65536"), ("response", &response), ("qop", PROTECTION)]
        {
            // Writing to a string cannot fail.
            let _ = write!(answer, ",{name}={value}");
        }
        self.step = Step::Proof(proof.digest(""));
        Progress::Answer(answer.into_bytes())
    }
}

/// What both sides prove to know.
struct Proof<'a> {
    login: &'a SaslLogin,
    realm: &'a str,
    server_nonce: &'a str,
    client_nonce: &'a str,
}

impl Proof<'_> {
    /// The digest with this method: `AUTHENTICATE` for the client, nothing for the server.
    fn digest(&self, method: &str) -> String {
        let Self { login, realm, server_nonce, client_nonce } = *self;
        let user = &login.user;
        let secret = Md5::digest(format!("{user}:{realm}:{}", login.password.0));
        let mut first = Md5::new();
        first.update(secret);
        first.update(format!(":{server_nonce}:{client_nonce}:{user}"));
        let first = hex(&first.finalize());
        let second = hex(&Md5::digest(format!("{method}:{DIGEST_URI}")));
        hex(&Md5::digest(format!(
            "{first}:{server_nonce}:{NONCE_COUNT}:{client_nonce}:{PROTECTION}:{second}"
        )))
    }
}

/// A list of `name=value` and `name="value"`, separated by commas.
struct Directives<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Directives<'a> {
    fn parse(mut text: &'a str) -> Option<Self> {
        let mut list = Vec::new();
        loop {
            text = text.trim_start_matches([',', ' ', '\t']);
            if text.is_empty() {
                return Some(Self(list));
            }
            let (name, rest) = text.split_once('=')?;
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
            };
            list.push((name.trim(), value));
            text = rest;
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

/// Appends a quoted directive.
fn push_quoted(out: &mut String, name: &str, value: &str) {
    out.push(',');
    out.push_str(name);
    out.push_str("=\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn nonce(rng: &mut Rng) -> String {
    let words: [u64; NONCE_BYTES / 8] = std::array::from_fn(|_| rng.next_u64());
    STANDARD.encode(words.map(u64::to_be_bytes).as_flattened())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const CHALLENGE: &str = "realm=\"zk-sasl-md5\",nonce=\"OA6MG9tEQGm2hh\",charset=utf-8,\
                             algorithm=md5-sess,qop=\"auth\"";

    fn exchange() -> Exchange {
        let login = SaslLogin {
            user: "bob".to_owned(),
            password: Secret("secret".to_owned()),
            client_nonce: Some("uVEenUEx+lAbfgrCkdn1OOfWfqFnAsLGZe+VXGi+".to_owned()),
        };
        Exchange::new(login, &mut Rng::new(1))
    }

    fn answer(exchange: &mut Exchange) -> String {
        match exchange.step(CHALLENGE.as_bytes()) {
            Progress::Answer(answer) => String::from_utf8(answer).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_digests_are_those_of_the_jdk() {
        let mut exchange = exchange();
        let answer = answer(&mut exchange);
        let directives = Directives::parse(&answer).unwrap();
        assert_eq!(directives.get("response"), Some("a15c345dccbf4c47fdd462e2aac8cf02"));
        assert_eq!(directives.get("authzid"), Some("bob"));
        assert_eq!(directives.get("digest-uri"), Some(DIGEST_URI));
        assert_eq!(directives.get("nc"), Some("00000001"));
        let proof = b"rspauth=dd5ce17f20d235b292f537fff9f9119c";
        assert_eq!(exchange.step(proof), Progress::Done);
        assert!(matches!(exchange.step(proof), Progress::Failed(_)), "once");
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        for proof in ["rspauth=00", "nothing=1", "rubbish", ""] {
            let mut exchange = exchange();
            let _ = answer(&mut exchange);
            assert!(matches!(exchange.step(proof.as_bytes()), Progress::Failed(_)), "{proof:?}");
        }
    }

    #[test]
    fn odd_challenges_fail() {
        for challenge in [
            &b""[..],
            b"\xff",
            b"nonce",
            b"nonce=\"x",
            b"nonce=\"\"",
            b"nonce=x,algorithm=sha",
            b"nonce=x,qop=\"auth-conf\"",
        ] {
            assert!(matches!(exchange().step(challenge), Progress::Failed(_)), "{challenge:?}");
        }
    }

    #[test]
    fn nonces_differ_with_the_generator() {
        let login = SaslLogin { client_nonce: None, ..exchange().login };
        let nonce = |seed| Exchange::new(login.clone(), &mut Rng::new(seed)).client_nonce;
        assert_ne!(nonce(1), nonce(2));
        assert_eq!(nonce(1).len(), 32);
    }
}
