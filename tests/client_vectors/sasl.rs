//! Row 18: SASL with DIGEST-MD5, and its vectors.

use bytes::Bytes;
use zookeeper_core::{
    Disconnect, Secret,
    client::{Auth, SaslLogin, SubmitError, SubmitOptions},
    wire::{Encode, ErrorCode, Op, Request, Response},
};
use zookeeper_sim::{
    client::{Habits, Options, Sent, World},
    pair::request::get_data,
};

const CHALLENGE: &[u8] = b"realm=\"zk-sasl-md5\",nonce=\"OA6MG9tEQGm2hh\",charset=utf-8,\
    algorithm=md5-sess,qop=\"auth\"";

/// The server's proof where the client names itself twice, as `username` and `authzid`.
const PROOF: &[u8] = b"rspauth=dd5ce17f20d235b292f537fff9f9119c";

fn world() -> World {
    let mut options = Options::new(1);
    options.habits = Habits { auth: None, ..Habits::SCRIPTED };
    options.config.sasl = Some(login(Some("uVEenUEx+lAbfgrCkdn1OOfWfqFnAsLGZe+VXGi+")));
    let credentials = Secret(Bytes::from_static(b"bob:pw"));
    options.config.auth = vec![Auth { scheme: "digest".into(), credentials }];
    World::new(options)
}

fn login(client_nonce: Option<&str>) -> SaslLogin {
    let client_nonce = client_nonce.map(str::to_owned);
    SaslLogin { user: "bob".into(), password: Secret("secret".into()), client_nonce }
}

/// The token of a frame.
fn token(sent: &Sent) -> Vec<u8> {
    let Some(Request::Sasl(record)) = sent.request() else { panic!("{sent}") };
    record.token.expect("a token")[..].to_vec()
}

/// The value of one directive of a digest response.
fn directive(token: &[u8], name: &str) -> String {
    let text = str::from_utf8(token).unwrap();
    let start = text.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {text}"));
    let value = &text[start + name.len() + 1..];
    let end = value.find(',').unwrap_or(value.len());
    value[..end].trim_matches('"').to_owned()
}

fn answer(world: &mut World, token: Option<&[u8]>) {
    world.answer(&Response::Token(token.map(Into::into)));
}

#[test]
fn v18_everything_waits_for_sasl() {
    let mut world = world();
    world.submit(&get_data("/a", false));
    assert_eq!(
        world.take(),
        [
            "0 #1 connect a:2181",
            "0 #1 > connect session 0x0 zxid 0x0 timeout 10000 read-only no",
            "0 state SyncConnected",
            "0 #1 > 1 sasl ''",
        ]
    );
    answer(&mut world, Some(CHALLENGE));
    let sent = world.heard();
    assert_eq!((sent.op(), sent.xid().unwrap().0), (Some(Op::Sasl), 2));
    let response = token(&sent);
    for (name, value) in [
        ("charset", "utf-8"),
        ("username", "bob"),
        ("realm", "zk-sasl-md5"),
        ("nonce", "OA6MG9tEQGm2hh"),
        ("nc", "00000001"),
        ("cnonce", "uVEenUEx+lAbfgrCkdn1OOfWfqFnAsLGZe+VXGi+"),
        ("digest-uri", "zookeeper/zk-sasl-md5"),
        ("maxbuf", "65536"),
        ("response", "a15c345dccbf4c47fdd462e2aac8cf02"),
        ("qop", "auth"),
        ("authzid", "bob"),
    ] {
        assert_eq!(directive(&response, name), value, "{name}");
    }
    assert_eq!(world.take().len(), 1, "nothing but the response");
    answer(&mut world, Some(PROOF));
    assert_eq!(
        world.take(),
        ["0 state SaslAuthenticated", "0 #1 > -4 auth digest 'bob:pw'", "0 #1 > 3 get_data /a"]
    );
    world.answer_all();
    assert_eq!(world.take(), ["0 reply 0 ok 0x100 'data'"]);

    // Every connection logs in anew.
    world.lose(Disconnect::End);
    world.submit(&get_data("/b", false));
    world.advance_ms(1_100);
    answer(&mut world, Some(CHALLENGE));
    answer(&mut world, Some(PROOF));
    let lines = world.take();
    let expected = ["1100 state SaslAuthenticated", "1100 #2 > -4 auth digest 'bob:pw'"];
    assert_eq!(lines[lines.len() - 2..], expected);
    world.script.habits = Habits::HELPFUL;
    world.close();
    world.finish();
}

