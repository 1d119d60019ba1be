"""Finding orders: lists, and one with all that hangs on it."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from accounts.models import User
from orders.models import Erasure, Order, OrderLine
from orders.selectors.documents import order_document
from shop.privacy import email_hashes


def orders_of(customer: User) -> QuerySet[Order]:
    """Return the orders of a customer, as `order_row` needs them: two queries a page."""
    return _for_rows(Order.objects.filter(customer=customer))


def all_orders() -> QuerySet[Order]:
    """Return every order, as `order_row` needs them: two queries a page. For staff."""
    return _for_rows(Order.objects.all())


def has_bought(*, customer: User, product_id: int) -> bool:
    """Tell whether the customer has an order of the product that was not cancelled, and paid."""
    return OrderLine.objects.filter(
        order__customer=customer,
        order__status__in=[Order.Status.CONFIRMED, Order.Status.COMPLETED],
        variant__product=product_id,
    ).exists()


def narrowed(
    orders: QuerySet[Order],
    *,
    status: str | None = None,
    placed_after: datetime | None = None,
    q: str | None = None,
) -> QuerySet[Order]:
    """Return those of `orders` that fit. `q` is a number, an e-mail address or a SKU."""
    if status:
        orders = orders.filter(status=status.upper())
    if placed_after:
        orders = orders.filter(placed_at__gt=placed_after)
    if q:
        if "@" in q:
            orders = orders.filter(email_hash__in=email_hashes(q))
        else:
            # As a set of ids, and not as a join: an order with two such lines is one order.
            by_sku = OrderLine.objects.filter(sku=q).values("order_id")
            orders = orders.filter(Q(number=q.upper()) | Q(pk__in=by_sku))
    return orders


def document_of(order: Order, *, is_masked: bool = False) -> dict[str, object]:
    """Return the order as its detail shows it, in six queries at most.

    With `is_masked` its addresses say no more than city, region and country.
    """
    return order_document(
        order,
        is_masked=is_masked,
        lines=list(order.lines.order_by("position")),
        payments=list(order.payments.order_by("created_at", "pk")),
        events=list(order.events.order_by("id")),
        refunds=list(order.refunds.order_by("created_at", "pk")),
        returns=list(order.returns.order_by("id").prefetch_related("lines")),
    )


def erased_people() -> Iterator[UUID]:
    """Yield the public ids of everybody who had themselves erased, the earliest first."""
    return Erasure.objects.order_by("asked_at", "pk").values_list("person", flat=True).iterator()


def _for_rows(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.prefetch_related(
        Prefetch("lines", queryset=OrderLine.objects.order_by("order_id", "position"))
    )
