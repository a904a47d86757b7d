//! Every client on every server. `ZK_SCENARIO` runs only the scenarios whose name contains it.

use zookeeper_peers::TargetKind;
use zookeeper_peers::client::SmolClient;
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
