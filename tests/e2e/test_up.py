"""`manage.py up`, as a newcomer meets it: it opens, it refuses in one line, it leaves nothing."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from shop.embedded.home import PROJECT
from shop.embedded.processes import free_port
from tests.shop_process import (
    RunningShop,
    newcomers_environment,
    running_shop,
    still_running,
    tail,
)


def up(home: Path, port: int, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `up` where it is expected to refuse."""
    return subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "up"],
        cwd=PROJECT,
        env=newcomers_environment(SHOP_HOME=str(home), PORT=str(port), SHOP_DEMO="0", **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a refusal."""
    assert result.returncode == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the servers that work in this home, whoever started them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def test_the_shop_opens_and_says_where(shop_run: RunningShop) -> None:
    assert requests.get(f"{shop_run.url}/livez", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{shop_run.url}/api/docs", timeout=60).status_code == 200
    assert requests.get(f"{shop_run.url}/admin/", timeout=60).status_code == 200

    told = shop_run.log.read_text()
    for word in (f"{shop_run.url}/api/docs", f"{shop_run.url}/admin/", "tok_ok", "staff@shop.test"):
        assert word in told


def test_web_and_workers_come_as_roles_of_the_database_that_can_do_no_more(
    shop_run: RunningShop,
) -> None:
    assert requests.get(f"{shop_run.url}/api/v1/products", timeout=60).status_code == 200

    with psycopg.connect(shop_run.database_url, autocommit=True) as database:

        def come() -> list[tuple[str, ...]]:
            return database.execute(
                "SELECT DISTINCT application_name, usename FROM pg_stat_activity"
                " WHERE application_name IN ('shop-web', 'shop-worker') ORDER BY 1, 2"
            ).fetchall()

        wait_for(lambda: come() == [("shop-web", "shop_web"), ("shop-worker", "shop_worker")])


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_all_that_it_started(tmp_path: Path, by: signal.Signals) -> None:
    began = time.monotonic()
    with running_shop(tmp_path / "home", demo=False, is_migrated=True) as shop:
        wait_for(lambda: all_have_begun(shop))
        took_to_start = time.monotonic() - began
        family = shop.family()
        asked_at = time.monotonic()

        assert shop.stop(by=by) == 0

        # Beside the start, as machines differ, and are busier at one moment than at another.
        assert time.monotonic() - asked_at < max(10.0, took_to_start)
        assert still_running(family) == []
    assert processes_of(tmp_path) == []


def test_nothing_outlives_a_killed_owner_and_the_next_run_is_quick(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_shop(home, demo=False) as shop:
        first = worked_for(shop)
        wait_for(lambda: all_have_begun(shop))
        family = shop.family()

        shop.stop(by=signal.SIGKILL)

        assert still_running(family, seconds=12) == []

    with running_shop(home, demo=False) as shop:
        # Beside the first, which had tables to make: machines differ.
        assert worked_for(shop) < first


def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    with running_shop(tmp_path / "home", demo=False, is_migrated=True) as shop:
        web = next(
            one
            for one in psutil.Process(shop.pid).children()
            if any("gunicorn" in word for word in one.cmdline())
        )

        web.kill()

        wait_for(lambda: "web ended (killed by SIGKILL)" in shop.log.read_text())
        wait_for(lambda: is_alive(shop.url))


def test_its_servers_are_started_again_where_they_were(tmp_path: Path) -> None:
    with running_shop(tmp_path / "home", demo=False, is_migrated=True) as shop:
        address = shop.database_url
        with psycopg.connect(address) as database:
            database.execute("CREATE TABLE kept AS SELECT 7 AS number")
        servers = [
            one
            for one in psutil.Process(shop.pid).children()
            if one.name() in {"postgres", "valkey-server"}
        ]
        assert len(servers) == 3

        for server in servers:
            server.kill()

        back = [f"{name} is back" for name in ("PostgreSQL", "(valkey-keep)", "(valkey-cache)")]
        wait_for(lambda: all(words in shop.log.read_text() for words in back))
        wait_for(lambda: requests.get(f"{shop.url}/readyz", timeout=60).json()["status"] == "ok")
        assert shop.database_url == address
        with psycopg.connect(address) as database:
            assert database.execute("SELECT number FROM kept").fetchone() == (7,)


def test_it_ends_with_a_database_that_does_not_come_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_shop(home, demo=False, is_migrated=True) as shop:
        postgres = next(
            one for one in psutil.Process(shop.pid).children() if one.name() == "postgres"
        )
        (home / "postgres" / "global" / "pg_control").unlink()

        postgres.kill()

        assert shop.process.wait(240) == 1
        assert "PostgreSQL ended and does not come back" in tail(shop.log).splitlines()[-1]


def test_two_shops_do_not_disturb_each_other(shop_run: RunningShop, tmp_path: Path) -> None:
    with running_shop(tmp_path / "home", demo=False, is_migrated=True) as other:
        for shop in (shop_run, other):
            assert requests.get(f"{shop.url}/readyz", timeout=60).json()["status"] == "ok"

    assert requests.get(f"{shop_run.url}/readyz", timeout=60).json()["status"] == "ok"


def test_a_second_shop_on_the_same_home_is_refused(shop_run: RunningShop) -> None:
    line = refusal(up(shop_run.home, free_port()))

    assert "already runs on SHOP_HOME" in line
    assert shop_run.url in line


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]

        line = refusal(up(tmp_path / "home", port))

    assert f"Port {port} of 127.0.0.1 is in use" in line
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("postgres/notes.txt", "hello", "no PostgreSQL data folder"),
        ("postgres/PG_VERSION", "18\n", "PostgreSQL does not start"),
        ("postgres/PG_VERSION", "12\n", "PostgreSQL 12, not 18"),
        ("servers.json", "{", "servers.json cannot be read"),
        ("valkey-keep/appendonlydir/appendonly.aof.manifest", "rubbish\n", "Valkey does not start"),
    ],
)
def test_a_broken_data_folder_is_told_in_one_line(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    file = tmp_path / "home" / name
    file.parent.mkdir(parents=True)
    file.write_text(content)

    assert words in refusal(up(tmp_path / "home", free_port()))

    assert processes_of(tmp_path) == []


def test_an_unreachable_database_is_told_in_one_line(tmp_path: Path) -> None:
    nowhere = f"postgresql://shop:shop@127.0.0.1:{free_port()}/shop"

    assert "The database refuses" in refusal(
        up(tmp_path / "home", free_port(), DATABASE_URL=nowhere)
    )

    assert processes_of(tmp_path) == []


def test_a_home_that_is_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    assert "cannot be used" in refusal(up(tmp_path / "home", free_port()))


def test_a_home_with_a_long_and_awkward_path_works(tmp_path: Path) -> None:
    home = tmp_path / ("a long folder's name, with “marks” " + "x" * 60) / ("y" * 60)

    with running_shop(home, demo=False) as shop:
        assert is_alive(shop.url)


def all_have_begun(shop: RunningShop) -> bool:
    """Tell whether every program of the shop runs: they begin when the web answers."""
    lines = []
    for one in shop.family():
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(one.cmdline()))
    programs = ("gunicorn", "--hostname=worker@", "--hostname=bulk@", " beat ", "relay_outbox")
    return all(any(program in line for line in lines) for program in programs)


def worked_for(shop: RunningShop) -> float:
    """Return the seconds of processor that `up` itself has taken, whoever else took some."""
    taken = psutil.Process(shop.pid).cpu_times()
    return taken.user + taken.system


def is_alive(url: str) -> bool:
    try:
        return requests.get(f"{url}/livez", timeout=20).ok
    except requests.RequestException:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
