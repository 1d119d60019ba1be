"""Which state may follow which, and the only functions that change one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orders.errors import TransitionRefused
from orders.models import Order, OrderEvent, Payment
from shop.db.inserting import update_with
from shop.db.updating import Change, update_of, update_row
from shop.models import OutboxMessage

_Order = Order.Status
_Paid = Order.PaymentStatus
_Sent = Order.FulfillmentStatus
_Payment = Payment.Status

Edges = Mapping[str, frozenset[str]]

ORDER_EDGES: Edges = {
    # Straight to completed: sold over the counter, or by a history.
    _Order.PENDING: frozenset({_Order.CONFIRMED, _Order.COMPLETED, _Order.CANCELLED}),
    _Order.CONFIRMED: frozenset({_Order.COMPLETED, _Order.CANCELLED}),
    _Order.COMPLETED: frozenset(),
    _Order.CANCELLED: frozenset(),
}
# A cancelled order may still learn of its money: that it was never taken, or must go back.
PAYMENT_STATUS_EDGES: Edges = {
    _Paid.PENDING: frozenset({_Paid.AUTHORIZED, _Paid.PAID, _Paid.FAILED, _Paid.VOIDED}),
    _Paid.AUTHORIZED: frozenset({_Paid.PAID, _Paid.VOIDED, _Paid.FAILED}),
    _Paid.PAID: frozenset({_Paid.PARTIALLY_REFUNDED, _Paid.REFUNDED}),
    _Paid.PARTIALLY_REFUNDED: frozenset({_Paid.REFUNDED}),
    _Paid.REFUNDED: frozenset(),
    _Paid.FAILED: frozenset(),
    _Paid.VOIDED: frozenset(),
}
FULFILLMENT_EDGES: Edges = {
    _Sent.UNFULFILLED: frozenset({_Sent.PARTIALLY_FULFILLED, _Sent.FULFILLED}),
    _Sent.PARTIALLY_FULFILLED: frozenset({_Sent.FULFILLED, _Sent.RETURNED}),
    _Sent.FULFILLED: frozenset({_Sent.RETURNED}),
    _Sent.RETURNED: frozenset(),
}
_OUTCOMES = frozenset(
    {
        _Payment.REQUIRES_ACTION,
        _Payment.AUTHORIZED,
        _Payment.CAPTURED,
        _Payment.DECLINED,
        _Payment.FAILED,
        _Payment.VOIDED,
    }
)
PAYMENT_EDGES: Edges = {
    _Payment.NEW: _OUTCOMES | {_Payment.REQUESTED},
    _Payment.REQUESTED: _OUTCOMES,
    _Payment.REQUIRES_ACTION: _OUTCOMES - {_Payment.REQUIRES_ACTION},
    _Payment.AUTHORIZED: frozenset({_Payment.CAPTURED, _Payment.VOIDED}),
    _Payment.CAPTURED: frozenset(),
    _Payment.DECLINED: frozenset(),
    _Payment.FAILED: frozenset(),
    _Payment.VOIDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """An order in its next state, not written yet."""

    order: Order
    changed: Sequence[str]
    event: OrderEvent
    messages: Sequence[OutboxMessage]

    def write(self, *, beside: Sequence[Change] = (), is_locked: bool = True) -> OrderEvent:
        """Save the order, note the event, tell of it, and do what goes with it: one statement.

        An order that is not locked is found only as it was before the turn: else RowNotFound.
        """
        update_with(
            self.order,
            self.changed,
            [self.event, *self.messages],
            beside=beside,
            found_as=None if is_locked else ("version", self.order.version - 1),
        )
        return self.event


def turn_order(
    order: Order,
    *,
    event: OrderEvent.Kind,
    now: datetime,
    status: Order.Status | None = None,
    payment_status: Order.PaymentStatus | None = None,
    fulfillment_status: Order.FulfillmentStatus | None = None,
    also: Sequence[str] = (),
    detail: str = "",
    actor_id: int | None = None,
    messages: Sequence[OutboxMessage] = (),
) -> Turn:
    """Change the order's states along their edges, and note the event; `write` saves both.

    So the caller may have it written with what goes with it. The caller holds the order's lock, or
    has `write` see whether the order is still the one it knows.
    `also` names other fields that it has set; `messages` are told of it. A state that is not given,
    or is the present one, stays. Raises TransitionRefused before anything is changed.
    """
    wanted = (
        ("status", status, ORDER_EDGES),
        ("payment_status", payment_status, PAYMENT_STATUS_EDGES),
        ("fulfillment_status", fulfillment_status, FULFILLMENT_EDGES),
    )
    changed = ["version", *also]
    for field, state, edges in wanted:
        present = getattr(order, field)
        if state is None or state == present:
            continue
        require_edge(edges, field, present, state)
        changed.append(field)
    for field, state, _ in wanted:
        if field in changed and state is not None:
            setattr(order, field, state)
    order.version += 1
    noted = OrderEvent(order=order, kind=event, happened_at=now, detail=detail, actor_id=actor_id)
    return Turn(order, changed, noted, messages)


def move_payment(payment: Payment, status: Payment.Status, *, also: Sequence[str] = ()) -> None:
    """Change the payment's status along its edges and save it, with the other fields `also` set.

    The caller holds the lock of the payment and its order. Raises TransitionRefused.
    """
    _turn_payment(payment, status)
    update_row(payment, ["status", *also])


def turn_payment(payment: Payment, status: Payment.Status, *, also: Sequence[str] = ()) -> Change:
    """Do what `move_payment` does but for writing it: what it returns is to go with a `Turn`."""
    _turn_payment(payment, status)
    return update_of(payment, ["status", *also])


def _turn_payment(payment: Payment, status: Payment.Status) -> None:
    if payment.status != status:
        require_edge(PAYMENT_EDGES, "payment", payment.status, status)
    payment.status = status


def require_edge(edges: Edges, field: str, present: str, wanted: str) -> None:
    """Raise TransitionRefused unless `wanted` may follow `present`."""
    if wanted not in edges[present]:
        raise TransitionRefused(
            f"{wanted.lower()} cannot follow {present.lower()}.",
            field=field,
            state=present.lower(),
            wanted=wanted.lower(),
        )
