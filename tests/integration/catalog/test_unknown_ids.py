"""Somebody asks for products that there are not, again and again (E7)."""

from collections.abc import Callable, Iterable

import pytest
from django.db import connection
from django.test import Client

from catalog.selectors import forget_pages, product_rendered, slug_of_moved
from shop.observe.timing import QueryClock
from tests.integration.shop.cache_figures import figure
from tests.make import catalog as make
from tests.races.figures import reported

pytestmark = pytest.mark.django_db

BATCH = 200


def _asked(ids: Iterable[int]) -> int:
    """Look for each id as its page does, and return how many queries that took."""
    clock = QueryClock()
    with connection.execute_wrapper(clock):
        for pk in ids:
            assert product_rendered(str(pk), currency="GBP", now=make.NOW) is None
            assert slug_of_moved(str(pk), now=make.NOW) is None
    return clock.calls


def test_what_does_not_exist_is_looked_for_once_in_half_a_minute(
    client: Client, wiped_redis: Callable[[], None]
) -> None:
    """Two queries each: is there such a product, or was it called so before?

    Negative control: with the memory of the cache taken away they are asked again.
    """
    make.product()
    first, count = 1_000_000, figure(full=2_000, small=100)
    ids = range(first, first + count)

    at_first = again = 0
    with reported("E7 unknown products", ids=count, times_each=2) as seen:
        for start in range(0, count, BATCH):  # well within the half minute
            at_first += _asked(ids[start : start + BATCH])
            again += _asked(ids[start : start + BATCH])
        seen["queries at first"], seen["again"] = at_first, again
    assert client.get(f"/api/v1/products/{first}").status_code == 404
    wiped_redis()
    forget_pages()

    assert (at_first, again) == (2 * count, 0)
    assert _asked(ids[:10]) == 20
