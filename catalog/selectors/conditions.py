"""Filters of lists as SQL, for the statements that are put together as text."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import FullResultSet
from django.db import connection
from django.db.models import Q
from django.db.models.sql.query import Query

from catalog.models import ProductListing


class Condition(NamedTuple):
    """A filter as SQL."""

    sql: str
    params: tuple[Any, ...]


def as_sql(conditions: Mapping[str, Q]) -> dict[str, Condition]:
    """Return conditions on `ProductListing` as SQL, for statements that read it under no alias.

    Raises EmptyResultSet for one that nothing can fit.
    """
    # Each is rendered once: a queryset for each set of products takes longer to render than the
    # statement takes to run.
    query = Query(ProductListing, alias_cols=False)
    compiler = query.get_compiler(connection=connection)
    found = {}
    for name, condition in conditions.items():
        try:
            sql, params = compiler.compile(query.build_where(condition))
        except FullResultSet:  # a collection without a rule
            sql, params = "true", ()
        found[name] = Condition(f"({sql})", tuple(params))
    return found
