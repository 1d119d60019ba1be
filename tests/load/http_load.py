"""A load generator small enough not to be what is measured: raw sockets, one selector a process.

It counts answers, not bytes, keeps each connection busy with one request at a time, and runs in
processes of its own so that the server's Python is not slowed by the client's.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context

PATIENCE_SECONDS = 2.0


@dataclass
class Load:
    """What came back: answers by status, and the seconds that each took."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.elapsed if self.elapsed else 0.0

    def percentile(self, share: float) -> float:
        """Return the latency in seconds that `share` (0 to 1) of the answers kept."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


def request_bytes(method: str, path: str, host: str, body: bytes = b"", **headers: str) -> bytes:
    """Return one HTTP/1.1 request on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _connected(port: int) -> socket.socket:
    """Connect, if need be a moment later: nobody listens where all workers end at once."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = _connected(port)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = b""
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.request = request
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """Read what is there; return the status once the answer is whole."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self.received += chunk
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        status = int(head[9:12])
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status if len(body) >= length or status in (204, 304) else None


def _run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send `requests` over and over for `seconds`, or each once when `seconds` is 0."""
    load = Load()
    queue: Iterator[bytes] = cycle(requests) if seconds else iter(requests)
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    for _ in range(min(connections, len(requests)) if not seconds else connections):
        connection = _Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(next(queue))
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.data
            try:
                status = connection.status()
            except ConnectionError:
                if connection.received:
                    raise
                # A worker that has served its share is replaced, and takes nothing new: as any
                # client would, ask the next one.
                selector.unregister(connection.socket)
                connection.socket.close()
                request, connection = connection.request, _Connection(port)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(request)
                continue
            if status is None:
                continue
            now = time.perf_counter()
            load.statuses[status] += 1
            load.seconds.append(now - connection.sent_at)
            upcoming = None if seconds and now - started >= seconds else next(queue, None)
            if upcoming is None:
                selector.unregister(connection.socket)
                connection.socket.close()
            else:
                connection.send(upcoming)
    load.elapsed = time.perf_counter() - started
    return load


def run_load(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float = 0,
    processes: int = 1,
) -> Load:
    """Drive the server on `port` and return what came back, from all processes together.

    With `seconds` the requests are repeated in turn for that long; without, each is sent once.
    """
    shares = [requests if seconds else requests[i::processes] for i in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        each = connections // processes or 1
        parts = list(
            pool.map(_run, [port] * processes, shares, [each] * processes, [seconds] * processes)
        )
    whole = Load()
    for part in parts:
        whole.statuses += part.statuses
        whole.seconds += part.seconds
        whole.elapsed = max(whole.elapsed, part.elapsed)
    return whole
