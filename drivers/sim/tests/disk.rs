//! The simulated disk itself: what a power cut may take, and what it may not.

use std::{collections::BTreeSet, io, time::Duration};

use bytes::Bytes;
use zookeeper_core::{
    Instant, Ticket,
    storage::{Dir, File, FileOp, Lane, ReadRequest},
};
use zookeeper_sim::{
    disk::{
        Crash, Data, Disk, DiskStore, Entries, Fault, Image, Mark, Marks, Pace, Plan, Reserve, Rest,
    },
    pair::{Done, Store},
};

fn log(name: &str) -> File {
    File { dir: Dir::Log, name: name.into() }
}

fn create(file: &File) -> FileOp {
    FileOp::Create { file: file.clone(), reserve: 2_048 }
}

fn append(file: &File, byte: u8, count: usize) -> FileOp {
    FileOp::Append { file: file.clone(), bytes: Bytes::from(vec![byte; count]) }
}

fn sync(file: &File) -> FileOp {
    FileOp::Sync { file: file.clone() }
}

const SYNC_DIR: FileOp = FileOp::SyncDir { dir: Dir::Log };

fn run(disk: &mut Disk, ops: &[FileOp]) {
    ops.iter().for_each(|op| disk.execute(op).unwrap());
}

fn crash(disk: &Disk, data: Data, entries: Entries) -> Image {
    disk.crash(Crash { data, entries, seed: 1 }, &mut Marks::default())
}

/// A file of 700 durable bytes, and a disk that has nothing else.
fn started(reserve: Reserve) -> (Disk, File) {
    let (mut disk, file) = (Disk::new(reserve), log("a"));
    run(&mut disk, &[create(&file), append(&file, 1, 700), sync(&file), SYNC_DIR]);
    (disk, file)
}

/// What random crashes leave of a file, all of it.
fn outcomes(disk: &Disk, file: &File, torn: bool, marks: &mut Marks) -> BTreeSet<Option<Vec<u8>>> {
    let data = Data::Random { torn };
    let crashes = (0..2_000).map(|seed| Crash { data, entries: Entries::Random, seed });
    crashes.map(|crash| disk.crash(crash, marks).bytes(file).map(<[u8]>::to_vec)).collect()
}

#[test]
fn what_is_synced_stays() {
    let (disk, file) = started(Reserve::Hidden);
    let expected = BTreeSet::from([Some(vec![1; 700])]);
    assert_eq!(outcomes(&disk, &file, true, &mut Marks::default()), expected);
    let image = crash(&disk, Data::Lost, Entries::Lost);
    assert_eq!(image.files().len(), 1);
    assert_eq!(image, crash(&Disk::from_image(&image, Reserve::Hidden), Data::Lost, Entries::Lost));
}

#[test]
fn what_is_not_synced_goes_or_stays_sector_by_sector() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[append(&file, 2, 1_000)]);
    let mut marks = Marks::default();
    let all = outcomes(&disk, &file, false, &mut marks);
    // Three sectors, the first of them half old: each there or not, and two lengths.
    assert_eq!(all.len(), 1 + 8);
    for left in all.iter().flatten() {
        assert!(left.starts_with(&[1; 700]), "what was synced stays");
        assert!(matches!(left.len(), 700 | 1_700));
        for part in [700..1_024, 1_024..1_536, 1_536..1_700] {
            let Some(part) = left.get(part) else { continue };
            assert!(part.iter().all(|byte| *byte == part[0]), "a sector is whole");
        }
    }
    for mark in [Mark::SectorLost, Mark::LengthCut, Mark::ZerosVisible] {
        assert!(marks.count(mark) > 0, "{mark:?}");
    }
    assert_eq!(marks.count(Mark::SectorTorn), 0);
}

#[test]
fn a_sector_written_twice_may_be_as_it_was_in_between() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[append(&file, 2, 100), append(&file, 3, 100)]);
    let mut marks = Marks::default();
    let all = outcomes(&disk, &file, false, &mut marks);
    let between = [vec![1; 700], vec![2; 100], vec![0; 100]].concat();
    assert!(all.contains(&Some(between)) && marks.count(Mark::SectorOlder) > 0);
    let impossible = [vec![1; 700], vec![0; 100], vec![3; 100]].concat();
    assert!(!all.contains(&Some(impossible)), "the second write has the first one with it");
}

