//! What holds for all operations.

use quickcheck::quickcheck;
use zookeeper_core::{
    PathError,
    client::{ArgumentError, Chroot, Error, operation::*},
    wire::{AddWatchMode, CreateMode, Encode, ErrorCode, Op, Response, Text},
};

use crate::support::*;

#[test]
fn the_first_wrong_operation_is_named() {
    let transaction = Transaction::new().check("/a", None).check("b", None).delete("", None);
    let error = sent(&transaction, &app(), |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "operation 1: \"b\": path does not start with '/'");
    let reads = MultiRead::new().get_data("/a/");
    let error = sent(&reads, &app(), |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "operation 0: \"/a/\": path ends with '/'");
}

#[test]
fn a_wrong_path_is_never_sent() {
    fn refuses(operation: impl Operation) {
        let result = operation.with_request(&app(), |request| panic!("{} sent", request.op()));
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BAD_ARGUMENTS);
        let reason = PathError::RelativeComponent;
        assert_eq!(error, ArgumentError::Path { path: "/a/..".into(), reason });
    }
    let path = "/a/..";
    refuses(Create::new(path, "", CreateMode::Persistent));
    refuses(Delete::new(path, None));
    refuses(Exists::new(path));
    refuses(GetData::new(path));
    refuses(SetData::new(path, "", None));
    refuses(GetAcl::new(path));
    refuses(SetAcl::new(path, AccessList::Open, None));
    refuses(GetChildren::new(path));
    refuses(GetChildren2::new(path));
    refuses(GetAllChildrenNumber::new(path));
    refuses(GetEphemerals::new(path));
    refuses(Sync::new(path));
    refuses(AddWatch::new(path, AddWatchMode::Persistent));
}

#[test]
fn a_reply_of_another_operation_is_an_error_value() {
    fn refuses<O: Operation>(response: Response<'_>) {
        let result = O::output(&app(), Ok(response));
        assert_eq!(result.map(|_| ()).unwrap_err(), Error::UnexpectedReply);
    }
    let token = || Response::Token(None);
    refuses::<Create<'_>>(token());
    refuses::<Delete<'_>>(token());
    refuses::<Exists<'_>>(token());
    refuses::<GetData<'_>>(token());
    refuses::<SetData<'_>>(token());
    refuses::<GetAcl<'_>>(token());
    refuses::<SetAcl<'_>>(token());
    refuses::<GetChildren<'_>>(token());
    refuses::<GetChildren2<'_>>(token());
    refuses::<GetAllChildrenNumber<'_>>(token());
    refuses::<GetEphemerals<'_>>(token());
    refuses::<GetConfig>(token());
    refuses::<Reconfig>(token());
    refuses::<Sync<'_>>(token());
    refuses::<WhoAmI>(token());
    refuses::<AddWatch<'_>>(token());
    refuses::<Transaction<'_>>(token());
    refuses::<MultiRead<'_>>(token());
}

#[test]
fn the_bytes_of_a_create() {
    let create = Create::new("/a", b"xy", CreateMode::Ephemeral);
    let bytes = sent(&create, &Chroot::none(), |request| request.to_vec()).unwrap();
    let expected: &[u8] =
        b"\0\0\0\x02/a\0\0\0\x02xy\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone\0\0\0\x01";
    assert_eq!(bytes, expected);
}

/// A legal path of few names, so that a chroot and a path often begin alike.
fn legal_path(names: &[u8]) -> String {
    let name = |name: &u8| ["/a", "/ab", "/é", "/a b"][usize::from(*name % 4)];
    if names.is_empty() { "/".to_owned() } else { names.iter().map(name).collect() }
}

quickcheck! {
    /// What is made below a chroot is found below it by the same name.
    fn creates_come_back_by_their_own_name(root: Vec<u8>, path: Vec<u8>) -> bool {
        let chroot = Chroot::new(&legal_path(&root)).unwrap();
        let path = legal_path(&path);
        let create = Create::new(&path, "", CreateMode::Persistent);
        let on_server = server_path(&create, &chroot).unwrap();
        let reply = Response::Path(Some((&*on_server).into())).to_vec();
        output::<Create<'_>>(&chroot, Op::Create, &reply).unwrap().path == path
            && server_path(&GetData::new(&path), &chroot).unwrap() == on_server
            && server_path(&SetData::new(&path, "", None), &chroot).unwrap() == on_server
            && (path == "/"
                || server_path(&Delete::new(&path, None), &chroot).unwrap() == on_server)
    }

    /// Numbered names stay below the chroot.
    fn numbered_names_come_back(root: Vec<u8>, path: Vec<u8>, bare: bool) -> bool {
        let chroot = Chroot::new(&legal_path(&root)).unwrap();
        let mut path = legal_path(&path);
        if bare && path != "/" {
            path.push('/');
        }
        let create = Create::new(&path, "", CreateMode::PersistentSequential);
        let on_server = server_path(&create, &chroot).unwrap() + "0000000042";
        let reply = Response::Path(Some((&*on_server).into())).to_vec();
        output::<Create<'_>>(&chroot, Op::Create, &reply).unwrap().path == path + "0000000042"
    }

    /// Whatever a server names: an output or an error, and never a panic.
    fn any_path_from_a_server_is_survived(root: Vec<u8>, path: Vec<u8>) -> bool {
        let chroot = Chroot::new(&legal_path(&root)).unwrap();
        let reply = Response::Path(Some(Text::from(&*path))).to_vec();
        match output::<Create<'_>>(&chroot, Op::Create, &reply) {
            Ok(created) => chroot.apply(&created.path).as_bytes() == path,
            Err(error) => error.maybe_executed(),
        }
    }
}
