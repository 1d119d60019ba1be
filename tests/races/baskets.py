"""Carts that hold what a race wants, whatever stock there is: filled past the shopper's hint."""

from collections.abc import Mapping

from cart import store
from cart.services import CartOwner


def basket(lines: Mapping[int, int]) -> CartOwner:
    """Return a guest whose new cart holds so many units of each variant, in this order."""
    token = store.new_token()
    for variant_id, quantity in lines.items():
        store.edit(
            store.guest_cart_id(token),
            action="set",
            operation="",
            must_exist=False,
            expected=None,
            variant_id=variant_id,
            quantity=quantity,
            available=quantity,
            default_currency="GBP",
        )
    return CartOwner(None, token)
