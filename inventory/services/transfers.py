"""Units that move from one warehouse to another, in two steps: they leave, they arrive."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from inventory.errors import (
    NotInTransfer,
    StockBelowReserved,
    StockOutOfRange,
    TransferOver,
    UnknownTransfer,
)
from inventory.models import MOST_UNITS, StockMovement, StockTransfer, StockTransferLine
from inventory.selectors import warehouse_of
from inventory.services.counters import Place, change_on_hand, locked_places
from inventory.services.receipts import SkuLine, variants_of_skus
from shop.errors import FieldError, Malformed


@transaction.atomic
def dispatch_transfer(
    *,
    lines: Iterable[SkuLine],
    source: str,
    destination: str,
    reason: str,
    now: datetime,
    actor_id: int | None = None,
) -> StockTransfer:
    """Let units leave `source` for `destination`: until they are received they are in neither.

    Units that are promised do not travel. Lines of one SKU are summed. The same number of
    statements for any number of lines. Joins the caller's transaction.

    Raises UnknownWarehouse, UnknownSku, Malformed for a way that leads nowhere, and
    StockBelowReserved that names every short line; nothing has changed then.
    """
    if source == destination:
        raise Malformed(errors=[FieldError("/to", "invalid", "This is where they are.")])
    start, end = warehouse_of(source), warehouse_of(destination)
    units = _by_variant(lines)
    levels = locked_places([Place(variant_id, start.pk) for variant_id in units])
    leaving = {levels[Place(variant_id, start.pk)]: sent for variant_id, sent in units.items()}
    short = [
        {
            "variant_id": level.variant_id,
            "on_hand": level.on_hand,
            "reserved": level.reserved,
            "delta": -sent,
        }
        for level, sent in leaving.items()
        if level.on_hand - level.reserved < sent
    ]
    if short:
        raise StockBelowReserved(lines=short)
    transfer = StockTransfer.objects.create(
        source=start,
        destination=end,
        reason=reason,
        dispatched_at=now,
        dispatched_by=actor_id,
    )
    StockTransferLine.objects.bulk_create(
        StockTransferLine(transfer=transfer, variant_id=variant_id, sent=sent)
        for variant_id, sent in units.items()
    )
    change_on_hand(
        levels=levels.values(),
        deltas={
            level.stock_id: -sent
            for level, sent in sorted(leaving.items(), key=lambda pair: pair[0].stock_id)
        },
        kind=StockMovement.Kind.TRANSFER_OUT,
        cause=f"transfer:{transfer.pk}",
        reason=reason,
        now=now,
        actor_id=actor_id,
    )
    return transfer


@transaction.atomic
def receive_transfer(
    *,
    transfer_id: int,
    lines: Iterable[SkuLine] | None,
    note: str,
    now: datetime,
    actor_id: int | None = None,
) -> StockTransfer:
    """Put what arrived on hand at the destination, and note what did not arrive.

    Without `lines` everything arrived; with them, what they do not name did not. It is received
    once, in whole. Joins the caller's transaction; locks the transfer, then the stock.

    Raises UnknownTransfer, TransferOver, UnknownSku, StockOutOfRange, and NotInTransfer for more
    than was sent; nothing has changed then.
    """
    transfer = StockTransfer.objects.select_for_update(no_key=True).filter(pk=transfer_id).first()
    if transfer is None:
        raise UnknownTransfer("There is no such transfer.")
    if transfer.state == StockTransfer.State.RECEIVED:
        raise TransferOver("It has been received before.")
    sent = list(transfer.lines.order_by("id"))
    arrived = {line.variant_id: line.sent for line in sent} if lines is None else _by_variant(lines)
    _refuse_what_was_not_sent(arrived, {line.variant_id: line.sent for line in sent})
    arrived = {variant_id: units for variant_id, units in arrived.items() if units}
    for line in sent:
        line.received = arrived.get(line.variant_id, 0)
    StockTransferLine.objects.bulk_update(sent, ["received"])
    levels = locked_places([Place(variant_id, transfer.destination_id) for variant_id in arrived])
    deltas = {
        levels[Place(variant_id, transfer.destination_id)].stock_id: units
        for variant_id, units in arrived.items()
    }
    too_many = [
        {"variant_id": level.variant_id, "on_hand": level.on_hand, "delta": deltas[level.stock_id]}
        for level in levels.values()
        if level.on_hand + deltas.get(level.stock_id, 0) > MOST_UNITS
    ]
    if too_many:
        raise StockOutOfRange(lines=too_many)
    change_on_hand(
        levels=levels.values(),
        deltas=dict(sorted(deltas.items())),
        kind=StockMovement.Kind.TRANSFER_IN,
        cause=f"transfer:{transfer.pk}",
        reason=note,
        now=now,
        actor_id=actor_id,
    )
    transfer.state = StockTransfer.State.RECEIVED
    transfer.note = note
    transfer.received_at = now
    transfer.received_by = actor_id
    transfer.save(update_fields=["state", "note", "received_at", "received_by"])
    return transfer


def _by_variant(lines: Iterable[SkuLine]) -> dict[int, int]:
    lines = list(lines)
    variant_of = variants_of_skus(line.sku for line in lines)
    units = Counter[int]()
    for line in lines:
        units[variant_of[line.sku]] += line.quantity
    return dict(sorted(units.items()))


def _refuse_what_was_not_sent(arrived: Mapping[int, int], sent: Mapping[int, int]) -> None:
    wrong = [
        {"variant_id": variant_id, "sent": sent.get(variant_id, 0), "received": units}
        for variant_id, units in arrived.items()
        if units > sent.get(variant_id, 0)
    ]
    if wrong:
        raise NotInTransfer("More arrived than was sent: adjust the stock for it.", lines=wrong)
