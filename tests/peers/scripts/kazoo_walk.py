"""A walk through what a ZooKeeper client does, with kazoo: `kazoo_walk.py HOST:PORT`.

Prints one line per part and ends with "walked"; the first wrong answer is an exception.
"""

import queue
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.protocol.states import EventType
from kazoo.security import make_digest_acl

PATIENCE = 20


def expect(exception, call, *arguments, **options):
    try:
        result = call(*arguments, **options)
    except exception:
        return
    raise AssertionError("%s instead of %s" % (result, exception.__name__))


def create_get_set(client):
    assert client.create("/walk", b"one") == "/walk"
    expect(NodeExistsError, client.create, "/walk")
    expect(NoNodeError, client.create, "/none/below")
    expect(NoNodeError, client.get, "/none")
    data, stat = client.get("/walk")
    assert (data, stat.version, stat.data_length) == (b"one", 0, 3), (data, stat)
    assert stat.czxid == stat.mzxid == stat.pzxid and stat.ephemeralOwner == 0, stat
    changed = client.set("/walk", b"two", version=0)
    assert changed.version == 1 and changed.mzxid > changed.czxid, changed
    expect(BadVersionError, client.set, "/walk", b"x", version=0)
    assert client.get("/walk") == (b"two", changed)
    assert client.exists("/walk") == changed
    path, stat = client.create("/walk/child", b"", include_data=True)
    assert client.get("/walk/child") == (b"", stat)
    children, parent = client.get_children("/walk", include_data=True)
    assert children == ["child"] and parent.numChildren == 1, (children, parent)
    assert (parent.cversion, parent.pzxid) == (1, stat.czxid), parent
    expect(NotEmptyError, client.delete, "/walk")
    expect(BadVersionError, client.delete, "/walk/child", version=7)
    client.delete("/walk/child", version=0)
    assert client.sync("/walk") == "/walk"


def watches(client):
    events = queue.Queue()

    def seen(type, path):
        event = events.get(timeout=PATIENCE)
        assert (event.type, event.path) == (type, path), event

    assert client.exists("/walk/w", watch=events.put) is None
    client.create("/walk/w")
    seen(EventType.CREATED, "/walk/w")
    client.get("/walk/w", watch=events.put)
    client.set("/walk/w", b"new")
    seen(EventType.CHANGED, "/walk/w")
    client.get_children("/walk/w", watch=events.put)
    client.create("/walk/w/c")
    seen(EventType.CHILD, "/walk/w")
    client.set("/walk/w", b"unwatched")
    client.delete("/walk/w/c")
    client.get("/walk/w", watch=events.put)
    client.delete("/walk/w")
    seen(EventType.DELETED, "/walk/w")
    assert events.empty(), events.get()


def ephemerals(client, hosts):
    gone = queue.Queue()
    other = connect(hosts)
    other.create("/walk/e", ephemeral=True)
    assert client.exists("/walk/e", watch=gone.put).ephemeralOwner == other.client_id[0]
    expect(NoChildrenForEphemeralsError, client.create, "/walk/e/c")
    other.stop()
    event = gone.get(timeout=PATIENCE)
    assert (event.type, event.path) == (EventType.DELETED, "/walk/e"), event
    assert client.exists("/walk/e") is None


def sequences(client):
    paths = [client.create("/walk/q-", sequence=True) for _ in range(3)]
    first = int(paths[0][-10:])
    assert paths == ["/walk/q-%010d" % (first + step) for step in range(3)], paths
    both = client.create("/walk/q-", sequence=True, ephemeral=True)
    assert both > paths[-1] and client.exists(both).ephemeralOwner == client.client_id[0]
    for path in paths + [both]:
        client.delete(path)


def acls(client, hosts):
    acl = make_digest_acl("walker", "secret", all=True)
    client.create("/walk/a", b"private", acl=[acl])
    expect(NoAuthError, client.get, "/walk/a")
    expect(NoAuthError, client.set, "/walk/a", b"x")
    walker = connect(hosts, auth_data=[("digest", "walker:secret")])
    assert walker.get("/walk/a")[0] == b"private"
    read, stat = walker.get_acls("/walk/a")
    assert read == [acl] and stat.aversion == 0, (read, stat)
    reader = make_digest_acl("walker", "secret", read=True, admin=True)
    assert walker.set_acls("/walk/a", [reader], version=0).aversion == 1
    expect(NoAuthError, walker.set, "/walk/a", b"x")
    assert walker.get("/walk/a")[0] == b"private"
    walker.stop()
    client.add_auth("digest", "walker:secret")
    assert client.get("/walk/a")[0] == b"private"
    client.delete("/walk/a")


def transactions(client):
    version = client.exists("/walk").version
    with client.transaction() as good:
        good.check("/walk", version)
        good.create("/walk/t", b"t")
        good.set_data("/walk", b"three", version)
        good.create("/walk/t/s-", sequence=True)
    assert client.get("/walk/t")[0] == b"t" and client.get("/walk")[0] == b"three"
    bad = client.transaction()
    bad.create("/walk/u")
    bad.delete("/walk/t/none")
    bad.set_data("/walk", b"never")
    results = bad.commit()
    kinds = [type(result) for result in results]
    assert kinds[:2] == [RolledBackError, NoNodeError] and len(results) == 3, results
    assert client.exists("/walk/u") is None and client.get("/walk")[0] == b"three"
    sweep = client.transaction()
    for child in client.get_children("/walk/t"):
        sweep.delete("/walk/t/" + child)
    sweep.delete("/walk/t")
    assert sweep.commit() == [True, True]


def connect(hosts, **options):
    client = KazooClient(hosts, timeout=10, **options)
    client.start(timeout=PATIENCE)
    return client


def main(hosts):
    client = connect(hosts)
    parts = [
        (create_get_set, (client,)),
        (watches, (client,)),
        (ephemerals, (client, hosts)),
        (sequences, (client,)),
        (acls, (client, hosts)),
        (transactions, (client,)),
    ]
    for part, arguments in parts:
        part(*arguments)
        print(part.__name__)
    client.delete("/walk", recursive=True)
    client.stop()
    print("walked")


if __name__ == "__main__":
    main(sys.argv[1])
