"""Housekeeping of the ground."""

from celery import shared_task
from django.utils import timezone

from shop import idempotency
from shop.jobs import services as jobs
from shop.outbox import services as outbox


@shared_task(name="shop.prune")
def prune() -> int:
    """Delete expired keys, old messages and jobs. Safe to run twice."""
    now = timezone.now()
    return idempotency.prune(now=now) + outbox.prune(now=now) + jobs.prune_jobs(now=now)


@shared_task(name="shop.sweep_jobs")
def sweep_jobs() -> int:
    """Take up jobs whose worker died. Every 30 s by beat; safe to run twice."""
    return jobs.sweep_jobs(now=timezone.now())
