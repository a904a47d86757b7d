//! Files that changed, went, or cannot be read while nobody looked: a start refuses and names one,
//! or finds everything.

use zookeeper_core::{Rng, storage::File};
use zookeeper_sim::{
    crash::{Run, Script, Settings, start},
    disk::{Crash, Image, Marks},
    generate::values::index,
    replay,
};

use super::support::{names_a_file, on_all_cores};

/// Bits flipped, one at a time.
const FLIPS: usize = 3_000;

/// What a life leaves that ended well.
fn left(seed: u64) -> (Run, Image, Vec<(File, usize)>) {
    let mut script = Script::new(seed, 8);
    script.settings = Settings::hasty();
    let run = Run::first(script);
    let image = run.last().1.disk.crash(Crash::KEPT, &mut Marks::default());
    let files = image.files().into_iter().map(|info| info.file);
    let files: Vec<_> =
        files.map(|file| (file.clone(), image.bytes(&file).unwrap_or_default().len())).collect();
    assert!(files.len() > 5, "logs and snapshots: {files:?}");
    (run, image, files)
}

/// Starts from damaged files. Whether that was refused.
fn is_refused(run: &Run, image: &Image, context: &dyn std::fmt::Debug) -> bool {
    match start(image, run.config(), run.history(), context) {
        Ok((zxid, _)) => {
            assert_eq!(zxid, run.history().newest(), "nothing is missing at {context:?}");
            false
        }
        Err(error) => {
            assert!(names_a_file(&error.to_string()), "{error} at {context:?}");
            true
        }
    }
}

#[test]
fn a_flipped_bit_is_found_or_does_not_matter() {
    let seed = replay::seed();
    let (run, image, files) = left(seed);
    let (refused, _) = on_all_cores(FLIPS, |number, _| {
        let mut rng = Rng::new(seed.wrapping_add(number as u64));
        let (file, length) = &files[index(&mut rng, files.len())];
        let bit = index(&mut rng, length * 8);
        let mut image = image.clone();
        assert!(image.flip_bit(file, bit));
        usize::from(is_refused(&run, &image, &(file, bit)))
    });
    println!("{refused} of {FLIPS} starts were refused");
    assert!(refused > 0 && refused < FLIPS);
}

#[test]
fn a_file_that_cannot_be_read_is_named_or_not_needed() {
    let (run, image, files) = left(replay::seed());
    let broken = files.iter().filter(|(file, _)| {
        let mut image = image.clone();
        image.break_file(file.clone());
        is_refused(&run, &image, &(file, "broken"))
    });
    let broken = broken.count();
    assert!(broken > 0 && broken < files.len(), "{broken} of {} are needed", files.len());
}

/// But for the newest log: nobody can tell that it was there.
#[test]
fn a_file_that_is_gone_is_missed_or_not_needed() {
    let (run, image, files) = left(replay::seed());
    let first = |file: &File| i64::from_str_radix(file.name.strip_prefix("log.")?, 16).ok();
    let newest = files.iter().max_by_key(|(file, _)| first(file));
    let gone = files.iter().filter(|file| Some(*file) != newest);
    for (file, _) in gone {
        let mut image = image.clone();
        assert!(image.remove(file));
        is_refused(&run, &image, &(file, "gone"));
    }
}
