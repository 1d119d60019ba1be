"""The servers that one process needs: given by the environment, running already, or started."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from shop.embedded.errors import CannotRun
from shop.embedded.home import Home, State
from shop.embedded.postgres import Postgres
from shop.embedded.processes import is_running
from shop.embedded.valkey import FORGETS, KEEPS, Valkey
from shop.secret_files import with_secret_files

JOIN_SECONDS = 90  # the owner of the home may still be starting

# Each address and the variable that stands in for it where it is not set. Settings do the same.
_FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "DATABASE_URL": (),
    "REDIS_CARTS_URL": ("REDIS_URL",),
    "REDIS_LIMITER_URL": ("REDIS_URL",),
    "REDIS_CACHE_URL": ("REDIS_URL",),
    "CELERY_BROKER_URL": ("REDIS_CARTS_URL", "REDIS_URL"),
}


def addresses(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the address of each server that the environment names, fallbacks filled in."""
    environ, known = with_secret_files(environ), {}
    for name, fallbacks in _FALLBACKS.items():
        if value := next((environ[key] for key in (name, *fallbacks) if environ.get(key)), ""):
            known[name] = value
    return known


def missing(environ: Mapping[str, str]) -> set[str]:
    """Return the names of the addresses that the environment does not give."""
    return set(_FALLBACKS) - set(addresses(environ))


@dataclass(slots=True)
class Servers:
    """The embedded servers of one home, started as far as the environment leaves them to us."""

    home: Home
    is_throwaway: bool = False
    started: list[Postgres | Valkey] = field(default_factory=list)

    def start(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Start what the environment does not name, and return every address.

        Only for the owner of the home. Raises CannotRun, and then nothing is left running.
        """
        wanted = missing(environ)
        databases = 256 if self.is_throwaway else 16
        postgres = Postgres(self.home, is_throwaway=self.is_throwaway)
        keep = Valkey(self.home, "valkey-keep", KEEPS, databases=databases)
        cache = Valkey(self.home, "valkey-cache", FORGETS, databases=databases)
        try:
            # All are started before the first is waited for.
            if wanted & {"REDIS_CARTS_URL", "REDIS_LIMITER_URL", "CELERY_BROKER_URL"}:
                self._begin(keep)
            if "REDIS_CACHE_URL" in wanted:
                self._begin(cache)
            if "DATABASE_URL" in wanted:
                self._begin(postgres)
            for server in self.started:
                server.wait()
        except BaseException:
            self.stop()
            raise
        ours = {
            "DATABASE_URL": lambda: postgres.url,
            "REDIS_CARTS_URL": lambda: self._place(keep, 0),
            "CELERY_BROKER_URL": lambda: keep.url(1),
            "REDIS_LIMITER_URL": lambda: self._place(keep, 2),
            "REDIS_CACHE_URL": lambda: self._place(cache, 0),
        }
        return {**addresses(environ), **{name: ours[name]() for name in wanted}}

    def stop(self) -> None:
        """Stop what was started: all are asked at once, and the last is waited for first."""
        for server in self.started:
            server.ask_to_stop()
        for server in reversed(self.started):
            server.stop()
        self.started.clear()

    @property
    def runs_database(self) -> bool:
        return any(isinstance(server, Postgres) for server in self.started)

    def _place(self, server: Valkey, database: int) -> str:
        # Tests put things in between, which takes a port.
        return server.url(database) if self.is_throwaway else server.nearest_url(database)

    def _begin(self, server: Postgres | Valkey) -> None:
        self.started.append(server)
        server.start()


@contextlib.contextmanager
def own(home: Home, environ: MutableMapping[str, str], *, port: int) -> Iterator[Servers]:
    """Own the home as `manage.py up` does, and name its servers in `environ`.

    Raises CannotRun where another process owns it; a command that ends soon is waited for.
    """
    home.prepare()
    end = time.monotonic() + JOIN_SECONDS
    while True:
        with home.ownership() as is_ours:
            if is_ours:
                with _running(home, environ, kind="up", port=port) as servers:
                    yield servers
                return
        state = home.read_state()
        if state is not None and state.kind == "up" and is_running(state.owner_pid, words=[]):
            raise CannotRun(
                f"A shop already runs on SHOP_HOME {home.path}, at http://127.0.0.1:{state.port} "
                f"(process {state.owner_pid}). Stop it, or set another SHOP_HOME and PORT."
            )
        if time.monotonic() > end:
            raise CannotRun(f"Another command has been using SHOP_HOME {home.path} for too long.")
        time.sleep(0.1)


@contextlib.contextmanager
def borrow_or_own(home: Home, environ: MutableMapping[str, str]) -> Iterator[bool]:
    """Name servers in `environ` for the time of one command; True if they are our own.

    Those of the shop that runs on this home, if one does; else embedded ones of our own, which
    are stopped afterwards, when those who borrowed them from us have ended too.
    """
    home.prepare()
    end = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < end:
        with home.shared_use():
            state = home.read_state()
            with home.ownership() as is_unowned:
                pass
            if state is not None and not is_unowned:
                _name(environ, state.environment)
                if state.port:
                    environ.setdefault("PORT", str(state.port))
                yield False
                return
        with home.ownership() as is_ours:
            if is_ours:
                with _running(home, environ, kind="command", port=0):
                    yield True
                    _retire_when_unused(home)
                return
        time.sleep(0.05)
    raise CannotRun(f"The shop on SHOP_HOME {home.path} did not come up in {JOIN_SECONDS} s.")


@contextlib.contextmanager
def _running(
    home: Home, environ: MutableMapping[str, str], *, kind: str, port: int
) -> Iterator[Servers]:
    home.forget_state()  # of an owner that was killed
    servers = Servers(home)
    try:
        environment = servers.start(environ)
        _name(environ, environment)
        home.write_state(State.of_this_process(kind=kind, port=port, environment=environment))
        yield servers
    finally:
        # A second Ctrl-C must not leave half of them running. Reached by exceptions too.
        with _deaf_to_signals():
            home.forget_state()
            servers.stop()


def _name(environ: MutableMapping[str, str], environment: Mapping[str, str]) -> None:
    wanted = missing(environ)
    environ.update({name: value for name, value in environment.items() if name in wanted})


def _retire_when_unused(home: Home) -> None:
    if home.is_in_use():
        print(  # noqa: T201 — before and after Django, there is no command's stdout
            "Waiting for other commands that use the servers of this one …", file=sys.stderr
        )
    with home.unused():
        home.forget_state()  # whoever comes now starts servers of his own


@contextlib.contextmanager
def _deaf_to_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
