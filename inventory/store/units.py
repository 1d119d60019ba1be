"""How many units there are, as Redis remembers it: copies for some seconds, which may vanish.

One key a variant, `stock:1:{id}`, holds a decimal number of units; another, `stock:moved:1:{id}`,
the time of its last change, in milliseconds since 1970, as long as a shortage may be believed.
"""

import random
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from inventory.store.shortages import FRESH_SECONDS, doubt_shortages
from shop.redis import Command, ask_each, cache_client

# Each copy lives from 4 to 6 seconds, so that copies made together do not end together.
_SHORTEST_MS = 4000
_LONGEST_MS = 6000
_MOVED_MS = int(4 * FRESH_SECONDS * 1000)
_CLOCKS_DIFFER_MS = 50  # between two machines of the shop, at most

log = structlog.get_logger("inventory.store")


def remembered_units(variant_ids: Collection[int]) -> dict[int, int] | None:
    """Return what is remembered of these variants, in one trip; None when Redis is away."""
    if not variant_ids:
        return {}
    asked = list(variant_ids)
    try:
        found = ask_each(cache_client(), [("GET", _key(variant_id)) for variant_id in asked])
    except RedisError as error:
        log.warning("stock_hints_unread", error=type(error).__name__)
        return None
    return {
        variant_id: int(units)
        for variant_id, units in zip(asked, found, strict=True)
        if units is not None
    }


def remember_units(units: Mapping[int, int]) -> None:
    """Remember these for some seconds, in one trip."""
    if not units:
        return
    commands: list[Command] = []
    for variant_id, available in units.items():
        lifetime = random.randint(_SHORTEST_MS, _LONGEST_MS)  # noqa: S311 — jitter, not a secret
        commands.append(("SET", _key(variant_id), available, "PX", lifetime))
    _tell(commands)


def forget_units(variant_ids: Collection[int]) -> None:
    """Forget these, and tell all processes that they moved, in one trip.

    What cannot be forgotten lasts a few seconds longer.
    """
    if not variant_ids:
        return
    doubt_shortages(variant_ids)
    commands: list[Command] = []
    for variant_id in variant_ids:
        commands.append(("UNLINK", _key(variant_id)))
        commands.append(("SET", _moved_key(variant_id), int(time.time() * 1000), "PX", _MOVED_MS))
    _tell(commands)


def have_moved(seen: Mapping[int, datetime]) -> bool:
    """Tell whether any of these may have changed since it was seen, in one trip.

    True when Redis is away. A clock that is further off than 50 ms may hide a change.
    """
    asked = list(seen)
    try:
        moved = ask_each(cache_client(), [("GET", _moved_key(one)) for one in asked])
    except RedisError as error:
        log.warning("stock_hints_unread", error=type(error).__name__)
        return True
    return any(
        at is not None and int(at) > seen[variant_id].timestamp() * 1000 - _CLOCKS_DIFFER_MS
        for variant_id, at in zip(asked, moved, strict=True)
    )


def _tell(commands: Sequence[Command]) -> None:
    try:
        ask_each(cache_client(), commands)  # to say any of it twice does no harm
    except RedisError as error:
        log.warning("stock_hints_unwritten", error=type(error).__name__)


def _key(variant_id: int) -> str:
    return f"stock:1:{variant_id}"


def _moved_key(variant_id: int) -> str:
    return f"stock:moved:1:{variant_id}"
