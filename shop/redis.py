"""Redis clients by role, one a process, with short timeouts; a single server or a Redis Cluster.

`carts` holds the only copy of something and must not evict; `cache` holds copies; `limiter`
counts. They are clients of our own, beside those of Django's caches: scripts need them. Whatever
asks several keys at once asks through a pipeline or names keys of one `{hash tag}`, and scripts are
run by `ask_script` and `ask_script_of_many`: then the same calls serve both kinds of server.
"""

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import hiredis
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.commands.core import Script
from redis.connection import AbstractConnection, DefaultParser, parse_url
from redis.exceptions import NoScriptError
from redis.retry import Retry

from shop.observe.timing import cache_clock


class TimedPipeline(Pipeline):
    """A pipeline that reports its one trip."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if not cache_clock.is_running:
            return super().execute(raise_on_error)
        started = time.perf_counter()
        try:
            return super().execute(raise_on_error)
        finally:
            cache_clock.note(time.perf_counter() - started)


class TimedRedis(redis.Redis):
    """A client that reports each trip to `Server-Timing` while that is on."""

    repeats_after: tuple[type[Exception], ...] = (redis.ConnectionError, redis.TimeoutError)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not cache_clock.is_running:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        started = time.perf_counter()
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        finally:
            cache_clock.note(time.perf_counter() - started)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> TimedPipeline:
        return TimedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class TimedCluster(RedisCluster):
    """The same for a Redis Cluster. A pipeline is a trip to each node that it has keys on."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not cache_clock.is_running:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        started = time.perf_counter()
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        finally:
            cache_clock.note(time.perf_counter() - started)

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:
        # Without MULTI: a transaction has one slot, and none of ours needs one.
        pipe = super().pipeline(False, shard_hint)  # type: ignore[no-untyped-call]
        return cast(ClusterPipeline, pipe)


# What the shop asks of either is the same; the stubs have no name for that.
Client = TimedRedis
Command = tuple[str | bytes | float, ...]

# Of the limiter. After a time-out nobody knows whether a call was counted, and a second wait is one
# too many. A connection that was closed (the server was started anew) is worth another one.
_ONLY_IF_CLOSED: tuple[type[Exception], ...] = (redis.ConnectionError,)


@cache
def _client(
    url: str,
    timeout_seconds: float,
    repeats_after: tuple[type[Exception], ...] = TimedRedis.repeats_after,
    health_check_seconds: int = 30,
    *,
    is_cluster: bool = False,
) -> Client:
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "max_connections": 64,
        "health_check_interval": health_check_seconds,
    }
    if is_cluster:
        return cast(Client, cluster_of(url, TimedCluster, **options))
    retry = Retry(NoBackoff(), 1, supported_errors=repeats_after)
    client = cast(TimedRedis, TimedRedis.from_url(url, retry=retry, **options))
    client.repeats_after = repeats_after
    return client


def cluster_of(addresses: str, kind: type[RedisCluster] = RedisCluster, **options: Any) -> Any:
    """Return a client of the Redis Cluster that these nodes belong to: URLs with commas between.

    One that answers is enough to find the others. User, password and TLS are those of the first.
    """
    first, *others = [address.strip() for address in addresses.split(",")]
    places = [(at["host"], at.get("port", 6379)) for at in map(parse_url, others)]
    nodes = [ClusterNode(host, port) for host, port in places]  # type: ignore[no-untyped-call]
    # A slot that has moved is asked for once more, at its new node, and so is a node that was lost.
    return kind(url=first, startup_nodes=nodes, retry=Retry(NoBackoff(), 2), **options)


def carts() -> Client:
    """Return the client of the store that keeps: an error here means 503, never a guess."""
    return _client(
        settings.REDIS_CARTS_URL,
        settings.REDIS_TIMEOUT_SECONDS["carts"],
        is_cluster="carts" in settings.REDIS_CLUSTER,
    )


def cache_client() -> Client:
    """Return the client of the store that may forget: an error here is a miss."""
    return _client(
        settings.REDIS_CACHE_URL,
        settings.REDIS_TIMEOUT_SECONDS["default"],
        is_cluster="cache" in settings.REDIS_CLUSTER,
    )


def limiter() -> Client:
    """Return the client of the store that counts requests: an error here costs one short wait."""
    return _client(
        settings.REDIS_LIMITER_URL,
        settings.REDIS_TIMEOUT_SECONDS["limiter"],
        _ONLY_IF_CLOSED,
        0,  # a check would be a trip, and may be a wait, of its own
        is_cluster="limiter" in settings.REDIS_CLUSTER,
    )


_MORE = object()  # is still to come of an answer
_MOST_AT_ONCE = 65536  # bytes


