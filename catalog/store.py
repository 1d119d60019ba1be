"""What of the catalogue is kept in Redis: rendered products, cards of variants, the tree.

All of it are copies. Each says until when it is good, because prices may begin and end by the
clock, without anybody changing anything.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from django.conf import settings

from shop.cache.aside import AsideCache

_products = AsideCache(name="product", version="2")
_cards = AsideCache(name="variant", version="1")
_moves = AsideCache(name="moved", version="1")
# Short-lived: counts in it move with every product that comes or goes.
_tree = AsideCache(name="categories", version="1", ttl_seconds=60)
_TREE = "tree"


def sealed(content: bytes, *, good_until: datetime | None) -> bytes:
    """Return `content` with the moment from which on it must not be shown any more."""
    stamp = "" if good_until is None else f"{good_until.timestamp():.6f}"
    return stamp.encode() + b"\n" + content


def _opened(kept: bytes, now: datetime) -> bytes | None:
    stamp, _, content = kept.partition(b"\n")
    try:
        is_over = bool(stamp) and float(stamp) <= now.timestamp()
    except ValueError:  # no shape that we know: a miss, like any other release's
        is_over = True
    return None if is_over else content


def cached_product(
    ref: str, *, currency: str, now: datetime, load: Callable[[], bytes | None]
) -> bytes | None:
    """Return the rendered product of this id or slug, as `load` gives it `sealed`."""
    key = f"{ref}:{currency}"
    kept = _products.get(key, load)
    if kept is None:
        return None
    content = _opened(kept, now)
    if content is None:  # a price began or ended since
        _products.invalidate([key])
        kept = _products.get(key, load)
        content = kept and kept.partition(b"\n")[2]
    return content


def cached_cards(
    variant_ids: Collection[int],
    *,
    currency: str,
    now: datetime,
    load: Callable[[Collection[int]], Mapping[int, bytes]],
) -> dict[int, bytes]:
    """Return the cards of these variants by id, as `load` gives them `sealed`."""

    def load_keys(keys: Collection[str | int]) -> Mapping[str | int, bytes]:
        ids = [int(str(key).partition(":")[0]) for key in keys]
        return {f"{pk}:{currency}": kept for pk, kept in load(ids).items()}

    found: dict[int, bytes] = {}
    stale = []
    for key, kept in _cards.get_many([f"{pk}:{currency}" for pk in variant_ids], load_keys).items():
        content = _opened(kept, now)
        if content is None:
            stale.append(key)
        else:
            found[int(str(key).partition(":")[0])] = content
    if stale:
        _cards.invalidate(stale)
        for key, kept in _cards.get_many(stale, load_keys).items():
            found[int(str(key).partition(":")[0])] = kept.partition(b"\n")[2]
    return found


def cached_tree(load: Callable[[], bytes]) -> bytes:
    """Return the rendered tree of categories."""
    return _tree.get(_TREE, load) or load()


def cached_move(ref: str, load: Callable[[], bytes | None]) -> bytes | None:
    """Return the slug that who asks for `ref` is sent on to; that there is none is kept as well."""
    return _moves.get(ref, load)


def forget_moves(refs: Iterable[str]) -> None:
    """Drop where who asks for these is sent on to."""
    _moves.invalidate(list(refs))


def forget_products(refs: Iterable[str | int]) -> None:
    """Drop the rendered products of these ids and slugs, in every currency."""
    _products.invalidate(_in_each_currency(refs))


def forget_cards(variant_ids: Iterable[int]) -> None:
    """Drop the cards of these variants, in every currency."""
    _cards.invalidate(_in_each_currency(variant_ids))


def forget_tree() -> None:
    """Drop the tree of categories and its counts."""
    _tree.invalidate([_TREE])


def _in_each_currency(refs: Iterable[str | int]) -> list[str | int]:
    return [f"{ref}:{currency}" for ref in refs for currency in settings.SHOP_CURRENCIES]
