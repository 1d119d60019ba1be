"""What orders and payments promise, said in plain Python: no database, no threads, no clock."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.races.machine.shelves import Lines, Shelves

HOLD = timedelta(minutes=15)
ACTION_HOLD = timedelta(minutes=20)
LONGEST_HOLD = timedelta(minutes=60)
KEY_LOCK = timedelta(seconds=30)
IN_FLIGHT = timedelta(seconds=20)
OPEN = frozenset({"NEW", "REQUESTED", "REQUIRES_ACTION"})


@dataclass(slots=True)
class Charge:
    """One payment as the provider knows it."""

    status: str
    refunded: int = 0


@dataclass(slots=True)
class Basket:
    """A cart that is ordered as it is, with one key or several."""

    lines: Lines
    sales: list["Sale"] = field(default_factory=list)
    is_empty: bool = False


@dataclass(slots=True, eq=False)
class Refund:
    """Money that is owed; two of the same amount are two."""

    amount: int
    status: str = "NEW"  # REQUESTED, SUCCEEDED


@dataclass(slots=True, eq=False)
class Sale:
    """An order and its one attempt to be paid."""

    reference: str
    basket: Basket
    token: str
    total: int
    hold_until: datetime
    claim: "Key | None" = None
    status: str = "PENDING"
    paid: str = "PENDING"
    attempt: str = "NEW"
    captured: int = 0
    requested_at: datetime | None = None
    charge: Charge | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refundable(self) -> int:
        return self.captured - sum(refund.amount for refund in self.refunds)

    @property
    def returned(self) -> int:
        return sum(refund.amount for refund in self.refunds if refund.status == "SUCCEEDED")


@dataclass(slots=True, eq=False)
class Key:
    """An Idempotency-Key in use: claimed, or with the status of its answer."""

    sale: Sale
    locked_until: datetime
    answer: int | None = None


class Away(Exception):
    """The provider does not answer."""


class Failed(Exception):
    """The provider answers that it is broken."""


@dataclass(slots=True)
class Model:
    """The shop. Each method does what a service does, and returns what its caller is told."""

    shelves: Shelves
    sales: list[Sale] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)
    is_provider_away: bool = False

    # Checkout ---------------------------------------------------------------------------------

    def check_out(
        self, key: str, basket: Basket, sale: Sale, *, now: datetime, dies_before: str = ""
    ) -> str:
        """Order the basket; `sale` is the order that comes of it, if one does."""
        known = self.keys.get(key)
        if known is not None:
            if known.answer is not None:
                return f"again {known.answer}"
            if known.locked_until > now:
                return "in progress"
            known.locked_until = now + KEY_LOCK
            return self._pay_and_settle(known.sale, known, now=now, dies_before=dies_before)
        if basket.is_empty:
            return "cart empty"
        if self.shelves.is_short(basket.lines, now):
            return "out of stock"
        living = [sale for sale in basket.sales if sale.status != "CANCELLED"]
        if living:
            if living[0].status != "PENDING":
                if dies_before == "emptying":
                    return "killed"
                basket.is_empty = True
            return "already ordered"
        if not self.shelves.reserve(sale.reference, basket.lines, until=sale.hold_until, now=now):
            return "out of stock"
        known = self.keys[key] = sale.claim = Key(sale, now + KEY_LOCK)
        sale.attempt, sale.requested_at = "REQUESTED", now  # as one that is asked for next
        basket.sales.append(sale)
        self.sales.append(sale)
        return self._pay_and_settle(sale, known, now=now, dies_before=dies_before)

    def _pay_and_settle(self, sale: Sale, key: Key, *, now: datetime, dies_before: str) -> str:
        if sale.status == "CANCELLED":
            self._close(sale, now=now)
            return self._answer_by_another(key, now=now)
        if dies_before == "pay":
            return "killed"
        if sale.attempt not in {"NEW", "REQUESTED"}:
            return self._answer_by_another(key, now=now)
        sale.attempt, sale.requested_at = "REQUESTED", now
        try:
            outcome = self._pay(sale)
        except Away:
            self._complete(sale, 202)
            return "202"
        except Failed:
            outcome = sale.charge.status if sale.charge else self._void(sale)
            if outcome == "VOIDED":
                self._end_unpaid(sale, "FAILED")
                self._discard(sale)
                return "unavailable"
        if dies_before == "settle":
            return "killed"
        answer = self.settle(sale, outcome, now=now)
        if sale.status == "CONFIRMED":
            if dies_before == "emptying":
                return "killed"
            sale.basket.is_empty = True
        return str(answer) if answer else self._answer_by_another(key, now=now)

    def _answer_by_another(self, key: Key, *, now: datetime) -> str:
        if key.answer is not None:
            return str(key.answer)  # stored just now, and told for the first time
        is_claimed = key in self.keys.values()
        return "in progress" if is_claimed and key.locked_until > now else "ended"

    # Settling ---------------------------------------------------------------------------------

    def settle(self, sale: Sale, outcome: str, *, now: datetime) -> int | None:
        """Do what follows from the provider's word; return the status of the answer, if any."""
        if sale.attempt not in OPEN or outcome == sale.attempt == "REQUIRES_ACTION":
            return None
        if outcome == "CAPTURED":
            sale.attempt, sale.captured = "CAPTURED", sale.total
            if sale.status == "CANCELLED" or not self._sell(sale, now=now):
                if sale.status == "PENDING":
                    sale.status = "CANCELLED"
                    self.shelves.release(sale.reference)
                sale.paid = "PAID"
                sale.refunds.append(Refund(sale.captured))
            else:
                sale.status, sale.paid = "CONFIRMED", "PAID"
        elif outcome == "REQUIRES_ACTION":
            sale.attempt = "REQUIRES_ACTION"
            until = min(now + ACTION_HOLD, sale.hold_until - HOLD + LONGEST_HOLD)
            if sale.status == "PENDING" and now < sale.hold_until < until:
                sale.hold_until = until
                self.shelves.extend(sale.reference, until=until)
        else:
            self._end_unpaid(sale, outcome)
        if sale.status == "CANCELLED" and sale.attempt != "DECLINED":
            self._discard(sale)
            return None
        return self._complete(sale, 402 if sale.attempt == "DECLINED" else 201)

    def _sell(self, sale: Sale, *, now: datetime) -> bool:
        if self.shelves.commit(sale.reference):
            return True
        again = f"{sale.reference}:again"
        if not self.shelves.reserve(again, sale.basket.lines, until=now, now=now):
            return False
        self.shelves.commit(again)
        self.shelves.release(sale.reference)
        return True

    def _end_unpaid(self, sale: Sale, attempt: str) -> None:
        sale.attempt = attempt
        sale.paid = "VOIDED" if attempt == "VOIDED" else "FAILED"
        if sale.status == "PENDING":
            sale.status = "CANCELLED"
            self.shelves.release(sale.reference)

    def _complete(self, sale: Sale, answer: int) -> int:
        if sale.claim is not None and sale.claim.answer is None:
            sale.claim.answer = answer
        return answer

    def _discard(self, sale: Sale) -> None:
        if sale.claim is not None and sale.claim.answer is None:
            self.keys = {name: key for name, key in self.keys.items() if key is not sale.claim}

    # Cancelling, refunding ----------------------------------------------------------------------

    def cancel(self, sale: Sale, *, now: datetime) -> None:
        if sale.status == "PENDING":
            sale.status = "CANCELLED"
            if sale.attempt == "NEW":
                self._end_unpaid(sale, "VOIDED")
                self._discard(sale)
            self.shelves.release(sale.reference)
        elif sale.status == "CONFIRMED":
            sale.status = "CANCELLED"
            if sale.refundable:
                sale.refunds.append(Refund(sale.refundable))
            self.shelves.take_back([sale.reference, f"{sale.reference}:again"], sale.basket.lines)
        if sale.attempt in OPEN:
            self._close(sale, now=now)
        self._give_back_new(sale)

    def refund(self, sale: Sale, amount: int) -> bool:
        if sale.attempt != "CAPTURED" or amount > sale.refundable:
            return False
        sale.refunds.append(Refund(amount))
        self.give_back(sale, sale.refunds[-1])
        return True

    def give_back(self, sale: Sale, refund: Refund) -> None:
        if refund.status == "SUCCEEDED":
            return
        refund.status = "REQUESTED"
        if self.is_provider_away:
            return
        assert sale.charge is not None
        sale.charge.refunded += refund.amount
        refund.status = "SUCCEEDED"
        sale.paid = "REFUNDED" if sale.returned >= sale.captured else "PARTIALLY_REFUNDED"

    def _give_back_new(self, sale: Sale) -> None:
        for refund in sale.refunds:
            if refund.status == "NEW":
                self.give_back(sale, refund)

    # What sweepers do ---------------------------------------------------------------------------

    def sweep(self, due: Collection[Sale], owed: Collection[Refund], *, now: datetime) -> None:
        """Ask after these, in this order; then give back what is owed, also since then."""
        before = [refund for sale in self.sales for refund in sale.refunds]
        for sale in due:
            self._finish(sale, now=now)
        for sale in self.sales:
            for refund in sale.refunds:
                if refund in owed or refund not in before:
                    self.give_back(sale, refund)

    def _finish(self, sale: Sale, *, now: datetime) -> None:
        if sale.status != "PENDING" or sale.hold_until <= now:
            self._close(sale, now=now)
            return
        if sale.attempt == "NEW":
            sale.attempt, sale.requested_at = "REQUESTED", now
        if self.is_provider_away:
            return
        if sale.charge is None:
            try:
                self._pay(sale)
            except (Away, Failed):
                return
        assert sale.charge is not None
        self.settle(sale, sale.charge.status, now=now)

    def expire(self, *, now: datetime) -> None:
        ended = [s for s in self.sales if s.status == "PENDING" and s.hold_until <= now]
        for sale in sorted(ended, key=lambda sale: sale.hold_until):
            is_asked = sale.requested_at is not None and sale.requested_at > now - IN_FLIGHT
            if sale.attempt == "REQUESTED" and is_asked:
                continue
            if sale.attempt in OPEN:
                self._close(sale, now=now)
            if sale.status == "PENDING":
                sale.status = "CANCELLED"
                self.shelves.release(sale.reference)

    def _close(self, sale: Sale, *, now: datetime) -> None:
        try:
            outcome = self._void(sale)
        except Away:
            return
        self.settle(sale, outcome, now=now)
        self._give_back_new(sale)

    # The provider -------------------------------------------------------------------------------

    def _pay(self, sale: Sale) -> str:
        if self.is_provider_away:
            raise Away
        if sale.token == "tok_error":
            raise Failed
        if sale.charge is None:
            first = {"tok_declined": "DECLINED", "tok_requires_action": "REQUIRES_ACTION"}
            sale.charge = Charge(first.get(sale.token, "CAPTURED"))
            if sale.token == "tok_timeout":
                raise Away
        return sale.charge.status

    def _void(self, sale: Sale) -> str:
        if self.is_provider_away:
            raise Away
        if sale.charge is None or sale.charge.status == "REQUIRES_ACTION":
            sale.charge = Charge("VOIDED")
        return sale.charge.status

    def act(self, sale: Sale, *, succeeds: bool) -> str | None:
        """The payer answers on the provider's page, or again; None if it knows nothing of it."""
        if sale.charge is None:
            return None
        if sale.charge.status == "REQUIRES_ACTION":
            sale.charge.status = "CAPTURED" if succeeds else "DECLINED"
        return sale.charge.status
