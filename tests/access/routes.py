"""Every route of the shop and the methods that it answers to, as the URL conf has them."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.urls import URLPattern, URLResolver, get_resolver

API = "api/v1/"
_METHODS = ("get", "post", "put", "patch", "delete")
_ADMIN = "admin/"


def templates() -> Iterator[tuple[str, Any]]:
    """Yield the template of each route with its view."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            here = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, here)
            elif isinstance(pattern, URLPattern):
                yield here, pattern.callback

    return walk(get_resolver().url_patterns, "")


def routes() -> list[str]:
    """Return `GET me` and so on: of the API without its prefix, of the rest with a slash."""
    found = []
    for template, view in templates():
        if template.startswith(_ADMIN):
            continue
        name = template.removeprefix(API) if template.startswith(API) else f"/{template}"
        found += [f"{method.upper()} {name}" for method in methods_of(view)]
    return sorted(found)


def methods_of(view: Any) -> list[str]:
    """Return the methods that a view answers to; HEAD goes with GET."""
    if actions := getattr(view, "actions", None):
        return [method for method in _METHODS if method in actions]
    if cls := getattr(view, "cls", None):
        return [method for method in _METHODS if hasattr(cls, method)]
    return ["get"]


def admin_paths() -> list[str]:
    """Return a path of each page of the admin, with 1 where an id belongs."""
    found = set()
    for template, _ in templates():
        if not template.startswith(_ADMIN):
            continue
        path = re.sub(r"<(?:\w+:)?\w+>", "1", template)
        path = re.sub(r"\(\?P<\w+>[^)]*\)", "nowhere", path)
        found.add("/" + re.sub(r"[\^$\\]|\.\*", "", path))
    return sorted(found)


def path_of(route: str, names: dict[str, Any]) -> str:
    """Return the path of `GET me/addresses/<int:address_id>` with these for its parameters."""
    template = route.partition(" ")[2]
    path = re.sub(r"<\w+:(\w+)>", lambda found: str(names[found[1]]), template)
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: str(names[found[1]]), path)
    path = re.sub(r"[\^$]", "", path)
    return path if path.startswith("/") else f"/{API}{path}"


def strangers_names(route: str) -> dict[str, Any]:
    """Return a value for each parameter of a route that names nothing."""
    made_up = {"int": 987_654_321, "uuid": uuid4(), "str": "ZZZZ2222", "slug": "no-such-thing"}
    names = re.findall(r"<(?:(\w+):)?(\w+)>", route)
    return {name: made_up.get(kind, "no-such-thing") for kind, name in names}
