"""Staff hear once that stock has come down to its mark."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.errors import StockBelowReserved
from inventory.models import Stock
from inventory.services import (
    StockLine,
    StockTerms,
    adjust_stock,
    release_stock,
    reserve_stock,
    send_low_stock,
    set_stock_terms,
)
from inventory.tasks import send_low_stock as task
from shop.models import OutboxMessage
from tests.make import inventory as make
from tests.make.accounts import make_staff, make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 6, 7, tzinfo=UTC)


def hold(stock: Stock, units: int, reference: str = "order:1") -> None:
    reserve_stock(
        lines=[StockLine(stock.variant_id, units)],
        reference=reference,
        expires_at=NOW + timedelta(minutes=15),
        now=NOW,
    )


def adjust(stock: Stock, delta: int) -> None:
    adjust_stock(
        sku=stock.variant.sku, warehouse=stock.warehouse.code, delta=delta, reason="x", now=NOW
    )


def told() -> list[dict[str, Any]]:
    """Return what was published of low stock, and run the task for it."""
    messages = list(OutboxMessage.objects.filter(topic="inventory.low_stock").order_by("id"))
    for message in messages:
        task(message_id=str(message.pk), payload=message.payload)
    return [message.payload for message in messages]


def test_is_told_by_whatever_crosses_the_mark() -> None:
    held, taken, marked, far = (make.stock(on_hand=10, low_at=5) for _ in range(4))

    hold(held, 5)
    adjust(taken, -6)
    set_stock_terms(terms=[StockTerms(marked.variant_id, low_at=10)], warehouse="main", now=NOW)
    adjust(far, -4)

    assert [payload["stock_ids"] for payload in told()] == [[held.pk], [taken.pk], [marked.pk]]


def test_that_was_low_before_is_no_news() -> None:
    stock = make.stock(on_hand=4, low_at=5)

    hold(stock, 1)
    adjust(stock, -1)

    assert told() == []


def test_in_a_warehouse_that_does_not_sell_is_no_news() -> None:
    stock = make.stock(on_hand=10, low_at=5)
    stock.warehouse.is_active = False
    stock.warehouse.save()

    adjust(stock, -9)

    assert told() == []


def test_of_a_change_that_was_rolled_back_is_not_told() -> None:
    stock = make.stock(on_hand=3, low_at=2)

    with pytest.raises(StockBelowReserved):
        adjust(stock, -5)

    assert told() == []


def test_is_mailed_to_staff_who_may_do_something_about_it() -> None:
    clerk = make_staff("inventory.change_stock")
    make_staff("inventory.view_stock")
    make_user()
    stock = make.stock(on_hand=10, low_at=5)
    hold(stock, 6)

    told()

    (sent,) = mail.outbox
    assert sent.bcc == [clerk.email]
    assert sent.to == []
    assert sent.subject == f"{stock.variant.sku} is running low"
    assert f"{stock.variant.sku} in main: 10 on hand, 6 reserved; the mark is 5" in sent.body


def test_is_mailed_where_settings_say(settings: Any) -> None:
    settings.SHOP_STOCK_ALERT_EMAILS = ["buying@example.com"]
    make_staff("inventory.change_stock")
    hold(make.stock(on_hand=10, low_at=5), 6)

    told()

    assert [sent.bcc for sent in mail.outbox] == [["buying@example.com"]]


def test_is_told_once_until_more_comes_in() -> None:
    make_staff("inventory.change_stock")
    stock = make.stock(on_hand=10, low_at=5)

    for number in range(3):  # a hold that comes and goes crosses the mark each time
        hold(stock, 6, f"order:{number}")
        release_stock(reference=f"order:{number}", now=NOW)
    hold(stock, 6, "order:9")
    assert len(told()) == 4
    assert len(mail.outbox) == 1

    adjust(stock, 10)
    adjust(stock, -10)
    told()
    assert len(mail.outbox) == 2


def test_that_is_no_longer_low_is_not_mailed() -> None:
    make_staff("inventory.change_stock")
    stock = make.stock(on_hand=10, low_at=5)
    hold(stock, 6)
    adjust(stock, 10)

    assert send_low_stock(stock_ids=[stock.pk]) == 0
    assert mail.outbox == []


def test_of_many_is_one_mail_in_as_many_queries_but_for_a_note_on_each() -> None:
    make_staff("inventory.change_stock")
    counts = []
    for size in (1, 20):
        stocks = make.many_stocks(size, on_hand=1)
        with CaptureQueriesContext(connection) as made:
            assert send_low_stock(stock_ids=[stock.pk for stock in stocks]) == size
        counts.append(len(made) - size)

    assert counts[0] == counts[1]
    assert [sent.subject for sent in mail.outbox][1:] == ["20 SKUs are running low"]
