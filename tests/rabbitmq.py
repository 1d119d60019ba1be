"""A RabbitMQ of a test's own, which may be killed.

Nothing of it is left but Erlang's epmd, which all nodes of a machine share.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

# Debian's command on the path gives up being root; this one stays who it is.
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def server_program() -> str | None:
    """Return the program that starts one, or None where none is installed."""
    return str(_SERVER) if _SERVER.exists() else shutil.which("rabbitmq-server")


class Broker:
    """One node, its data in `home`. It outlives `kill`: `start` finds what it had on disk."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        (home / "plugins").write_text("[].\n")
        self._port, clustering = _free_port(), _free_port()
        self._log = home / "output.log"
        self._env = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(home),  # for a cookie of its own
            "RABBITMQ_NODENAME": f"shop-{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(clustering),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(home / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        }
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = server_program()
        assert program is not None
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [program], env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 120
        while not self._answers():
            assert self._running.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < end, self._log.read_text()[-4000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """End it as a loss of power would. Safe to repeat."""
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()
            self._running = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as link:
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"  # it talks, and does not merely listen
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
