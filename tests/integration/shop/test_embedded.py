"""The embedded servers: who owns them, who borrows them, and what is left behind (nothing)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import psutil
import psycopg
import pytest
import redis

from shop.embedded.command_line import add_dotenv, api_port, servers_for
from shop.embedded.errors import CannotRun
from shop.embedded.home import PROJECT, Home, State
from shop.embedded.processes import is_running, start, stop, stop_leftover, stranger_for
from shop.embedded.servers import Servers, addresses, borrow_or_own, missing, own

ALL = {
    "DATABASE_URL",
    "REDIS_CARTS_URL",
    "REDIS_LIMITER_URL",
    "REDIS_CACHE_URL",
    "CELERY_BROKER_URL",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def servers_in(home: Home) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home.path) in line and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def in_another_process(home: Home, work: str, **env: str) -> subprocess.Popen[str]:
    """Run Python that has `home` and `env`, borrows or owns, then does `work`."""
    program = (
        "import os, sys, time, psycopg\n"
        "from pathlib import Path\n"
        "from shop.embedded.home import Home\n"
        "from shop.embedded.servers import borrow_or_own\n"
        "env = {}\n"
        f"with borrow_or_own(Home(Path({str(home.path)!r})), env):\n"
        "    print(env['DATABASE_URL'], flush=True)\n"
        f"    {work}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ALL),
        ({"DATABASE_URL": "postgresql://x/y"}, ALL - {"DATABASE_URL"}),
        ({"REDIS_URL": "redis://x/0"}, {"DATABASE_URL"}),
        ({"REDIS_CACHE_URL": "redis://x/0"}, ALL - {"REDIS_CACHE_URL"}),
        ({"CELERY_BROKER_URL": "amqp://x"}, ALL - {"CELERY_BROKER_URL"}),
        ({"DATABASE_URL": ""}, ALL),
    ],
)
def test_only_what_the_environment_lacks_is_wanted(given: dict[str, str], wanted: set[str]) -> None:
    assert missing(given) == wanted


def test_one_redis_stands_in_for_every_role() -> None:
    found = addresses({"REDIS_URL": "redis://one/3", "REDIS_CACHE_URL": "redis://two/0"})

    assert found == {
        "REDIS_CARTS_URL": "redis://one/3",
        "REDIS_LIMITER_URL": "redis://one/3",
        "REDIS_CACHE_URL": "redis://two/0",
        "CELERY_BROKER_URL": "redis://one/3",
    }


def test_a_command_has_servers_for_its_own_time_and_data_stay(home: Home) -> None:
    env: dict[str, str] = {}
    with borrow_or_own(home, env):
        assert set(env) == ALL
        with psycopg.connect(env["DATABASE_URL"]) as database:
            database.execute("CREATE TABLE kept AS SELECT 7 AS number")
            found = database.execute(
                "SELECT current_setting('fsync'), current_setting('synchronous_commit'),"
                " current_setting('jit'), current_setting('random_page_cost')"
            ).fetchone()
            assert found == ("on", "on", "off", "1.1")
        with contextlib.closing(redis.Redis.from_url(env["REDIS_CARTS_URL"])) as carts:
            carts.set("cart", "full")
            assert carts.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert carts.config_get("appendonly") == {"appendonly": "yes"}
        with contextlib.closing(redis.Redis.from_url(env["REDIS_CACHE_URL"])) as cache:
            assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lfu"}
    assert servers_in(home) == []

    again: dict[str, str] = {}
    with borrow_or_own(home, again):
        with psycopg.connect(again["DATABASE_URL"]) as database:
            assert database.execute("SELECT number FROM kept").fetchone() == (7,)
        with contextlib.closing(redis.Redis.from_url(again["REDIS_CARTS_URL"])) as carts:
            assert carts.get("cart") == b"full"
    assert servers_in(home) == []


def test_all_servers_are_asked_to_stop_before_the_first_is_waited_for(home: Home) -> None:
    told = mock.Mock()
    servers = Servers(home)
    servers.started = [told.first, told.second]

    servers.stop()

    assert told.mock_calls == [
        mock.call.first.ask_to_stop(),
        mock.call.second.ask_to_stop(),
        mock.call.second.stop(),
        mock.call.first.stop(),
    ]
    assert servers.started == []


def test_strangers_on_the_machine_need_the_passwords(home: Home) -> None:
    env: dict[str, str] = {}
    with borrow_or_own(home, env):
        port = psycopg.conninfo.conninfo_to_dict(env["DATABASE_URL"])["port"]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://shop:guess@127.0.0.1:{port}/shop")
        with (
            contextlib.closing(redis.Redis(port=int(env["CELERY_BROKER_URL"][-7:-2]))) as carts,
            pytest.raises(redis.AuthenticationError),
        ):
            carts.ping()
        private = ["servers.json", "run/state.json", "run/valkey-keep.conf", "run/valkey-keep.sock"]
        for name in private:
            assert (home.path / name).stat().st_mode & 0o077 == 0


def test_a_home_that_lies_too_deep_for_a_socket_has_ports_alone(home: Home) -> None:
    deep = Home(home.path / ("d" * 100))
    deep.path.mkdir(parents=True)

    for at, scheme in ((home, "unix"), (deep, "redis")):
        env: dict[str, str] = {}
        with borrow_or_own(at, env):
            assert env["REDIS_CARTS_URL"].startswith(f"{scheme}://")
            assert env["CELERY_BROKER_URL"].startswith("redis://")
            with contextlib.closing(redis.Redis.from_url(env["REDIS_CARTS_URL"])) as carts:
                assert carts.ping()


def test_only_what_is_not_given_is_started(home: Home) -> None:
    env = {"DATABASE_URL": os.environ["DATABASE_URL"]}
    with borrow_or_own(home, env):
        assert env["DATABASE_URL"] == os.environ["DATABASE_URL"]
        assert {process.name() for process in servers_in(home)} == {"valkey-server"}


def test_a_second_command_borrows_the_servers_of_the_first(home: Home) -> None:
    env: dict[str, str] = {}
    with borrow_or_own(home, env):
        work = "psycopg.connect(env['DATABASE_URL']).close()"
        with in_another_process(home, work) as second:
            told, errors = second.communicate(timeout=120)

    assert second.returncode == 0, errors
    assert told.strip() == env["DATABASE_URL"]


def test_the_owner_waits_for_those_who_borrowed(home: Home) -> None:
    work = "sys.stdin.readline(); psycopg.connect(env['DATABASE_URL']).close()"
    with in_another_process(home, work) as owner, contextlib.ExitStack() as later:
        address = first_line(owner)
        borrower = later.enter_context(in_another_process(home, work))
        assert first_line(borrower) == address

        with pytest.raises(subprocess.TimeoutExpired):
            owner.communicate("\n", timeout=1)
        _, errors = borrower.communicate("\n", timeout=120)

        assert borrower.returncode == 0, errors
        assert owner.wait(120) == 0
    assert servers_in(home) == []


def test_servers_die_with_an_owner_that_is_killed_and_the_next_starts_afresh(home: Home) -> None:
    with in_another_process(home, "time.sleep(600)") as owner:
        first_line(owner)
        left = servers_in(home)
        assert len(left) >= 3

        owner.kill()

    _, alive = psutil.wait_procs(left, timeout=60)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    env: dict[str, str] = {}
    with borrow_or_own(home, env), psycopg.connect(env["DATABASE_URL"]) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_a_leftover_postgres_is_stopped_first(home: Home) -> None:
    with borrow_or_own(home, {}):
        pass
    leftover = subprocess.Popen(["sleep", "600"])
    try:
        # A number that somebody else has now: PostgreSQL by itself would refuse to start.
        (home.postgres / "postmaster.pid").write_text(f"{leftover.pid}\n{home.postgres}\n")

        env: dict[str, str] = {}
        with borrow_or_own(home, env), psycopg.connect(env["DATABASE_URL"]) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)

        assert leftover.poll() is None  # a stranger: left alone
    finally:
        leftover.kill()
        leftover.wait()


def test_a_stranger_with_the_number_of_a_dead_server_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        while not is_running(stranger.pid, words=["sleep"]):  # between fork and exec
            time.sleep(0.01)
        stop_leftover(stranger.pid, words=["postgres"], asking=signal.SIGTERM)
        assert stranger.poll() is None

        stop_leftover(stranger.pid, words=["sleep", "600"], asking=signal.SIGTERM)
        assert stranger.poll() is not None
    finally:
        stranger.kill()
        stranger.wait()


def test_two_shops_do_not_own_one_home(home: Home) -> None:
    env: dict[str, str] = {}
    with (
        own(home, env, port=8123),
        pytest.raises(CannotRun, match=r"already runs.*:8123"),
        own(home, {}, port=8124),
    ):
        pass


def test_state_of_a_dead_owner_is_not_believed(home: Home) -> None:
    home.prepare()
    home.write_state(State("up", 2**22 - 1, 8000, {"DATABASE_URL": "postgresql://gone/"}))

    env: dict[str, str] = {}
    with borrow_or_own(home, env):
        assert "gone" not in env["DATABASE_URL"]


def test_a_failure_leaves_nothing_running(home: Home) -> None:
    home.prepare()
    home.postgres.mkdir()
    (home.postgres / "something").write_text("")

    with pytest.raises(CannotRun, match="no PostgreSQL data folder"), borrow_or_own(home, {}):
        pass

    assert servers_in(home) == []
    assert (home.postgres / "something").exists()


def test_a_missing_wheel_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> None:
        return None

    monkeypatch.setattr("shop.embedded.postgres.importlib.util.find_spec", nowhere)

    with pytest.raises(CannotRun, match="make setup"), borrow_or_own(home, {}):
        pass
    assert servers_in(home) == []


def test_a_child_dies_with_us_and_its_whole_group_with_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = start(["sh", "-c", "sleep 600 & sleep 600"], output=log)
    while not (children := psutil.Process(process.pid).children()):  # before the shell's fork
        time.sleep(0.01)

    stop(process, asking=signal.SIGTERM, seconds=2)

    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_a_nice_program_steps_back_behind_other_sessions_too(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = start(["sleep", "600"], output=log, niceness=7)
    try:
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 7
        group = Path(f"/proc/{process.pid}/autogroup")
        if not group.exists():
            pytest.skip("this kernel does not schedule sessions as groups")
        assert group.read_text().endswith(" nice 7\n")
    finally:
        stop(process, asking=signal.SIGTERM, seconds=5)


def test_root_starts_postgres_as_nobody_even_where_nobody_may_not_look(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = Home(closed / "home")
    assert stranger_for([home.path]) is not None

    env: dict[str, str] = {}
    with borrow_or_own(home, env), psycopg.connect(env["DATABASE_URL"]) as database:
        (pid,) = database.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        assert psutil.Process(pid).uids().real != 0

    assert closed.stat().st_mode & 0o777 == 0o700


class TestCommandLine:
    def test_commands_that_ask_no_server_start_none(self, home: Home) -> None:
        for arguments in (["manage.py"], ["manage.py", "check"], ["manage.py", "migrate", "-h"]):
            env = {"SHOP_HOME": str(home.path)}
            with servers_for(arguments, env):
                assert env["SHOP_ENV"] == "local"
                assert "DATABASE_URL" not in env
        assert not home.path.exists()

    def test_with_every_address_given_it_is_production_unless_told_otherwise(
        self, home: Home
    ) -> None:
        env = {
            "DATABASE_URL": "postgresql://x/y",
            "REDIS_URL": "redis://x/0",
            "SHOP_HOME": str(home.path),
        }
        with servers_for(["manage.py", "migrate"], env):
            assert env["SHOP_ENV"] == "production"

    def test_with_every_address_given_the_home_of_a_local_shop_is_local(self, home: Home) -> None:
        home.prepare()
        (home.path / "secrets.json").write_text("{}")
        env = {
            "DATABASE_URL": "postgresql://x/y",
            "REDIS_URL": "redis://x/0",
            "SHOP_HOME": str(home.path),
        }
        with servers_for(["manage.py", "sales_report"], env):
            assert env["SHOP_ENV"] == "local"

    def test_production_gets_nothing_made_up(self, home: Home) -> None:
        env = {"SHOP_ENV": "production", "SHOP_HOME": str(home.path)}
        with servers_for(["manage.py", "migrate"], env):
            assert "DATABASE_URL" not in env
        assert not home.path.exists()

    def test_a_command_joins_the_shop_that_runs_on_given_servers(self, home: Home) -> None:
        given = {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://x/0"}
        with own(home, dict(given), port=8123):
            env = {"SHOP_HOME": str(home.path)}
            with servers_for(["manage.py", "doctor"], env):
                assert env["DATABASE_URL"] == "postgresql://x/y"
                assert env["REDIS_CARTS_URL"] == "redis://x/0"
                assert env["SHOP_ENV"] == "local"
                assert env["PORT"] == "8123"

    @pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000 "])
    def test_a_port_that_is_none_is_refused(self, port: str) -> None:
        with pytest.raises(CannotRun, match="should be a number"):
            api_port({"PORT": port})

    def test_dotenv_sets_what_is_not_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".env").write_text("# no\nexport PORT='81'\nSHOP_DEMO=0\n\nnonsense\n")
        monkeypatch.setattr("shop.embedded.command_line.PROJECT", tmp_path)

        env = {"SHOP_DEMO": "1"}
        add_dotenv(env)

        assert env == {"SHOP_DEMO": "1", "PORT": "81"}
