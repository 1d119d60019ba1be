"""`manage.py doctor` names what is wrong, and says so by its exit code."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from shop.embedded.processes import free_port


@pytest.fixture(autouse=True)
def _not_durable(db: None) -> None:
    """Make sure of a problem, on servers of our own and on given ones."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def examined() -> dict[str, tuple[str, str]]:
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", "--json", stdout=out)
    assert end.value.code == 1
    return {row["subject"]: (row["state"], row["detail"]) for row in json.loads(out.getvalue())}


def test_it_looks_at_every_server() -> None:
    found = examined()

    for subject in ("database", "migrations", "redis carts", "redis cache", "broker", "outbox"):
        assert found[subject][0] == "ok", found[subject]


def test_a_database_that_may_lose_orders_is_a_problem() -> None:
    state, detail = examined()["durability"]

    assert state == "problem"
    assert "synchronous_commit=off: a crash can lose paid orders" in detail


def test_deadlocks_are_looked_for_before_locks_time_out() -> None:
    state, detail = examined()["deadlocks"]

    assert state == "ok"
    assert "deadlock_timeout=200 ms" in detail


def test_a_broker_that_is_away_is_a_problem(settings: Settings) -> None:
    port = free_port()
    settings.CELERY_BROKER_URL = f"amqp://guest:guest@127.0.0.1:{port}//"

    state, detail = examined()["broker"]

    assert state == "problem"
    assert f"amqp://127.0.0.1:{port}" in detail


def test_people_get_a_table() -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)

    assert "PostgreSQL" in out.getvalue()
    assert "maxmemory-policy noeviction" in out.getvalue()