#[test]
fn a_torn_sector_keeps_the_first_bytes_of_a_write() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[append(&file, 2, 200)]);
    let mut marks = Marks::default();
    let all = outcomes(&disk, &file, true, &mut marks);
    assert!(marks.count(Mark::SectorTorn) > 0 && all.len() > 20);
    for left in all.iter().flatten() {
        let written = left.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert!(left[700..written].iter().all(|byte| *byte == 2));
    }
}

#[test]
fn the_last_write_ends_where_a_crash_says() {
    for (reserve, rest, length) in [
        (Reserve::Hidden, Rest::Cut, 703),
        (Reserve::Hidden, Rest::Zeros, 710),
        (Reserve::Zeros, Rest::Cut, 2_048),
    ] {
        let (mut disk, file) = started(reserve);
        run(&mut disk, &[append(&file, 2, 10)]);
        assert_eq!(disk.last_write_length(), Some(10));
        let image = crash(&disk, Data::Prefix { bytes: 3, rest }, Entries::Lost);
        let mut expected = [vec![1; 700], vec![2; 3]].concat();
        expected.resize(length, 0);
        assert_eq!(image.bytes(&file), Some(&*expected), "{reserve:?} {rest:?}");
        let whole = crash(&disk, Data::Prefix { bytes: 10, rest }, Entries::Lost);
        assert_eq!(whole, crash(&disk, Data::Kept, Entries::Kept));
    }
}

#[test]
fn the_last_write_loses_the_sectors_that_a_crash_names() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[append(&file, 2, 1_000)]);
    let image = crash(&disk, Data::Sectors(0b101), Entries::Lost);
    let expected = [vec![1; 700], vec![2; 324], vec![0; 512], vec![2; 164]].concat();
    assert_eq!(image.bytes(&file), Some(&*expected));
}

#[test]
fn names_are_lost_whatever_became_of_the_contents() {
    let (mut disk, file) = started(Reserve::Hidden);
    let (one, two) = (log("one"), log("two"));
    let rename = FileOp::Rename { from: one.clone(), to: two.name.clone() };
    let remove = FileOp::Remove { file: file.clone() };
    run(&mut disk, &[create(&one), append(&one, 7, 5), sync(&one), rename, remove]);
    let lost = crash(&disk, Data::Kept, Entries::Lost);
    assert_eq!(lost.files().len(), 1);
    assert_eq!(lost.bytes(&file), Some(&[1; 700][..]), "a removal is lost, too");
    let kept = crash(&disk, Data::Lost, Entries::Kept);
    assert_eq!(kept.bytes(&two), Some(&[7; 5][..]), "its contents are synced");
    assert_eq!(kept.files().len(), 1);

    let mut seen = BTreeSet::new();
    let mut marks = Marks::default();
    for seed in 0..200 {
        let image = disk.crash(Crash::random(seed), &mut marks);
        let there = [&file, &one, &two].map(|file| image.bytes(file).is_some());
        assert!(!(there[1] && there[2]), "a rename happens as a whole");
        seen.insert(there);
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
    for mark in [Mark::CreateLost, Mark::RenameLost, Mark::RemoveLost] {
        assert!(marks.count(mark) > 0, "{mark:?}");
    }
    run(&mut disk, &[SYNC_DIR]);
    assert_eq!(crash(&disk, Data::Lost, Entries::Lost), kept);
}

#[test]
fn one_directory_is_not_the_other() {
    let (mut disk, _) = started(Reserve::Hidden);
    let snapshot = File { dir: Dir::Snapshot, name: "a".into() };
    run(&mut disk, &[create(&snapshot), append(&snapshot, 3, 4), sync(&snapshot), SYNC_DIR]);
    assert_eq!(crash(&disk, Data::Lost, Entries::Lost).bytes(&snapshot), None);
    run(&mut disk, &[FileOp::SyncDir { dir: Dir::Snapshot }]);
    assert_eq!(crash(&disk, Data::Lost, Entries::Lost).bytes(&snapshot), Some(&[3; 4][..]));
}

#[test]
fn a_cut_is_durable_once_it_is_synced() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[FileOp::Truncate { file: file.clone(), length: 100 }]);
    let mut marks = Marks::default();
    let all = outcomes(&disk, &file, false, &mut marks);
    assert_eq!(all, BTreeSet::from([Some(vec![1; 100]), Some(vec![1; 700])]));
    assert!(marks.count(Mark::TruncateLost) > 0);
    run(&mut disk, &[sync(&file)]);
    let image = crash(&disk, Data::Lost, Entries::Lost);
    assert_eq!(image.bytes(&file), Some(&[1; 100][..]));
}

