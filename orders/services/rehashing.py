"""The hashes of orders' addresses, written anew by the newest key, and what hangs on them."""

from collections.abc import Callable, Iterator

from django.db import transaction

from accounts.services import rehash_people
from inventory.services import rehash_subscriptions, rename_buyers
from orders.models import Order
from orders.services.placing import buyer_key
from shop.privacy import email_hash

_PAGE = 500

Page = Callable[..., "tuple[int, int] | None"]


def rehash_emails() -> dict[str, int]:
    """Write every keyed hash of an address anew; return how many changed, by what they belong to.

    In transactions of 500 rows, so it may run beside the shop, be killed and begin again.
    """
    pages: dict[str, Page] = {
        "people": rehash_people,
        "orders": _rehash_orders,
        "subscriptions": rehash_subscriptions,
    }
    return {name: sum(_changed(page)) for name, page in pages.items()}


def _changed(page: Page) -> Iterator[int]:
    after = 0
    while seen := page(after=after, size=_PAGE):
        after, changed = seen
        yield changed


@transaction.atomic
def _rehash_orders(*, after: int, size: int) -> tuple[int, int] | None:
    orders = list(Order.objects.locked().filter(pk__gt=after).exclude(email="")[:size])
    if not orders:
        return None
    stale = [order for order in orders if order.email_hash != email_hash(order.email)]
    # Limits count what a buyer has by a digest of the hash.
    buyers = {}
    for order in stale:
        old, order.email_hash = order.email_hash, email_hash(order.email)
        buyers[_buyer(order, old)] = _buyer(order, order.email_hash)
    Order.objects.bulk_update(stale, ["email_hash"])
    rename_buyers(buyers)
    return orders[-1].pk, len(stale)


def _buyer(order: Order, hashed: str) -> str:
    return buyer_key(email_hash=hashed, customer_id=order.customer_id)
