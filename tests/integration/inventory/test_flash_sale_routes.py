"""Flash sales, tickets and limits over HTTP: who may, what is answered, what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Variant
from inventory.models import FlashSale, PurchaseLimit
from inventory.selectors import forget_sale_board
from inventory.serializers import (
    FlashSaleResponse,
    FlashSaleStaffResponse,
    PurchaseLimitResponse,
)
from inventory.services import StockLine, reserve_stock
from inventory.store import gate
from shop.http.rate_limit.rates import Rate
from tests.make import inventory as make
from tests.make import sales
from tests.make.accounts import customer, make_staff, signed_in, superuser

pytestmark = pytest.mark.django_db

SALES = "/api/v1/flash-sales"
LIMITS = "/api/v1/inventory/purchase-limits"
WHO = ["nobody", "customer", "staff without it", "staff with it", "superuser"]


def body(variant: Variant, **changes: Any) -> dict[str, Any]:
    now = timezone.now().replace(microsecond=0)
    return {
        "slug": "black-friday",
        "name": "Black Friday",
        "variant_id": variant.pk,
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
        "units": 5,
        **changes,
    }


def as_who(api: APIClient, who: str, permission: str) -> APIClient:
    match who:
        case "customer":
            signed_in(api, customer())
        case "staff without it":
            signed_in(api, make_staff("inventory.view_stock"))
        case "staff with it":
            signed_in(api, make_staff(permission))
        case "superuser":
            signed_in(api, superuser())
    return api


def expected_of(who: str, status: int) -> int:
    return {"nobody": 401, "customer": 403, "staff without it": 403}.get(who, status)


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(
    ("method", "permission", "status"),
    [
        ("post", "inventory.add_flashsale", 201),
        ("patch", "inventory.change_flashsale", 200),
        ("delete", "inventory.delete_flashsale", 204),
    ],
)
def test_staff_with_the_permission_alone_plan_sales(
    api: APIClient, who: str, method: str, permission: str, status: int
) -> None:
    variant = make.stock().variant
    path = SALES
    sent: dict[str, Any] = body(variant)
    if method != "post":
        sale = sales.flash_sale(variant)
        path, sent = f"{SALES}/{sale.slug}", {"units": 7} if method == "patch" else {}
    before = list(FlashSale.objects.values_list("slug", "units"))

    answer = getattr(as_who(api, who, permission), method)(path, sent, format="json")

    expected = expected_of(who, status)
    assert answer.status_code == expected, answer.content
    if expected >= 400:
        assert list(FlashSale.objects.values_list("slug", "units")) == before
    else:
        assert list(FlashSale.objects.values_list("slug", "units")) != before


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(
    ("method", "permission", "status"),
    [
        ("get", "inventory.view_purchaselimit", 200),
        ("put", "inventory.change_purchaselimit", 200),
        ("delete", "inventory.delete_purchaselimit", 204),
    ],
)
def test_staff_with_the_permission_alone_set_limits(
    api: APIClient, who: str, method: str, permission: str, status: int
) -> None:
    limit = sales.purchase_limit(make.stock().variant, 2)

    answer = getattr(as_who(api, who, permission), method)(
        f"{LIMITS}/{limit.variant_id}", {"units": 3} if method == "put" else {}, format="json"
    )

    expected = expected_of(who, status)
    assert answer.status_code == expected
    left = list(PurchaseLimit.objects.values_list("units", flat=True))
    assert left == ([2] if expected >= 400 or method == "get" else [3] if method == "put" else [])


class TestShowing:
    def test_shows_a_sale_to_everyone_as_documented(self, api: APIClient) -> None:
        stock = make.stock(on_hand=30)
        sale = sales.flash_sale(stock.variant, units=12, limit_per_customer=2)

        answer = api.get(f"{SALES}/{sale.slug}")

        assert answer["Cache-Control"] == "public, max-age=2"
        shown = answer.json()
        assert set(shown) == set(FlashSaleResponse().fields)
        assert (
            shown
            | {
                "slug": sale.slug,
                "sku": stock.variant.sku,
                "state": "running",
                "limit_per_customer": 2,
                "availability": {"state": "in_stock", "quantity": 10},
            }
            == shown
        )

    def test_has_no_sql_while_it_is_cached(
        self, api: APIClient, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        sale = sales.flash_sale(make.stock().variant)
        first = api.get(f"{SALES}/{sale.slug}")

        with django_assert_num_queries(0):
            again = api.get(f"{SALES}/{sale.slug}")
            known = api.get(f"{SALES}/{sale.slug}", headers={"If-None-Match": first["ETag"]})

        assert (again.content, known.status_code) == (first.content, 304)

    def test_an_unknown_one_is_not_found(self, api: APIClient) -> None:
        answer = api.get(f"{SALES}/nonsense")

        assert (answer.status_code, answer.json()["code"]) == (404, "flash_sale_not_found")

    @pytest.mark.parametrize("size", [1, 20])
    def test_lists_those_that_run_or_are_to_come_in_three_queries(
        self, api: APIClient, size: int
    ) -> None:
        now = timezone.now()
        for stock in make.many_stocks(size, on_hand=3):
            sales.flash_sale(stock.variant)
        sales.flash_sale(make.stock().variant, now=now - timedelta(hours=3))
        sales.flash_sale(make.stock().variant, now=now + timedelta(hours=3), name="To come")

        # The page; what is left of its sales.
        with CaptureQueriesContext(connection) as asked:
            rows = api.get(SALES, {"page_size": 100}).json()["results"]

        assert len(asked) <= 3
        assert len(rows) == size + 1
        assert [row["state"] for row in rows] == ["running"] * size + ["upcoming"]


class TestPlanning:
    def test_answers_with_what_staff_need(self, clerk: APIClient) -> None:
        variant = make.stock().variant

        answer = clerk.post(SALES, body(variant, limit_per_customer=1), format="json")

        assert answer.status_code == 201, answer.content
        assert set(answer.json()) == set(FlashSaleStaffResponse().fields)
        assert (answer["ETag"], answer.json()["taken"]) == ('"1"', 0)
        assert FlashSale.objects.get().variant == variant

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"units": 0}, 400, "malformed_request"),
            ({"units": "5"}, 400, "malformed_request"),
            ({"slug": "not a slug"}, 400, "malformed_request"),
            ({"starts_at": "2026-11-27T18:00:00"}, 400, "malformed_request"),
            ({"starts_at": "2199-01-01T00:00:00Z"}, 400, "malformed_request"),
            ({"surprise": 1}, 400, "unknown_field"),
            ({"variant_id": 2**62}, 404, "variant_not_found"),
        ],
    )
    def test_refuses_nonsense_and_plans_nothing(
        self, clerk: APIClient, change: dict[str, Any], status: int, code: str
    ) -> None:
        answer = clerk.post(SALES, body(make.stock().variant, **change), format="json")

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not FlashSale.objects.exists()

    def test_refuses_a_second_one_at_that_time(self, clerk: APIClient) -> None:
        variant = make.stock().variant
        sales.flash_sale(variant)

        answer = clerk.post(SALES, body(variant), format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "flash_sale_overlaps")
        assert FlashSale.objects.count() == 1

    def test_a_tag_that_was_read_is_good_while_units_sell_and_not_after_a_change(
        self, clerk: APIClient
    ) -> None:
        stock = make.stock()
        sale = sales.flash_sale(stock.variant)
        path = f"{SALES}/{sale.slug}"
        tag = clerk.get(path)["ETag"]
        now = timezone.now()
        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)], reference="order:1", expires_at=now, now=now
        )

        first = clerk.patch(path, {"units": 6}, format="json", headers={"If-Match": tag})
        second = clerk.patch(path, {"units": 9}, format="json", headers={"If-Match": tag})
        third = clerk.delete(path, headers={"If-Match": '"nonsense"'})

        assert (first.status_code, first["ETag"], first.json()["units"]) == (200, '"2"', 6)
        assert (second.status_code, second.json()["code"]) == (412, "version_mismatch")
        assert third.status_code == 412
        assert FlashSale.objects.get().units == 6

    def test_one_that_has_sold_is_not_deleted(self, clerk: APIClient) -> None:
        stock = make.stock()
        sale = sales.flash_sale(stock.variant)
        now = timezone.now()
        reserve_stock(
            lines=[StockLine(stock.variant_id, 1)], reference="order:1", expires_at=now, now=now
        )

        answer = clerk.delete(f"{SALES}/{sale.slug}")

        assert (answer.status_code, answer.json()["code"]) == (409, "flash_sale_has_sold")
        assert FlashSale.objects.exists()


class TestTickets:
    def test_of_one_client_share_one_limit_however_many_they_are(
        self, api: APIClient, settings: Any
    ) -> None:
        now = timezone.now()
        polls = []
        for _ in range(2):
            sale = sales.flash_sale(make.stock().variant, starts_at=now + timedelta(minutes=1))
            polls.append(api.post(f"{SALES}/{sale.slug}/tickets").json()["ticket"]["poll_url"])
        settings.SHOP_RATE_LIMIT = Rate(4, 60)

        answers = [api.get(polls[turn % 2]) for turn in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert answers[0]["RateLimit-Policy"] == '"default";q=4;w=60'
        assert api.get(SALES).status_code == 200
        elsewhere = APIClient(REMOTE_ADDR="192.0.2.9")
        assert elsewhere.get(polls[0]).status_code == 200

    def test_queue_up_before_the_sale_and_hear_how_it_stands_without_sql(
        self, api: APIClient, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        now = timezone.now()
        sale = sales.flash_sale(make.stock().variant, starts_at=now + timedelta(minutes=1))
        tickets = [api.post(f"{SALES}/{sale.slug}/tickets") for _ in range(2)]
        told = tickets[1].json()["ticket"]
        api.get(told["poll_url"])

        with django_assert_num_queries(0):
            answer = api.get(told["poll_url"])

        assert [one.status_code for one in tickets] == [202, 202]
        assert (
            answer.json()["ticket"] | {"state": "waiting", "position": 2}
            == (answer.json()["ticket"])
        )
        assert 50 <= answer.json()["ticket"]["estimated_seconds"] <= 65
        assert int(answer["Retry-After"]) >= 1
        assert answer["Cache-Control"] == "private, no-store"

    def test_a_cart_has_one_place(self, api: APIClient) -> None:
        sale = sales.flash_sale(
            make.stock().variant, starts_at=timezone.now() + timedelta(minutes=1)
        )
        api.credentials(HTTP_X_CART_TOKEN="x" * 32)

        ids = {api.post(f"{SALES}/{sale.slug}/tickets").json()["ticket"]["id"] for _ in range(3)}

        assert len(ids) == 1

    def test_a_stranger_who_asks_again_with_the_same_key_has_the_same_place(
        self, api: APIClient
    ) -> None:
        # Control: each retry of a lost answer used to be one more place in line.
        sale = sales.flash_sale(
            make.stock().variant, starts_at=timezone.now() + timedelta(minutes=1)
        )

        def place(**headers: str) -> str:
            answer = api.post(f"{SALES}/{sale.slug}/tickets", headers=headers)
            return str(answer.json()["ticket"]["id"])

        first, again = (place(**{"Idempotency-Key": "k"}) for _ in range(2))
        others = {place(), place(), place(**{"Idempotency-Key": "l"})}

        assert first == again
        assert len({first, *others}) == 4
        malformed = api.post(
            f"{SALES}/{sale.slug}/tickets", headers={"Idempotency-Key": "two, of them"}
        )
        assert malformed.json()["code"] == "idempotency_key_invalid"

    def test_are_gone_at_once_when_it_is_sold_out_or_over(self, api: APIClient) -> None:
        now = timezone.now()
        sale = sales.flash_sale(make.stock().variant, starts_at=now + timedelta(minutes=1))
        ticket = api.post(f"{SALES}/{sale.slug}/tickets").json()["ticket"]
        FlashSale.objects.update(starts_at=now - timedelta(minutes=1))
        forget_sale_board()
        gate.note_left(sale_id=sale.pk, units=0)

        told = api.get(ticket["poll_url"]).json()["ticket"]
        assert (told["state"], told["reason"]) == ("gone", "sold_out")
        assert api.post(f"{SALES}/{sale.slug}/tickets").json()["code"] == "out_of_stock"

        FlashSale.objects.update(ends_at=now - timedelta(seconds=1))
        forget_sale_board()
        told = api.get(ticket["poll_url"]).json()["ticket"]
        assert (told["state"], told["reason"]) == ("gone", "ended")
        assert api.post(f"{SALES}/{sale.slug}/tickets").json()["code"] == "flash_sale_over"

    @pytest.mark.parametrize("name", ["nonsense", "1.abc.def", "..", "\u00e9.x.y", "1..%00"])
    def test_that_nobody_gave_are_not_found(self, api: APIClient, name: str) -> None:
        answer = api.get(f"{SALES}/tickets/{name}")

        assert answer.status_code == 404

    def test_of_a_sale_that_is_not_there_are_not_given(self, api: APIClient) -> None:
        assert api.post(f"{SALES}/nonsense/tickets").json()["code"] == "flash_sale_not_found"


class TestLimits:
    def test_are_set_read_listed_and_removed(self, clerk: APIClient) -> None:
        variant = make.stock().variant
        path = f"{LIMITS}/{variant.pk}"
        assert clerk.get(path).json()["code"] == "purchase_limit_not_found"

        made = clerk.put(path, {"units": 2, "window_days": 30}, format="json")

        assert made.status_code == 200, made.content
        assert set(made.json()) == set(PurchaseLimitResponse().fields)
        assert clerk.get(path).json() == made.json()
        assert clerk.get(LIMITS).json()["results"] == [made.json()]

        again = clerk.put(path, {"units": 3}, format="json", headers={"If-Match": made["ETag"]})
        stale = clerk.put(path, {"units": 9}, format="json", headers={"If-Match": made["ETag"]})
        assert (again.json()["units"], again.json()["window_days"]) == (3, None)
        assert stale.status_code == 412
        assert PurchaseLimit.objects.get().units == 3

        assert clerk.delete(path).status_code == 204
        assert clerk.delete(path).status_code == 404
        assert clerk.get(LIMITS).json()["results"] == []

    @pytest.mark.parametrize("sent", [{}, {"units": 0}, {"units": 1, "window_days": 0}])
    def test_refuse_nonsense(self, clerk: APIClient, sent: dict[str, int]) -> None:
        variant = make.stock().variant

        assert clerk.put(f"{LIMITS}/{variant.pk}", sent, format="json").status_code == 400
        assert not PurchaseLimit.objects.exists()

    @pytest.mark.parametrize("number", [2**62, 2**70])  # the second used to be a 500
    def test_of_an_unknown_variant_are_refused(self, clerk: APIClient, number: int) -> None:
        path = f"{LIMITS}/{number}"

        unknown = clerk.put(path, {"units": 1}, format="json")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "variant_not_found")
        assert clerk.delete(path).status_code == 404
        assert clerk.get(path).status_code == 404

    @pytest.mark.parametrize("size", [1, 20])
    def test_are_listed_in_few_queries(self, clerk: APIClient, size: int) -> None:
        for stock in make.many_stocks(size, on_hand=1):
            sales.purchase_limit(stock.variant, 1, now=datetime(2026, 11, 23, tzinfo=UTC))
        clerk.get(LIMITS)

        with CaptureQueriesContext(connection) as asked:
            rows = clerk.get(LIMITS, {"page_size": 50}).json()["results"]

        assert (len(rows), len(asked)) == (size, 1)
