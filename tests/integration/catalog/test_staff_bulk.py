"""Many products and prices at once, with a result for each."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.models import Price, PriceHistory, Product, ProductListing, Variant
from catalog.services import PriceDraft, ProductDraft, set_prices_each, upsert_each
from shop.models import OutboxMessage
from tests.concurrency import run_before
from tests.integration.catalog.conftest import Committing
from tests.make import catalog as make
from tests.make.accounts import signed_in, superuser

pytestmark = pytest.mark.django_db

NOW = make.NOW
BULK = "/api/v1/products/bulk"
PRICES = "/api/v1/prices"


@pytest.fixture
def clerk(api: APIClient) -> APIClient:
    return signed_in(api, superuser())


def pounds(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def mug(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "slug": f"mug-{number}",
        "title": f"Mug {number}",
        "status": "active",
        "variants": [{"sku": f"MUG-{number}", "prices": [{"price": pounds("5.00")}]}],
        **changes,
    }


def results(clerk: APIClient, address: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = clerk.post(address, body)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


class TestProducts:
    def test_each_has_its_result_and_the_good_ones_are_in(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        make.product(slug="other", variants=[make.variant_draft(sku="TAKEN")])
        clerk.post(BULK, {"products": [mug(1), mug(2)]})
        clerk.get("/api/v1/products/mug-2")
        rows = [
            mug(1),
            mug(2, title="Better mug", description_html="<script>x</script>Good"),
            mug(3),
            mug(4, category="none"),
            mug(5, variants=[{"sku": "TAKEN"}]),
            mug(6, variants=[{"sku": "A", "options": {"Size": "S"}}]),
            mug(3),
            mug(7, variants=[{"sku": "MUG-3"}]),
        ]

        with committing():
            found = results(clerk, BULK, {"products": rows})

        assert [(row["slug"], row["outcome"], row["code"]) for row in found] == [
            ("mug-1", "unchanged", ""),
            ("mug-2", "updated", ""),
            ("mug-3", "created", ""),
            ("mug-4", "failed", "invalid_product"),
            ("mug-5", "failed", "sku_taken"),
            ("mug-6", "failed", "invalid_product"),
            ("mug-3", "failed", "invalid_product"),
            ("mug-7", "failed", "sku_taken"),
        ]
        assert found[3]["problems"] == ["there is no category none"]
        assert set(Product.objects.values_list("slug", flat=True)) == {
            "other",
            "mug-1",
            "mug-2",
            "mug-3",
        }
        shown = clerk.get("/api/v1/products/mug-2").json()
        assert (shown["title"], shown["description_html"]) == ("Better mug", "Good")
        assert found[2]["product_id"] == Product.objects.get(slug="mug-3").pk

    def test_a_dry_run_tells_the_same_and_leaves_nothing(self, clerk: APIClient) -> None:
        clerk.post(BULK, {"products": [mug(1)]})
        before = list(Product.objects.values())
        told, steps = OutboxMessage.objects.count(), PriceHistory.objects.count()

        found = results(
            clerk,
            BULK,
            {
                "products": [mug(1, title="Other"), mug(2), mug(3, category="none")],
                "dry_run": True,
            },
        )

        assert [row["outcome"] for row in found] == ["updated", "created", "failed"]
        assert [row["product_id"] for row in found] == [before[0]["id"], None, None]
        assert list(Product.objects.values()) == before
        assert ProductListing.objects.count() == 1
        assert (OutboxMessage.objects.count(), PriceHistory.objects.count()) == (told, steps)

    @pytest.mark.parametrize(
        "body",
        [
            {"products": []},
            {"products": [{"title": "No slug"}]},
            {"products": [mug(1), mug(2, title=None)]},
            {"products": [mug(1, surprise=1)]},
            {"products": [mug(number) for number in range(201)]},
            {"products": [mug(1)], "dry_run": "yes"},
        ],
    )
    def test_what_cannot_be_read_is_refused_whole(
        self, clerk: APIClient, body: dict[str, Any]
    ) -> None:
        assert clerk.post(BULK, body).status_code == 400
        assert not Product.objects.exists()

    def test_takes_the_same_statements_for_any_number(self) -> None:
        counts = []
        for size in (1, 40):
            drafts = [
                ProductDraft(
                    slug=f"p{size}-{number}",
                    title="P",
                    variants=[make.variant_draft(sku=f"S{size}-{number}")],
                )
                for number in range(size)
            ]
            with CaptureQueriesContext(connection) as seen:
                upsert_each(drafts=drafts, now=NOW)
            counts.append(len(seen))

        assert counts[0] == counts[1]

    @pytest.mark.django_db(transaction=True)
    def test_a_sku_that_is_taken_meanwhile_fails_its_product_alone(self) -> None:
        def take() -> None:
            make.product(slug="rival", variants=[make.variant_draft(sku="RACE")])

        drafts = [
            make.product_draft(slug="late", variants=[make.variant_draft(sku="RACE")]),
            make.product_draft(slug="fine"),
        ]

        with run_before("catalog.services.bulk.upsert_products", take):
            found = upsert_each(drafts=drafts, now=NOW)

        assert [(row.outcome, row.code) for row in found] == [
            ("failed", "sku_taken"),
            ("created", ""),
        ]
        assert Variant.objects.get(sku="RACE").product.slug == "rival"


class TestPrices:
    def test_each_has_its_result_and_the_good_ones_hold(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        one = make.variant(slug="one", price=1000)
        two = make.variant(slug="two", price=2000)
        clerk.get("/api/v1/products/one")
        window = {"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-08T00:00:00Z"}
        overlapping = {"starts_at": "2026-12-07T00:00:00Z", "ends_at": None}
        rows = [
            {"sku": one.sku, "price": pounds("9.00"), "compare_at_price": pounds("10.00")},
            {"variant_id": two.pk, "price": pounds("20.00")},
            {"variant_id": two.pk, "price": pounds("15.00"), **window},
            {"variant_id": two.pk, "price": pounds("14.00"), **overlapping},
            {"sku": "none", "price": pounds("1.00")},
            {"sku": one.sku, "price": pounds("5.00"), "compare_at_price": pounds("4.00")},
            {"sku": two.sku, "price": {"amount": "22.00", "currency": "EUR"}},
        ]

        with committing():
            found = results(clerk, PRICES, {"prices": rows})

        assert [(row["outcome"], row["code"]) for row in found] == [
            ("updated", ""),
            ("unchanged", ""),
            ("created", ""),
            ("failed", "price_window_overlaps"),
            ("failed", "variant_not_found"),
            ("failed", "invalid_product"),
            ("created", ""),
        ]
        assert [row["variant_id"] for row in found[:2]] == [one.pk, two.pk]
        assert found[4]["variant_id"] is None
        shown = clerk.get("/api/v1/products/one").json()
        assert (shown["price"]["min"], shown["compare_at_price"]) == (
            pounds("9.00"),
            pounds("10.00"),
        )
        assert Price.objects.count() == 4

    def test_a_dry_run_changes_nothing(self, clerk: APIClient) -> None:
        variant = make.variant(price=1000)
        before = list(Price.objects.values()), list(PriceHistory.objects.values())
        told = OutboxMessage.objects.count()

        found = results(
            clerk,
            PRICES,
            {"prices": [{"sku": variant.sku, "price": pounds("1.00")}], "dry_run": True},
        )

        assert found[0]["outcome"] == "updated"
        assert (list(Price.objects.values()), list(PriceHistory.objects.values())) == before
        assert OutboxMessage.objects.count() == told

    @pytest.mark.parametrize(
        "row",
        [
            {"price": pounds("1.00")},
            {"sku": "A", "variant_id": 1, "price": pounds("1.00")},
            {"sku": "A", "price": "1.00"},
            {"sku": "A", "price": {"amount": "1.00", "currency": "USD"}},
            {
                "sku": "A",
                "price": pounds("1.00"),
                "compare_at_price": {"amount": "2.00", "currency": "EUR"},
            },
            {"sku": "A", "price": pounds("1.00"), "starts_at": "tomorrow"},
        ],
    )
    def test_what_cannot_be_read_is_refused_whole(
        self, clerk: APIClient, row: dict[str, Any]
    ) -> None:
        variant = make.variant(variants=[make.variant_draft(sku="A")])
        good = {"variant_id": variant.pk, "price": pounds("1.00")}

        assert clerk.post(PRICES, {"prices": [good, row]}).status_code == 400
        assert Price.objects.get().amount_minor == 1999

    def test_a_withdrawn_price_is_not_asked_for_any_more(
        self, clerk: APIClient, committing: Committing
    ) -> None:
        variant = make.variant(slug="one", price=1000)
        past = datetime(2020, 1, 1, tzinfo=UTC)
        set_prices_each(drafts=[PriceDraft(variant.pk, "GBP", 100, starts_at=past)], now=NOW)
        assert clerk.get("/api/v1/products/one").json()["price"]["min"] == pounds("1.00")
        scheduled = Price.objects.get(starts_at=past)

        with committing():
            assert clerk.delete(f"{PRICES}/{scheduled.pk}").status_code == 204

        assert clerk.get("/api/v1/products/one").json()["price"]["min"] == pounds("10.00")

    def test_takes_the_same_statements_for_any_number(self) -> None:
        variants = [make.variant() for _ in range(40)]
        counts = []
        for size, amount in ((1, 100), (40, 200)):
            drafts = [PriceDraft(variant.pk, "GBP", amount) for variant in variants[:size]]
            with CaptureQueriesContext(connection) as seen:
                set_prices_each(drafts=drafts, now=NOW)
            counts.append(len(seen))

        assert counts[0] == counts[1]
