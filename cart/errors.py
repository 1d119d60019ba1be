"""What the cart may refuse."""

from shop.errors import Conflict, Invalid, NotFound, Unavailable


class CartNotFound(NotFound):
    """No cart goes by that token: it ran out, was merged, or never was."""

    code = "cart_not_found"
    title = "There is no such cart"


class CartFull(Invalid):
    """A cart has room for `limit` different variants."""

    code = "cart_full"
    title = "The cart has too many lines"


class QuantityLimit(Invalid):
    """One line has room for `limit` units; `wanted` is what it would have come to."""

    code = "quantity_limit"
    title = "Too many units of one variant"


class CurrencyFixed(Conflict):
    """The cart's first write settled its currency."""

    code = "currency_fixed"
    title = "The cart is in another currency"


class VoucherNotApplicable(Invalid):
    """The voucher does not apply; `reason` says why in one stable word."""

    code = "voucher_not_applicable"
    title = "The voucher does not apply"


class ShippingNotAvailable(Invalid):
    """The shop does not ship that way to there, or not a parcel like this one."""

    code = "shipping_not_available"
    title = "This shipping method is not available"


class CartUnavailable(Unavailable):
    """The store of the carts does not answer, or takes no more writes. Nothing is known of the
    cart then, so nothing is said about it.
    """

    code = "cart_unavailable"
    title = "Carts cannot be reached at the moment"
