"""Who may see all orders, who may change them, and how often a link may be asked for."""

import hashlib

from rest_framework.request import Request

from accounts.permissions import user_or_none
from shop.errors import TooMany
from shop.http.client_address import client_network
from shop.http.rate_limit.attempts import count_attempt
from shop.privacy import email_hash

SEE_ALL = "orders.view_order"
CHANGE_ALL = "orders.change_order"
SEE_PERSONAL = "shop.view_personal_data"

_LOOKUPS = {"address": "30/10m", "account": "10/10m"}


def may_see_all(request: Request) -> bool:
    """Tell whether whoever asks is staff who may read everybody's orders."""
    user = user_or_none(request)
    return user is not None and user.is_staff and user.has_perm(SEE_ALL)


def may_change_all(request: Request) -> bool:
    """Tell whether whoever asks is staff who may act on everybody's orders."""
    user = user_or_none(request)
    return user is not None and user.is_staff and user.has_perm(CHANGE_ALL)


def may_see_personal(request: Request) -> bool:
    """Tell whether whoever asks is staff who may see others' addresses in full."""
    user = user_or_none(request)
    return user is not None and user.is_staff and user.has_perm(SEE_PERSONAL)


def count_lookup(request: Request, *, email: str) -> None:
    """Count a wish for an order's link, against who asks and who would get the mail.

    Raises TooMany, with the seconds to wait. While the counter does not answer each process counts
    alone: mails to strangers never become free.
    """
    keys = {
        "address": hashlib.sha256(client_network(request._request).encode()).hexdigest(),
        "account": email_hash(email),
    }
    for part, rate in _LOOKUPS.items():
        usage = count_attempt(
            request._request, group=f"order_lookup:{part}", key=keys[part], rate=rate
        )
        if usage.is_used_up:
            raise TooMany("Wait a little.", retry_after=usage.retry_after)
