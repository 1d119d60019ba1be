"""Every parameter of the OpenAPI document, and how a string gets into it."""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from shop.embedded.home import PROJECT
from tests.access.routes import API
from tests.access.table import TABLE

Schema = dict[str, Any]

# What every route reads, whatever its document says.
EVERYWHERE = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Cookie",
    "Origin",
    "Referer",
    "User-Agent",
    "X-Forwarded-For",
    "X-HTTP-Method-Override",
    "X-Request-ID",
)
# Whose every header is tried: one that everybody may read, one that writes, one for staff.
TRIED_EVERYWHERE = ("GET products", "POST cart/items", "GET inventory/stock")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One place for a string: `path` leads to a member of the body, and is a name elsewhere."""

    place: str  # path, query, header, body
    path: tuple[str | int, ...]

    def __str__(self) -> str:
        words = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in self.path)
        return f"{self.place} {words.removeprefix('.')}"

    def put_into(self, body: Any, value: str) -> Any:
        """Return the body with the value in this member; what leads to it is made where missing."""
        made = copy.deepcopy(body)
        return _put(made, self.path, value)


def _put(node: Any, path: tuple[str | int, ...], value: str) -> Any:
    if not path:
        return value
    first, *rest = path
    if isinstance(first, int):
        rows = node if isinstance(node, list) and node else [None]
        rows[0] = _put(rows[0], tuple(rest), value)
        return rows
    members = node if isinstance(node, dict) else {}
    members[first] = _put(members.get(first), tuple(rest), value)
    return members


@cache
def document() -> Schema:
    text = (PROJECT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    told: Schema = yaml.safe_load(text)
    return told


def operations() -> dict[str, list[Parameter]]:
    """Return the parameters of each operation, under the name that the access table gives it."""
    names = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route): route for route in TABLE}
    found = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            shown = path.removeprefix(f"/{API}") if path.startswith(f"/{API}") else path
            route = names[f"{method.upper()} {shown}"]
            found[route] = list(dict.fromkeys(_parameters(route, operation)))
    return found


def _parameters(route: str, operation: Schema) -> Iterator[Parameter]:
    for told in operation.get("parameters", []):
        yield Parameter(told["in"], (told["name"],))
    if route in TRIED_EVERYWHERE:
        for name in EVERYWHERE:
            yield Parameter("header", (name,))
        yield Parameter("query", ("no_such_parameter",))
    for media in operation.get("requestBody", {}).get("content", {}).values():
        for path in _leaves(media["schema"], ()):
            yield Parameter("body", path)


def _leaves(schema: Schema, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    schema = _resolved(schema)
    several = [one for key in ("oneOf", "anyOf", "allOf") for one in schema.get(key, ())]
    if several:
        for one in several:
            yield from _leaves(one, path)
    elif schema.get("properties"):
        for name, member in schema["properties"].items():
            yield from _leaves(member, (*path, name))
    elif "items" in schema:
        yield from _leaves(schema["items"], (*path, 0))
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from _leaves(schema["additionalProperties"], (*path, "any"))
    else:
        yield path


def _resolved(schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
