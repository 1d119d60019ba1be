"""The key of e-mail hashes is changed: old ones are found, new ones written, all written anew."""

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from inventory.models import Reservation, StockSubscription
from inventory.services import subscribe_to_stock
from orders.models import Order
from orders.selectors import all_orders, narrowed
from orders.services import rehash_emails, request_order_link
from orders.services.placing import buyer_of
from shop.models import OutboxMessage
from shop.privacy import email_hash, email_hashes, keyed_digest
from tests.make import accounts as make_accounts
from tests.make import orders as make

pytestmark = pytest.mark.django_db

OLD, NEW = "old-" * 10, "new-" * 10


@pytest.fixture
def rotated(settings: Settings) -> Settings:
    """Make a shop under an old key, and change the key."""
    settings.SHOP_EMAIL_HASH_KEYS = [OLD]
    settings.SHOP_DIGEST_KEY = OLD
    jane = make_accounts.customer(email="jane@example.com")
    make.sold((make.variant(), 1), customer=jane)
    make.sold((make.variant(), 1), email="guest@example.com")
    waits = make.variant().pk
    for customer, email in ((jane, ""), (None, "guest@example.com")):
        subscribe_to_stock(variant_id=waits, customer=customer, email=email, now=timezone.now())
    settings.SHOP_EMAIL_HASH_KEYS = [NEW, OLD]
    return settings


def test_the_newest_key_writes_and_all_are_read(rotated: Settings) -> None:
    fresh = make.sold((make.variant(), 1), email="guest@example.com").order

    assert (
        fresh.email_hash == email_hashes("guest@example.com")[0] == email_hash("guest@example.com")
    )
    assert narrowed(all_orders(), q="Guest@example.com").count() == 2
    old = Order.objects.filter(email="guest@example.com").exclude(pk=fresh.pk).get()
    request_order_link(number=old.number, email="guest@example.com")
    assert OutboxMessage.objects.get(topic="order.link_requested").payload["order_id"] == old.pk


def test_all_are_written_anew_and_buyers_with_them(rotated: Settings) -> None:
    assert rehash_emails() == {"people": 1, "orders": 2, "subscriptions": 2}

    rotated.SHOP_EMAIL_HASH_KEYS = [NEW]
    for order in Order.objects.all():
        assert order.email_hash == email_hash(order.email)
        assert Reservation.objects.get(reference=order.stock_reference).buyer == buyer_of(order)
    jane = User.objects.get(email="jane@example.com")
    assert jane.email_hash == email_hash(jane.email)
    assert set(StockSubscription.objects.values_list("email_hash", flat=True)) == {
        jane.email_hash,
        email_hash("guest@example.com"),
    }
    assert rehash_emails() == {"people": 0, "orders": 0, "subscriptions": 0}


def test_who_subscribed_again_under_the_new_key_waits_once(rotated: Settings) -> None:
    asked = StockSubscription.objects.get(email="guest@example.com")
    subscribe_to_stock(
        variant_id=asked.variant_id, customer=None, email=asked.email, now=timezone.now()
    )
    assert StockSubscription.objects.filter(email=asked.email).count() == 2

    call_command("rehash_emails")

    left = StockSubscription.objects.get(email=asked.email)
    assert left.email_hash == email_hash(asked.email)


def test_digests_of_contents_do_not_change_with_it(rotated: Settings) -> None:
    before = keyed_digest("test", b"content")

    rotated.SHOP_EMAIL_HASH_KEYS = [NEW]

    assert keyed_digest("test", b"content") == before