#[test]
fn v18_a_nonce_is_never_used_twice() {
    let nonces: Vec<_> = (0..3)
        .map(|seed| {
            let mut options = Options::new(1);
            options.seed = seed;
            options.config.sasl = Some(login(None));
            let mut world = World::new(options);
            let mut nonces = Vec::new();
            for _ in 0..2 {
                answer(&mut world, Some(CHALLENGE));
                let sent = world.heard();
                nonces.push(directive(&token(&sent), "cnonce"));
                world.lose(Disconnect::End);
                world.advance_ms(1_100);
                // What the lost connection left.
                let _ = world.take();
            }
            world.detach();
            world.finish();
            nonces
        })
        .collect();
    let mut all: Vec<_> = nonces.iter().flatten().collect();
    assert_eq!(all.len(), 6);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{nonces:?}");
}

#[test]
fn v18_every_failure_ends_the_session() {
    type Act = fn(&mut World);
    let rows: [(&str, Act, &str); 5] = [
        (
            "refused",
            |world| world.answer_error(ErrorCode::AUTH_FAILED),
            "SASL authentication failed: refused by the server",
        ),
        (
            "refused with a token that is null",
            |world| {
                let record = Response::Token(None).to_vec();
                world.answer_raw(zookeeper_core::Zxid(0), ErrorCode::AUTH_FAILED, &record);
            },
            "SASL authentication failed: refused by the server",
        ),
        (
            "a server without SASL",
            |world| answer(world, None),
            "SASL authentication failed: the server does not use SASL",
        ),
        (
            "a challenge that is none",
            |world| answer(world, Some(b"\xff\xfe")),
            "SASL authentication failed: the server's token is no text",
        ),
        (
            "a server that does not know the password",
            |world| {
                answer(world, Some(CHALLENGE));
                answer(world, Some(b"rspauth=11dbb0e27a1bc17ef99449c1e1c34618"));
            },
            "SASL authentication failed: the server does not know the password",
        ),
    ];
    for (name, act, reason) in rows {
        println!("{name}");
        let mut world = world();
        world.submit(&get_data("/a", false));
        world.submit(&get_data("/b", false));
        world.settle();
        act(&mut world);
        let lines = world.take_untimed();
        let tail = lines.len().saturating_sub(5);
        assert_eq!(
            lines[tail..],
            [
                "#1 ended: the session ended",
                "state AuthFailed",
                "reply 0 failed: authentication failed, the request was not sent",
                "reply 1 failed: authentication failed, the request was not sent",
                &format!("closed: {reason}"),
            ],
            "{name}"
        );
        let refused = world.try_submit(&get_data("/a", false), SubmitOptions::default());
        assert_eq!(refused, Err(SubmitError::AuthFailed), "{name}");
        world.finish();
    }
}

/// A server that goes away in the middle proves nothing about the password.
#[test]
fn v18_the_end_in_the_middle_is_a_lost_connection() {
    let mut world = world();
    world.submit(&get_data("/a", false));
    answer(&mut world, Some(CHALLENGE));
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    answer(&mut world, Some(CHALLENGE));
    answer(&mut world, Some(PROOF));
    assert_eq!(
        world.take()[5..],
        [
            "0 #1 ended: closed by the peer",
            "0 reply 0 failed: connection lost, the request was not sent",
            "0 state Disconnected",
            "1100 #2 connect a:2181",
            "1100 #2 > connect session 0x1001 zxid 0x0 timeout 10000 read-only no",
            "1100 state SyncConnected",
            "1100 #2 > 3 sasl ''",
            "1100 #2 > 4 sasl 'charset=ut..246'",
            "1100 state SaslAuthenticated",
            "1100 #2 > -4 auth digest 'bob:pw'",
        ]
    );
    world.finish();
}

/// A server that wants SASL of a client that has none says so to the first request.
#[test]
fn v18_a_session_without_the_sasl_that_is_required_ends() {
    let mut world = World::new(Options::new(1));
    world.submit(&get_data("/a", false));
    world.submit(&get_data("/b", false));
    world.answer_error(ErrorCode::SESSION_CLOSED_REQUIRE_AUTH);
    world.lose(Disconnect::End);
    let lines = world.take_untimed();
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "#1 ended: the session ended",
            "state AuthFailed",
            "reply 0 failed: authentication required (-124)",
            "reply 1 failed: authentication failed, the request may have been executed",
            "closed: the server requires authentication",
        ]
    );
    world.finish();
}
