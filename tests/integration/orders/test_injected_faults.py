"""Every kind of fault at once in a shop of every kind of order: one run finds all, and no more.

Vouchers, once there are any, bring a kind of their own: a counter that is not what was redeemed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient

from inventory.models import (
    ReconciliationFinding,
    ReconciliationRun,
    Reservation,
    Stock,
    StockMovement,
)
from inventory.services import Repair, reconcile_stock, repair_stock
from orders.models import Order, Payment, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import PaymentRequest
from orders.selectors import ORDER_CHECKS, PAYMENT_CHECKS, PROVIDER_CHECKS
from orders.services import (
    reconcile_orders,
    reconcile_payments,
    repair_books,
)
from orders.services.reconciling import _MENDING
from orders.tasks import reconcile_orders as reconcile_orders_task
from orders.tasks import reconcile_payments as reconcile_payments_task
from shop.db.alone import alone
from shop.models import OutboxMessage
from shop.outbox.services import publish
from tests.concurrency import in_background
from tests.integration.orders.test_provider_books import paid_by_the_sandbox
from tests.load.many_orders import KINDS, make_many_orders
from tests.make import orders as make
from tests.make.accounts import make_staff, signed_in

pytestmark = pytest.mark.django_db

Found = set[tuple[str, str, str]]


@contextmanager
def sealed_off(table: str, *constraints: str) -> Iterator[Any]:
    """Do by hand what no service does, with the guards of the database put aside."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for constraint in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def look() -> Found:
    """Look at all books, and return scope, check and reference of what is open then."""
    now = timezone.now()
    reconcile_stock(now=now)
    reconcile_orders(now=now)
    reconcile_payments(now=now)
    return set(
        ReconciliationFinding.objects.filter(state="OPEN").values_list("scope", "kind", "reference")
    )


@pytest.fixture
def shop() -> None:
    make.ground()
    make_many_orders(orders=1000, skus=40, now=timezone.now())


def orders_of(kind: str) -> Iterator[Order]:
    """Give orders of this kind, a new one each time, the latest first."""
    status, paid, sent, payment, _ = KINDS[kind]
    return iter(
        Order.objects.filter(
            status=status,
            payment_status=paid,
            fulfillment_status=sent,
            payments__status=payment,
            channel="WEB",
        )
        .exclude(pk__in=_of_owed())
        .order_by("-id")
    )


def _of_owed() -> list[int]:
    owed = Reservation.objects.filter(state="OWED").values_list("reference", flat=True)
    return [int(reference.removeprefix("order:")) for reference in owed]


def test_a_shop_of_every_kind_of_order_has_no_findings(shop: None) -> None:
    assert look() == set()
    assert ReconciliationRun.objects.count() == 3
    assert all(next(orders_of(kind)) for kind in KINDS if kind not in {"HISTORY", "OWED"})


