"""Who may see all orders, who may change them, and how often a link may be asked for."""

import hashlib

from django_ratelimit.core import get_usage
from rest_framework.request import Request

from accounts.permissions import user_or_none
from shop.errors import TooMany, Unavailable
from shop.http.client_address import client_address
from shop.privacy import email_hash

SEE_ALL = "orders.view_order"
CHANGE_ALL = "orders.change_order"

_LOOKUPS = {"address": "30/10m", "account": "10/10m"}


def may_see_all(request: Request) -> bool:
    """Tell whether whoever asks is staff who may read everybody's orders."""
    user = user_or_none(request)
    return user is not None and user.is_staff and user.has_perm(SEE_ALL)


def may_change_all(request: Request) -> bool:
    """Tell whether whoever asks is staff who may act on everybody's orders."""
    user = user_or_none(request)
    return user is not None and user.is_staff and user.has_perm(CHANGE_ALL)


def count_lookup(request: Request, *, email: str) -> None:
    """Count a wish for an order's link, against who asks and who would get the mail.

    Raises TooMany, with the seconds to wait, and Unavailable when the counter does not answer:
    mails to strangers must not become free then.
    """
    keys = {
        "address": hashlib.sha256(client_address(request._request).encode()).hexdigest(),
        "account": email_hash(email),
    }
    for part, rate in _LOOKUPS.items():
        usage = get_usage(  # type: ignore[no-untyped-call]
            request._request,
            group=f"order_lookup:{part}",
            key=lambda _group, _request, key=keys[part]: key,
            rate=rate,
            increment=True,
        )
        if usage is None:  # django-ratelimit is switched off by settings
            continue
        if usage["time_left"] < 0:
            raise Unavailable("Links cannot be asked for at this moment.", retry_after=5)
        if usage["should_limit"]:
            raise TooMany("Wait a little.", retry_after=max(1, usage["time_left"]))
