"""The answer to a checkout, as bytes: made once, stored with what it tells, and given again."""

from collections.abc import Sequence

from inventory.services import Ticket
from orders.errors import PaymentDeclined
from orders.models import Order, OrderEvent, OrderLine, Payment
from orders.selectors.access import access_token, token_hash
from orders.selectors.documents import order_document, payment_answer
from shop.errors import Refusal
from shop.http.json import dumps
from shop.idempotency import StoredAnswer
from shop.problems import MEDIA_TYPE, STATUS_OF_KIND, document

CREATED = 201
ACCEPTED = 202


def checkout_answer(
    order: Order,
    payment: Payment,
    *,
    lines: Sequence[OrderLine],
    events: Sequence[OrderEvent],
    request_id: str,
) -> StoredAnswer:
    """Return what the buyer is told of their checkout, as order and payment stand.

    201 for an order that is paid or waits for its payer, 202 for one whose payment is not known
    yet, 402 for a refused payment.
    """
    if payment.status == Payment.Status.DECLINED:
        return refusal_answer(
            PaymentDeclined(
                "Nothing was taken. Try another way to pay.",
                reason=payment.failure_code or "declined",
            ),
            request_id=request_id,
        )
    body: dict[str, object] = {
        "order": order_document(order, lines=lines, payments=[payment], events=events),
        "payment": payment_answer(payment),
    }
    if order.access_token_hash:
        token = access_token(order.number)
        # After a change of the shop's secret the old token cannot be told again.
        if token_hash(token) == order.access_token_hash:
            body["access_token"] = token
    is_open = payment.status in {Payment.Status.NEW, Payment.Status.REQUESTED}
    return StoredAnswer(
        status=ACCEPTED if is_open else CREATED,
        headers={
            "Content-Type": "application/json",
            "Location": f"/api/v1/orders/{order.number}",
        },
        body=dumps(body),
    )


def ticket_answer(ticket: Ticket) -> StoredAnswer:
    """Return the answer to a checkout that has to wait its turn: no order, and nothing kept."""
    return StoredAnswer(
        status=ACCEPTED,
        headers={
            "Content-Type": "application/json",
            "Retry-After": str(ticket.ask_again_seconds),
        },
        body=dumps({"ticket": ticket.as_json()}),
    )


def refusal_answer(refusal: Refusal, *, request_id: str) -> StoredAnswer:
    """Return a refusal as the problem that a client reads."""
    return StoredAnswer(
        status=STATUS_OF_KIND[refusal.kind],
        headers={"Content-Type": MEDIA_TYPE},
        body=dumps(document(refusal, request_id=request_id)),
    )
