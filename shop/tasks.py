"""Housekeeping of the ground."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from shop import idempotency
from shop.audit.reading import prune_changes
from shop.jobs import services as jobs
from shop.outbox import services as outbox


@shared_task(name="shop.prune")
def prune() -> int:
    """Delete expired keys, old messages, jobs and changes. Safe to run twice."""
    now = timezone.now()
    return (
        idempotency.prune(now=now)
        + outbox.prune(now=now)
        + jobs.prune_jobs(now=now)
        + prune_changes(now=now, keep_days=settings.SHOP_AUDIT_KEEP_DAYS)
    )


@shared_task(name="shop.sweep_jobs")
def sweep_jobs() -> int:
    """Take up jobs whose worker died. Every 30 s by beat; safe to run twice."""
    return jobs.sweep_jobs(now=timezone.now())
