"""Promises: stock that is held for a reference, and then leaves or comes free again."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection, transaction

from inventory import store
from inventory.errors import OutOfStock, ReservationOver
from inventory.selectors import Level, sale_board
from inventory.services import statements
from inventory.services.admission import tell_gate
from inventory.services.counters import fill_owed, locked_levels, tell_of_change
from inventory.services.terms import (
    Terms,
    refuse_beyond_terms,
    refuse_sold_out_sales,
    terms_of,
)


@dataclass(frozen=True, slots=True)
class StockLine:
    """Units of one variant."""

    variant_id: int
    quantity: int  # units, at least 1


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a reserve was asked for."""

    wanted: Mapping[int, int]  # units by variant
    reference: str
    expires_at: datetime
    now: datetime
    country: str | None
    buyer: str
    replaces: str


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at the stock found, besides that it suffices."""

    is_held: bool  # the reference holds something already
    has_terms: bool  # some variant has a limit or is in a flash sale


def refuse_short_lines(
    *, lines: Iterable[StockLine], now: datetime | None = None, buyer: str = ""
) -> None:
    """Raise OutOfStock if the stock, or a flash sale, cannot cover these lines as things are now,
    and PurchaseLimitExceeded if `buyer` may not have them.

    Units of holds that ended before `now` count as there; without `now` none of them does, and no
    terms are looked at. Reads without a lock, so that refusing costs next to nothing. Saying
    nothing promises nothing: only `reserve_stock` does.

    A shortage is remembered for some seconds, see `refuse_known_shortage`. So the caller's
    transaction has not changed any stock. And with `now` there may be no look at all: where this
    process saw enough left a moment ago, it is left to `reserve_stock` to refuse.
    """
    wanted = _summed(lines)
    if not wanted or (now is not None and store.saw_plenty(wanted)):
        return
    look = _refuse_if_short(wanted, reference="", now=now, at=now, remembers=now is not None)
    if now is not None and look.has_terms:
        refuse_beyond_terms(
            terms_of(wanted, buyer=buyer, reference="", replaces="", now=now),
            has_buyer=bool(buyer),
        )


def knows_shortages() -> bool:
    """Tell whether `refuse_known_shortage` could refuse anybody at this moment. Next to free."""
    return store.remembers_shortages()


def may_know_shortages(*, now: datetime) -> bool:
    """Tell whether somebody may be turned away without a query: a shortage is known, a sale runs.

    Next to free; to a No there is nothing to be asked of `enter_sales` and `refuse_known_shortage`.
    """
    return knows_shortages() or any(sale.runs_at(now) for sale in sale_board().sales)


def refuse_known_shortage(*, lines: Iterable[StockLine], now: datetime) -> None:
    """Raise the OutOfStock that `refuse_short_lines` would, if that was found seconds ago.

    What is believed without SQL is at most a second old. A change of the stock in any process ends
    it, and so does the end of a hold: to ask for the former is the one trip that this takes. Then,
    and where that cannot be told, one look at the stock says how it is now. Where not every line is
    known, or one is in a flash sale, nobody is refused here. Never call it in a transaction.
    """
    wanted = _summed(lines)
    found = store.remembered_shortage(wanted)
    if not found or all(found[variant_id].available >= wanted[variant_id] for variant_id in wanted):
        return
    if any(sale_board().running(variant_id, now=now) for variant_id in wanted):
        return
    is_believed = all(one.is_fresh(now) for one in found.values())
    if is_believed and not store.have_moved({key: one.at for key, one in found.items()}):
        _refuse_what_is_short(
            (variant_id, found[variant_id].sku, units, found[variant_id].available)
            for variant_id, units in wanted.items()
        )
    # Nobody waits for another's look: it is one statement, and there are few threads.
    _refuse_if_short(wanted, reference="", now=now, at=now, remembers=True)
    store.forget_shortages(wanted)


def reserve_stock(
    *,
    lines: Iterable[StockLine],
    reference: str,
    expires_at: datetime,
    now: datetime,
    country: str | None = None,
    buyer: str = "",
    replaces: str = "",
) -> None:
    """Hold stock for `reference` until it is committed or released: all lines, or none.

    Units are taken from warehouses in `country` first, then from where most is available. Where
    they do not suffice, holds that ended before `now` are taken over, oldest first: as many as are
    needed, and they are released. Safe to repeat: a reference that already holds stock keeps what
    it holds, whatever the lines. Joins the caller's transaction and keeps the rows locked until it
    ends, so call it last. A refusal has written nothing, so the caller's transaction can go on.

    The units count for `buyer`, whose limits are kept: any text that tells buyers apart, or nothing
    for one whom no limit binds. What the reference `replaces` holds does not count. While a flash
    sale of a variant runs, its units are units of the sale.

    Raises ReservationOver, PurchaseLimitExceeded, and OutOfStock that names every short line.
    """
    wanted = _summed(lines)
    if not wanted:
        return
    with _joined():
        _reserve(
            _Wish(
                wanted=wanted,
                reference=reference,
                expires_at=expires_at,
                now=now,
                country=country,
                buyer=buyer,
                replaces=replaces,
            )
        )


def _reserve(wish: _Wish) -> None:
    wanted, reference, now = wish.wanted, wish.reference, wish.now
    levels, has_terms = _look_and_lock(wanted, reference, now)
    taken = _allocated(wanted, levels, wish.country)
    if taken is None or has_terms:
        store.forget_plenty(wanted)
    if taken is None:
        look = _refuse_if_short(wanted, reference=reference, now=now, at=now)
        if look.is_held:
            return
        # What was missing a moment ago is here now, or can be taken over: decide under the
        # lock, where nothing changes any more.
        levels, has_terms = locked_levels(wanted), look.has_terms
        taken = _allocated(wanted, levels, wish.country)
    terms = _terms_under_lock(wish) if has_terms else []
    short_sales = [line for line in terms if line.missing_in_sale]
    # A refusal after one of two take-overs takes the first one back.
    with transaction.atomic() if short_sales else nullcontext():
        freed: Counter[int] = Counter()
        if short_sales:
            freed.update(_take_over_in_sales(short_sales, reference=reference, now=now))
            if not freed:
                refuse_sold_out_sales(short_sales, counts_overdue=False)
            taken = _allocated(wanted, _released(levels, freed), wish.country)
        if taken is None:
            there = _released(levels, freed)
            freed.update(_take_over(wanted, there, reference=reference, now=now))
            taken = _allocated(wanted, _released(levels, freed), wish.country)
        if taken is None:
            if _refuse_if_short(wanted, reference=reference, now=None, at=now).is_held:
                return
            # Another place for it was opened a moment ago.
            _reserve(wish)
            return
        if _hold(taken, levels, terms, wish):
            after = [
                replace(level, reserved=level.reserved + taken.get(level.stock_id, 0))
                for level in _released(levels, freed)
            ]
            tell_of_change(levels, after)
            if not has_terms:
                store.note_left(_available(after))
            _tell_sales(terms, before=levels, after=after, freed=freed)


def commit_stock(*, reference: str, now: datetime) -> None:
    """Let the held units of `reference` leave: they are sold. Safe to repeat.

    Nothing happens for a reference that never held anything. Units that were promised as a
    back-order stay owed until they come in; those on hand that an older one waits for stay for it,
    and then the younger one is owed its units too. Joins the caller's transaction. Shoppers notice
    nothing: what leaves was promised before. A hold that is past its end and that nobody has taken
    over is as good as any.

    Raises ReservationOver when the reference was released, be it of one line: nothing has left.
    """
    with _joined(), connection.cursor() as cursor:
        cursor.execute(statements.COMMIT, {"reference": reference, "now": now})
        is_released, owing = cursor.fetchone()
        if owing:
            fill_owed(stock_ids=owing, now=now, settling=reference)
    if is_released:
        raise ReservationOver("Reserve again under a new reference.", reference=reference)


def release_stock(*, reference: str, now: datetime, reason: str = "") -> None:
    """End the promise to `reference`: its held units can be had by others. Safe to repeat.

    What was committed stays so. Joins the caller's transaction.
    """
    with _joined():
        with connection.cursor() as cursor:
            cursor.execute(
                statements.RELEASE, {"reference": reference, "now": now, "reason": reason}
            )
            rows = cursor.fetchall()
        before = [Level(*row[:10]) for row in rows]
        after = [
            replace(level, reserved=level.reserved - row[10])
            for level, row in zip(before, rows, strict=True)
        ]
        tell_of_change(before, after)
        there = _available(after)
        for sale_id, units, variant_id in {(row[11], row[12], row[1]) for row in rows if row[11]}:
            tell_gate(sale_id=sale_id, units_left=min(units, there[variant_id]))


def forget_purchase(*, references: Sequence[str]) -> None:
    """Have what left for these references count for no buyer and no flash sale: it came back.

    Safe to repeat. Joins the caller's transaction, who holds the lock of the stock.
    """
    with connection.cursor() as cursor:
        cursor.execute(statements.FORGET, {"references": list(references)})
        for sale_id, units_left in cursor.fetchall():
            tell_gate(sale_id=sale_id, units_left=units_left)


def _joined() -> AbstractContextManager[object]:
    # Each of these writes is one statement, whole or not at all, so inside a caller's transaction
    # a savepoint would only be two more round trips.
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


def _summed(lines: Iterable[StockLine]) -> dict[int, int]:
    wanted = Counter[int]()
    for line in lines:
        if line.quantity < 1:
            raise ValueError(f"not a quantity: {line.quantity}")
        wanted[line.variant_id] += line.quantity
    return dict(sorted(wanted.items()))


def _take_over(
    wanted: Mapping[int, int], levels: Sequence[Level], *, reference: str, now: datetime
) -> dict[int, int]:
    """Release what is missing of holds past their end; return the units by stock, or nothing."""
    available = _available(levels)
    missing = {
        variant_id: units - available[variant_id]
        for variant_id, units in wanted.items()
        if units > available[variant_id]
    }
    return _run_take_over(missing, [None] * len(missing), reference=reference, now=now)


def _take_over_in_sales(short: Sequence[Terms], *, reference: str, now: datetime) -> dict[int, int]:
    """Do as `_take_over` does for what flash sales are short of, from holds of theirs."""
    missing = {line.variant_id: line.missing_in_sale for line in short}
    return _run_take_over(missing, [line.sale_id for line in short], reference=reference, now=now)


def _run_take_over(
    missing: Mapping[int, int],
    sale_ids: Sequence[int | None],
    *,
    reference: str,
    now: datetime,
) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            statements.TAKE_OVER,
            {
                "variants": list(missing),
                "missing": list(missing.values()),
                "sales": list(sale_ids),
                "reference": reference,
                "now": now,
            },
        )
        return {stock_id: int(units) for stock_id, units in cursor.fetchall()}


def _terms_under_lock(wish: _Wish) -> list[Terms]:
    """Return what the lines have to keep to, having refused what nothing could cover."""
    terms = terms_of(
        wish.wanted,
        buyer=wish.buyer,
        reference=wish.reference,
        replaces=wish.replaces,
        now=wish.now,
    )
    if any(line.is_held for line in terms):
        return []  # it keeps what it holds: nothing new is asked for
    refuse_beyond_terms(terms, has_buyer=bool(wish.buyer))
    return terms


def _tell_sales(
    terms: Iterable[Terms],
    *,
    before: Iterable[Level],
    after: Iterable[Level],
    freed: Mapping[int, int],
) -> None:
    """Have the gates of the sales know what is left once the transaction commits."""
    there = _available(after)
    freed_of = Counter[int]()
    for level in before:
        freed_of[level.variant_id] += freed.get(level.stock_id, 0)
    for line in terms:
        if line.sale_id is not None and line.sale_left is not None:
            left = line.sale_left - line.requested
            if line.missing_in_sale:
                left += freed_of[line.variant_id]
            tell_gate(
                sale_id=line.sale_id,
                units_left=min(left, there[line.variant_id]),
                units_granted=line.requested,
            )


def _available(levels: Iterable[Level]) -> Counter[int]:
    units = Counter[int]()
    for level in levels:
        units[level.variant_id] += level.available
    return units


def _released(levels: Sequence[Level], freed: Mapping[int, int]) -> list[Level]:
    return [
        replace(level, reserved=level.reserved - freed.get(level.stock_id, 0)) for level in levels
    ]


def _look_and_lock(
    wanted: Mapping[int, int], reference: str, now: datetime
) -> tuple[list[Level], bool]:
    """Return every stock of these variants, locked, and whether terms bind any; or no stock."""
    with connection.cursor() as cursor:
        cursor.execute(
            statements.LOOK_AND_LOCK,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
                "now": now,
            },
        )
        rows = cursor.fetchall()
    return [Level(*row[:10]) for row in rows], any(row[10] for row in rows)


def _allocated(
    wanted: Mapping[int, int], levels: Sequence[Level], country: str | None
) -> dict[int, int] | None:
    """Return the units to take from each stock, by stock id, or None if they do not suffice."""
    places: dict[int, list[Level]] = defaultdict(list)
    for level in levels:
        if level.is_active:
            places[level.variant_id].append(level)
    taken: dict[int, int] = {}
    for variant_id, units in wanted.items():
        nearest_first = sorted(
            places[variant_id],
            key=lambda level: (
                level.country != country,
                -level.on_shelf,
                level.priority,
                level.stock_id,
            ),
        )
        missing = units
        # What is here goes before what has yet to come, wherever it lies.
        for level in nearest_first:
            part = min(missing, level.on_shelf)
            if part:
                taken[level.stock_id] = part
                missing -= part
        for level in nearest_first:
            here = taken.get(level.stock_id, 0)
            part = min(missing, level.available - here)
            if part:
                taken[level.stock_id] = here + part
                missing -= part
        if missing:
            return None
    return taken


def _hold(
    taken: Mapping[int, int], levels: Iterable[Level], terms: Iterable[Terms], wish: _Wish
) -> bool:
    """Write the hold; False if the reference held something before and nothing was written."""
    sale_of = {line.variant_id: line.sale_id for line in terms}
    variant_of = {level.stock_id: level.variant_id for level in levels}
    with connection.cursor() as cursor:
        cursor.execute(
            statements.HOLD,
            {
                "reference": wish.reference,
                "stocks": list(taken),
                "quantities": list(taken.values()),
                "sales": [sale_of.get(variant_of[stock_id]) for stock_id in taken],
                "buyer": wish.buyer,
                "expires_at": wish.expires_at,
                "now": wish.now,
            },
        )
        earlier, is_released = cursor.fetchone()
    if is_released:
        raise ReservationOver("Reserve again under a new reference.", reference=wish.reference)
    return not earlier


def _refuse_if_short(
    wanted: Mapping[int, int],
    *,
    reference: str,
    now: datetime | None,
    at: datetime | None,
    remembers: bool = False,
) -> _Look:
    """Raise OutOfStock if these lines cannot be covered, unless the reference holds already.

    With `now`, units of holds that ended before it count as there. Terms are those of `at`. What
    was found is remembered if `remembers` says so and it is short.

    Raises ReservationOver when the reference was released.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            statements.ASKED_AGAINST_THERE,
            {
                "variants": list(wanted),
                "quantities": list(wanted.values()),
                "reference": reference,
                "now": now,
                "at": at,
            },
        )
        rows = cursor.fetchall()
    if rows[0][5]:
        raise ReservationOver("Reserve again under a new reference.", reference=reference)
    look = _Look(is_held=rows[0][4], has_terms=any(row[6] for row in rows))
    if look.is_held:
        return look
    try:
        _refuse_what_is_short((row[0], row[1], row[2], int(row[3])) for row in rows)
    except OutOfStock:
        if remembers and now is not None:
            store.remember_shortage(
                {
                    row[0]: store.Found(
                        sku=row[1], available=int(row[3]), at=now, holds_end_at=row[7]
                    )
                    for row in rows
                }
            )
        raise
    return look


def _refuse_what_is_short(looked: Iterable[tuple[int, str, int, int]]) -> None:
    """Raise OutOfStock that names every short one of these: variant, SKU, requested, available."""
    short = [
        {
            "variant_id": variant_id,
            "sku": sku,
            "requested": requested,
            "available": available,
        }
        for variant_id, sku, requested, available in looked
        if available < requested
    ]
    if short:
        raise OutOfStock("Some lines ask for more than there is.", lines=short)
