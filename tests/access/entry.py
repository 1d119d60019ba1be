"""What the table says of a route."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from tests.access.world import World

Part = Callable[[World, str], dict[str, Any]]
Door = Literal["public", "signed in", "own", "staff"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a route asks of those who come, and what it answers to those who may.

    A part gets the world and who asks, and returns what they send. `nested` are requests that are
    right but for a thing of somebody else's that they name beside the path; they must get one of
    `nested_answers`. `listed` is the member by which a list names things, and where each has one.
    """

    door: Door
    permissions: tuple[str, ...] = ()
    of: Part | None = None
    body: Part | None = None
    query: Part | None = None
    headers: Part | None = None
    form: str = "json"
    ok: frozenset[int] = frozenset({200})
    missing: int = 404
    nested: Mapping[str, Callable[[World, str], dict[str, dict[str, Any]]]] = field(
        default_factory=dict
    )
    nested_answers: frozenset[int] = frozenset({400, 403, 404, 409, 422})
    listed: tuple[str, Part] | None = None
    # With the permissions, things of others are there too.
    opens_others: bool = False
    # The table that keeps word of refusals, where that is what it is for.
    leaves: str = ""


def _entry(door: Door, *permissions: str, ok: int = 200, **parts: Any) -> Entry:
    return Entry(door, permissions, ok=frozenset({ok}), **parts)


public = partial(_entry, "public")
signed_in = partial(_entry, "signed in")
own = partial(_entry, "own")
staff = partial(_entry, "staff")
