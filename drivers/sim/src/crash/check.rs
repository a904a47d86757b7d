//! What must hold after a crash, and the crashes at which it must.

use zookeeper_core::{
    SessionId, Zxid,
    server::Recovered,
    storage::{Dir, FileOp, RecoveryError},
    tree::{self, Tree},
};

use super::{boot::recover, history::History};
use crate::{
    disk::{Checkpoint, Crash, Data, Entries, Image, Rest},
    store::repaired,
};

/// The widest write of which every subset of sectors is tried.
const SECTORS_MAX: usize = 4;

/// What clients know when the power goes.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The newest transaction.
    pub told: Zxid,
    /// Their sessions.
    pub sessions: &'a [SessionId],
}

/// Starts from these files: the tree must be what it was after some transaction.
///
/// # Errors
///
/// The start was refused.
///
/// # Panics
///
/// When it is something else. `context` says where.
pub fn start(
    image: &Image,
    config: &tree::Config,
    history: &History,
    context: &dyn std::fmt::Debug,
) -> Result<(Zxid, Recovered), RecoveryError> {
    let recovered = recover(image, config, 3).0?;
    let zxid = recovered.tree().map_or(Zxid::ZERO, Tree::last_zxid);
    if let Some(tree) = recovered.tree()
        && let Err(difference) = history.compare(tree)
    {
        panic!("a wrong tree at {context:?}\n{difference}\n{}", list(image));
    }
    recover_again(image, config, &recovered, context);
    Ok((zxid, recovered))
}

/// Once what was found to be repaired is repaired, a recovery finds the same and nothing to repair.
/// Where there is nothing to repair it would be the same recovery.
fn recover_again(
    image: &Image,
    config: &tree::Config,
    recovered: &Recovered,
    context: &dyn std::fmt::Debug,
) {
    if recovered.repairs().is_empty() && recovered.leftovers().is_empty() {
        return;
    }
    let repaired = repaired(image, recovered);
    let again = recover(&repaired, config, 3).0;
    let again = again.unwrap_or_else(|error| panic!("{error} once repaired, at {context:?}"));
    assert!(again.repairs().is_empty() && again.leftovers().is_empty(), "at {context:?}");
    let state = |recovered: &Recovered| (recovered.zxid(), recovered.tree().map(Tree::digest));
    assert_eq!(state(&again), state(recovered), "once repaired, at {context:?}");
}

/// Starts from these files: the tree must hold everything that somebody knows of.
///
/// # Panics
///
/// When it does not.
pub fn must_hold(
    image: &Image,
    config: &tree::Config,
    history: &History,
    known: Known<'_>,
    context: &dyn std::fmt::Debug,
) -> (Zxid, Recovered) {
    let (zxid, recovered) = start(image, config, history, context).unwrap_or_else(|error| {
        panic!(
            "{error} at {context:?}
{}",
            list(image)
        )
    });
    let told = known.told;
    assert!(zxid >= told, "{zxid:?}, but {told:?} is known, at {context:?}\n{}", list(image));
    for &session in known.sessions {
        let created = history.created(session).unwrap_or(Zxid(i64::MAX));
        assert!(created <= zxid, "session {session} is known, but {zxid:?} at {context:?}");
    }
    (zxid, recovered)
}

/// How many crashes to try after an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// The clear cases and one by chance.
    Few,
    /// More by chance, and more places where the last write ends.
    Some,
    /// Every byte at which the last write to a log may end.
    EveryByte,
}

/// The crashes to try after an operation.
#[must_use]
pub fn crashes(checkpoint: &Checkpoint, seed: u64, effort: Effort) -> Vec<Crash> {
    let mut all = vec![Crash::LOST, Crash::KEPT, Crash::random(seed)];
    if effort != Effort::Few {
        all.push(Crash { entries: Entries::Kept, ..Crash::LOST });
        all.push(Crash { entries: Entries::Lost, ..Crash::KEPT });
        all.push(Crash::random(!seed));
    }
    let Some(FileOp::Append { file, .. }) = &checkpoint.op else { return all };
    let Some(length) = checkpoint.disk.last_write_length() else { return all };
    let with = |data| Crash { data, ..Crash::KEPT };
    // Nobody reads the temporary of a snapshot again.
    let is_log = file.dir == Dir::Log;
    let step = match effort {
        Effort::EveryByte if is_log => 1,
        Effort::EveryByte | Effort::Some => length / 8 + 1,
        Effort::Few => length / 2 + 1,
    };
    let first = usize::try_from(seed % 5).unwrap_or(0);
    let cuts = (0..length).step_by(step);
    all.extend(cuts.map(|bytes| with(Data::Prefix { bytes, rest: Rest::Cut })));
    // With zeros behind them; the others when the seed is another one.
    let zeros = (first..length).step_by(step.max(5));
    all.extend(zeros.map(|bytes| with(Data::Prefix { bytes, rest: Rest::Zeros })));
    // One more, for a write that does not begin with a sector.
    let sectors = length / 512 + 2;
    if effort == Effort::Few {
        all.push(with(Data::Sectors(seed)));
    } else if sectors <= SECTORS_MAX {
        all.extend((0..1_u64 << sectors).map(|mask| with(Data::Sectors(mask))));
    } else {
        all.extend((0..16).map(|turn| with(Data::Sectors(seed.rotate_left(turn * 4)))));
    }
    all
}

/// The files of an image, for messages.
#[must_use]
pub fn list(image: &Image) -> String {
    image.files().iter().map(|info| format!("  {:?} {}\n", info.file, info.length)).collect()
}
