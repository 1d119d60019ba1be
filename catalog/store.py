"""What of the catalogue is kept in Redis: rendered products, cards of variants, the tree.

All of it are copies. Each says until when it is good, because prices may begin and end by the
clock, without anybody changing anything.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from django.conf import settings

from shop.cache.aside import AsideCache
from shop.cache.drops import HEARD_SECONDS, DropLog, FollowingMemory
from shop.cache.memory import ShortMemory
from shop.http.conditional import etag_of

# A process shows a product for so long without asking Redis. It hears of a change within
# `HEARD_SECONDS`, so an update is seen everywhere within a second of its commit, with as much again
# to spare for a machine that is busy; where it hears of nothing, copies are as young as that.
KEPT_SECONDS = 5.0

CardT = TypeVar("CardT")

_drops = DropLog()
_products = AsideCache(name="product", version="2", drops=_drops)
_cards = AsideCache(name="variant", version="1", drops=_drops)
_moves = AsideCache(name="moved", version="1")
_category_moves = AsideCache(name="moved_category", version="1")
# Short-lived: counts in it move with every product that comes or goes.
_tree = AsideCache(name="categories", version="1", ttl_seconds=60)
_TREE = "tree"
# Pages of lists are parts of one thing, by the address that they were asked for by: it is in the
# addresses of their neighbours.
_reviews = AsideCache(name="reviews", version="1")
_collections = AsideCache(name="collections", version="1")
_ALL_COLLECTIONS = "all"


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered product as it goes out, and the tag of its bytes."""

    content: bytes
    etag: str
    good_until: float | None  # seconds since the epoch: then a price begins or ends

    def is_good(self, now: datetime) -> bool:
        return self.good_until is None or now.timestamp() < self.good_until


_pages = FollowingMemory[Page](
    _drops, name="product", seconds=HEARD_SECONDS, kept_seconds=KEPT_SECONDS, size=1000
)
# Cards as their reader made them; a cart is shown more often than its goods change.
_near_cards = FollowingMemory[tuple[float | None, object]](
    _drops, name="variant", seconds=HEARD_SECONDS, kept_seconds=KEPT_SECONDS, size=5000
)
# Many shoppers begin with the same letters, and clients keep these for a minute anyway. Not in
# Redis: whatever anybody types would take room there.
_synonyms = ShortMemory[None, list[tuple[str, str]]](seconds=10, size=1)
_suggestions = ShortMemory[tuple[tuple[str, ...], str], bytes](seconds=10, size=2000)


def sealed(content: bytes, *, good_until: datetime | None) -> bytes:
    """Return `content` with the moment from which on it must not be shown any more."""
    stamp = "" if good_until is None else f"{good_until.timestamp():.6f}"
    return stamp.encode() + b"\n" + content


def _opened(kept: bytes, now: datetime) -> bytes | None:
    read = _unsealed(kept)
    if read is None:
        return None
    content, good_until = read
    return content if good_until is None or now.timestamp() < good_until else None


def _page(kept: bytes) -> Page | None:
    read = _unsealed(kept)
    return None if read is None else Page(read[0], etag_of(read[0]), read[1])


def _unsealed(kept: bytes) -> tuple[bytes, float | None] | None:
    stamp, found, content = kept.partition(b"\n")
    try:
        good_until = float(stamp) if stamp else None
    except ValueError:  # no shape that we know: a miss, like any other release's
        return None
    return (content, good_until) if found else None


def cached_product(
    ref: str, *, currency: str, now: datetime, load: Callable[[], bytes | None]
) -> Page | None:
    """Return the page of this id or slug, which `load` gives rendered and `sealed`.

    From this process, for a moment, or from Redis, or else loaded.
    """
    key = _product_key(ref, currency)

    def shared() -> Page | None:
        kept = _products.get(key, load)
        if kept is None:
            return None
        page = _page(kept)
        if page is None or not page.is_good(now):  # a price began or ended since
            _products.invalidate([key])
            kept = _products.get(key, load)
            page = None if kept is None else _page(kept)
        return page

    page = _pages.through(key, shared)
    if page is not None and not page.is_good(now):
        _pages.drop(key)
        page = _pages.through(key, shared)
    return page


def product_at_hand(ref: str, *, currency: str, now: datetime) -> Page | None:
    """Return the page of this id or slug if it is in this process or one trip away.

    Asks no database and never fails: whatever is not simply there is None.
    """
    key = _product_key(ref, currency)

    def shared() -> Page | None:
        kept = _products.at_hand(key)
        return None if kept is None else _page(kept)

    page = _pages.through(key, shared)
    return page if page is not None and page.is_good(now) else None


def forget_pages() -> None:
    """Drop the pages, cards, suggestions and synonyms that this process remembers."""
    _pages.clear()
    _near_cards.clear()
    _drops.forget_place()
    _synonyms.clear()
    _suggestions.clear()


