"""A checkout's statements as it sends them, told as a script for PostgreSQL's own bench.

Run in the environment of a shop, as `python -m tests.load.bench.statements 1,2,3 4,5,6`: for each
list of variants it checks a cart out, and prints a JSON list with a script for each. A script runs
any number of times at once, as whatever a checkout makes up for itself it makes up too.
"""

import json
import os
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    django.setup()

from django.db import connection
from django.utils import timezone
from psycopg import ClientCursor

from cart.services import CartOwner, add_item
from orders.management.proof.people import ADDRESS
from orders.models import Order
from orders.services import CheckoutWish, Expectation, Postal, checkout
from shop.idempotency import Scope
from shop.models import IdempotencyKey

# The keys that the database gives out from now on: no other number of a checkout is as large, so
# they are found wherever they stand. Rows of the shop itself would have to be as many.
FIRST_ORDER, FIRST_CLAIM = 700_000_000_000, 800_000_000_000

_LITERAL = re.compile(r"'(?:[^']|'')*'")
# What a run makes up, and all that it makes of it.
_MADE_UP = r"\set n random(1, 9000000000000000)"
_ORDER, _CLAIM = ":order_key", ":claim_id"


@dataclass
class Told:
    """What one checkout sent, with the block that each statement stood in, and what it made up."""

    sent: list[tuple[object | None, str]] = field(default_factory=list)
    made_up: Mapping[str, str] = field(default_factory=dict)  # by value, what to put in its place

    def script(self) -> str:
        """Return a script that sends the same once more, for another order."""
        lines = [_MADE_UP]
        within: object | None = None
        for block, sql in self.sent:
            if block is not within:
                lines += ["COMMIT;"] if within is not None else []
                lines += ["BEGIN;"] if block is not None else []
                within = block
            lines.append(_once_more(sql, self.made_up) + _end_of(sql))
        lines += ["COMMIT;"] if within is not None else []
        return "\n".join(lines) + "\n"


def tell(variants: list[int]) -> Told:
    """Check out a cart of these variants, one of each."""
    told = Told()
    key = uuid.uuid4().hex
    wish = CheckoutWish(
        owner=CartOwner(None, _cart_with(variants)),
        customer=None,
        email="bench@example.com",
        shipping_address=Postal(**ADDRESS),
        billing_address=None,
        shipping_method="standard",
        provider="sandbox",
        token="tok_ok",
        expectation=Expectation(total=None, quote_token=None),
    )
    scope = Scope(subject="bench", route="checkout", key=key, request_hash="")
    with _listening(told):
        checkout(wish=wish, scope=scope, request_id="", now=timezone.now())
    claim = IdempotencyKey.objects.get(subject="bench", key=key)
    order = Order.objects.get(payments=uuid.UUID(claim.resource))
    told.made_up = {
        key: "'bench-' || :n",
        order.number: "upper(left(md5('order' || :n), 10))",
        str(order.cart_id): "md5('cart' || :n)::uuid::text",
        claim.resource: "md5('payment' || :n)::uuid::text",
        uuid.UUID(claim.resource).hex: "md5('payment' || :n)",
        order.access_token_hash: "md5('token' || :n)",
        str(order.pk): f"{_ORDER}::text",
        str(claim.pk): f"{_CLAIM}::text",
        # Thousands of mails would be on their way to one buyer while others are measured.
        "order.confirmed": "'bench.nobody_listens'",
    }
    return told


def _cart_with(variants: list[int]) -> str:
    token = ""
    for variant_id in variants:
        shown = add_item(
            owner=CartOwner(None, token or None),
            variant_id=variant_id,
            quantity=1,
            now=timezone.now(),
        )
        token = shown.token or token
    return token


@contextmanager
def _listening(told: Told) -> Iterator[None]:
    writer = ClientCursor(connection.connection)

    def listen(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        blocks = connection.atomic_blocks
        told.sent.append((blocks[0] if blocks else None, writer.mogrify(sql, params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        yield


def _once_more(sql: str, made_up: Mapping[str, str]) -> str:
    """Return the statement with what its own order made up replaced by what the next one does."""
    parts: list[str] = []
    end = 0
    for literal in _LITERAL.finditer(sql):
        parts += [_keys_in(sql[end : literal.start()], made_up), _text(literal[0], made_up)]
        end = literal.end()
    parts.append(_keys_in(sql[end:], made_up))
    return "".join(parts)


def _keys_in(code: str, made_up: Mapping[str, str]) -> str:
    for value, instead in made_up.items():
        if value.isdecimal():
            code = re.sub(rf"\b{value}\b", instead.removesuffix("::text"), code)
    return " ".join(code.split()).join((" ", " "))


def _text(literal: str, made_up: Mapping[str, str]) -> str:
    # The bench sees a variable behind any colon, also in a text, and a line is a statement.
    inside = literal[1:-1].replace("\\", "\\\\").replace(":", "\\x3a").replace("\n", "\\n")
    text = f"E'{inside}'"
    for place, (value, instead) in enumerate(made_up.items()):
        escaped = value.replace(":", "\\x3a")
        if value and escaped in text:
            text = text.replace(escaped, f"@{place}@")
            text = f"replace({text}, '@{place}@', {instead})"
    return text


def _end_of(sql: str) -> str:
    if "INSERT INTO shop_idempotencykey" in sql:
        return r" \gset claim_"
    if 'INSERT INTO "orders_order"' in sql:
        return r" \gset order_"
    return ";"


def main() -> None:
    baskets = [[int(one) for one in basket.split(",")] for basket in sys.argv[1:]]
    for basket in baskets:  # what a process remembers of one it does not ask for again
        tell(basket)
    with connection.cursor() as cursor:
        for table, first in (
            ("orders_order", FIRST_ORDER),
            ("shop_idempotencykey", FIRST_CLAIM),
        ):
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(%s, last_value))"
                " FROM pg_sequences WHERE schemaname || '.' || sequencename"
                " = pg_get_serial_sequence(%s, 'id')",
                [table, first, table],
            )
    json.dump([tell(basket).script() for basket in baskets], sys.stdout)


if __name__ == "__main__":
    main()
