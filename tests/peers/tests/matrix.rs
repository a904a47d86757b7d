//! Every client on every server. `ZK_SCENARIO` runs only the scenarios whose name contains it.

use zookeeper_peers::TargetKind;
use zookeeper_peers::client::{MioClient, SmolClient};
use zookeeper_peers::scenarios::run;

#[test]
fn smol_client_on_apache() {
    run::<SmolClient>(TargetKind::Apache);
}

#[test]
fn smol_client_on_mio_server() {
    run::<SmolClient>(TargetKind::Mio);
}

#[test]
fn smol_client_on_smol_server() {
    run::<SmolClient>(TargetKind::Smol);
}

#[test]
fn mio_client_on_apache() {
    run::<MioClient>(TargetKind::Apache);
}

#[test]
fn mio_client_on_mio_server() {
    run::<MioClient>(TargetKind::Mio);
}

#[test]
fn mio_client_on_smol_server() {
    run::<MioClient>(TargetKind::Smol);
}