def test_every_kind_of_fault_is_found_in_one_run_and_nothing_else(shop: None) -> None:
    sold, cancelled = orders_of("SOLD"), orders_of("CANCELLED")
    stocks = iter(Stock.objects.select_related("variant").order_by("id"))
    expected: Found = set()

    # 1. A row of the ledger is missing.
    stock = next(stocks)
    lost = StockMovement.objects.filter(stock=stock, kind="RECEIPT").get()
    after = StockMovement.objects.filter(stock=stock, pk__gt=lost.pk).earliest("pk")
    with sealed_off("inventory_stockmovement") as cursor:
        cursor.execute("DELETE FROM inventory_stockmovement WHERE id = %s", [lost.pk])
    place = f"{stock.variant.sku} in main"
    expected |= {
        ("inventory", "on_hand_is_ledger_sum", f"{place}, on hand"),
        ("inventory", "ledger_chain_unbroken", f"{place}, movement {after.pk}, on hand"),
    }
    # 2. A counter is one too high, another one too low.
    for by in (1, -1):
        stock = next(stocks)
        Stock.objects.filter(pk=stock.pk).update(on_hand=F("on_hand") + by)
        place = f"{stock.variant.sku} in main"
        expected |= {
            ("inventory", "on_hand_is_ledger_sum", f"{place}, on hand"),
            ("inventory", "ledger_ends_at_the_counters", f"{place}, on hand"),
        }
    # 3. A reservation leaked: nobody gave it back.
    order = next(orders_of("AWAY"))
    past = timezone.now() - timedelta(minutes=11)
    Reservation.objects.filter(reference=order.stock_reference).update(expires_at=past)
    Order.objects.filter(pk=order.pk).update(hold_expires_at=past)
    expected |= {
        ("inventory", "no_hold_overdue", f"{sku} in main, {order.stock_reference}")
        for sku in order.lines.values_list("sku", flat=True)
    }
    expected.add(("orders", "holds_end_in_time", order.number))
    # 4. An order is paid, and there is no charge.
    payment = next(sold).payments.get()
    SandboxCharge.objects.filter(key=payment.pk).delete()
    expected.add(("payments", "captures_are_charges", str(payment.pk)))
    # 5. There is a charge, and no order.
    key = uuid4()
    provider_of("sandbox").pay(PaymentRequest(key, 1250, "GBP", "tok_ok"))
    expected.add(("payments", "charges_have_a_payment", str(key)))
    # 6. The provider took another amount, and of another order another currency.
    for change in ({"amount_minor": F("amount_minor") - 1}, {"currency": "EUR"}):
        payment = next(sold).payments.get()
        SandboxCharge.objects.filter(key=payment.pk).update(**change)
        expected.add(("payments", "charges_are_of_the_amount", str(payment.pk)))
    # 7. A refund was given twice, and another one for more than was taken.
    payment = next(orders_of("PART_REFUNDED")).payments.get()
    SandboxCharge.objects.filter(key=payment.pk).update(refunded_minor=200)
    expected.add(("payments", "refunds_are_the_providers", str(payment.pk)))
    order = next(cancelled)
    with sealed_off("orders_sandboxcharge", "sandbox_refunds_within_charge"):
        SandboxCharge.objects.filter(key=order.payments.get().pk).update(refunded_minor=10**6)
    order.refunds.update(amount_minor=10**6)
    expected.add(("payments", "refunds_within_captures", order.number))
    # 8. The outbox is stuck.
    publish(topic="order.confirmed", key="order:1", payload={"v": 1, "order_id": 1})
    OutboxMessage.objects.filter(topic="order.confirmed").update(
        created_at=timezone.now() - timedelta(minutes=2)
    )
    expected.add(("orders", "outbox_is_relayed", "order.confirmed"))
    # 9. An authorisation is about to expire.
    order = next(sold)
    ends = timezone.now() + timedelta(hours=23)
    order.payments.update(status="AUTHORIZED", captured_minor=0, authorized_until=ends)
    payment = order.payments.get()
    order.payment_status = "AUTHORIZED"
    order.save(update_fields=["payment_status"])
    expected |= {
        ("payments", "authorizations_are_captured_in_time", str(payment.pk)),
        # The sandbox captures at once, so it says another word too.
        ("payments", "charges_are_of_the_amount", str(payment.pk)),
    }
    # 10. An order's total is not the sum of its parts.
    order = next(orders_of("DECLINED"))
    with sealed_off("orders_order", "order_total_is_the_sum"):
        Order.objects.filter(pk=order.pk).update(total_minor=F("total_minor") + 1)
    expected.add(("orders", "order_totals_add_up", order.number))
    # 11. A payment hangs, and a key waits for its answer.
    payment = next(iter(Payment.objects.filter(status="REQUIRES_ACTION").order_by("-order_id")[1:]))
    Payment.objects.filter(pk=payment.pk).update(next_attempt_at=past)
    expected.add(("payments", "payments_come_to_an_end", str(payment.pk)))
    # 12. A cancelled order kept its stock, and stock is kept for an order that never was.
    order = next(cancelled)
    for state, reference in (("HELD", order.stock_reference), ("HELD", "order:987654321")):
        stock = next(stocks)
        Reservation.objects.create(
            reference=reference,
            stock=stock,
            quantity=1,
            state=state,
            created_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=1),
        )
        Stock.objects.filter(pk=stock.pk).update(reserved=F("reserved") + 1)
        last = StockMovement.objects.filter(stock=stock).latest("pk")
        StockMovement.objects.create(
            stock=stock,
            kind="RESERVATION",
            delta_on_hand=0,
            delta_reserved=1,
            on_hand_after=last.on_hand_after,
            reserved_after=last.reserved_after + 1,
            cause=reference,
            happened_at=timezone.now(),
        )
    expected |= {
        ("orders", "only_pending_orders_hold_stock", order.number),
        ("orders", "stock_is_promised_to_orders", "order:987654321"),
    }

    assert look() == expected
    assert look() == expected
    assert ReconciliationFinding.objects.count() == len(expected)

    self_mended = fix()
    assert {repair.reference for repair in self_mended} >= {order.number, "order:987654321"}
    assert fix() == []
    left = look()
    assert left < expected
    assert {kind for _, kind, _ in expected - left} == {
        "holds_end_in_time",
        "ledger_ends_at_the_counters",
        "no_hold_overdue",
        "on_hand_is_ledger_sum",
        "only_pending_orders_hold_stock",
        "outbox_is_relayed",
        "payments_come_to_an_end",
        "stock_is_promised_to_orders",
    }
    ended = ReconciliationFinding.objects.filter(state="RESOLVED")
    assert ended.count() == len(expected - left)
    assert not ended.filter(resolution="").exists()


