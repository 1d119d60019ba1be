"""Housekeeping of the ground."""

from celery import shared_task
from django.utils import timezone

from shop import idempotency
from shop.outbox import services as outbox


@shared_task(name="shop.prune")
def prune() -> int:
    """Delete expired keys and old messages. Safe to run twice."""
    now = timezone.now()
    return idempotency.prune(now=now) + outbox.prune(now=now)
