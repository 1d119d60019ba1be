"""Somebody asks for products that there are not, again and again (E7)."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.selectors import forget_pages
from tests.integration.shop.cache_figures import figure
from tests.make import catalog as make
from tests.races.figures import reported

pytestmark = pytest.mark.django_db


def _asked(client: Client, ids: range) -> int:
    """Ask for each id, and return how many queries that took."""
    with CaptureQueriesContext(connection) as queries:
        for pk in ids:
            assert client.get(f"/api/v1/products/{pk}").status_code == 404
    return len(queries)


def test_what_does_not_exist_is_looked_for_once_in_half_a_minute(
    client: Client, wiped_redis: Callable[[], None]
) -> None:
    """Two queries each: is there such a product, or was it called so before?

    Negative control: with the memory of the cache taken away they are asked again.
    """
    make.product()
    first, count = 1_000_000, figure(full=10_000, small=100)
    ids = range(first, first + count)

    with reported("E7 unknown products over HTTP", ids=count, times_each=2) as seen:
        at_first, again = _asked(client, ids), _asked(client, ids)
        seen["queries at first"], seen["again"] = at_first, again
    some = ids[:10]
    wiped_redis()
    forget_pages()

    assert at_first == 2 * count
    assert again == 0
    assert _asked(client, some) == 2 * len(some)
