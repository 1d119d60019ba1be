"""What orders may refuse."""

from shop import errors


class CartEmpty(errors.Invalid):
    """There is nothing in the cart, or no cart at all."""

    code = "cart_empty"
    title = "The cart is empty"


class CartAlreadyOrdered(errors.Conflict):
    """One and the same cart was ordered before. Facts: `order`, the number of that order."""

    code = "cart_already_ordered"
    title = "This cart was ordered already"


class NotForSale(errors.Conflict):
    """Some lines are no longer for sale. Facts: `lines`, each of them."""

    code = "not_for_sale"
    title = "Some lines are no longer for sale"


class PriceChanged(errors.Conflict):
    """The total is not the one that was expected. Facts: `expected` and `actual`, as money."""

    code = "price_changed"
    title = "The price has changed"


class QuoteExpired(errors.Invalid):
    """The quote is older than ten minutes, not for this cart, or not ours."""

    code = "quote_expired"
    title = "The quote is no longer good"


class ErasureNotPossible(errors.Conflict):
    """The account belongs to somebody who works here: an administrator closes those."""

    code = "erasure_not_possible"
    title = "This account is not erased here"


class PaymentProviderUnknown(errors.Invalid):
    """The shop does not take payments by this provider. Facts: `provider`, `available`."""

    code = "payment_provider_unknown"
    title = "No such payment provider"


class PaymentTokenUnknown(errors.Invalid):
    """The payment provider does not know the token."""

    code = "payment_token_unknown"
    title = "No such payment token"


class PaymentDeclined(errors.Declined):
    """The payment was declined: nothing was taken, and nothing is held. Facts: `reason`."""

    code = "payment_declined"
    title = "The payment was declined"


class PaymentUnavailable(errors.Unavailable):
    """The payment provider does not work at the moment: nothing was taken."""

    code = "payment_unavailable"
    title = "Payments do not work at the moment"


class OrderEnded(errors.Conflict):
    """The order was cancelled before it was paid. Facts: `order`, its number."""

    code = "order_ended"
    title = "The order was cancelled before it was paid"


class PaymentNotFound(errors.NotFound):
    """There is no such payment."""

    code = "payment_not_found"
    title = "There is no such payment"


class OrderNotFound(errors.NotFound):
    """There is no such order, or it is somebody else's."""

    code = "order_not_found"
    title = "There is no such order"


class OrderNotCancellable(errors.Conflict):
    """The order is too far on its way to be cancelled. Facts: `status`, `fulfillment_status`."""

    code = "order_not_cancellable"
    title = "The order can no longer be cancelled"


class TransitionRefused(errors.Conflict):
    """The present state does not lead to the one asked for. Facts: `field`, `state`, `wanted`."""

    code = "transition_refused"
    title = "That cannot follow from the present state"


class RefundTooLarge(errors.Invalid):
    """More would be given back than was taken. Facts: `refundable`, as money."""

    code = "refund_too_large"
    title = "More than was paid"


class ReturnTooLarge(errors.Invalid):
    """More units would come back than were sold and are still out. Facts: `lines`."""

    code = "return_too_large"
    title = "More than was sold"


class ReplayRunning(errors.Conflict):
    """Another replay of a history is at work on the same database."""

    code = "replay_running"
    title = "A replay is running already"


class ReplayStopped(errors.Conflict):
    """An invoice of a replay cannot happen in this shop. Facts: `invoice`, its number."""

    code = "replay_stopped"
    title = "The replay has stopped"


class NotABuyer(errors.Forbidden):
    """Only who bought the product, and paid for it, can review it."""

    code = "not_a_buyer"
    title = "Buy it first"
