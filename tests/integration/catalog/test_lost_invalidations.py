"""The process dies between its commit and the drop of the copies: what was lost comes by message.

With a real kill: tests/e2e/test_cache_under_fire.py.
"""

from typing import Any

import pytest
from django.test import Client

from catalog.selectors import forget_pages
from catalog.services import PriceDraft, set_prices
from catalog.tasks import invalidate_product
from shop.models import OutboxMessage
from tests.make import catalog as make

pytestmark = pytest.mark.django_db


def shown(client: Client) -> Any:
    forget_pages()  # as half a second later
    return client.get("/api/v1/products/mug").json()["price"]["min"]["amount"]


def test_a_product_is_shown_anew_once_its_message_is_handled(client: Client) -> None:
    variant = make.product(slug="mug", price=1500).variants.get()
    assert shown(client) == "15.00"

    # What waited for the commit is never done.
    set_prices(drafts=[PriceDraft(variant.pk, "GBP", amount_minor=1700)], now=make.NOW)
    assert shown(client) == "15.00"  # the negative control: nothing but the message mends it
    message = OutboxMessage.objects.filter(topic="catalog.product_changed").latest("pk")
    invalidate_product(message_id=str(message.pk), payload=message.payload)

    assert shown(client) == "17.00"