def fix() -> list[Repair]:
    """Mend what is certain, as `--fix` of the three commands does."""
    now = timezone.now()
    stock = reconcile_stock(now=now)
    seen = [reconcile_orders(now=now), reconcile_payments(now=now)]
    assert stock is not None
    findings = [finding for one in seen if one is not None for finding in one.findings]
    mended = repair_books(findings=findings, now=now)
    drifts = reconcile_stock(now=now)
    assert drifts is not None
    return [*mended, *repair_stock(drifts=drifts.drifts, now=now)]


def test_each_check_that_says_how_it_is_mended_is_mended() -> None:
    told = {check.name for check in (*ORDER_CHECKS, *PAYMENT_CHECKS) if check.mending}

    assert told == set(_MENDING)


class TestOverHttp:
    def test_staff_read_the_runs_of_each_scope(self, api: APIClient) -> None:
        paid_by_the_sandbox()
        SandboxCharge.objects.update(amount_minor=1)
        look()
        signed_in(api, make_staff("inventory.view_reconciliationrun"))

        told = {
            scope: api.get("/api/v1/inventory/reconciliation", {"scope": scope}).json()["results"]
            for scope in ("inventory", "orders", "payments")
        }

        assert [len(runs) for runs in told.values()] == [1, 1, 1]
        assert [runs[0]["found"] for runs in told.values()] == [0, 0, 1]
        finding = told["payments"][0]["findings"][0]
        assert finding["kind"] == "charges_are_of_the_amount"
        assert set(told["payments"][0]["checks"]) == {
            *(check.name for check in PAYMENT_CHECKS),
            *PROVIDER_CHECKS,
        }

    def test_each_check_is_a_metric(self, api: APIClient) -> None:
        paid_by_the_sandbox()
        SandboxCharge.objects.update(amount_minor=1)
        look()

        told = api.get("/metrics").content.decode().splitlines()

        name = "shop_reconciliation_findings"
        assert f'{name}{{check="charges_are_of_the_amount",scope="payments"}} 1.0' in told
        assert f'{name}{{check="outbox_is_relayed",scope="orders"}} 0.0' in told
        assert any(
            line.startswith('shop_reconciliation_last_run_timestamp_seconds{scope="orders"}')
            for line in told
        )


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.mark.parametrize(
        ("lock", "task"),
        [(7_302_021, reconcile_orders_task), (7_302_022, reconcile_payments_task)],
    )
    def test_only_one_process_looks_at_a_time(self, lock: int, task: Callable[[], Any]) -> None:
        with alone(lock), in_background(task) as second:
            assert second.result(timeout=60) is None
        assert not ReconciliationRun.objects.exists()

        assert task() == 0

    def test_no_alarm_is_raised_while_people_buy(self) -> None:
        make.ground()
        variants = [make.variant(on_hand=1000) for _ in range(3)]
        is_over = threading.Event()

        def buying() -> int:
            bought = 0
            tokens = ("tok_ok", "tok_declined", "tok_requires_action", "tok_timeout")
            while not is_over.is_set():
                api = APIClient()
                make.guest(api, *((variant, 1) for variant in variants))
                make.check_out(api, tokens[bought % 4])
                bought += 1
            return bought

        with in_background(buying) as one, in_background(buying) as two:
            try:
                seen = [look() for _ in range(12)]
            finally:
                is_over.set()
            assert one.result(timeout=60) + two.result(timeout=60) > 8

        assert seen == [set()] * 12
        assert look() == set()