#[test]
fn a_file_made_again_is_empty() {
    let (mut disk, file) = started(Reserve::Hidden);
    run(&mut disk, &[create(&file), append(&file, 5, 2)]);
    assert_eq!(disk.bytes(&file), Some(&[5; 2][..]));
    assert_eq!(crash(&disk, Data::Lost, Entries::Lost).bytes(&file), Some(&[1; 700][..]));
    run(&mut disk, &[sync(&file)]);
    assert_eq!(crash(&disk, Data::Lost, Entries::Lost).bytes(&file), Some(&[5; 2][..]));
}

#[test]
fn syncs_lie_once() {
    let faulty = |fault| {
        let (mut disk, file) = started(Reserve::Hidden);
        let mut marks = Marks::default();
        run(&mut disk, &[append(&file, 2, 900)]);
        let result = disk.execute_with(&sync(&file), Some(fault), &mut marks);
        let after = crash(&disk, Data::Lost, Entries::Kept).bytes(&file).unwrap().len();
        run(&mut disk, &[append(&file, 3, 100), sync(&file)]);
        let left = crash(&disk, Data::Lost, Entries::Kept).bytes(&file).unwrap().to_vec();
        assert_eq!(disk.bytes(&file).unwrap()[700..1_600], [2; 900], "the process reads it");
        (result.is_ok(), after, left, marks)
    };
    let whole = [vec![1; 700], vec![2; 900], vec![3; 100]].concat();
    let (is_ok, after, left, marks) = faulty(Fault::SyncLate);
    assert_eq!((is_ok, after, &left), (true, 700, &whole));
    assert_eq!(marks.count(Mark::SyncLate), 1);

    // The sector that is written again takes with it what it held.
    let with_hole = [vec![1; 700], vec![0; 836], vec![2; 64], vec![3; 100]].concat();
    let (is_ok, after, left, marks) = faulty(Fault::SyncDropped);
    assert_eq!((is_ok, after, &left), (true, 700, &with_hole));
    assert_eq!(marks.count(Mark::SyncDropped), 1);
    let (is_ok, after, left, marks) = faulty(Fault::SyncFails);
    assert_eq!((is_ok, after, &left), (false, 700, &with_hole));
    assert_eq!(marks.count(Mark::SyncFailed), 1);
}

#[test]
fn operations_fail_as_planned() {
    let (mut disk, file) = started(Reserve::Hidden);
    let mut marks = Marks::default();
    let full = io::ErrorKind::StorageFull;
    let error =
        disk.execute_with(&append(&file, 2, 9), Some(Fault::Fails(full)), &mut marks).unwrap_err();
    assert_eq!((error.operation, &*error.file, error.kind), ("append", "a", full));
    assert_eq!(disk.bytes(&file).unwrap().len(), 700);
    let fault = Some(Fault::FailsBehind { bytes: 4, kind: full });
    disk.execute_with(&append(&file, 2, 9), fault, &mut marks).unwrap_err();
    assert_eq!(disk.bytes(&file).unwrap()[700..], [2; 4]);
    assert_eq!((marks.count(Mark::Failed), marks.count(Mark::WrittenInPart)), (2, 1));
    for op in [append(&log("x"), 1, 1), sync(&log("x")), FileOp::Remove { file: log("x") }] {
        assert_eq!(disk.execute(&op).unwrap_err().kind, io::ErrorKind::NotFound);
    }
    let plan = Plan::at(Lane::Log, 3, Fault::SyncLate);
    assert_eq!(plan.fault(Lane::Log, 3), Some(Fault::SyncLate));
    assert_eq!(plan.fault(Lane::Snapshot, 3), None);
}

#[test]
fn equal_crashes_leave_equal_images() {
    let (mut disk, file) = started(Reserve::Zeros);
    run(&mut disk, &[append(&file, 2, 3_000), create(&log("b")), append(&log("b"), 4, 600)]);
    let image = |seed| disk.crash(Crash::random(seed), &mut Marks::default());
    assert!((0..50).all(|seed| image(seed) == image(seed)));
    assert!((0..50).any(|seed| image(seed) != image(seed + 1)));
}

