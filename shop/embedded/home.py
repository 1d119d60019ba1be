"""The folder that an embedded shop keeps (`SHOP_HOME`): its paths, its owner and its state."""

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from shop.embedded.errors import CannotRun

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class State:
    """What the owner of a home tells those who come later: where its servers are."""

    kind: str  # "up" or "command"
    owner_pid: int
    port: int  # of the API; 0 where none is served
    environment: dict[str, str]  # the addresses of the servers, under the names settings know

    @classmethod
    def of_this_process(cls, *, kind: str, port: int, environment: dict[str, str]) -> "State":
        return cls(kind=kind, owner_pid=os.getpid(), port=port, environment=environment)


@dataclass(frozen=True, slots=True)
class Home:
    """One `SHOP_HOME`. Two homes never share a file, a port or a process."""

    path: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Home":
        """Return the home that the environment names, else `.local` beside `manage.py`."""
        return cls(Path(environ.get("SHOP_HOME") or PROJECT / ".local").expanduser().resolve())

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def is_of_a_local_shop(self) -> bool:
        """Whether a laptop's shop has run here: it made up its secrets on its first start."""
        return (self.path / "secrets.json").exists()

    @property
    def run(self) -> Path:
        """Return the folder of what matters only while the shop runs."""
        return self.path / "run"

    def prepare(self) -> None:
        """Make the folders; what is there already stays as it is.

        Raises CannotRun where that is not allowed.
        """
        try:
            is_new = not self.path.exists()
            for folder in (self.path, self.run, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            if is_new:
                # Secrets inside have their own modes. Others may pass through, because PostgreSQL
                # started by root runs as another user, but they may not look around.
                self.path.chmod(0o711)
            self.run.chmod(0o700)
        except OSError as error:
            raise CannotRun(f"SHOP_HOME {self.path} cannot be used: {error.strerror}.") from error

    def passwords(self) -> dict[str, str]:
        """Return the passwords of the embedded servers, made up on the first call."""
        path = self.path / "servers.json"
        if not path.exists():
            write_private(
                path,
                json.dumps({name: secrets.token_urlsafe(24) for name in ("postgres", "valkey")}),
            )
        try:
            known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CannotRun(f"{path} cannot be read; it has the servers' passwords.") from error
        return known

    # Who owns the servers of this home: whoever holds the lock, which the kernel lets go of when
    # the owner dies, however it dies. Those who use an owner's servers share a second lock, so
    # that an owner can wait for them.

    @contextlib.contextmanager
    def ownership(self) -> Iterator[bool]:
        """Hold the home for the time of the block; yields False where another process does."""
        with _flock(self.run / "owner.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as is_ours:
            yield is_ours

    @contextlib.contextmanager
    def shared_use(self) -> Iterator[None]:
        """Keep an owner that ends by itself from stopping its servers during the block."""
        with _flock(self.run / "users.lock", fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def unused(self) -> Iterator[None]:
        """Wait until nobody is in `shared_use`, and keep others out of it during the block."""
        with _flock(self.run / "users.lock", fcntl.LOCK_EX):
            yield

    def is_in_use(self) -> bool:
        """Tell whether somebody is in `shared_use`."""
        with _flock(self.run / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as is_free:
            return not is_free

    def read_state(self) -> State | None:
        """Return what the owner wrote, or None. Only true while somebody holds the home."""
        try:
            return State(**json.loads(self._state_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write_state(self, state: State) -> None:
        write_private(self._state_path, json.dumps(asdict(state), indent=1))

    def forget_state(self) -> None:
        self._state_path.unlink(missing_ok=True)

    @property
    def _state_path(self) -> Path:
        return self.run / "state.json"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; readers see the old one or the new one whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    mode = stat.S_IRUSR | stat.S_IWUSR
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    draft.replace(path)


@contextlib.contextmanager
def _flock(path: Path, operation: int) -> Iterator[bool]:
    try:
        file = path.open("a")
    except OSError as error:
        raise CannotRun(f"SHOP_HOME cannot be used: {path}: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, operation)
        except BlockingIOError:
            yield False
        else:
            yield True
