//! Clients of an ensemble of three of Apache's servers whose members die, hang and come back.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use std::sync::{Mutex, MutexGuard, PoisonError};
use zookeeper_core::wire::{Blob, ConnectRequest, ConnectResponse, Encode as _, Reader};
use zookeeper_core::{SessionId, Zxid};

use zookeeper_peers::client::{MioClient, SmolClient};
use zookeeper_peers::scenarios::{
    lone_survivor, outages, reconfiguration, writable_server_appears,
};
use zookeeper_peers::{
    Ensemble, Kind, Mode, Options, Program, Target, TargetKind, enabled, trace_if_wanted,
};

/// One ensemble at a time: three JVMs are enough for a small machine, and everything here is about
/// who answers in time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn an_ensemble_elects_loses_and_takes_back_its_members() {
    let Some((_turn, mut ensemble)) = ensemble(&Options::default()) else { return };
    let leader = ensemble.leader().expect("a leader");
    let follower = ensemble.indices().find(|index| *index != leader).expect("a follower");
    let session = RawSession::open(ensemble.member(follower).address());
    assert_eq!(ensemble.member_of(session.id).expect("it is connected"), follower);

    ensemble.member_mut(leader).kill();
    let next = ensemble.leader().expect("another leader");
    assert_ne!(next, leader);
    ensemble.member_mut(leader).restart().expect("it follows");
    assert_eq!(ensemble.member(leader).mode(), Some(Mode::Follower));

    ensemble.member_mut(next).pause().expect("it runs");
    let third = ensemble.leader().expect("a leader that is not paused");
    assert_ne!(third, next);
    ensemble.member_mut(next).resume().expect("it runs");
    ensemble.member_mut(next).wait_until(|mode| mode == Mode::Follower).expect("it follows");
}

#[test]
fn smol_client_outlives_its_servers() {
    let Some((_turn, mut ensemble)) = ensemble(&Options::default()) else { return };
    outages::<SmolClient>(&mut ensemble);
}

#[test]
fn mio_client_outlives_its_servers() {
    let Some((_turn, mut ensemble)) = ensemble(&Options::default()) else { return };
    outages::<MioClient>(&mut ensemble);
}

#[test]
fn clients_change_the_ensemble() {
    let options = Options::default().set("reconfigEnabled", "true");
    let Some((_turn, ensemble)) = ensemble(&options) else { return };
    reconfiguration::<SmolClient>(&ensemble);
    reconfiguration::<MioClient>(&ensemble);
}

#[test]
fn clients_make_do_with_a_lone_survivor() {
    let Some((_turn, mut ensemble)) = ensemble(&Options::default().read_only_mode()) else {
        return;
    };
    lone_survivor::<SmolClient>(&mut ensemble);
    lone_survivor::<MioClient>(&mut ensemble);
}

#[test]
fn clients_leave_for_a_server_that_is_writable() {
    let Some((_turn, program)) = turn() else { return };
    let ensemble = Ensemble::start_alone(&program, &Options::default()).expect("a server");
    let writable = Target::start(TargetKind::Apache).expect("a server").expect("a program");
    assert_eq!(ensemble.member(0).four_letter_word("isro").expect("an answer"), "ro");
    writable_server_appears::<SmolClient>(ensemble.member(0), &writable);
    writable_server_appears::<MioClient>(ensemble.member(0), &writable);
}

/// The program, when nobody else uses it, if the environment asks for foreign programs and has
/// them.
fn turn() -> Option<(MutexGuard<'static, ()>, Program)> {
    trace_if_wanted();
    let program = enabled().then(|| Kind::Apache.need()).flatten()?;
    Some((TURN.lock().unwrap_or_else(PoisonError::into_inner), program))
}

fn ensemble(options: &Options) -> Option<(MutexGuard<'static, ()>, Ensemble)> {
    let (turn, program) = turn()?;
    Some((turn, Ensemble::start(&program, options).expect("an ensemble")))
}

/// The bytes of a handshake and nothing else.
struct RawSession {
    id: i64,
    _stream: TcpStream,
}

impl RawSession {
    fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 20_000,
            session: SessionId::NONE,
            password: Some(Blob::from(&[0; 16][..])),
            read_only: Some(false),
        };
        let body = request.to_vec();
        let length = u32::try_from(body.len()).expect("a short frame");
        stream.write_all(&[&length.to_be_bytes()[..], &body].concat()).expect("it reads");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("it answers");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).expect("it answers in full");
        let response: ConnectResponse<'_> = Reader::new(&frame).read().expect("an answer");
        Self { id: response.session.0, _stream: stream }
    }
}
