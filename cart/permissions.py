"""Whose cart a request means: nobody reads or changes another's."""

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.permissions import customer_at_hand, user_or_none
from cart.services import CartOwner

TOKEN_HEADER = "X-Cart-Token"  # noqa: S105 — the name of a header


def cart_owner(request: Request) -> CartOwner:
    """Return the customer who asks, else the guest by the token that was sent, if one was."""
    user = user_or_none(request)
    if user is not None:
        return CartOwner(customer_id=user.pk, token=None)
    return CartOwner(customer_id=None, token=request.headers.get(TOKEN_HEADER))


def cart_owner_at_hand(request: HttpRequest) -> CartOwner | None:
    """Return the `cart_owner` before DRF begins, or None in any doubt who asks. Raises nothing."""
    if "HTTP_AUTHORIZATION" in request.META:
        customer = customer_at_hand(request)
        return CartOwner(customer_id=customer.pk, token=None) if customer else None
    return CartOwner(customer_id=None, token=request.META.get("HTTP_X_CART_TOKEN"))
