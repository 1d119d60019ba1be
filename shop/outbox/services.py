"""Publishing, relaying and handling messages."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from django.db import connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from shop.db.inserting import insert_all
from shop.faults import fault
from shop.models import InboxMessage, OutboxMessage
from shop.observe import metrics
from shop.outbox.subscribers import SUBSCRIBERS

BATCH = 100
# Looked for, not told of: a NOTIFY in the publishing transaction would make all such commits of
# the database wait for each other (PostgreSQL holds one lock from there to the end of the commit).
POLL_SECONDS = 0.1
KEEP_DAYS = 7

log = structlog.get_logger("shop.outbox")


def publish(*, topic: str, key: str, payload: dict[str, Any]) -> None:
    """Tell the subscribers of `topic`, once the caller's transaction has committed.

    Joins the transaction: a rollback takes the message back. `payload` holds ids and a version
    `v`, never personal data. Raises KeyError for a topic that nobody has declared.
    """
    publish_many(topic=topic, messages=[(key, payload)])


def publish_many(*, topic: str, messages: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Do as `publish` does for several messages of a topic, each with its key, in one statement."""
    insert_all(
        [message_of(topic=topic, key=key, payload=payload) for key, payload in messages],
    )


def message_of(*, topic: str, key: str, payload: dict[str, Any]) -> OutboxMessage:
    """Return the message that `publish` writes, for a caller who writes it with what it tells of.

    Raises KeyError for a topic that nobody has declared.
    """
    if topic not in SUBSCRIBERS:
        raise KeyError(f"no such topic: {topic}")
    return OutboxMessage(topic=topic, key=key, payload=payload)


def relay(*, now: datetime, send: Callable[..., Any] | None = None) -> int:
    """Hand waiting messages to their tasks, oldest first, and return how many went out.

    Safe to run in several processes: rows in another's hands are passed over. A crash between
    sending and marking sends again, so tasks must be safe to run twice. What the broker does not
    take stays for the next round.
    """
    send = send or current_app.send_task
    sent = 0
    with transaction.atomic():
        waiting = list(
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(published_at__isnull=True)
            .order_by("id")[:BATCH]
        )
        try:
            for message in waiting:
                for task in SUBSCRIBERS.get(message.topic, ()):
                    send(
                        task,
                        kwargs={"message_id": str(message.pk), "payload": message.payload},
                        retry=False,
                    )
                sent += 1
                metrics.outbox_messages.labels(message.topic).inc()
        except (BrokerError, OSError) as error:
            log.warning("broker_unavailable", error=type(error).__name__, waiting=len(waiting))
        if sent:
            fault("outbox.sent")
        OutboxMessage.objects.filter(pk__in=[m.pk for m in waiting[:sent]]).update(published_at=now)
    oldest = waiting[sent] if sent < len(waiting) else None
    metrics.outbox_oldest_seconds.set((now - oldest.created_at).total_seconds() if oldest else 0)
    return sent


def waiting(*, topic: str) -> int:
    """Return how many messages of this topic wait to be relayed."""
    return OutboxMessage.objects.filter(topic=topic, published_at__isnull=True).count()


def relay_forever(
    *,
    clock: Callable[[], datetime],
    is_stopping: Callable[[], bool],
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Relay until told to stop, looking once every `poll_seconds` while there is nothing to do."""
    while not is_stopping():
        if relay(now=clock()) < BATCH:
            time.sleep(poll_seconds)


def first_time(consumer: str, message_id: str) -> bool:
    """Note that `consumer` handles this message; False if it was handled before.

    Call it in the transaction of the effect: then both happen or neither does.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO shop_inboxmessage (consumer, message_id, handled_at)
            VALUES (%s, %s, clock_timestamp()) ON CONFLICT DO NOTHING
            """,
            [consumer, message_id],
        )
        return bool(cursor.rowcount == 1)


def prune(*, now: datetime) -> int:
    """Delete relayed messages and inbox notes older than a week. Safe to repeat."""
    before = now - timedelta(days=KEEP_DAYS)
    out, _ = OutboxMessage.objects.filter(published_at__lt=before).delete()
    handled, _ = InboxMessage.objects.filter(handled_at__lt=before).delete()
    return out + handled
