"""The database plans a checkout's statements once for each connection, and not for each order.

A statement whose parameters hold lists is planned anew each time where the planner can see how long
they are: a plan for three lines looks so much cheaper than one for any number. Control: with
`ANY(%(variants)s::bigint[])` in `LOOK_AND_LOCK` it is, which takes as long as to run it.
"""

import pytest
from django.db import connection
from django.utils import timezone

from cart.services import add_item
from orders.services import checkout
from tests.make import cart as make_cart
from tests.make import orders as make
from tests.make.inventory import many_stocks

pytestmark = pytest.mark.django_db(transaction=True)

CHECKOUTS = 15  # five before a statement is prepared, five before a plan for any values is tried


def test_each_statement_of_a_checkout_is_planned_once() -> None:
    sold = [make.variant(on_hand=100) for _ in range(3)]
    many_stocks(3000, on_hand=1)  # of a few the planner reads all, whatever is asked for
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_stock, catalog_variant, catalog_price")
    connection.close()  # a session of its own: nothing is prepared in it

    for number in range(CHECKOUTS):
        owner = make_cart.guest_with(sold[0])
        for other in sold[1:]:
            add_item(owner=owner, variant_id=other.pk, quantity=1, now=timezone.now())
        wish = make.wish(owner)
        told = checkout(
            wish=wish, scope=make.scope(f"k{number}"), request_id="", now=timezone.now()
        )
        assert told.answer.status == 201

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement, generic_plans FROM pg_prepared_statements"
            " WHERE generic_plans + custom_plans >= 9"
        )
        often = dict(cursor.fetchall())
    assert len(often) >= 8
    assert [statement for statement, times in often.items() if not times] == []
