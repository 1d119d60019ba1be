"""A Redis Cluster of three masters, from the wheel's Valkey, up in a second or two."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.exceptions import RedisError

from shop.embedded.processes import free_port
from shop.embedded.valkey import program

MASTERS = 3
SLOTS = 16_384
READY_SECONDS = 60.0


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[list[int]]:
    """Run three masters with a third of the slots each; give their ports."""
    with contextlib.ExitStack() as running:
        ports = [_master(folder / f"node-{number}", running) for number in range(MASTERS)]
        nodes = [redis.Redis(port=port, socket_timeout=5) for port in ports]
        for node in nodes:
            running.callback(node.close)
        _wait_for(lambda: all(node.ping() for node in nodes))
        for number, node in enumerate(nodes):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)  # type: ignore[no-untyped-call]
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)  # type: ignore[no-untyped-call]
        for port in ports[1:]:
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, _bus(port))  # type: ignore[no-untyped-call]
        _wait_for(lambda: all(_is_whole(node) for node in nodes))
        yield ports


def _master(folder: Path, running: contextlib.ExitStack) -> int:
    folder.mkdir(parents=True)
    port = _port_with_bus()
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "cluster-enabled": "yes",
        "cluster-port": _bus(port),
        "cluster-node-timeout": 5000,
        "save": "",
        "appendonly": "no",
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    process = running.enter_context(
        subprocess.Popen([program(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    )
    running.callback(process.terminate)
    return port


def _port_with_bus() -> int:
    """Return a free port, whose neighbour for the nodes' own talk is free too."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError, OverflowError), socket.socket() as probe:
            probe.bind(("127.0.0.1", _bus(port)))
            return port


def _bus(port: int) -> int:
    return port + 1


def _is_whole(node: redis.Redis) -> bool:
    told = node.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
    text = told.decode() if isinstance(told, bytes) else str(told)
    return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
        f"cluster_known_nodes:{MASTERS}" in text or f"'cluster_known_nodes': '{MASTERS}'" in text
    )


def _wait_for(is_so: object) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(RedisError):
            if is_so():  # type: ignore[operator]
                return
        time.sleep(0.05)
    raise AssertionError("the cluster did not come up")
