"""`/livez` (is this process alive), `/readyz` (does what it needs answer), `/metrics`."""

from collections.abc import Callable, Iterable

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from shop import redis
from shop.errors import NotFound
from shop.http.json import dumps
from shop.http.methods import read_only


@read_only
def livez(request: HttpRequest) -> HttpResponse:
    """Answer without asking anybody: a restart helps nobody whose database is away."""
    return _answer({"status": "ok"})


@read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Name each dependency and its state. 503 only when nothing could be served: no database.

    Redis being away degrades (carts answer 503, reads go to the database); taking every pod out
    of service for it would turn a part into the whole.
    """
    checks = {
        "database": _state(_database),
        "migrations": _state(_migrations),
        "redis_carts": _state(lambda: redis.carts().ping()),
        "redis_cache": _state(lambda: redis.cache_client().ping()),
        "redis_limiter": _state(lambda: redis.limiter().ping()),
    }
    is_ready = checks["database"] == "ok" and checks["migrations"] == "ok"
    status = "ok" if set(checks.values()) == {"ok"} else "degraded" if is_ready else "unavailable"
    return _answer({"status": status, "checks": checks}, status=200 if is_ready else 503)


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format; hidden unless SHOP_METRICS_PUBLIC says otherwise."""
    if not settings.SHOP_METRICS_PUBLIC:
        raise NotFound("There is nothing at this address.")
    response: HttpResponse = ExportToDjangoView(request)
    response.content += _from_database()
    return response


class _Told(Collector):
    """What one of SHOP_DATABASE_METRICS returns."""

    def __init__(self, path: str) -> None:
        self._families: Callable[[], Iterable[Metric]] = import_string(path)

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _from_database() -> bytes:
    """Return what the database knows, whichever process wrote it: the same from all that serve.

    Left out while it is away: what this process counts is told all the same.
    """
    registry = CollectorRegistry()
    try:
        for path in settings.SHOP_DATABASE_METRICS:
            registry.register(_Told(path))
        return generate_latest(registry)
    except DatabaseError:
        return b""


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except (DatabaseError, RedisError, OSError, _Behind) as error:
        return "behind" if isinstance(error, _Behind) else "unavailable"
    return "ok"


class _Behind(Exception):
    """The database lacks migrations that this release needs."""


_migrated = False


def _migrations() -> None:
    global _migrated  # once applied they stay: asked until then, and no more
    if _migrated:
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _Behind
    _migrated = True


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _answer(document: dict[str, object], status: int = 200) -> HttpResponse:
    response = HttpResponse(dumps(document), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response
