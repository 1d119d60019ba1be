"""What orders tell the catalogue of products."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import BoughtTogether, Product, ProductListing
from catalog.services import set_popularity
from orders.models import Order
from orders.services import count_sales
from tests.make import orders as make

pytestmark = pytest.mark.django_db


def test_best_sellers_and_what_is_bought_together_follow_the_orders() -> None:
    make.ground()
    mug, plate, bowl = (make.variant() for _ in range(3))
    make.sold((mug, 2), (plate, 1))
    make.sold((mug, 1), (plate, 1), (bowl, 1))
    cancelled = make.sold((bowl, 5))
    Order.objects.filter(number=cancelled.order.number).update(status=Order.Status.CANCELLED)
    now = Order.objects.latest("placed_at").placed_at + timedelta(minutes=1)
    set_popularity(units={bowl.product_id: 99}, now=now)

    count_sales(now=now)

    sold = dict(Product.objects.values_list("pk", "popularity"))
    assert sold == {mug.product_id: 3, plate.product_id: 2, bowl.product_id: 1}
    assert ProductListing.objects.get(product=mug.product_id, currency="GBP").popularity == 3
    together = {(row.product_id, row.other_id): row.orders for row in BoughtTogether.objects.all()}
    assert together[mug.product_id, plate.product_id] == 2
    assert together[plate.product_id, bowl.product_id] == 1
    assert len(together) == 6
    assert count_sales(now=now) == 0

    count_sales(now=now + timedelta(days=365))
    assert not Product.objects.filter(popularity__gt=0).exists()
    assert not BoughtTogether.objects.exists()


def test_takes_the_same_statements_for_any_number_of_orders() -> None:
    make.ground()
    mug, plate = make.variant(on_hand=100), make.variant(on_hand=100)
    counts = []
    for size in (1, 6):
        for _ in range(size):
            make.sold((mug, 1), (plate, 1))
        now = Order.objects.latest("placed_at").placed_at + timedelta(minutes=1)
        with CaptureQueriesContext(connection) as seen:
            count_sales(now=now)
        counts.append(len(seen))

    assert counts[0] == counts[1]
