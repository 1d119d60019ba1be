"""Tasks of inventory: each wakes a service."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from inventory import services
from shop.outbox.listeners import ListenerTask


@shared_task(name="inventory.record_availability", base=ListenerTask)
def record_availability(*, message_id: str, payload: dict[str, Any]) -> None:
    """Tell the catalogue how much there is of these variants. At least once, in any order."""
    services.record_availability(variant_ids=payload["variant_ids"], now=timezone.now())


@shared_task(name="inventory.reconcile")
def reconcile() -> int | None:
    """Look whether the books of the stock agree. Every 5 minutes by beat; one at a time."""
    seen = services.reconcile_stock(now=timezone.now())
    return seen.run.found if seen is not None else None


@shared_task(name="inventory.send_back_in_stock", base=ListenerTask)
def send_back_in_stock(*, message_id: str, payload: dict[str, Any]) -> None:
    """Mail those who wait for a variant that is available again. At least once, each once."""
    services.send_back_in_stock(subscription_ids=payload["subscription_ids"])
