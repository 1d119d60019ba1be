"""Shoppers at the till, and orders, for tests: valid by default, name only what matters."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from cart.services import CartOwner, add_item
from catalog.models import Variant
from inventory.models import Stock
from inventory.services import StockTerms, adjust_stock, set_stock_terms
from orders.models import Channel, LineKind, Order
from orders.providers.base import ProviderTimeout
from orders.providers.sandbox.provider import SandboxProvider
from orders.services import (
    CheckoutWish,
    DraftLine,
    Expectation,
    OrderDraft,
    PlacedOrder,
    Postal,
    place_order,
    record_sale,
)
from shop.idempotency import Scope
from tests.make import accounts as make_accounts
from tests.make import cart as make_cart
from tests.make import inventory as make_inventory

EMAIL = "guest@example.com"
_numbers = count(1)


def variant(*, on_hand: int = 10, price: int = 1250, **more: Any) -> Variant:
    """Return a variant that is for sale now and in stock."""
    return make_cart.variant_for_sale(on_hand=on_hand, price_minor=price, **more)


def ground() -> None:
    """Make again what a transactional test before this one has emptied: rules and warehouse."""
    make_cart.rules()
    make_inventory.make_warehouse()


def guest(api: APIClient, *lines: tuple[Variant, int]) -> APIClient:
    """Have `api` be a guest whose new cart holds these."""
    owner = CartOwner(None, None)
    for sold, quantity in lines:
        shown = add_item(owner=owner, variant_id=sold.pk, quantity=quantity, now=timezone.now())
        owner = CartOwner(None, shown.token)
    api.credentials(**({"HTTP_X_CART_TOKEN": owner.token} if owner.token else {}))
    return api


def customer(api: APIClient, *lines: tuple[Variant, int], user: User | None = None) -> User:
    """Have `api` be a signed-in customer whose cart holds these, and return them."""
    user = user or make_accounts.customer()
    for sold, quantity in lines:
        add_item(
            owner=CartOwner(user.pk, None),
            variant_id=sold.pk,
            quantity=quantity,
            now=timezone.now(),
        )
    make_accounts.signed_in(api, user)
    return user


def address(**changes: object) -> dict[str, object]:
    return {
        "name": "Ada Byron",
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
        **changes,
    }


def body(token: str = "tok_ok", **changes: Any) -> dict[str, object]:
    """Return the body of a guest's checkout; a change to None leaves the member out."""
    members = {
        "email": EMAIL,
        "shipping_address": address(),
        "shipping_method": "standard",
        "payment": {"provider": "sandbox", "token": token},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def check_out(
    api: APIClient, token: str = "tok_ok", *, key: str | None = None, **changes: Any
) -> Any:
    """Send a checkout over HTTP. Signed in, the e-mail is left out."""
    if "HTTP_AUTHORIZATION" in credentials(api):
        changes = {"email": None, **changes}
    return api.post(
        "/api/v1/checkout",
        body(token, **changes),
        format="json",
        headers={"Idempotency-Key": key or uuid.uuid4().hex},
    )


def credentials(api: APIClient) -> dict[str, str]:
    """Return the headers that `api` sends with everything, as WSGI names them."""
    sent: dict[str, str] = api._credentials  # type: ignore[attr-defined]
    return sent


def owner_of(api: APIClient) -> CartOwner:
    """Return whose cart the guest `api` has."""
    return CartOwner(None, credentials(api).get("HTTP_X_CART_TOKEN"))


def wish(owner: CartOwner, *, token: str = "tok_ok", **changes: Any) -> CheckoutWish:
    """Return what a guest asks of the checkout service."""
    return CheckoutWish(
        **{
            "owner": owner,
            "customer": None,
            "email": EMAIL,
            "shipping_address": Postal(**address()),  # type: ignore[arg-type]
            "billing_address": None,
            "shipping_method": "standard",
            "provider": "sandbox",
            "token": token,
            "expectation": Expectation(),
            **changes,
        }
    )


def scope(key: str = "", *, subject: str = "a guest") -> Scope:
    return Scope(
        subject=subject, route="POST checkout", key=key or uuid.uuid4().hex, request_hash="x"
    )


def draft(*lines: tuple[Variant, int], **changes: Any) -> OrderDraft:
    """Return a priced order of these, to be placed without a cart."""
    return OrderDraft(
        **{
            "currency": "GBP",
            "country": "GB",
            "email": EMAIL,
            "shipping_address": Postal(**address()),  # type: ignore[arg-type]
            "lines": tuple(
                DraftLine(
                    variant_id=sold.pk,
                    sku=sold.sku,
                    title="A thing",
                    quantity=quantity,
                    unit_price_minor=1250,
                    total_minor=1250 * quantity,
                    tax_rate_bps=2000,
                    tax_minor=1250 * quantity // 6,
                )
                for sold, quantity in lines
            ),
            **changes,
        }
    )


def fee(title: str = "Carriage", *, price: int = 495) -> DraftLine:
    return DraftLine(
        variant_id=None,
        sku="POST",
        title=title,
        quantity=1,
        unit_price_minor=price,
        total_minor=price,
        kind=LineKind.FEE,
    )


def placed(
    *lines: tuple[Variant, int],
    token: str = "tok_ok",
    now: datetime | None = None,
    **changes: Any,
) -> PlacedOrder:
    """Return an order that is placed and not paid, with its stock held."""
    now = now or timezone.now()
    with transaction.atomic():
        return place_order(
            draft=draft(*(lines or [(variant(), 1)]), **changes),
            provider="sandbox",
            token=token,
            now=now,
            expires_at=now + timedelta(seconds=settings.SHOP_HOLD_SECONDS),
        )


def sold(*lines: tuple[Variant, int], now: datetime | None = None, **changes: Any) -> PlacedOrder:
    """Return an order that was paid outside the shop and is confirmed."""
    now = now or timezone.now()
    with transaction.atomic():
        return record_sale(
            draft=draft(*(lines or [(variant(), 1)]), **{"channel": Channel.STAFF, **changes}),
            now=now,
            expires_at=now + timedelta(minutes=15),
        )


def adjust(variant: Variant, delta: int) -> None:
    """Change what is on hand of a variant, as a clerk would."""
    adjust_stock(
        sku=variant.sku, warehouse="main", delta=delta, reason="A test", now=timezone.now()
    )


def allow_backorders(variant: Variant, limit: int) -> None:
    """Let so many units be promised beyond what is on hand, and tell shoppers."""
    terms = [StockTerms(variant.pk, backorder_limit=limit)]
    set_stock_terms(terms=terms, warehouse="main", now=timezone.now())


def units(variant: Variant) -> tuple[int, int]:
    """Return what is on hand and what is reserved of a variant, in units."""
    stock = Stock.objects.get(variant=variant)
    return stock.on_hand, stock.reserved


def order_of(response: Any) -> Order:
    """Return the order that a checkout's answer tells of."""
    return Order.objects.get(number=response.json()["order"]["number"])


@contextmanager
def killed_before(name: str) -> Iterator[None]:
    """Have the process die, as far as it can tell, where `name` would be called.

    `name` is where the function is looked up, such as "orders.services.checking_out.pay".
    """
    with mock.patch(name, side_effect=Killed(name)):
        yield


@contextmanager
def killed_after(name: str) -> Iterator[None]:
    """Have the process die, as far as it can tell, where `name` has done its work."""
    module, _, attribute = name.rpartition(".")
    original = getattr(__import__(module, fromlist=[attribute]), attribute)

    def dies(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise Killed(name)

    with mock.patch(name, dies):
        yield


@contextmanager
def provider_away() -> Iterator[None]:
    """Have the sandbox answer nothing."""
    away = mock.Mock(side_effect=ProviderTimeout("away"))
    names = ("pay", "find", "void", "refund")
    with mock.patch.multiple(SandboxProvider, **dict.fromkeys(names, away)):
        yield


def later(**by: int) -> datetime:
    """Return a moment from now, such as `later(minutes=5)`."""
    return timezone.now() + timedelta(**by)


class Killed(BaseException):
    """The process is gone: nothing that follows in it happens."""


LONG_AGO = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
