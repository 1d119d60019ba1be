"""Background work of the catalogue."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from catalog import services
from catalog.store import forget_collections
from shop.outbox.listeners import ListenerTask


@shared_task(name="catalog.refresh_due")
def refresh_due() -> int:
    """Carry out what the clock has decided. Safe to run twice, and at the same time."""
    return services.refresh_due(now=timezone.now())


@shared_task(name="catalog.invalidate_product", base=ListenerTask)
def invalidate_product(*, message_id: str, payload: dict[str, Any]) -> None:
    """Drop cached copies once more, should the process that changed them have died. At least once.

    No inbox: to drop a copy twice costs a read and does no harm.
    """
    services.forget_now(product_ids=payload["product_ids"], also=payload["slugs"])


@shared_task(name="catalog.invalidate_collection", base=ListenerTask)
def invalidate_collection(*, message_id: str, payload: dict[str, Any]) -> None:
    """Drop copies of collections once more, for the same case. At least once."""
    forget_collections(payload["slugs"])


@shared_task(name="catalog.relist_type", base=ListenerTask, soft_time_limit=1500, time_limit=1600)
def relist_type(*, message_id: str, payload: dict[str, Any]) -> None:
    """Bring the listing of a type's products up to date after its attributes changed.

    At least once.
    """
    services.relist_type(name=payload["name"], now=timezone.now())


@shared_task(name="catalog.render_product", base=ListenerTask, soft_time_limit=100, time_limit=110)
def render_product(*, message_id: str, payload: dict[str, Any]) -> int:
    """Make the renditions of a product's new pictures. At least once."""
    return services.render_product(product_id=payload["product_id"], now=timezone.now())


@shared_task(name="catalog.render_waiting", soft_time_limit=100, time_limit=110)
def render_waiting() -> int | None:
    """Make renditions that no message came for. Every 5 minutes by beat; one at a time."""
    return services.render_waiting(now=timezone.now())
