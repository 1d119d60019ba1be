"""What shoppers are told about stock: the hint, and the catalogue's copy."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from redis.backoff import NoBackoff
from redis.retry import Retry

from inventory.models import Stock
from inventory.selectors import available_units, shown_levels
from inventory.services import (
    Adjustment,
    ReceiptLine,
    StockLine,
    StockTerms,
    adjust_many,
    announce_warehouse,
    commit_stock,
    receive_stock,
    record_availability,
    release_stock,
    reserve_stock,
    set_stock_terms,
)
from inventory.store import units
from inventory.tasks import record_availability as task
from shop.models import OutboxMessage
from shop.redis import cache_client
from tests.make import inventory as make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


def reserve(stock: Stock, units: int, reference: str = "order:1") -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units)],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )


def announced() -> list[list[int]]:
    """Return the variants of each message since the last call."""
    waiting = OutboxMessage.objects.filter(topic="inventory.availability_changed").order_by("id")
    told = [message.payload["variant_ids"] for message in waiting]
    waiting.delete()
    return told


@pytest.mark.parametrize(
    ("on_hand", "backorder_limit", "low_at", "state", "quantity"),
    [
        (0, 0, 5, "out_of_stock", 0),
        (0, 3, 5, "backorder", 3),
        (0, 90, 5, "backorder", 10),
        (1, 0, 5, "low_stock", 1),
        (5, 0, 5, "low_stock", 5),
        (6, 0, 5, "in_stock", 6),
        (1, 0, 0, "in_stock", 1),
        (5, 20, 5, "low_stock", 10),
        (500, 0, 5, "in_stock", 10),
    ],
)
def test_the_state_follows_the_units(
    on_hand: int, backorder_limit: int, low_at: int, state: str, quantity: int
) -> None:
    stock = make.stock(on_hand=on_hand, backorder_limit=backorder_limit, low_at=low_at)

    shown = shown_levels([stock.variant_id])[stock.variant_id]

    assert (shown.state, shown.quantity) == (state, quantity)


def test_promised_units_do_not_count_and_warehouses_add_up() -> None:
    variant = make.bare_variant()
    first = make.stock(variant=variant, on_hand=4)
    make.stock(variant=variant, on_hand=4, warehouse=make.make_warehouse("leeds"))
    idle = make.stock(variant=variant, on_hand=9, warehouse=make.make_warehouse("idle"))
    idle.warehouse.is_active = False
    idle.warehouse.save(update_fields=["is_active"])
    reserve(first, 5)

    shown = shown_levels([variant.pk])[variant.pk]

    assert (shown.state, shown.quantity) == ("low_stock", 3)


def test_a_variant_without_stock_is_out_of_stock() -> None:
    variant = make.bare_variant()

    assert shown_levels([variant.pk])[variant.pk].state == "out_of_stock"


class TestAnnouncing:
    def test_says_nothing_while_shoppers_read_the_same(self) -> None:
        stock = make.stock(on_hand=100)
        announced()

        reserve(stock, 80)
        commit_stock(reference="order:1", now=NOW)

        assert announced() == []

    def test_speaks_up_when_fewer_than_the_cap_are_left_and_when_they_return(self) -> None:
        stock = make.stock(on_hand=12)
        announced()

        reserve(stock, 3)
        assert announced() == [[stock.variant_id]]
        commit_stock(reference="order:1", now=NOW)
        assert announced() == []  # what leaves was promised before
        reserve(stock, 9, "order:2")
        assert announced() == [[stock.variant_id]]
        release_stock(reference="order:2", now=NOW)
        assert announced() == [[stock.variant_id]]

    def test_speaks_up_for_receipts_adjustments_and_terms(self) -> None:
        stock = make.stock(on_hand=0)
        announced()

        receive_stock(
            lines=[ReceiptLine(stock.variant_id, 5)],
            warehouse="main",
            cause="delivery:1",
            reason="",
            now=NOW,
        )
        assert announced() == [[stock.variant_id]]
        adjust_many(
            lines=[Adjustment(stock.variant_id, -1)],
            warehouse="main",
            cause="count:1",
            reason="",
            now=NOW,
        )
        assert announced() == [[stock.variant_id]]
        set_stock_terms(terms=[StockTerms(stock.variant_id, low_at=1)], warehouse="main", now=NOW)
        assert announced() == [[stock.variant_id]]

    def test_one_message_tells_of_all_lines(self) -> None:
        stocks = make.many_stocks(30, on_hand=3)
        announced()

        reserve_stock(
            lines=[StockLine(stock.variant_id, 1) for stock in stocks],
            reference="order:1",
            expires_at=NOW,
            now=NOW,
        )

        assert announced() == [sorted(stock.variant_id for stock in stocks)]

    def test_a_warehouse_that_closes_tells_of_all_it_has(self) -> None:
        stock = make.stock(on_hand=3)
        announced()

        announce_warehouse(warehouse_id=stock.warehouse_id)

        assert announced() == [[stock.variant_id]]


class TestRecording:
    def test_the_catalogue_gets_the_numbers_of_now(self) -> None:
        stock = make.stock(on_hand=3)

        task(message_id="1", payload={"variant_ids": [stock.variant_id], "v": 1})

        stock.variant.refresh_from_db()
        assert stock.variant.availability_state == "low_stock"
        assert stock.variant.availability_quantity == 3

    def test_doing_it_again_or_late_does_no_harm(self) -> None:
        stock = make.stock(on_hand=30)
        reserve(stock, 30)

        for _ in range(2):
            record_availability(variant_ids=[stock.variant_id, stock.variant_id + 999], now=NOW)

        stock.variant.refresh_from_db()
        assert stock.variant.availability_state == "out_of_stock"
        assert stock.variant.availability_quantity == 0

    def test_takes_the_same_statements_for_any_number(self) -> None:
        counts = []
        for size in (1, 40):
            variant_ids = [stock.variant_id for stock in make.many_stocks(size, on_hand=3)]
            with CaptureQueriesContext(connection) as recording:
                record_availability(variant_ids=variant_ids, now=NOW)
            counts.append(len(recording))

        assert counts[0] == counts[1]


class TestHint:
    @pytest.fixture(autouse=True)
    def _no_copies(self) -> Iterator[None]:
        cache_client().flushdb()
        yield
        cache_client().flushdb()

    def test_is_read_once_from_the_database_then_remembered(self) -> None:
        stocks = [make.stock(on_hand=units) for units in (3, 0)]
        variant_ids = [stock.variant_id for stock in stocks]

        with CaptureQueriesContext(connection) as first:
            assert available_units(variant_ids) == dict(zip(variant_ids, (3, 0), strict=True))
        with CaptureQueriesContext(connection) as second:
            assert available_units(variant_ids) == dict(zip(variant_ids, (3, 0), strict=True))

        assert [len(first), len(second)] == [1, 0]

    def test_counts_back_orders_and_leaves_out_what_has_no_stock(self) -> None:
        stock = make.stock(on_hand=1, backorder_limit=4)
        variant = make.bare_variant()

        assert available_units([stock.variant_id, variant.pk]) == {stock.variant_id: 5}
        assert available_units([]) == {}

    def test_is_forgotten_when_a_change_commits(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        stock = make.stock(on_hand=5)
        assert available_units([stock.variant_id]) == {stock.variant_id: 5}

        with django_capture_on_commit_callbacks(execute=True):
            reserve(stock, 2)
            assert available_units([stock.variant_id]) == {stock.variant_id: 5}

        assert available_units([stock.variant_id]) == {stock.variant_id: 3}

    def test_does_not_outlive_a_few_seconds(self) -> None:
        stock = make.stock(on_hand=5)
        available_units([stock.variant_id])

        lifetime = cache_client().pttl(f"stock:1:{stock.variant_id}")

        assert 0 < lifetime <= 6000

    def test_comes_from_the_database_when_redis_is_away(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        stock = make.stock(on_hand=5)
        nobody = redis.Redis(port=1, socket_connect_timeout=0.2, retry=Retry(NoBackoff(), 0))

        with mock.patch.object(units, "cache_client", return_value=nobody):
            assert available_units([stock.variant_id]) == {stock.variant_id: 5}
            with django_capture_on_commit_callbacks(execute=True):
                reserve(stock, 2)
            assert available_units([stock.variant_id]) == {stock.variant_id: 3}
