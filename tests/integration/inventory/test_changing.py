"""Receipts, returns, corrections and terms."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.errors import (
    StockBelowReserved,
    StockOutOfRange,
    UnknownSku,
    UnknownWarehouse,
)
from inventory.models import MOST_UNITS, Reservation, Stock, StockMovement
from inventory.selectors import default_warehouse, drifted_stock
from inventory.services import (
    Adjustment,
    ReceiptLine,
    SkuLine,
    StockLine,
    StockTerms,
    adjust_many,
    adjust_stock,
    commit_stock,
    receive_skus,
    receive_stock,
    reserve_stock,
    return_stock,
    set_stock_terms,
    write_off,
)
from shop.errors import Malformed
from shop.models import OutboxMessage
from tests.make import inventory as make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


def receive(*lines: tuple[int, int], cause: str = "delivery:1", warehouse: str = "main") -> None:
    receive_stock(
        lines=[ReceiptLine(variant_id, units) for variant_id, units in lines],
        warehouse=warehouse,
        cause=cause,
        reason="Delivered",
        now=NOW,
        actor_id=7,
    )


def adjust(stock: Stock, delta: int, **given: Any) -> StockMovement:
    return adjust_stock(
        **{
            "sku": stock.variant.sku,
            "warehouse": "main",
            "delta": delta,
            "reason": "Counted",
            "now": NOW,
            **given,
        }
    )


def sell(stock: Stock, units: int, reference: str) -> None:
    hold(stock, units, reference)
    commit_stock(reference=reference, now=NOW)


def hold(stock: Stock, units: int, reference: str) -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units)],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )


def counters(stock: Stock) -> tuple[int, int]:
    stock.refresh_from_db()
    return stock.on_hand, stock.reserved


def everything() -> list[list[tuple[object, ...]]]:
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Stock, Reservation, StockMovement, OutboxMessage)
    ]


class TestReceipts:
    def test_make_the_row_and_note_who_what_and_why(self) -> None:
        make.make_warehouse()
        variant = make.bare_variant()

        receive((variant.pk, 3), (variant.pk, 4))

        stock = Stock.objects.get(variant=variant)
        assert (stock.on_hand, stock.reserved, stock.low_at) == (7, 0, 5)
        noted = StockMovement.objects.get()
        assert (noted.kind, noted.delta_on_hand, noted.delta_reserved) == ("RECEIPT", 7, 0)
        assert (noted.on_hand_after, noted.reserved_after) == (7, 0)
        assert (noted.cause, noted.reason, noted.actor_id) == ("delivery:1", "Delivered", 7)
        assert noted.happened_at == NOW

    def test_count_once_per_cause_and_stock(self) -> None:
        first, second = make.stock(on_hand=0), make.stock(on_hand=0)
        receive((first.variant_id, 3))

        receive((first.variant_id, 3), (second.variant_id, 4))
        receive((second.variant_id, 4), cause="delivery:2")

        assert [counters(stock)[0] for stock in (first, second)] == [3, 8]
        assert drifted_stock() == []

    def test_of_what_does_not_exist_change_nothing(self) -> None:
        stock = make.stock(on_hand=0)
        before = everything()

        with pytest.raises(UnknownSku):
            receive((stock.variant_id, 3), (stock.variant_id + 999, 1))
        with pytest.raises(UnknownWarehouse):
            receive((stock.variant_id, 3), warehouse="nowhere")
        with pytest.raises(StockOutOfRange):
            receive((stock.variant_id, MOST_UNITS), (stock.variant_id, 1))
        with pytest.raises(ValueError, match="not a quantity"):
            receive((stock.variant_id, 0))

        assert everything() == before

    def test_by_sku_repeat_what_they_first_wrote(self) -> None:
        stock, other = make.stock(on_hand=0), make.stock(on_hand=0)
        lines = [SkuLine(stock.variant.sku, 3), SkuLine(other.variant.sku, 4)]

        rows = [
            receive_skus(
                lines=lines, warehouse="main", reference="DN-1", reason="", now=NOW, actor_id=7
            )
            for _ in range(2)
        ]

        assert rows[0] == rows[1]
        assert [(row.cause, row.on_hand_after) for row in rows[0]] == [
            ("receipt:DN-1", 3),
            ("receipt:DN-1", 4),
        ]
        assert [counters(stock)[0], counters(other)[0]] == [3, 4]

    def test_by_sku_name_every_unknown_one(self) -> None:
        make.make_warehouse()

        with pytest.raises(UnknownSku) as refused:
            receive_skus(
                lines=[SkuLine("B", 1), SkuLine("A", 1)],
                warehouse="main",
                reference=None,
                reason="",
                now=NOW,
            )

        assert refused.value.facts["skus"] == ["A", "B"]


class TestReturns:
    def test_come_back_on_hand_once_per_cause(self) -> None:
        stock = make.stock(on_hand=5)
        sell(stock, 3, "order:1")

        for _ in range(2):
            return_stock(
                lines=[StockLine(stock.variant_id, 2)], cause="return:1", reason="Unused", now=NOW
            )

        assert counters(stock) == (4, 0)
        assert StockMovement.objects.filter(kind="RETURN").count() == 1
        assert drifted_stock() == []

    def test_go_where_they_were_taken_from_as_far_as_it_goes(self) -> None:
        variant = make.bare_variant()
        here = make.stock(variant=variant, on_hand=2)
        there = make.stock(variant=variant, on_hand=3, warehouse=make.make_warehouse("leeds"))
        sell(here, 4, "order:1")  # three of leeds, one of main
        assert [counters(here)[0], counters(there)[0]] == [1, 0]

        return_stock(
            lines=[StockLine(variant.pk, 5)],
            cause="return:1",
            reason="",
            now=NOW,
            references=["order:1"],
        )

        assert [counters(here)[0], counters(there)[0]] == [3, 3]

    def test_of_an_owed_unit_end_what_is_owed(self) -> None:
        stock = make.stock(on_hand=0, backorder_limit=5)
        sell(stock, 2, "order:1")
        assert counters(stock) == (0, 2)

        return_stock(lines=[StockLine(stock.variant_id, 2)], cause="cancel:1", reason="", now=NOW)

        assert counters(stock) == (0, 0)
        assert drifted_stock() == []


class TestAdjustments:
    def test_return_the_ledger_row(self) -> None:
        stock = make.stock(on_hand=5)

        row = adjust(stock, -2, actor_id=7)

        assert counters(stock) == (3, 0)
        assert StockMovement.objects.get(pk=row.pk) == row
        assert (row.kind, row.delta_on_hand, row.on_hand_after) == ("ADJUSTMENT", -2, 3)
        assert (row.reason, row.actor_id, row.happened_at) == ("Counted", 7, NOW)

    def test_without_a_cause_each_counts(self) -> None:
        stock = make.stock(on_hand=5)

        adjust(stock, -1)
        adjust(stock, -1)

        assert counters(stock) == (3, 0)

    def test_with_a_cause_the_first_row_is_returned_whatever_happened_since(self) -> None:
        stock = make.stock(on_hand=5)
        first = adjust(stock, -4, cause="count:1")
        hold(stock, 1, "order:1")

        again = adjust(stock, -4, cause="count:1")

        assert again == first
        assert counters(stock) == (1, 1)

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"delta": 0}, Malformed),
            ({"delta": MOST_UNITS + 1}, Malformed),
            ({"delta": -(MOST_UNITS + 1)}, Malformed),
            ({"sku": "NO-SUCH"}, UnknownSku),
            ({"warehouse": "nowhere"}, UnknownWarehouse),
            ({"delta": -6}, StockBelowReserved),
            ({"delta": -4}, StockBelowReserved),
            ({"delta": MOST_UNITS}, StockOutOfRange),
        ],
    )
    def test_that_cannot_be_change_nothing(
        self, given: dict[str, Any], refusal: type[Exception]
    ) -> None:
        stock = make.stock(on_hand=5)
        hold(stock, 2, "order:1")
        before = everything()

        with pytest.raises(refusal):
            adjust(stock, **{"delta": -1, **given})

        assert everything() == before

    def test_may_go_down_to_what_is_promised_beyond_the_back_orders(self) -> None:
        stock = make.stock(on_hand=5, backorder_limit=3)
        hold(stock, 5, "order:1")

        adjust(stock, -3)

        assert counters(stock) == (2, 5)
        with pytest.raises(StockBelowReserved):
            adjust(stock, -1)

    def test_in_bulk_are_all_or_none(self) -> None:
        enough, short = make.stock(on_hand=5), make.stock(on_hand=1)
        before = everything()

        with pytest.raises(StockBelowReserved) as refused:
            adjust_many(
                lines=[Adjustment(enough.variant_id, -5), Adjustment(short.variant_id, -2)],
                warehouse="main",
                cause="count:1",
                reason="",
                now=NOW,
            )

        assert [line["variant_id"] for line in refused.value.facts["lines"]] == [short.variant_id]
        assert everything() == before

    def test_in_bulk_count_once_per_cause(self) -> None:
        stock = make.stock(on_hand=5)

        for _ in range(2):
            adjust_many(
                lines=[Adjustment(stock.variant_id, -2), Adjustment(stock.variant_id, -1)],
                warehouse="main",
                cause="count:1",
                reason="",
                now=NOW,
            )

        assert counters(stock) == (2, 0)

    def test_write_offs_are_told_apart(self) -> None:
        stock = make.stock(on_hand=5)

        for _ in range(2):
            write_off(
                lines=[StockLine(stock.variant_id, 2)],
                warehouse="main",
                cause="breakage:1",
                reason="Dropped",
                now=NOW,
            )

        assert counters(stock) == (3, 0)
        assert StockMovement.objects.get(kind="WRITE_OFF").delta_on_hand == -2


class TestTerms:
    def test_change_what_is_named_and_make_missing_rows(self) -> None:
        stock = make.stock(on_hand=5)
        variant = make.bare_variant()
        terms = [StockTerms(stock.variant_id, low_at=9), StockTerms(variant.pk, backorder_limit=4)]

        changed = [set_stock_terms(terms=terms, warehouse="main", now=NOW) for _ in range(2)]

        assert changed == [2, 0]
        stock.refresh_from_db()
        assert (stock.backorder_limit, stock.low_at) == (0, 9)
        made = Stock.objects.get(variant=variant)
        assert (made.on_hand, made.backorder_limit, made.low_at) == (0, 4, 5)

    def test_cannot_break_a_promise(self) -> None:
        stock = make.stock(on_hand=0, backorder_limit=5)
        hold(stock, 3, "order:1")

        with pytest.raises(StockBelowReserved):
            set_stock_terms(
                terms=[StockTerms(stock.variant_id, backorder_limit=2)], warehouse="main", now=NOW
            )

        stock.refresh_from_db()
        assert stock.backorder_limit == 5


class TestStatements:
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(
                lambda stocks: receive(*[(stock.variant_id, 1) for stock in stocks]), id="receive"
            ),
            pytest.param(
                lambda stocks: return_stock(
                    lines=[StockLine(stock.variant_id, 1) for stock in stocks],
                    cause="return:1",
                    reason="",
                    now=NOW,
                    references=["order:1"],
                ),
                id="return",
            ),
            pytest.param(
                lambda stocks: adjust_many(
                    lines=[Adjustment(stock.variant_id, 1) for stock in stocks],
                    warehouse="main",
                    cause="count:1",
                    reason="",
                    now=NOW,
                ),
                id="adjust",
            ),
            pytest.param(
                lambda stocks: set_stock_terms(
                    terms=[StockTerms(stock.variant_id, 1, 1) for stock in stocks],
                    warehouse="main",
                    now=NOW,
                ),
                id="terms",
            ),
        ],
    )
    def test_are_the_same_for_any_number_of_lines(
        self, change: Callable[[list[Stock]], object]
    ) -> None:
        counts = []
        for size in (1, 3, 1000):
            stocks = make.many_stocks(size, on_hand=3)
            with CaptureQueriesContext(connection) as changing:
                change(stocks)
            counts.append(len(changing))

        # At most: the warehouse, the order's own places, missing rows, the lock, what was done
        # before, the change with its ledger, the announcement; and a savepoint around it.
        assert len(set(counts)) == 1
        assert counts[0] <= 9
        assert drifted_stock() == []


def test_the_first_warehouse_is_the_active_one_of_least_priority() -> None:
    make.make_warehouse("later", priority=50)
    first = make.make_warehouse("first", priority=1)
    assert default_warehouse() == first

    type(first).objects.update(is_active=False)
    with pytest.raises(UnknownWarehouse):
        default_warehouse()
