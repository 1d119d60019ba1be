"""Our payments beside the provider's, and what `--fix` does about those that hang."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import ReconciliationFinding, ReconciliationRun
from orders.models import Order, Payment, SandboxCharge
from orders.providers import provider_of
from orders.providers.base import PaymentRequest, ProviderTimeout
from orders.selectors import PAYMENT_CHECKS
from orders.services import (
    execute_refund,
    pay,
    reconcile_payments,
    refund_order,
    settle_payment,
)
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def look() -> set[tuple[str, str]]:
    """Look at the payments, and return check and reference of what is open then."""
    assert reconcile_payments(now=timezone.now()) is not None
    return set(ReconciliationFinding.objects.filter(state="OPEN").values_list("kind", "reference"))


def raising(error: Exception) -> Callable[..., Any]:
    def away(*_: Any, **__: Any) -> Any:
        raise error

    return away


def paid_by_the_sandbox() -> Order:
    placed = make.placed()
    result = pay(placed.payment, now=timezone.now())
    assert result is not None
    settle_payment(payment_id=placed.payment.pk, result=result, now=timezone.now())
    return Order.objects.get(pk=placed.order.pk)


def refund(order: Order, *, at_once: bool = False) -> None:
    asked = refund_order(
        order=order, amount_minor=100, reason="", reference="x", now=timezone.now()
    )
    if at_once:
        execute_refund(refund=asked, now=timezone.now())


class TestRepair:
    def test_a_payment_that_nobody_asks_after_is_asked_after(self) -> None:
        placed = make.placed()
        provider_of("sandbox").pay(
            PaymentRequest(placed.payment.pk, placed.payment.amount_minor, "GBP", "tok_ok")
        )
        Payment.objects.update(next_attempt_at=None, created_at=make.later(minutes=-11))
        out = StringIO()

        call_command("reconcile_payments", fix=True, stdout=out)

        assert f"mended: {placed.payment.pk}: Asked the provider: captured" in out.getvalue()
        assert "nothing to be found" in out.getvalue()
        assert Order.objects.get().status == "CONFIRMED"
        told = ReconciliationFinding.objects.get(kind="payments_come_to_an_end")
        assert (told.state, told.resolution) == ("RESOLVED", "Asked the provider: captured")

    def test_one_whose_provider_is_away_is_asked_after_again(self) -> None:
        make.placed()
        Payment.objects.update(next_attempt_at=None, created_at=make.later(minutes=-11))
        began = timezone.now()

        with make.provider_away():
            call_command("reconcile_payments", fix=True, stdout=StringIO())

        payment = Payment.objects.get()
        assert payment.is_open
        assert payment.next_attempt_at is not None
        assert payment.next_attempt_at > began

    def test_a_refund_that_nobody_asks_after_is_given_once(self) -> None:
        order = paid_by_the_sandbox()
        refund(order)
        order.refunds.update(next_attempt_at=None, created_at=make.later(minutes=-11))

        call_command("reconcile_payments", fix=True, stdout=StringIO())
        call_command("reconcile_payments", fix=True, stdout=StringIO())

        assert [given.status for given in order.refunds.all()] == ["SUCCEEDED"]
        assert SandboxCharge.objects.get().refunded_minor == 100

    def test_what_a_person_must_decide_is_left_alone(self) -> None:
        order = paid_by_the_sandbox()
        SandboxCharge.objects.update(amount_minor=1)

        with pytest.raises(SystemExit):
            call_command("reconcile_payments", fix=True, stdout=StringIO())

        order.refresh_from_db()
        assert (order.status, order.payment_status) == ("CONFIRMED", "PAID")
        assert ReconciliationFinding.objects.get().state == "OPEN"


class TestProviders:
    def test_one_that_is_away_leaves_what_it_told_before_as_it_was(self) -> None:
        paid_by_the_sandbox()
        SandboxCharge.objects.update(amount_minor=1)
        assert len(look()) == 1

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "orders.providers.sandbox.provider.SandboxProvider.statement",
                raising(ProviderTimeout("away")),
            )
            assert len(look()) == 1

        run = ReconciliationRun.objects.filter(scope="payments").latest("id")
        assert set(run.checks) == {check.name for check in PAYMENT_CHECKS}
        assert ReconciliationFinding.objects.get().state == "OPEN"

    def test_what_was_found_stays_in_sight_when_it_is_older_than_the_window(self) -> None:
        order = paid_by_the_sandbox()
        SandboxCharge.objects.update(amount_minor=1)
        unknown = uuid4()
        provider_of("sandbox").pay(PaymentRequest(unknown, 1250, "GBP", "tok_ok"))
        found = look()
        assert len(found) == 2

        long_ago = timezone.now() - timedelta(days=9)
        Payment.objects.update(created_at=long_ago, settled_at=long_ago)
        SandboxCharge.objects.update(created_at=long_ago)
        assert look() == found

        SandboxCharge.objects.filter(key=order.payments.get().pk).update(
            amount_minor=order.total_minor
        )
        assert {reference for _, reference in look()} == {str(unknown)}

    def test_what_moves_while_we_look_is_no_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The provider captures, and refunds, between our reading our books and its telling."""
        order = paid_by_the_sandbox()
        away = make.placed(token="tok_requires_action")
        provider = provider_of("sandbox")
        original = provider.statement

        def moved(**facts: Any) -> Any:
            told = original(**facts) or {}
            provider.pay(
                PaymentRequest(away.payment.pk, away.payment.amount_minor, "GBP", "tok_ok")
            )
            refund(order, at_once=True)
            late = make.placed()
            provider.pay(
                PaymentRequest(late.payment.pk, late.payment.amount_minor, "GBP", "tok_ok")
            )
            return {**told, **(original(**facts) or {})}

        monkeypatch.setattr(provider, "statement", moved)

        assert look() == set()

    @pytest.mark.parametrize("size", [1, 20])
    def test_are_compared_in_the_same_queries_for_any_number(self, size: int) -> None:
        for _ in range(size):
            paid_by_the_sandbox()

        with CaptureQueriesContext(connection) as made:
            reconcile_payments(now=timezone.now())

        # The lock, and that it is free again (2); what was disputed; the checks; our refunds and
        # payments for either provider (4); the sandbox's statement; the run, its savepoint,
        # what is resolved and what is forgotten (5).
        told = [query for query in made if "FETCH" not in query["sql"]]
        assert len(told) == 2 + 1 + len(PAYMENT_CHECKS) + 4 + 1 + 5
