from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from shop.models import InboxMessage, OutboxMessage
from shop.outbox.services import first_time, publish, relay
from shop.outbox.subscribers import SUBSCRIBERS

TOPIC = "order.confirmed"


class Broker:
    """Records what it is sent; refuses from the `refuse_from`th message on."""

    def __init__(self, refuse_from: int | None = None) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.refuse_from = refuse_from

    def __call__(self, task: str, *, kwargs: dict[str, Any], retry: bool) -> None:
        if self.refuse_from is not None and len(self.sent) >= self.refuse_from:
            raise BrokerError("away")
        self.sent.append((task, kwargs))


@pytest.mark.django_db
def test_a_message_reaches_each_subscriber_once() -> None:
    publish(topic=TOPIC, key="order:1", payload={"order_id": 1, "v": 1})
    broker = Broker()

    assert relay(now=timezone.now(), send=broker) == 1
    assert relay(now=timezone.now(), send=broker) == 0

    message = OutboxMessage.objects.get()
    assert broker.sent == [
        (task, {"message_id": str(message.pk), "payload": {"order_id": 1, "v": 1}})
        for task in SUBSCRIBERS[TOPIC]
    ]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_takes_the_message_back() -> None:
    with transaction.atomic():
        publish(topic=TOPIC, key="order:1", payload={"v": 1})
        transaction.set_rollback(True)

    assert OutboxMessage.objects.count() == 0


@pytest.mark.django_db
def test_what_the_broker_does_not_take_waits_in_order() -> None:
    for number in range(3):
        publish(topic=TOPIC, key=f"order:{number}", payload={"order_id": number})

    after_the_first = len(SUBSCRIBERS[TOPIC])
    assert relay(now=timezone.now(), send=Broker(refuse_from=after_the_first)) == 1
    after = Broker()
    assert relay(now=timezone.now(), send=after) == 2

    ids = [kwargs["payload"]["order_id"] for _, kwargs in after.sent]
    assert sorted(set(ids)) == [1, 2]
    assert len(ids) == 2 * after_the_first


@pytest.mark.django_db
def test_a_topic_that_nobody_declared_is_a_bug() -> None:
    with pytest.raises(KeyError, match="no such topic"):
        publish(topic="order.conjured", key="x", payload={})

    assert OutboxMessage.objects.count() == 0


@pytest.mark.django_db
def test_a_consumer_handles_a_message_once() -> None:
    assert first_time("mail", "7")
    assert not first_time("mail", "7")
    assert first_time("search", "7")

    assert InboxMessage.objects.count() == 2
