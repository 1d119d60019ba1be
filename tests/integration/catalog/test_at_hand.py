"""The short way past DRF: what it answers is, to the byte, what the long way answers."""

import itertools
import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory, override_settings
from pytest_django import DjangoAssertNumQueries
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from catalog.models import Product
from catalog.selectors import forget_pages
from catalog.services import PriceDraft, set_prices
from catalog.views import ProductView
from shop.cache.aside import AsideCache
from shop.cache.drops import HEARD_SECONDS
from shop.http import at_hand
from tests.integration.catalog.conftest import Committing, Trips
from tests.make import accounts
from tests.make import catalog as make
from tests.short_way import SHORT_WAY, headers_of, no_short_way, watch_short_way
from tests.trips import seeing_trips

pytestmark = pytest.mark.django_db

NOW = make.NOW


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that tells which requests went the short way."""
    return watch_short_way(ProductView, monkeypatch)


def product() -> Product:
    return make.product(slug="mug", title="Mug", price=1500, in_stock=3)


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json, text/plain, */*"},
        {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
        {"If-None-Match": '"another"'},
        {"If-None-Match": "*"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "https://www.shop.example"},
        {"Authorization": "Bearer nonsense"},
        {"X-Forwarded-Proto": "https"},
    ],
    ids=lambda headers: " ".join(itertools.chain(*headers.items())) or "plain",
)
@override_settings(
    CORS_ALLOWED_ORIGINS=["https://www.shop.example"],
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    SECURE_HSTS_SECONDS=60,
)
def test_both_ways_give_the_same(
    method: str, headers: dict[str, str], client: Client, answered: list[str]
) -> None:
    path = f"/api/v1/products/{product().slug}"
    client.get(path)

    headers = {"X-Request-ID": "the-same-for-both", **headers}
    short = getattr(client, method)(path, headers=headers)
    assert answered == [path]
    with no_short_way() as other:
        long = getattr(other, method)(path, headers=headers)
    assert answered == [path]

    assert short.status_code == long.status_code == (304 if "*" in headers.values() else 200)
    assert short.content == long.content
    assert headers_of(short) == headers_of(long)


def test_both_ways_tell_the_same_client_that_its_copy_is_current(
    client: Client, answered: list[str]
) -> None:
    path = f"/api/v1/products/{product().pk}"
    etag = client.get(path)["ETag"]

    headers = {"X-Request-ID": "the-same-for-both", "If-None-Match": f'"old", W/{etag}'}
    short = client.get(path, headers=headers)
    with no_short_way() as other:
        long = other.get(path, headers=headers)

    assert answered == [path]
    assert short.status_code == long.status_code == 304
    assert short.content == long.content == b""
    assert headers_of(short) == headers_of(long)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("get", "/api/v1/products/mug?colour=red", {}, 400),
        ("get", "/api/v1/products/mug?currency=XXX", {}, 400),
        ("get", "/api/v1/products/mug?currency=GBP", {}, 200),
        ("get", "/api/v1/products/mug?currency=EUR", {}, 404),
        ("get", "/api/v1/products/teapot", {}, 404),
        ("get", "/api/v1/products/99999999", {}, 404),
        ("get", "/api/v1/products/mug/nowhere", {}, 404),
        ("post", "/api/v1/products/mug", {}, None),
        ("put", "/api/v1/products/mug", {}, 405),
        ("options", "/api/v1/products/mug", {}, 405),
        ("get", "/api/v1/products/mug", {"Accept": "text/html"}, 406),
        ("get", "/api/v1/products/mug", {"Accept": ""}, None),
        ("get", "/api/v1/products/mug", {"Content-Encoding": "gzip"}, 415),
        ("get", "/api/v1/products/mug", {"Host": "elsewhere.example"}, 400),
    ],
)
def test_whatever_is_refused_goes_the_long_way(
    method: str,
    path: str,
    headers: dict[str, str],
    status: int | None,
    client: Client,
    answered: list[str],
) -> None:
    product()
    client.get("/api/v1/products/mug")

    headers = {"X-Request-ID": "the-same-for-both", **headers}
    short = getattr(client, method)(path, headers=headers)
    with no_short_way() as other:
        long = getattr(other, method)(path, headers=headers)

    assert answered == []
    assert short.status_code == long.status_code
    assert status in (None, short.status_code)
    assert short.content == long.content
    assert headers_of(short) == headers_of(long)


@pytest.mark.parametrize("status", [200, 304])
@pytest.mark.parametrize("is_signed_in", [False, True], ids=["anonymous", "signed in"])
def test_a_copy_at_hand_costs_no_sql_and_the_trip_of_the_limiter(
    status: int,
    is_signed_in: bool,
    api: APIClient,
    django_assert_num_queries: DjangoAssertNumQueries,
    redis_trips: Trips,
    answered: list[str],
) -> None:
    if is_signed_in:
        accounts.signed_in(api, accounts.customer())
    path = f"/api/v1/products/{product().pk}"
    first = api.get(path)
    known = {"If-None-Match": first["ETag"]} if status == 304 else {}

    with django_assert_num_queries(0), redis_trips() as trips:
        assert api.get(path, headers=known).status_code == status
    assert len(trips) == 1

    forget_pages()  # as in another process
    with django_assert_num_queries(0), redis_trips() as trips:
        assert api.get(path, headers=known).status_code == status
    assert len(trips) == 2
    assert answered == [path, path]


def test_a_change_is_seen_by_the_next_reader(client: Client, committing: Committing) -> None:
    mug = product()
    path = f"/api/v1/products/{mug.pk}"
    before = client.get(path)

    with committing():
        set_prices(
            drafts=[PriceDraft(mug.variants.get().pk, "GBP", amount_minor=1700)],
            now=NOW,
        )

    after = client.get(path)
    assert before.json()["price"]["min"]["amount"] == "15.00"
    assert after.json()["price"]["min"]["amount"] == "17.00"
    assert after["ETag"] != before["ETag"]


def test_a_change_by_another_process_is_seen_when_the_copy_is_too_old(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug = product()
    path = f"/api/v1/products/{mug.pk}"
    client.get(path)

    # What another process does: the row and the shared copy, and nothing in this one.
    Product.objects.filter(pk=mug.pk).update(title="Beaker")
    AsideCache(name="product", version="1").invalidate([f"{mug.pk}:GBP"])

    assert client.get(path).json()["title"] == "Mug"
    now = time.monotonic()
    monkeypatch.setattr("shop.cache.memory.time.monotonic", lambda: now + HEARD_SECONDS + 0.01)
    assert client.get(path).json()["title"] == "Beaker"


def test_a_store_that_is_away_sends_the_reader_the_long_way(
    client: Client, monkeypatch: pytest.MonkeyPatch, answered: list[str]
) -> None:
    path = f"/api/v1/products/{product().pk}"
    client.get(path)
    forget_pages()

    def refuse(*_: object, **__: object) -> None:
        raise RedisConnectionError("away")

    with seeing_trips(refuse):
        response = client.get(path)

    assert response.status_code == 200
    assert answered == []


def test_who_comes_without_tls_is_sent_to_it_by_the_long_way(
    client: Client, settings: Any, answered: list[str]
) -> None:
    """A layer that answers by itself is not passed by, and its words are no headers."""
    path = f"/api/v1/products/{product().pk}"
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    client.get(path, headers={"X-Forwarded-Proto": "https"})
    plain = client.get(path)
    secure = client.get(path, headers={"X-Forwarded-Proto": "https"})

    assert plain.status_code == 301
    assert plain["Location"] == f"https://testserver{path}"
    assert secure.status_code == 200


def test_what_the_layers_say_to_one_origin_is_not_said_to_another(
    client: Client, settings: Any, answered: list[str]
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://www.shop.example"]
    path = f"/api/v1/products/{product().pk}"
    client.get(path)

    def allowed(origin: str) -> str | None:
        return client.get(path, headers={"Origin": origin}).get("Access-Control-Allow-Origin")

    for _ in range(2):
        assert allowed("https://www.shop.example") == "https://www.shop.example"
        assert allowed("https://evil.example") is None
    assert len(answered) == 4


def test_who_adds_a_middleware_decides_whether_a_short_answer_needs_it() -> None:
    """Below the short way are layers, which are asked, and what only pages and writes need."""
    below = settings.MIDDLEWARE[settings.MIDDLEWARE.index(SHORT_WAY) + 1 :]

    assert [name for name in below if name not in settings.SHOP_HEADER_LAYERS] == [
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "shop.staff.gate.AdminGateMiddleware",
        "shop.http.admin_middleware.AdminSessionMiddleware",
        "shop.http.admin_middleware.AdminCardNumbersMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "shop.http.admin_middleware.AdminAuthenticationMiddleware",
        "shop.http.admin_middleware.AdminMessageMiddleware",
    ]


def test_origins_that_strangers_make_up_take_bounded_room() -> None:
    layers = at_hand._Layers(settings.SHOP_HEADER_LAYERS)

    for number in range(3 * at_hand._KINDS):
        layers.headers_for(
            RequestFactory().get("/api/v1/products/1", HTTP_ORIGIN=f"https://{number}.example")
        )
    layers.headers_for(RequestFactory().get("/api/v1/products/1", HTTP_ORIGIN="https://a" * 100))

    assert len(layers._said) <= at_hand._KINDS
    assert max(len(origin or "") for _, origin in layers._said) <= at_hand._LONGEST_ORIGIN
