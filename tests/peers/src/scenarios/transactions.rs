//! Several operations at once.

use zookeeper_core::client::operation::{
    CreateOptions, MultiRead, ReadResult, Transaction, TransactionResult,
};
use zookeeper_core::client::{ArgumentError, Error};
use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::{Scenario, Stage, code};
use crate::client::TestClient;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("multi", multi),
        ("multi-that-fails", multi_that_fails),
        ("multi-read", multi_read),
        ("multi-of-nothing", multi_of_nothing),
    ]
}

fn multi<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let (old, new, numbered) = (stage.node("/old"), stage.path("/new"), stage.path("/n-"));
    let with_stat = CreateOptions::default().with_stat();
    let transaction = Transaction::new()
        .check(&old, Some(0))
        .create(&new, b"data", CreateMode::Persistent)
        .create(&numbered, b"", CreateMode::EphemeralSequential)
        .create(stage.path("/stat"), b"", with_stat)
        .create(stage.path("/container"), b"", CreateMode::Container)
        .set_data(&new, b"more data", Some(0))
        .delete(&old, None);
    let results = client.multi(transaction).expect("done");
    let created = |result: &TransactionResult| match result {
        TransactionResult::Created(created) => created.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(results[0], TransactionResult::Checked);
    assert_eq!(created(&results[1]).path, new);
    assert_eq!(created(&results[2]).path, stage.path("/n-0000000002"));
    // Inside a multi servers forget that the stat was asked for.
    let made = created(&results[3]);
    assert_eq!((made.path, made.stat), (stage.path("/stat"), None));
    assert_eq!(created(&results[4]).path, stage.path("/container"));
    match results[5] {
        TransactionResult::DataSet(stat) => assert_eq!((stat.version, stat.data_length), (1, 9)),
        ref other => panic!("{other:?}"),
    }
    assert_eq!(results[6], TransactionResult::Deleted);
    assert_eq!(results.len(), 7);
    assert_eq!(client.exists(&old), Ok(None));
    // All of it in one transaction.
    let zxid = |path: &str| client.exists(path).expect("asked").expect("there").czxid;
    assert_eq!(zxid(&new), zxid(&stage.path("/stat")));
}

fn multi_that_fails<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/new");
    let transaction = Transaction::new()
        .create(&path, b"", CreateMode::Persistent)
        .check(&stage.root, Some(9))
        .delete(&path, None);
    let error = match client.multi(transaction) {
        Err(Error::Multi(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!((error.index, error.code), (1, ErrorCode::BAD_VERSION));
    let results = [ErrorCode::OK, ErrorCode::BAD_VERSION, ErrorCode::RUNTIME_INCONSISTENCY];
    assert_eq!(error.results, results);
    assert_eq!(client.exists(&path), Ok(None));

    let wrong = Transaction::new().delete(&path, None).set_data("no path", b"", None);
    match client.multi(wrong) {
        Err(Error::Argument(ArgumentError::Operation { index: 1, .. })) => {}
        other => panic!("{other:?}"),
    }
}

fn multi_read<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/one");
    client.create(&path, b"data", CreateMode::Persistent).expect("made");
    let reads = MultiRead::new()
        .get_data(&path)
        .get_children(stage.path("/none"))
        .get_children(&stage.root);
    let results = client.multi_read(reads).expect("read");
    match &results[0] {
        Ok(ReadResult::Data(data)) => assert_eq!(&data.data[..], b"data"),
        other => panic!("{other:?}"),
    }
    assert_eq!(results[1], Err(ErrorCode::NO_NODE));
    assert_eq!(results[2], Ok(ReadResult::Children(vec!["one".to_owned()])));
    assert_eq!(results.len(), 3);
}

fn multi_of_nothing<C: TestClient>(stage: &Stage<C>) {
    assert_eq!(stage.client.multi(Transaction::new()), Ok(Vec::new()));
    assert_eq!(stage.client.multi_read(MultiRead::new()), Ok(Vec::new()));
    let alone = Transaction::new().check(stage.path("/none"), None);
    assert_eq!(code(stage.client.multi(alone)), ErrorCode::NO_NODE);
}
