"""Who a request counts for: somebody signed in, else an address."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from shop.http.client_address import client_network


def client_of(request: HttpRequest) -> str:
    """Return the user that a verified access token names, else the network it comes from.

    A forged or expired token counts as no token, so making tokens up is no way around a limit.
    """
    user = _verified_user(settings.SHOP_VERIFIED_USER)(request)
    return f"u:{user}" if user else f"a:{client_network(request)}"


@cache
def _verified_user(name: str) -> Callable[[HttpRequest], str | None]:
    # Named as a string, like every app: the ground imports none of them.
    found: Callable[[HttpRequest], str | None] = import_string(name)
    return found
