"""Money back, goods back, and credit without an order."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import StockMovement
from orders.errors import RefundTooLarge, ReturnTooLarge, TransitionRefused
from orders.models import CreditNote, LineKind, Order, Refund, Return, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import RefundRefused
from orders.selectors import order_findings, payment_findings
from orders.services import (
    CreditLine,
    PlacedOrder,
    RefundPart,
    ReturnPart,
    execute_refund,
    issue_credit_note,
    pay,
    receive_return,
    record_sale,
    refund_order,
    settle_payment,
    sweep_payments,
)
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def _paid_by_sandbox() -> PlacedOrder:
    placed = make.placed((make.variant(), 2))
    result = pay(placed.payment, now=timezone.now())
    assert result is not None
    settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
    return placed


def test_a_part_and_then_the_rest_go_back() -> None:
    placed = _paid_by_sandbox()  # 25.00
    now = timezone.now()

    for number, amount in enumerate((1000, 1500)):
        refund = refund_order(
            order=placed.order,
            amount_minor=amount,
            lines=[RefundPart(placed.lines[0].pk, 1, amount)],
            reason="Scratched",
            reference=f"r{number}",
            now=now,
        )
        assert refund.status == "NEW"
        assert execute_refund(refund=refund, now=now).status == "SUCCEEDED"
        expected = "PARTIALLY_REFUNDED" if number == 0 else "REFUNDED"
        assert Order.objects.get().payment_status == expected

    assert SandboxCharge.objects.get().refunded_minor == 2500
    assert payment_findings(now=now) == []


def test_no_more_goes_back_than_was_taken() -> None:
    placed = _paid_by_sandbox()
    now = timezone.now()
    refund_order(order=placed.order, amount_minor=2000, reason="", reference="a", now=now)

    with pytest.raises(RefundTooLarge) as refused:
        refund_order(order=placed.order, amount_minor=501, reason="", reference="b", now=now)

    assert refused.value.facts["refundable"] == {"amount": "5.00", "currency": "GBP"}
    assert Refund.objects.count() == 1


def test_what_was_never_paid_cannot_go_back() -> None:
    placed = make.placed()

    with pytest.raises(RefundTooLarge):
        refund_order(
            order=placed.order, amount_minor=1, reason="", reference="a", now=timezone.now()
        )


def test_a_reference_counts_once() -> None:
    placed = make.sold((make.variant(), 3))
    now = timezone.now()
    part = [ReturnPart(placed.lines[0].pk, 1)]

    refunds = [
        refund_order(order=placed.order, amount_minor=100, reason="", reference="r", now=now)
        for _ in range(2)
    ]
    returns = [
        receive_return(order=placed.order, lines=part, reason="", reference="t", now=now)
        for _ in range(2)
    ]
    notes = [
        issue_credit_note(
            currency="GBP",
            lines=[CreditLine(None, "D", "Discount", 1, 500, 500, LineKind.FEE)],
            reason="",
            now=now,
            warehouse="main",
            external_ref="C1",
        )
        for _ in range(2)
    ]

    assert refunds[0] == refunds[1]
    assert returns[0] == returns[1]
    assert notes[0] == notes[1]
    assert (Refund.objects.count(), Return.objects.count(), CreditNote.objects.count()) == (1, 1, 1)


def test_a_refusing_provider_is_for_a_person_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    placed = _paid_by_sandbox()
    now = timezone.now()
    refund = refund_order(order=placed.order, amount_minor=100, reason="", reference="r", now=now)

    def refuses(*args: object) -> None:
        raise RefundRefused("account_closed")

    monkeypatch.setattr(type(provider_of("sandbox")), "refund", refuses)
    failed = execute_refund(refund=refund, now=now)

    assert (failed.status, failed.failure_code) == ("FAILED", "account_closed")
    assert Order.objects.get().payment_status == "PAID"
    assert [finding.check for finding in payment_findings(now=now)] == ["refunds_come_to_an_end"]


def test_a_provider_that_is_away_is_asked_again_with_the_same_key() -> None:
    placed = _paid_by_sandbox()
    now = timezone.now()
    refund = refund_order(order=placed.order, amount_minor=100, reason="", reference="r", now=now)

    with make.provider_away():
        assert execute_refund(refund=refund, now=now).status == "REQUESTED"
    sweep_payments(now=now + timedelta(minutes=1))

    assert Refund.objects.get().status == "SUCCEEDED"
    assert SandboxCharge.objects.get().refunded_minor == 100


def test_goods_come_back_onto_the_shelf_line_by_line() -> None:
    first, second = make.variant(on_hand=5), make.variant(on_hand=5)
    placed = make.sold((first, 3), (second, 1))
    now = timezone.now()

    receive_return(
        order=placed.order,
        lines=[ReturnPart(placed.lines[0].pk, 1), ReturnPart(placed.lines[0].pk, 1)],
        reason="Too many",
        reference="a",
        now=now,
    )
    receive_return(
        order=placed.order,
        lines=[ReturnPart(placed.lines[1].pk, 1)],
        reason="Broken",
        reference="b",
        now=now,
        restock=False,
    )

    assert make.units(first) == (4, 0)
    assert make.units(second) == (4, 0)
    assert order_findings(now=now) == []


def test_no_more_comes_back_than_went_out() -> None:
    sold = make.variant(on_hand=5)
    placed = make.sold((sold, 3))
    other = make.sold((sold, 1))
    now = timezone.now()
    line = placed.lines[0].pk
    receive_return(
        order=placed.order, lines=[ReturnPart(line, 2)], reason="", reference="a", now=now
    )

    with pytest.raises(ReturnTooLarge) as refused:
        receive_return(
            order=placed.order,
            lines=[ReturnPart(line, 2), ReturnPart(other.lines[0].pk, 1)],
            reason="",
            reference="b",
            now=now,
        )

    assert refused.value.facts["lines"] == [
        {"line_id": line, "returned": 2, "returnable": 1},
        {"line_id": other.lines[0].pk, "returned": 1, "returnable": 0},
    ]
    assert make.units(sold) == (3, 0)
    assert Return.objects.count() == 1


def test_what_was_not_sold_cannot_come_back() -> None:
    placed = make.placed()

    with pytest.raises(TransitionRefused):
        receive_return(
            order=placed.order,
            lines=[ReturnPart(placed.lines[0].pk, 1)],
            reason="",
            reference="a",
            now=timezone.now(),
        )


def test_a_credit_note_receives_the_goods_that_came_with_it() -> None:
    back = make.variant(on_hand=5)
    owner = make_accounts.customer()

    note = issue_credit_note(
        currency="GBP",
        lines=[
            CreditLine(back.pk, back.sku, "A thing", 2, 1250, 2500),
            CreditLine(None, "D", "Discount", 1, 500, 500, LineKind.FEE),
        ],
        reason="No sale of it is known",
        now=make.LONG_AGO,
        warehouse="main",
        external_ref="C536379",
        customer=owner,
        country="GB",
    )

    assert (note.total_minor, note.customer, note.issued_at) == (3000, owner, make.LONG_AGO)
    assert make.units(back) == (7, 0)
    assert StockMovement.objects.filter(cause=f"credit_note:{note.pk}").get().delta_on_hand == 2


# Sales from outside ----------------------------------------------------------------------------


def test_a_history_keeps_its_own_dates_and_totals() -> None:
    sold = make.variant(on_hand=50)
    draft = make.draft(
        (sold, 3), (sold, 2), channel="HISTORY", external_ref="536365", email="", country="FR"
    )

    placed = record_sale(draft=draft, now=make.LONG_AGO, expires_at=make.later(minutes=15))
    again = record_sale(draft=draft, now=make.LONG_AGO, expires_at=make.later(minutes=15))

    order = Order.objects.get()
    assert (placed.is_new, again.is_new, again.order) == (True, False, order)
    assert (order.status, order.payment_status) == ("COMPLETED", "PAID")
    assert (order.placed_at, order.confirmed_at) == (make.LONG_AGO, make.LONG_AGO)
    assert (order.total_minor, order.country) == (6250, "FR")
    assert make.units(sold) == (45, 0)
    assert order_findings(now=timezone.now()) == payment_findings(now=timezone.now()) == []


def test_a_fee_takes_no_stock() -> None:
    sold = make.variant(on_hand=5)
    draft = make.draft((sold, 1))

    placed = record_sale(
        draft=make.draft(lines=(*draft.lines, make.fee(price=495))),
        now=timezone.now(),
        expires_at=make.later(minutes=15),
    )

    assert placed.order.total_minor == 1250 + 495
    assert [line.kind for line in placed.lines] == ["GOODS", "FEE"]
    assert make.units(sold) == (4, 0)
    assert order_findings(now=timezone.now()) == []


def test_an_order_of_nothing_but_gifts_is_paid_by_nothing() -> None:
    draft = make.draft(lines=(make.fee(price=0),))

    placed = record_sale(draft=draft, now=timezone.now(), expires_at=make.later(minutes=15))

    assert (placed.order.status, placed.order.payment_status) == ("CONFIRMED", "PAID")
    assert order_findings(now=timezone.now()) == payment_findings(now=timezone.now()) == []


@pytest.mark.parametrize("size", [1, 60])
def test_a_sale_takes_the_same_queries_for_any_number_of_lines(size: int) -> None:
    sold = make.variant(on_hand=500)
    draft = make.draft(*[(sold, 1) for _ in range(size)])

    with CaptureQueriesContext(connection) as seen:
        record_sale(draft=draft, now=timezone.now(), expires_at=make.later(minutes=15))

    asked = [q for q in seen.captured_queries if "SAVEPOINT" not in q["sql"]]
    assert len(asked) <= 14, "\n".join(q["sql"][:100] for q in asked)
