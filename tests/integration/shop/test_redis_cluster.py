"""Everything that uses Redis, on a Cluster of three masters (`REDIS_CLUSTER=all`)."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from redis.cluster import RedisCluster
from redis.crc import key_slot
from rest_framework.test import APIClient

from cart import store as cart_store
from catalog.selectors import forget_pages, variant_cards
from catalog.services import PriceDraft, set_prices
from inventory.store import gate, units
from shop import settings as shop_settings
from shop.cache.aside import AsideCache
from shop.http.rate_limit.rates import Rate
from shop.http.rate_limit.windows import take_shared
from shop.management.commands import doctor
from shop.redis import cache_client, carts, limiter
from tests.concurrency import run_together
from tests.integration.catalog.conftest import Committing
from tests.make import accounts
from tests.make import catalog as make
from tests.redis_cluster import running_cluster

# One Cluster for all of them.
pytestmark = pytest.mark.django_db

CACHE = AsideCache(name="test", version="1")


@pytest.fixture(scope="module")
def cluster_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield ports


@pytest.fixture(autouse=True)
def _on_the_cluster(
    cluster_ports: list[int], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Have the shop use the Cluster for all three roles, as its settings would say it."""
    # The first address is of nobody: the others lead to the Cluster all the same.
    url = ",".join(f"redis://127.0.0.1:{port}" for port in (1, *cluster_ports))
    roles = {"carts": url, "cache": url, "limiter": url}
    monkeypatch.setattr(shop_settings, "REDIS_CLUSTER", list(roles))
    monkeypatch.setattr(shop_settings, "_redis_roles", roles)
    settings.REDIS_CLUSTER = list(roles)
    settings.REDIS_CARTS_URL = settings.REDIS_CACHE_URL = settings.REDIS_LIMITER_URL = url
    settings.CACHES = {
        "default": shop_settings._cache("cache", "shop", 1.0),
        "carts": shop_settings._cache("carts", "carts", 1.0),
        "limiter": shop_settings._cache("limiter", "limiter", 1.0),
    }
    forget_pages()
    yield
    carts().flushall()
    forget_pages()


@pytest.fixture
def committing(django_capture_on_commit_callbacks: Any) -> Committing:
    return partial(django_capture_on_commit_callbacks, execute=True)


