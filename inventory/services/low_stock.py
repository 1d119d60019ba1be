"""Telling staff, once, that stock has run low."""

from collections.abc import Collection, Mapping, Sequence

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Max
from django.template.loader import render_to_string

from accounts.selectors import staff_with_permission
from inventory.models import StockMovement
from inventory.selectors import Level, stock_levels
from shop.outbox.services import first_time, publish

# A message names no more stocks than this.
_MESSAGE_SIZE = 500
_CONSUMER = "inventory.send_low_stock"

log = structlog.get_logger("inventory.low_stock")


def announce_low_stock(*, before: Sequence[Level], after: Sequence[Level]) -> None:
    """Have staff told of the stocks that have come down to their mark, in the caller's transaction.

    The levels are those of one change, read and changed under the lock: so each crossing is seen
    by exactly one change.
    """
    were_above = {level.stock_id for level in before if level.on_shelf > level.low_at}
    fallen = sorted(
        level.stock_id
        for level in after
        if level.is_active and level.stock_id in were_above and level.on_shelf <= level.low_at
    )
    for start in range(0, len(fallen), _MESSAGE_SIZE):
        part = fallen[start : start + _MESSAGE_SIZE]
        publish(
            topic="inventory.low_stock",
            key=f"stock:{part[0]}",
            payload={"stock_ids": part, "v": 1},
        )


@transaction.atomic
def send_low_stock(*, stock_ids: Collection[int]) -> int:
    """Mail staff which of these stocks are low, and return how many the mail tells of.

    Once between two times that units came in: a hold that comes and goes around the mark is no
    news. What is not low any more is not told. The mail goes to SHOP_STOCK_ALERT_EMAILS, or else to
    staff who may change stock. Joins the caller's transaction; a mail that is not taken counts as
    unsent.
    """
    low = [
        stock
        for stock in stock_levels().filter(pk__in=stock_ids, warehouse__is_active=True)
        if max(stock.on_hand - stock.reserved, 0) <= stock.low_at
    ]
    filled_by = _last_filled_by([stock.pk for stock in low])
    news = [
        stock
        for stock in sorted(low, key=lambda stock: stock.variant.sku)
        if first_time(_CONSUMER, f"{stock.pk}:{filled_by.get(stock.pk, 0)}")
    ]
    recipients = settings.SHOP_STOCK_ALERT_EMAILS or [
        user.email for user in staff_with_permission("inventory.change_stock") if user.is_reachable
    ]
    if news and recipients:
        facts = {"stocks": news, "stock_page": _stock_page()}
        EmailMessage(
            subject=render_to_string("inventory/mail/low_stock_subject.txt", facts).strip(),
            body=render_to_string("inventory/mail/low_stock.txt", facts),
            bcc=recipients,
        ).send()
        log.info("mail_sent", mail="low_stock", stocks=len(news))
    return len(news)


def _last_filled_by(stock_ids: Collection[int]) -> Mapping[int, int]:
    """Return the last ledger row by which units came in, by stock."""
    return dict(
        StockMovement.objects.filter(stock__in=stock_ids, delta_on_hand__gt=0)
        .order_by()
        .values("stock_id")
        .annotate(last=Max("pk"))
        .values_list("stock_id", "last")
    )


def _stock_page() -> str:
    # On the admin's own host, where it has one.
    hosts = settings.SHOP_ADMIN_HOSTS
    base = f"https://{hosts[0]}" if hosts else settings.SHOP_PUBLIC_URL
    return f"{base}{settings.SHOP_ADMIN_PATH}inventory/stock/"
