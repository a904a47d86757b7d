"""A stand-in for ``kazoo.testing.common``: one server, started by a command from outside.

The environment says what to run:

* ``ZK_PEER_COMMAND``: the command line, one argument per line;
* ``ZK_PEER_PORT``: the loopback port that it serves on;
* ``ZK_PEER_DATA``: its data directory, wiped by ``reset`` and ``terminate``;
* ``ZK_PEER_LOG``: the file that its output is appended to.
"""

import os
import shutil
import signal
import socket
import subprocess
import time

START_MAX = 60
STOP_MAX = 20
PAUSE = 0.02


class ManagedServer:
    """What kazoo's tests use of its ``ManagedZooKeeper``."""

    host = "127.0.0.1"

    def __init__(self, command, port, data, log):
        self.client_port = port
        self._command = command
        self._data = data
        self._log = log
        self._process = None

    @property
    def address(self):
        return "%s:%d" % (self.host, self.client_port)

    @property
    def secure_address(self):
        # There is no TLS port; the test that asks for one fails before it connects.
        return self.address

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def run(self):
        """Starts the server on the data it finds and returns when it serves."""
        if self.running:
            return
        os.makedirs(self._data, exist_ok=True)
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_MAX
        while not self._serves():
            if self._process.poll() is not None:
                raise RuntimeError("the server ended: %s" % self._process.returncode)
            if time.monotonic() > deadline:
                self._kill()
                raise RuntimeError("the server does not serve")
            time.sleep(PAUSE)

    def stop(self):
        """Ends the server and keeps its data."""
        if not self.running:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_MAX)
        finally:
            self._kill()

    def pause(self):
        """Holds the server: the kernel still takes what clients send, nobody answers."""
        if self.running:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Lets a paused server go on."""
        if self.running:
            self._process.send_signal(signal.SIGCONT)

    def reset(self):
        """Ends the server and wipes its data."""
        self._kill()
        shutil.rmtree(self._data, ignore_errors=True)

    destroy = reset

    def get_logs(self, num_lines=100):
        try:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                return log.read().splitlines()[-num_lines:]
        except FileNotFoundError:
            return []

    def _kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _serves(self):
        try:
            with socket.create_connection((self.host, self.client_port), 1) as probe:
                probe.sendall(b"srvr")
                answer = b""
                while chunk := probe.recv(4096):
                    answer += chunk
                return b"Mode: " in answer
        except OSError:
            return False


class ZookeeperCluster:
    """What kazoo's tests use of its class of the same name, with a single server."""

    def __init__(self):
        environment = os.environ
        self._servers = [
            ManagedServer(
                environment["ZK_PEER_COMMAND"].split("\n"),
                int(environment["ZK_PEER_PORT"]),
                environment["ZK_PEER_DATA"],
                environment["ZK_PEER_LOG"],
            )
        ]

    def __getitem__(self, index):
        return self._servers[index]

    def __iter__(self):
        return iter(self._servers)

    def start(self):
        for server in self:
            server.run()

    def stop(self):
        for server in self:
            server.stop()

    def terminate(self):
        for server in self:
            server.destroy()

    def reset(self):
        for server in self:
            server.reset()

    def get_logs(self):
        return [line for server in self for line in server.get_logs()]

    def get_ssl_client_configuration(self):
        raise RuntimeError("the server has no TLS port")