#[test]
fn images_can_be_damaged_by_hand() {
    let (disk, file) = started(Reserve::Hidden);
    let mut image = crash(&disk, Data::Lost, Entries::Lost);
    let before = image.clone();
    assert!(image.flip_bit(&file, 8 * 699) && !image.flip_bit(&file, 8 * 700));
    assert_eq!(image.bytes(&file).unwrap()[699], 0);
    assert!(before.bytes(&file).unwrap()[699] == 1, "a clone is another image");
    image.insert(file.clone(), vec![9]);
    assert_eq!(image.bytes(&file), Some(&[9][..]));
    let request = ReadRequest { file: file.clone(), offset: 0, length: 5 };
    assert_eq!(image.read(&request), Ok(&[9][..]));
    image.break_file(file.clone());
    assert_eq!(image.read(&request).unwrap_err().operation, "read");
    assert!(image.remove(&file) && !image.remove(&file));
    assert!(image.files().is_empty());
}

/// What a store says, until it has nothing more to say by `end`.
fn answers(store: &mut DiskStore, end: Instant) -> Vec<(Lane, Ticket)> {
    let mut answers = Vec::new();
    while let Some(due) = store.due().filter(|due| *due <= end) {
        for Done { lane, ticket, result } in store.work(due) {
            assert_eq!(result, Ok(()));
            answers.push((lane, ticket));
        }
    }
    answers
}

/// Groups for the log, and a file beside it.
fn submit(store: &mut DiskStore) {
    let (log, other) = (log("a"), File { dir: Dir::Snapshot, name: "b".into() });
    let group = || [append(&log, 1, 5), sync(&log)];
    let groups = [create(&log), SYNC_DIR].into_iter().chain((0..5).flat_map(|_| group()));
    let others = [create(&other)].into_iter().chain((0..9).map(|_| append(&other, 2, 5)));
    let mut tickets = (1..).map(Ticket);
    let mut give = |lane, op| store.submit(START, lane, tickets.next().unwrap(), op);
    groups.for_each(|op| give(Lane::Log, op));
    others.for_each(|op| give(Lane::Snapshot, op));
}

const START: Instant = Instant::from_millis(5);

#[test]
fn lanes_keep_their_order_and_run_side_by_side() {
    let mut orders = BTreeSet::new();
    for seed in 0..20 {
        let pace = Pace { latency_max: Duration::from_millis(2), shares_syncs: true };
        let mut store = DiskStore::new(Disk::default(), pace, Plan::none(), seed);
        submit(&mut store);
        let answers = answers(&mut store, START + Duration::from_secs(1));
        for (lane, newest) in [(Lane::Log, 12), (Lane::Snapshot, 22)] {
            let tickets = answers.iter().filter(|(of, _)| *of == lane).map(|(_, ticket)| *ticket);
            let tickets: Vec<_> = tickets.collect();
            assert!(tickets.is_sorted() && tickets.last() == Some(&Ticket(newest)));
        }
        assert_eq!(store.waiting(), 0);
        let shared = store.marks().count(Mark::SyncShared);
        assert!((answers.len() as u64) < 22 || shared == 0, "what is put off is not answered");
        let image = store.disk().crash(Crash::LOST, &mut Marks::default());
        assert_eq!(image.bytes(&log("a")), Some(&[1; 25][..]), "the last sync is for all");
        orders.insert(answers);
    }
    assert!(orders.len() > 15);
}

#[test]
fn a_slow_operation_holds_up_its_lane_alone() {
    let plan = Plan::at(Lane::Log, 3, Fault::Slow(Duration::from_secs(60)));
    let mut store = DiskStore::new(Disk::default(), Pace::default(), plan, 1);
    submit(&mut store);
    let early = answers(&mut store, START + Duration::from_secs(59));
    assert_eq!(early.iter().filter(|(lane, _)| *lane == Lane::Log).count(), 3);
    assert_eq!(early.len(), 3 + 10);
    assert_eq!(store.marks().count(Mark::Slow), 1);
    assert_eq!(answers(&mut store, START + Duration::from_secs(60)).len(), 12 - 3);
}
