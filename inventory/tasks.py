"""Tasks of inventory: each wakes a service."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from inventory import services
from inventory.services.exports.jobs import export_step
from inventory.services.imports.jobs import import_step
from shop.jobs.services import run_slice
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


@shared_task(name="inventory.reconcile_catalogue")
def reconcile_catalogue() -> int | None:
    """Look whether cached products are the catalogue's. Every 5 minutes by beat; one at a time."""
    seen = services.reconcile_catalogue(now=timezone.now())
    return seen.run.found if seen is not None else None


@shared_task(name="inventory.send_back_in_stock", base=ListenerTask)
def send_back_in_stock(*, message_id: str, payload: dict[str, Any]) -> None:
    """Mail those who wait for a variant that is available again. At least once, each once."""
    services.send_back_in_stock(subscription_ids=payload["subscription_ids"])


@shared_task(name="inventory.send_low_stock", base=ListenerTask)
def send_low_stock(*, message_id: str, payload: dict[str, Any]) -> None:
    """Mail staff that stock is running low. At least once, told once until more comes in."""
    services.send_low_stock(stock_ids=payload["stock_ids"])


@shared_task(name="inventory.run_import")
def run_import(*, job_id: int, turn: int) -> None:
    """Carry an import of products on for some seconds. At least once a turn."""
    run_slice(job_id=job_id, turn=turn, step=import_step, clock=timezone.now)


@shared_task(name="inventory.run_export")
def run_export(*, job_id: int, turn: int) -> None:
    """Carry an export of products on for some seconds. At least once a turn."""
    run_slice(job_id=job_id, turn=turn, step=export_step, clock=timezone.now)
