//! The committed fuzzing corpus, run as a test.

use std::{env, fs, path::Path};

use zookeeper_sim::fuzz::{TARGETS, corpus};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

#[test]
fn every_committed_input_passes() {
    for (target, body) in TARGETS {
        let directory = Path::new(CORPUS).join(target);
        let mut count = 0;
        for entry in fs::read_dir(directory).expect("every target has a corpus") {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            body(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 0, "the corpus of {target} is empty");
    }
}

/// The part of the corpus that is made: `ZK_CORPUS=write` writes it anew.
#[test]
fn committed_seeds_are_the_current_ones() {
    let write = env::var("ZK_CORPUS").is_ok_and(|value| value == "write");
    for seed in corpus::seeds() {
        let directory = Path::new(CORPUS).join(seed.target);
        let path = directory.join(&seed.name);
        if write {
            fs::create_dir_all(directory).unwrap();
            fs::write(&path, &seed.bytes).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == seed.bytes, "{} is stale: ZK_CORPUS=write", path.display());
    }
}