def remembered_synonyms(load: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Return the synonyms, from this process for some seconds."""
    return _synonyms.through(None, load) or []


def remembered_suggestions(
    words: tuple[str, ...], *, currency: str, load: Callable[[], bytes]
) -> bytes:
    """Return the rendered suggestions for these words, from this process for some seconds."""
    return _suggestions.through((words, currency), load) or load()


def _product_key(ref: str, currency: str) -> str:
    return f"{ref}:{currency}"


def cards_of(
    variant_ids: Collection[int],
    *,
    currency: str,
    now: datetime,
    load: Callable[[Collection[int]], Mapping[int, bytes]],
    read: Callable[[bytes], CardT],
) -> dict[int, CardT]:
    """Return the cards of these variants by id: `load` gives them `sealed`, `read` reads them.

    From this process, for a moment, or in one trip from Redis, or else loaded. What `read` makes is
    given to many callers, so nobody changes it.
    """
    moment = now.timestamp()
    cards: dict[int, CardT] = {}
    mark = _near_cards.mark()
    for variant_id in variant_ids:
        near = _near_cards.get(f"{variant_id}:{currency}")
        if near is not None and (near[0] is None or moment < near[0]):
            cards[variant_id] = cast(CardT, near[1])
    missing = [variant_id for variant_id in variant_ids if variant_id not in cards]
    if missing:
        kept = _kept_cards(missing, currency=currency, now=now, load=load)
        for variant_id, (content, good_until) in kept.items():
            cards[variant_id] = read(content)
            _near_cards.keep(
                f"{variant_id}:{currency}", (good_until, cards[variant_id]), read_at=mark
            )
    return cards


def _kept_cards(
    variant_ids: Collection[int],
    *,
    currency: str,
    now: datetime,
    load: Callable[[Collection[int]], Mapping[int, bytes]],
) -> dict[int, tuple[bytes, float | None]]:

    def load_keys(keys: Collection[str | int]) -> Mapping[str | int, bytes]:
        ids = [_variant_of(key) for key in keys]
        return {f"{pk}:{currency}": kept for pk, kept in load(ids).items()}

    found: dict[int, tuple[bytes, float | None]] = {}
    stale = []
    for key, kept in _cards.get_many([f"{pk}:{currency}" for pk in variant_ids], load_keys).items():
        card = _unsealed(kept)
        if card is None or (card[1] is not None and now.timestamp() >= card[1]):
            stale.append(key)
        else:
            found[_variant_of(key)] = card
    if stale:
        _cards.invalidate(stale)
        for key, kept in _cards.get_many(stale, load_keys).items():
            card = _unsealed(kept)
            if card is not None:
                found[_variant_of(key)] = card
    return found


def _variant_of(key: str | int) -> int:
    return int(str(key).partition(":")[0])


def cached_tree(load: Callable[[], bytes]) -> bytes:
    """Return the rendered tree of categories."""
    return _tree.get(_TREE, load) or load()


def kept_products(refs: Iterable[str], *, currency: str, now: datetime) -> dict[str, bytes | None]:
    """Return what is kept of these ids and slugs, by them; None for what is said not to exist.

    What is over by the clock would not be shown, and is left out.
    """
    found: dict[str, bytes | None] = {}
    for key, kept in _products.peek([f"{ref}:{currency}" for ref in refs]).items():
        ref = str(key).rpartition(":")[0]
        content = None if kept is None else _opened(kept, now)
        if kept is None or content is not None:
            found[ref] = content
    return found


def cached_move(ref: str, load: Callable[[], bytes | None]) -> bytes | None:
    """Return the slug that who asks for `ref` is sent on to; that there is none is kept as well."""
    return _moves.get(ref, load)


def cached_category_move(slug: str, load: Callable[[], bytes | None]) -> bytes | None:
    """Return the same for a category."""
    return _category_moves.get(slug, load)


def forget_category_moves(slugs: Iterable[str]) -> None:
    """Drop where who asks for categories of these slugs is sent on to."""
    _category_moves.invalidate(list(slugs))


def forget_moves(refs: Iterable[str]) -> None:
    """Drop where who asks for these is sent on to."""
    _moves.invalidate(list(refs))


def cached_reviews(ref: str, *, address: str, load: Callable[[], bytes | None]) -> bytes | None:
    """Return the page at `address` of what is said of the product of this id or slug."""
    return _reviews.get(ref, load, part=_part(address))


def cached_collections(*, address: str, load: Callable[[], bytes]) -> bytes:
    """Return the page at `address` of the list of collections."""
    return _collections.get(_ALL_COLLECTIONS, load, part=_part(address)) or load()


def cached_collection(slug: str, load: Callable[[], bytes | None]) -> bytes | None:
    """Return the rendered collection of this slug; that there is none is kept as well."""
    return _collections.get(f"one:{slug}", load)


def forget_collections(slugs: Iterable[str]) -> None:
    """Drop these collections, and the list of all."""
    _collections.invalidate([_ALL_COLLECTIONS, *(f"one:{slug}" for slug in slugs)])


def _part(address: str) -> str:
    # Of one length, as strangers make addresses up.
    return hashlib.blake2b(address.encode(), digest_size=16).hexdigest()


def forget_products(refs: Iterable[str | int]) -> None:
    """Drop the rendered products of these ids and slugs, in every currency, and their reviews.

    Other processes may show theirs for `HEARD_SECONDS` more.
    """
    refs = list(refs)
    keys = _in_each_currency(refs)
    _products.invalidate(keys)
    _pages.drop(*map(str, keys))
    _reviews.invalidate(refs)


def forget_cards(variant_ids: Iterable[int]) -> None:
    """Drop the cards of these variants, in every currency.

    Other processes may show theirs for `HEARD_SECONDS` more.
    """
    keys = _in_each_currency(variant_ids)
    _cards.invalidate(keys)
    _near_cards.drop(*map(str, keys))


def forget_tree() -> None:
    """Drop the tree of categories and its counts."""
    _tree.invalidate([_TREE])


def _in_each_currency(refs: Iterable[str | int]) -> list[str | int]:
    return [f"{ref}:{currency}" for ref in refs for currency in settings.SHOP_CURRENCIES]
