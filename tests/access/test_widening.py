"""No filter, search or empty owner widens what somebody sees of orders."""

import itertools

import pytest
from rest_framework.test import APIClient

from orders.models import Order
from tests.make import accounts as make
from tests.make import orders as make_orders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ground() -> None:
    make_orders.ground()


def test_what_nobody_owns_is_in_nobodys_list(api: APIClient) -> None:
    # Guests' orders have no owner, and neither has somebody who is not signed in.
    told = make_orders.check_out(make_orders.guest(APIClient(), (make_orders.variant(), 1))).json()
    number = told["order"]["number"]
    assert Order.objects.get(number=number).customer is None

    nobody = APIClient()
    assert nobody.get("/api/v1/orders").status_code == 401
    assert nobody.get(f"/api/v1/orders/{number}").status_code == 404
    make.signed_in(api, make.customer(email=make_orders.EMAIL))  # not even by the same address
    assert api.get("/api/v1/orders").json()["results"] == []
    assert api.get(f"/api/v1/orders/{number}").status_code == 404


def test_no_filter_shows_orders_of_others(api: APIClient) -> None:
    victim = make.customer(email="victim@example.com")
    order = make_orders.sold(customer=victim).order
    make.signed_in(api, make.customer())
    long_ago = "2001-01-01T00:00:00Z"
    words = [
        *(order.number, order.number[:4], order.number.lower(), str(order.pk)),
        *("%", "_", "*", "\\", "' OR 1=1 --", "null", "None", ""),
        *("victim@example.com", "victim", "example", "Ada Byron"),
    ]
    parameters = [
        *("q", "number", "email", "user", "customer", "customer_id", "customer__isnull", "or"),
    ]
    queries = [
        {name: word, **more}
        for name, word in itertools.product(parameters, words)
        for more in ({}, {"placed_after": long_ago}, {"status": order.status.lower()})
    ]

    shown = []
    for query in queries:
        answer = api.get("/api/v1/orders", query)
        assert answer.status_code in (200, 400), query
        if answer.status_code == 200 and answer.json()["results"]:
            shown.append(query)

    assert len(queries) > 350
    assert shown == []
    # The same search does find it, for whoever may look.
    make.signed_in(api, victim)
    found = api.get("/api/v1/orders", {"q": order.number, "placed_after": long_ago}).json()
    assert [row["number"] for row in found["results"]] == [order.number]
