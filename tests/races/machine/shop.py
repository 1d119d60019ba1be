"""The steps: all that may happen to the shop, to be taken in any order."""

from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from inventory.errors import StockBelowReserved
from inventory.services import (
    ReceiptLine,
    SkuLine,
    adjust_stock,
    count_stock,
    dispatch_transfer,
    receive_stock,
    receive_transfer,
)
from orders.errors import (
    PaymentNotFound,
    RefundTooLarge,
)
from orders.models import Order, Payment
from orders.providers.sandbox.provider import SandboxProvider
from orders.services import (
    complete_sandbox_payment,
    execute_refund,
    expire_holds,
    refund_order,
    request_of,
    settle_payment,
    sweep_payments,
)
from tests.races.machine.beside import DEATHS, Beside

TOKENS = (
    "tok_ok",
    "tok_ok",
    "tok_slow",
    "tok_declined",
    "tok_requires_action",
    "tok_timeout",
    "tok_error",
)
few = st.integers(1, 3)
some_lines = st.sampled_from([{0: 1}, {0: 2}, {1: 1}, {1: 3}, {0: 1, 1: 1}, {0: 3, 1: 2}])
any_of_them = st.integers(0, 10**6)


class Shop(Beside):
    """What buyers, payers, staff, sweepers and the clock do."""

    # Buyers -----------------------------------------------------------------------------------

    @rule(lines=some_lines, token=st.sampled_from(TOKENS))
    def check_out(self, lines: dict[int, int], token: str) -> None:
        self._check_out(self._new_key(self._new_basket(lines), token))

    @rule(
        lines=some_lines,
        token=st.sampled_from(["tok_ok", "tok_declined", "tok_requires_action"]),
        before=st.sampled_from(sorted(DEATHS)),
    )
    def check_out_and_die(self, lines: dict[int, int], token: str, before: str) -> None:
        self._check_out(self._new_key(self._new_basket(lines), token), dies_before=before)

    @rule(lines=some_lines, token=st.sampled_from(TOKENS))
    def check_out_while_the_provider_is_away(self, lines: dict[int, int], token: str) -> None:
        with self._provider_away():
            self._check_out(self._new_key(self._new_basket(lines), token))

    @precondition(lambda self: self.keys)
    @rule(which=any_of_them)
    def send_the_same_again(self, which: int) -> None:
        self._check_out(self.keys[which % len(self.keys)])

    @precondition(lambda self: self.keys)
    @rule(which=any_of_them, before=st.sampled_from(sorted(DEATHS)))
    def send_the_same_again_and_die(self, which: int, before: str) -> None:
        self._check_out(self.keys[which % len(self.keys)], dies_before=before)

    @precondition(lambda self: self.baskets)
    @rule(which=any_of_them, token=st.sampled_from(TOKENS))
    def order_a_cart_with_another_key(self, which: int, token: str) -> None:
        self._check_out(self._new_key(which % len(self.baskets), token))

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def cancel(self, which: int) -> None:
        self._cancel(which)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def cancel_while_the_provider_is_away(self, which: int) -> None:
        with self._provider_away():
            self._cancel(which)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them, succeeds=st.booleans(), is_told=st.booleans())
    def prove_who_they_are(self, which: int, succeeds: bool, is_told: bool) -> None:
        """The payer acts on the provider's page, early or late; we may not hear of it at once."""
        sale = self._one(self.model.sales, which)
        payment = Payment.objects.get(order__number=self._number(sale))
        self._tick()
        outcome = self.model.act(sale, succeeds=succeeds)
        if not is_told:
            SandboxProvider().complete(payment.pk, succeeds=succeeds)
        elif outcome is None:
            with pytest.raises(PaymentNotFound):
                complete_sandbox_payment(payment_id=payment.pk, succeeds=succeeds, now=self.now)
        else:
            self.model.settle(sale, outcome, now=self.now)
            if sale.status == "CONFIRMED":
                sale.basket.is_empty = True
            complete_sandbox_payment(payment_id=payment.pk, succeeds=succeeds, now=self.now)

    # Staff ------------------------------------------------------------------------------------

    @precondition(lambda self: any(sale.captured for sale in self.model.sales))
    @rule(which=any_of_them, amount=st.sampled_from([1, 500, 1645, 10_000]), away=st.booleans())
    def refund(self, which: int, amount: int, away: bool) -> None:
        sale = self._one([sale for sale in self.model.sales if sale.captured], which)
        self._tick()
        give = partial(
            refund_order,
            order=Order.objects.get(number=self._number(sale)),
            amount_minor=amount,
            reason="",
            reference=f"test:{self.now.timestamp()}",
            now=self.now,
        )
        with self._provider_away() if away else ExitStack():
            if not self.model.refund(sale, amount):
                with pytest.raises(RefundTooLarge):
                    give()
                return
            execute_refund(refund=give(), now=self.now)

    @rule(which=any_of_them, units=few)
    def receive(self, which: int, units: int) -> None:
        shelf = self._shelf(which)
        self.model.shelves.put(shelf, units)
        receive_stock(
            lines=[ReceiptLine(shelf.variant_id, units)],
            warehouse=shelf.warehouse,
            cause=f"delivery:{self.now.timestamp()}",
            reason="",
            now=self.now,
        )

    @rule(which=any_of_them, delta=st.sampled_from([-3, -1, 1, 2]))
    def adjust(self, which: int, delta: int) -> None:
        shelf = self._shelf(which)
        self._corrects(
            shelf,
            shelf.on_hand + delta,
            lambda: adjust_stock(
                sku=self._sku(shelf),
                warehouse=shelf.warehouse,
                delta=delta,
                reason="",
                now=self.now,
            ),
        )

    @rule(which=any_of_them, counted=st.integers(0, 6))
    def count(self, which: int, counted: int) -> None:
        shelf = self._shelf(which)
        self._corrects(
            shelf,
            counted,
            lambda: count_stock(
                sku=self._sku(shelf),
                warehouse=shelf.warehouse,
                counted=counted,
                reason="",
                now=self.now,
            ),
        )

    @rule(which=any_of_them, units=few)
    def send_to_the_other_warehouse(self, which: int, units: int) -> None:
        start = self._shelf(which)
        end = next(
            shelf
            for shelf in self.model.shelves.shelves
            if shelf.variant_id == start.variant_id and shelf is not start
        )
        send = partial(
            dispatch_transfer,
            lines=[SkuLine(self._sku(start), units)],
            source=start.warehouse,
            destination=end.warehouse,
            reason="",
            now=self.now,
        )
        if not self.model.shelves.may_travel(start, units):
            with pytest.raises(StockBelowReserved):
                send()
            return
        sent = send()
        self.model.shelves.put(start, -units)
        self.transfers.append((sent.pk, end, units))

    @precondition(lambda self: self.transfers)
    @rule(lost=st.integers(0, 1))
    def receive_a_transfer(self, lost: int) -> None:
        self._tick()
        transfer_id, end, units = self.transfers.pop(0)
        arrived = units - lost
        self.model.shelves.put(end, arrived)
        lines = [SkuLine(self._sku(end), arrived)] if arrived else []
        receive_transfer(transfer_id=transfer_id, lines=lines, note="", now=self.now)

    # Time, and those who come by it -------------------------------------------------------------

    @rule(seconds=st.sampled_from([5, 21, 31, 61, 300, 901]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(away=st.booleans(), after=st.sampled_from([1, 31, 61]))
    def sweep(self, away: bool, after: int) -> None:
        self.now += timedelta(seconds=after)
        due = [
            self.numbers[number]
            for number in Payment.objects.filter(
                status__in=Payment.OPEN, next_attempt_at__lte=self.now
            )
            .order_by("next_attempt_at")
            .values_list("order__number", flat=True)
        ]
        owed = self._owed()
        with self._provider_away() if away else ExitStack():
            self.model.sweep(due, owed, now=self.now)
            sweep_payments(now=self.now)

    @rule(away=st.booleans(), after=st.sampled_from([1, 901]))
    def expire(self, away: bool, after: int) -> None:
        self.now += timedelta(seconds=after)
        with self._provider_away() if away else ExitStack():
            self.model.expire(now=self.now)
            expire_holds(now=self.now)

    @precondition(lambda self: self.model.sales)
    @rule(which=any_of_them)
    def hear_it_again(self, which: int) -> None:
        """The provider's word comes once more, as a webhook would bring it."""
        sale = self._one(self.model.sales, which)
        payment = Payment.objects.get(order__number=self._number(sale))
        self._tick()
        result = SandboxProvider().find(request_of(payment))
        assert (result is None) == (sale.charge is None)
        if result is not None and sale.charge is not None:
            self.model.settle(sale, sale.charge.status, now=self.now)
            settle_payment(payment_id=payment.pk, result=result, now=self.now)
