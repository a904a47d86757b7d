//! Several operations in one request.

use std::time::Duration;

use zookeeper_core::{
    client::{Error, MultiError, Repetition, RequestError, operation::*},
    wire::{CreateMode, ErrorCode, List, MultiOp, MultiResult, Op, Request, Text},
};

use crate::support::*;

fn transaction() -> Transaction<'static> {
    let ttl = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(Duration::from_secs(1));
    Transaction::new()
        .create("/a", "data", CreateMode::Ephemeral)
        .create("/b", vec![1; 3], CreateOptions::default().with_stat())
        .create("/c", None::<&str>, CreateMode::Container)
        .create("/d", "", ttl)
        .create("/", "", CreateMode::PersistentSequential)
        .delete("/e", Some(2))
        .set_data("/f", "data", None)
        .check("/", Some(4))
}

#[test]
fn a_transaction_keeps_each_operation_as_it_is() {
    let operation = transaction();
    assert_eq!(operation.len(), 8);
    sent(&operation, &app(), |request| {
        let Request::Multi(operations) = request else { panic!("{}", request.op()) };
        let look = |operation: MultiOp<'_>| {
            let (path, number) = match operation {
                MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => {
                    (r.path, r.flags)
                }
                MultiOp::CreateTtl(r) => (r.path, i32::try_from(r.ttl_ms).unwrap()),
                MultiOp::Delete(r) | MultiOp::Check(r) => (r.path, r.version),
                MultiOp::SetData(r) => (r.path, r.version),
                other => panic!("{}", other.op()),
            };
            (operation.op(), path.unwrap().to_string(), number)
        };
        let looked: Vec<_> = operations.iter().map(look).collect();
        let expected = [
            (Op::Create, "/app/a", 1),
            (Op::Create2, "/app/b", 0),
            (Op::CreateContainer, "/app/c", 4),
            (Op::CreateTtl, "/app/d", 1_000),
            (Op::Create, "/app/", 2),
            (Op::Delete, "/app/e", 2),
            (Op::SetData, "/app/f", -1),
            (Op::Check, "/app", 4),
        ];
        assert_eq!(looked, expected.map(|(op, path, number)| (op, path.to_owned(), number)));
    })
    .unwrap();
}

#[test]
fn a_transaction_brings_one_result_for_each_operation() {
    let reply = results(&[
        MultiResult::Create { path: Some("/app/a".into()) },
        MultiResult::Create2 { path: Some("/app/b".into()), stat: stat(1) },
        MultiResult::Delete,
        MultiResult::SetData { stat: stat(2) },
        MultiResult::Check,
    ]);
    let created =
        |path: &str, stat| TransactionResult::Created(Created { path: path.into(), stat });
    let expected = vec![
        created("/a", None),
        created("/b", Some(stat(1))),
        TransactionResult::Deleted,
        TransactionResult::DataSet(stat(2)),
        TransactionResult::Checked,
    ];
    assert_eq!(output::<Transaction<'_>>(&app(), Op::Multi, &reply), Ok(expected));
}

#[test]
fn a_failed_transaction_says_where_and_all_codes() {
    let codes = [0, 0, -103, -2].map(ErrorCode);
    let reply = results(&codes.map(MultiResult::Error));
    let error = output::<Transaction<'_>>(&app(), Op::Multi, &reply).unwrap_err();
    let expected = MultiError { index: 2, code: ErrorCode::BAD_VERSION, results: codes.to_vec() };
    assert_eq!(error, Error::from(expected));
    assert_eq!((error.code(), error.maybe_executed()), (ErrorCode::BAD_VERSION, false));
    assert_eq!(error.to_string(), "operation 2: version conflict (-103)");
    // Nonsense of a server: no error at all, and a read among writes.
    let reply = results(&[MultiResult::Error(ErrorCode::OK)]);
    let error = output::<Transaction<'_>>(&app(), Op::Multi, &reply).unwrap_err();
    assert_eq!(error, Error::UnexpectedReply);
    let reply = results(&[MultiResult::GetChildren { children: None }]);
    let error = output::<Transaction<'_>>(&app(), Op::Multi, &reply).unwrap_err();
    assert_eq!(error, Error::UnexpectedReply);
    // As a whole.
    let refused = failure::<Transaction<'_>>(RequestError::Server(ErrorCode::NOT_READ_ONLY));
    assert_eq!(refused.unwrap_err().code(), ErrorCode::NOT_READ_ONLY);
}

#[test]
fn an_empty_multi_needs_no_server() {
    assert_eq!(Transaction::new().without_request(), Some(Vec::new()));
    assert_eq!(MultiRead::new().without_request(), Some(Vec::new()));
    assert_eq!(transaction().without_request(), None);
    assert_eq!(MultiRead::new().get_data("/a").without_request(), None);
    assert_eq!(GetData::new("/a").without_request(), None);
}

#[test]
fn one_exact_version_guards_a_whole_transaction() {
    assert_eq!(transaction().repetition(), Repetition::Unsafe);
    let guarded = transaction().set_data("/g", "", Some(0));
    assert_eq!(guarded.repetition(), Repetition::Guarded);
    assert_eq!(Transaction::new().check("/a", Some(1)).repetition(), Repetition::Harmless);
    let checked = Transaction::new().check("/a", Some(1)).create("/b", "", CreateMode::Persistent);
    assert_eq!(checked.repetition(), Repetition::Unsafe, "a check changes no version");
}

#[test]
fn each_read_of_several_fails_alone() {
    let reads = MultiRead::new().get_data("/a").get_children("/").get_data("/none");
    assert_eq!((reads.len(), reads.repetition()), (3, Repetition::Harmless));
    sent(&reads, &app(), |request| {
        let Request::MultiRead(operations) = request else { panic!("{}", request.op()) };
        let look = |operation: MultiOp<'_>| match operation {
            MultiOp::GetData(r) | MultiOp::GetChildren(r) => {
                assert!(!r.watch);
                (operation.op(), r.path.unwrap().to_string())
            }
            other => panic!("{}", other.op()),
        };
        let looked: Vec<_> = operations.iter().map(look).collect();
        let expected =
            [(Op::GetData, "/app/a"), (Op::GetChildren, "/app"), (Op::GetData, "/app/none")];
        assert_eq!(looked, expected.map(|(op, path)| (op, path.to_owned())));
    })
    .unwrap();

    let names = [Some(Text::from("a"))];
    let reply = results(&[
        MultiResult::GetData { data: Some((&b"x"[..]).into()), stat: stat(1) },
        MultiResult::GetChildren { children: Some(List::new(&names)) },
        MultiResult::Error(ErrorCode::NO_NODE),
    ]);
    let data = Data { data: "x".into(), is_null: false, stat: stat(1) };
    let expected = vec![
        Ok(ReadResult::Data(data)),
        Ok(ReadResult::Children(vec!["a".to_owned()])),
        Err(ErrorCode::NO_NODE),
    ];
    assert_eq!(output::<MultiRead<'_>>(&app(), Op::MultiRead, &reply), Ok(expected));
    let reply = results(&[MultiResult::Delete]);
    let error = output::<MultiRead<'_>>(&app(), Op::MultiRead, &reply).unwrap_err();
    assert_eq!(error, Error::UnexpectedReply);
}