def on_several_nodes(names: list[str]) -> bool:
    return len({key_slot(name.encode()) * 3 // 16_384 for name in names}) > 1


def test_all_three_roles_are_clusters() -> None:
    for client in (carts(), cache_client(), limiter()):
        assert isinstance(client, RedisCluster)
        assert len(client.get_primaries()) == 3


def test_a_product_is_read_from_the_cache_and_dropped_when_it_changes(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, committing: Committing
) -> None:
    mug = make.product(slug="mug", price=1500)
    paths = [f"/api/v1/products/{mug.pk}", "/api/v1/products/mug", "/api/v1/products/none"]
    first = [client.get(path) for path in paths]
    forget_pages()  # as another process

    with django_assert_num_queries(0):
        again = [client.get(path) for path in paths]

    assert [answer.status_code for answer in again] == [200, 200, 404]
    assert [answer.content for answer in again[:2]] == [answer.content for answer in first[:2]]
    with committing():
        draft = PriceDraft(mug.variants.get().pk, "GBP", amount_minor=1700)
        set_prices(drafts=[draft], now=make.NOW)
    for path in paths[:2]:
        assert client.get(path).json()["price"]["min"]["amount"] == "17.00"


def test_a_late_reader_buries_no_update() -> None:
    def load_while_a_writer_commits() -> bytes:
        CACHE.invalidate([1])
        return b"old"

    CACHE.get(1, load_while_a_writer_commits)

    assert CACHE.get(1, lambda: b"new") == b"new"


def test_many_keys_on_several_nodes_are_read_filled_and_dropped() -> None:
    keys: list[str | int] = list(range(50))
    assert on_several_nodes([CACHE._key(key) for key in keys])
    asked: list[int] = []

    def load(wanted: Any) -> Mapping[str | int, bytes]:
        asked.append(len(wanted))
        return {key: b"%d" % key for key in wanted}

    expected = {key: b"%d" % int(key) for key in keys}
    assert CACHE.get_many(keys, load) == expected
    assert CACHE.get_many(keys, load) == expected
    assert CACHE.peek(keys) == expected
    CACHE.invalidate(keys[:20])
    assert CACHE.get_many(keys, load) == expected

    assert asked == [50, 20]


def test_a_node_that_has_forgotten_the_scripts_is_told_them_again() -> None:
    keys: list[str | int] = list(range(20))
    CACHE.get_many(keys, lambda wanted: dict.fromkeys(wanted, b"old"))
    cache_client().script_flush()

    CACHE.invalidate(keys)
    cache_client().script_flush()
    assert CACHE.get(1, lambda: b"new") == b"new"
    cache_client().script_flush()
    assert CACHE.get_many(keys, lambda wanted: dict.fromkeys(wanted, b"newer"))[2] == b"newer"


def test_cards_of_variants_are_read_in_one_go() -> None:
    ids = [make.product(price=100 + number).variants.get().pk for number in range(10)]

    first = variant_cards(ids, currency="GBP")
    assert variant_cards(ids, currency="GBP") == first
    assert first.keys() == set(ids)


def test_the_limit_is_exact() -> None:
    keys = [f"rl:{{client-{number}:route}}" for number in range(6)]
    assert on_several_nodes(keys)

    for key in keys:
        taken = run_together([partial(take_shared, key, Rate(10, 60))] * 25, workers=8)
        assert sum(one.is_allowed for one in taken) == 10  # type: ignore[union-attr]


def test_a_request_over_the_limit_is_refused(client: Client, settings: Any) -> None:
    settings.SHOP_RATE_LIMIT = Rate(3, 60)

    answers = [client.get("/api/v1/collections") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[2]["RateLimit"].startswith('"default";r=0')


def test_attempts_to_log_in_are_counted_in_djangos_cache(api: APIClient) -> None:
    user = accounts.customer()
    wrong = {"email": user.email, "password": "not the password"}

    statuses = [api.post("/api/v1/auth/token", wrong).status_code for _ in range(12)]

    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert any(b"rl:" in key for key in limiter().scan_iter(match="limiter:*"))


def test_a_cart_is_edited_merged_and_emptied(api: APIClient) -> None:
    guests = [cart_store.guest_cart_id(cart_store.new_token()) for _ in range(8)]
    names = [cart_store.cart_key(guest) for guest in (*guests, "u1")]
    assert on_several_nodes(names)

    for number, guest in enumerate(guests, start=1):
        _put(guest, variant_id=number)
        merged = cart_store.merge(guest, "u1", expected=None)
        assert merged.outcome is cart_store.Outcome.DONE
        assert cart_store.read(guest) is None

    cart = cart_store.read("u1")
    assert cart is not None
    assert cart_store.look_at("u1") == replace(cart, expires_at=None)
    assert [line.variant_id for line in cart.lines] == list(range(1, 9))
    assert cart_store.empty("u1", version=cart.version)
    assert api.get("/api/v1/cart").status_code == 200


def _put(cart_id: str, *, variant_id: int) -> None:
    cart_store.edit(
        cart_id,
        action="add",
        operation=uuid.uuid4().hex,
        must_exist=False,
        expected=None,
        variant_id=variant_id,
        quantity=2,
        default_currency="GBP",
    )


def test_the_gates_of_two_sales_let_in_refuse_and_tell_how_they_stand() -> None:
    for sale_id in (7, 8):
        pace = gate.Pace(sale_id=sale_id, per_second=10_000, at_once=1000, kept_ms=60_000)
        enter = partial(gate.enter, pace, ticket="")

        assert enter(key="a", holder="ada", new_ticket="t1").state == "ask"
        assert enter(key="a", holder="ada", new_ticket="t1", left=5).state == "pass"
        assert gate.state_of(sale_id).in_flight == 1
        gate.leave(pace, key="a", forgets=True)
        gate.note_left(sale_id=sale_id, units=0)
        assert enter(key="b", holder="bob", new_ticket="t2").state == "sold_out"
        assert gate.state_of(sale_id).in_flight == 0


def test_units_are_remembered_and_forgotten_on_several_nodes() -> None:
    known = {number: number * 10 for number in range(30)}

    units.remember_units(known)
    assert units.remembered_units(list(known)) == known
    units.forget_units(list(known)[:15])

    assert units.remembered_units(list(known)) == dict(list(known.items())[15:])
    before, after = timezone.now() - timedelta(minutes=1), timezone.now() + timedelta(minutes=1)
    assert units.have_moved(dict.fromkeys(known, before))
    assert not units.have_moved(dict.fromkeys(known, after))
    assert not units.have_moved(dict.fromkeys(list(known)[15:], before))


def test_djangos_cache_reads_and_writes_many() -> None:
    cache = caches["default"]
    told = {f"name-{number}": {"number": number} for number in range(30)}

    cache.set_many(told, 60)
    assert cache.get_many([*told, "unknown"]) == told
    assert cache.get("name-3") == {"number": 3}
    assert cache.add("name-3", 1) is False
    cache.set("count", 1, 60)
    assert cache.incr("count") == 2
    assert set(cache.keys("name-*")) == set(told)  # type: ignore[attr-defined]
    cache.delete_many(list(told)[:10])
    assert len(cache.get_many(told)) == 20
    cache.clear()
    assert cache.get_many(told) == {}


def test_nothing_fails_while_a_slot_moves_to_another_node(cluster_ports: list[int]) -> None:
    _put("u1", variant_id=7)
    slot = key_slot(cart_store.cart_key("u1").encode())
    nodes = [redis.Redis(port=port) for port in cluster_ports]
    ids = [node.execute_command("CLUSTER", "MYID").decode() for node in nodes]  # type: ignore[no-untyped-call]
    old = slot * 3 // 16_384
    new = (old + 1) % 3

    nodes[new].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old])  # type: ignore[no-untyped-call]
    nodes[old].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[new])  # type: ignore[no-untyped-call]
    _put("u1", variant_id=8)
    keys = nodes[old].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)  # type: ignore[no-untyped-call]
    where = ("MIGRATE", "127.0.0.1", cluster_ports[new], "", 0, 1000, "KEYS")
    nodes[old].execute_command(*where, *keys)  # type: ignore[no-untyped-call]
    _put("u1", variant_id=9)  # it is on the new node, and the old one still has the slot
    for node in (nodes[new], nodes[old]):
        node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[new])  # type: ignore[no-untyped-call]
    _put("u1", variant_id=10)

    cart = cart_store.read("u1")
    assert cart is not None
    assert [line.variant_id for line in cart.lines] == [7, 8, 9, 10]


def test_the_doctor_looks_at_it() -> None:
    found = {finding.subject: finding for finding in doctor._redis()}

    assert "maxmemory-policy noeviction" in found["redis carts"].detail


def test_it_is_ready_and_says_so(client: Client) -> None:
    checks = client.get("/readyz").json()["checks"]

    assert {checks[f"redis_{role}"] for role in ("carts", "cache", "limiter")} == {"ok"}
