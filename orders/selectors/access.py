"""Who may read an order: its owner, staff, and whoever holds a token for it."""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing

from accounts.models import User
from orders.errors import OrderNotFound
from orders.models import Order

LINK_LASTS = timedelta(days=30)

_NUMBER = re.compile(r"[0-9A-Z]{10}")  # anything else is not even asked for

_links = signing.Signer(salt="orders.access.link")


def access_token(number: str) -> str:
    """Return the token that whoever placed this order is given, once.

    Made from the number and the shop's secret, so that a sweeper which finishes the order of a
    killed request can still put it into the answer that the buyer comes back for. The order keeps
    its hash alone.
    """
    digest = hmac.new(
        f"orders.access:{settings.SECRET_KEY}".encode(), number.encode(), hashlib.sha256
    ).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def token_hash(token: str) -> str:
    """Return the form in which an access token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def link_token(order: Order, *, now: datetime) -> str:
    """Return a token for a mailed link: as good as the first one, for 30 days."""
    until = int((now + LINK_LASTS).timestamp())
    return _links.sign_object({"n": order.number, "u": until})


def opens(token: str, order: Order, *, now: datetime) -> bool:
    """Tell whether `token` may read `order`: the first one, or one of a mailed link."""
    if order.access_token_hash and hmac.compare_digest(token_hash(token), order.access_token_hash):
        return True
    try:
        said = _links.unsign_object(token)
    except (signing.BadSignature, ValueError):
        return False
    return (
        isinstance(said, dict)
        and said.get("n") == order.number
        and isinstance(said.get("u"), int)
        and said["u"] >= now.timestamp()
    )


def is_buyer(*, order: Order, user: User | None, token: str, now: datetime) -> bool:
    """Tell whether `user` bought the order, or `token` was given to whoever did."""
    is_theirs = user is not None and order.customer_id == user.pk
    return is_theirs or bool(token and opens(token, order, now=now))


def readable_order(
    *, number: str, user: User | None, token: str, sees_all: bool, now: datetime
) -> Order:
    """Return the order if `user`, or the bearer of `token`, may see it. One query.

    Raises OrderNotFound, the same for an order that is not there and one of somebody else.
    """
    number = number.upper()
    order = Order.objects.filter(number=number).first() if _NUMBER.fullmatch(number) else None
    if order is not None and (sees_all or is_buyer(order=order, user=user, token=token, now=now)):
        return order
    raise OrderNotFound("There is no such order, or it is not yours.")