class _Line:
    """A thread's own connection to a server that is asked in every request.

    redis-py opens it (address, TLS, who we are) and understands its refusals. Asking is done here:
    a socket with a time limit of Python's is polled before each call, and whoever calls the system
    lets another thread go first. The kernel keeps the same limit by itself.
    """

    def __init__(self, client: Client) -> None:
        pool = client.connection_pool
        self._connection: AbstractConnection = pool.connection_class(**pool.connection_kwargs)
        self._socket: socket.socket | None = None
        self._reader = _reader()
        self.pid = os.getpid()

    def answers_to(self, commands: Sequence[Command]) -> list[Any]:
        """Return all answers as they came, refusals among them as exceptions.

        Raises redis.TimeoutError and redis.ConnectionError, and is closed then: an answer that is
        still under way must not be taken for that to the next question.
        """
        try:
            # hiredis' stubs name a tuple of one.
            line = self._sent(b"".join([hiredis.pack_command(parts) for parts in commands]))  # type: ignore[arg-type]
            answers: list[Any] = []
            while len(answers) < len(commands):
                answer = self._reader.gets()
                if answer is _MORE:
                    if not (received := line.recv(_MOST_AT_ONCE)):
                        raise redis.ConnectionError("Connection closed by server.")
                    self._reader.feed(received)
                elif not isinstance(answer, hiredis.PushNotification):
                    answers.append(answer)
        except BaseException as error:
            self.close()
            if isinstance(error, (BlockingIOError, TimeoutError)):
                raise redis.TimeoutError("Timeout reading from socket") from error
            if isinstance(error, OSError):
                raise redis.ConnectionError(f"Error on the line: {error}") from error
            raise
        return answers

    def close(self) -> None:
        self._socket = None
        self._connection.disconnect()  # type: ignore[no-untyped-call]

    def _sent(self, packet: bytes) -> socket.socket:
        """Send the packet: one trip. Return the socket that the answers come from."""
        line = self._socket or self._opened()
        line.sendall(packet)
        return line

    def _opened(self) -> socket.socket:
        self._connection.connect()  # type: ignore[no-untyped-call]
        line = cast(socket.socket, self._connection._sock)
        if not isinstance(line, ssl.SSLSocket):  # which has no limit but Python's
            limit = struct.pack("@ll", *_seconds_and_microseconds(line.gettimeout()))
            line.settimeout(None)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._reader = _reader()  # without what is left of an answer to the line before
        self._socket = line
        return line


def _reader() -> hiredis.Reader:
    return hiredis.Reader(
        protocolError=redis.InvalidResponse,
        replyError=DefaultParser.parse_error,
        notEnoughData=_MORE,
    )


def _seconds_and_microseconds(seconds: float | None) -> tuple[int, int]:
    whole, part = divmod(seconds or 0, 1)  # 0: for ever
    return int(whole), int(part * 1_000_000)


class _Lines(threading.local):
    """The lines of each thread."""

    def __init__(self) -> None:
        self.by_client: dict[Client, _Line] = {}


_lines = _Lines()


def ask(client: Client, *command: str | bytes | float) -> Any:
    """Return the answer to one command as it came, in one trip.

    For what every request asks: on a connection of the thread's own, as taking one from the pool
    and giving it back costs more than to pack, send and read. Asks once more when the connection
    was closed, and after a time-out unless it is the limiter that is asked. Raises RedisError.
    """
    if _is_cluster(client):
        return client.execute_command(*command)
    if not cache_clock.is_running:
        return _ask(client, command)[0]
    started = time.perf_counter()
    try:
        return _ask(client, command)[0]
    finally:
        cache_clock.note(time.perf_counter() - started)


def ask_each(client: Client, commands: Sequence[Command]) -> list[Any]:
    """Return the answers to these commands as they came, in one trip (on a Cluster: one a node).

    Otherwise as `ask`: so not for what must not be done twice. Raises RedisError.
    """
    if _is_cluster(client):
        pipe = client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        return pipe.execute()
    if not cache_clock.is_running:
        return _ask(client, *commands)
    started = time.perf_counter()
    try:
        return _ask(client, *commands)
    finally:
        cache_clock.note(time.perf_counter() - started)


def _is_cluster(client: Client | RedisCluster) -> bool:
    # Most are not, and `isinstance` looks long at a class of protocols.
    return client.__class__ is not TimedRedis and isinstance(client, RedisCluster)


def _ask(client: Client, *commands: Command) -> list[Any]:
    line = _lines.by_client.get(client)
    if line is None or line.pid != os.getpid():
        line = _lines.by_client[client] = _Line(client)
    try:
        answers = line.answers_to(commands)
    except getattr(client, "repeats_after", TimedRedis.repeats_after):
        answers = line.answers_to(commands)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def ask_script(
    client: Client, script: Script, key: str, *args: str | bytes | float, others: Sequence[str] = ()
) -> Any:
    """Run `script` on `key`, and on `others` of its slot, in one trip: sent by its digest.

    Sends the text once to a server that does not know it. Raises RedisError.
    """
    command = ("EVALSHA", script.sha, 1 + len(others), key, *others, *args)
    try:
        return ask(client, *command)
    except NoScriptError:
        client.script_load(script.script)  # on a Cluster: to every node that holds slots
        return ask(client, *command)


def ask_script_of_many(
    client: Client, script: Script, calls: Sequence[tuple[str, Sequence[str | bytes | float]]]
) -> list[Any]:
    """Run `script` once for each key with its arguments, in one trip (on a Cluster: one a node).

    Answers come in the order of the calls. Raises RedisError.
    """
    answers = _scripts_asked(client, script, calls)
    unknown = [place for place, got in enumerate(answers) if isinstance(got, NoScriptError)]
    if unknown:
        client.script_load(script.script)
        again = _scripts_asked(client, script, [calls[place] for place in unknown])
        for place, answer in zip(unknown, again, strict=True):
            answers[place] = answer
    for answer in answers:
        if isinstance(answer, redis.RedisError):
            raise answer
    return answers


def _scripts_asked(
    client: Client, script: Script, calls: Sequence[tuple[str, Sequence[str | bytes | float]]]
) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for key, args in calls:
        # By hand: on a Cluster redis-py offers no such method on a pipeline, though each call has
        # one key and so one node.
        pipe.execute_command("EVALSHA", script.sha, 1, key, *args)  # type: ignore[no-untyped-call]
    return pipe.execute(raise_on_error=False)
