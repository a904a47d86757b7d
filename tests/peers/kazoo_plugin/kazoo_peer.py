"""A pytest plugin that runs kazoo's own tests against one server of any make.

Kazoo's harness starts three Java servers. This plugin puts `peer_cluster` in its place, shares
the test classes between several pytest processes, and writes one line per test, `outcome
seconds nodeid`, to the file that ``ZK_PEER_RESULTS`` names. Processes that share a directory
``ZK_PEER_CLAIMS`` each take the next class that no other has taken, so that every test runs once.
"""

import itertools
import os
import sys
from unittest import mock

import peer_cluster
import pytest

# Kazoo's module of this name needs Java key stores; its harness shall get ours instead.
sys.modules["kazoo.testing.common"] = peer_cluster

from kazoo.client import KazooClient, KazooState  # noqa: E402
from kazoo.testing import harness  # noqa: E402

SET_ASYNC = KazooClient.set_async
CLUSTER = peer_cluster.ZookeeperCluster()
harness.get_global_cluster = lambda: CLUSTER


def pytest_runtestloop(session):
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        raise session.Interrupted("%d errors during collection" % session.testsfailed)
    if session.config.option.collectonly:
        return True
    for name, items in _groups(session.items):
        if not _claim(name):
            continue
        for item, following in zip(items, items[1:] + [None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if item.name != "test_connection_dropped":
        return (yield)
    # The test drops the connection behind a write, and needs the write to be unanswered then.
    try:
        with mock.patch.object(KazooClient, "set_async", _set_unanswered):
            return (yield)
    finally:
        CLUSTER[0].resume()


def pytest_sessionfinish():
    CLUSTER.terminate()


class Results:
    """Collects the phases of each test into one outcome."""

    def __init__(self, path):
        self._path = path
        self._outcome = "passed"
        self._seconds = 0.0

    def pytest_runtest_logreport(self, report):
        self._seconds += report.duration
        if report.failed:
            self._outcome = "failed"
        elif report.skipped and self._outcome == "passed":
            self._outcome = "skipped"
        if report.when != "teardown":
            return
        with open(self._path, "a", encoding="utf-8") as results:
            print(self._outcome, "%.2f" % self._seconds, _name(report.nodeid), file=results)
        self._outcome, self._seconds = "passed", 0.0


def pytest_configure(config):
    path = os.environ.get("ZK_PEER_RESULTS")
    if path:
        config.pluginmanager.register(Results(path))


def _set_unanswered(client, *arguments, **options):
    """`set_async` to a server that is paused until this client has lost its connection."""

    def resume(state):
        if state != KazooState.CONNECTED:
            CLUSTER[0].resume()
            return True

    client.add_listener(resume)
    CLUSTER[0].pause()
    return SET_ASYNC(client, *arguments, **options)


def _groups(items):
    """The test classes, the largest first: they take longest, and the last ends alone."""
    grouped = [
        (name, list(members))
        for name, members in itertools.groupby(
            items, lambda item: _name(item.nodeid).rsplit("::", 1)[0]
        )
    ]
    return sorted(grouped, key=lambda group: -len(group[1]))


def _claim(name):
    directory = os.environ.get("ZK_PEER_CLAIMS")
    if not directory:
        return True
    try:
        os.close(os.open(os.path.join(directory, name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _name(nodeid):
    return nodeid.rsplit("kazoo/tests/", 1)[-1]
