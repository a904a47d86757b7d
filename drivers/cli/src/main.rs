//! The `zk` command line.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Many small nodes come and go; this is worth a tenth of the time of a create.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    zookeeper_cli::run()
}
