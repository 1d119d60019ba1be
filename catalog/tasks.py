"""Background work of the catalogue."""

from celery import shared_task
from django.utils import timezone

from catalog import services


@shared_task(name="catalog.refresh_due")
def refresh_due() -> int:
    """Carry out what the clock has decided. Safe to run twice, and at the same time."""
    return services.refresh_due(now=timezone.now())
