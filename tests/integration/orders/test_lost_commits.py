"""The connection breaks during COMMIT: nobody knows whether it counted, until the key is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from psycopg.errors import AdminShutdown
from rest_framework.test import APIClient

from orders.models import Order, Payment, SandboxCharge
from orders.selectors import order_findings, payment_findings
from orders.services import resume_checkouts, sweep_payments
from shop.models import IdempotencyKey
from tests.make import orders as make

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def lost_commit(number: int, *, counts: bool) -> Iterator[None]:
    """Break the connection in the n-th COMMIT from here; `counts` says if the server did it."""
    seen = 0
    real: Callable[[], None] = connection.commit

    def commit() -> None:
        nonlocal seen
        seen += 1
        if seen != number:
            real()
            return
        if counts:
            real()
        connection.close()
        # What psycopg raises, as Django raises it.
        raise OperationalError("server closed the connection unexpectedly") from AdminShutdown()

    with mock.patch.object(connection, "commit", commit):
        yield
    assert seen >= number, "it never came to that"


def place(api: APIClient) -> Any:
    return make.check_out(api, key="k")


def assert_sound() -> None:
    assert order_findings(now=timezone.now()) == []
    assert payment_findings(now=timezone.now()) == []


@pytest.mark.parametrize("number", [1, 2], ids=["prepare", "settle"])
@pytest.mark.parametrize("counts", [True, False], ids=["counted", "not counted"])
def test_it_is_told_to_come_again_and_the_same_key_tells_what_happened(
    api: APIClient, number: int, counts: bool
) -> None:
    sold = make.variant(on_hand=5)
    make.guest(api, (sold, 2))

    with lost_commit(number, counts=counts):
        broken = place(api)

    # Neither a bug nor a success; and nothing was done a second time to find out.
    assert (broken.status_code, broken.json()["code"]) == (503, "unavailable")
    assert int(broken["Retry-After"]) >= 1
    assert Order.objects.count() == Payment.objects.count() == (number == 2 or counts)
    assert SandboxCharge.objects.count() == (number == 2)

    if not (number == 1 and not counts):
        sweep_payments(now=timezone.now() + timedelta(seconds=40))
    again = place(api)

    assert again.status_code == 201
    assert Order.objects.get().status == "CONFIRMED"
    assert SandboxCharge.objects.count() == 1
    assert make.units(sold) == (3, 0)
    assert IdempotencyKey.objects.get().state == "DONE"
    assert place(api).content == again.content
    assert_sound()


@pytest.mark.parametrize("number", [1, 2], ids=["prepare", "settle"])
def test_a_commit_is_never_tried_again_blindly(api: APIClient, number: int) -> None:
    # Control: with `connection lost` among the causes that `retried` knows, it is.
    make.guest(api, (make.variant(on_hand=5), 2))

    with (
        mock.patch("shop.db.retry.time.sleep") as slept,
        lost_commit(number, counts=True),
    ):
        place(api)

    slept.assert_not_called()


def test_a_client_that_never_comes_back_is_answered_for(api: APIClient) -> None:
    make.guest(api, (make.variant(on_hand=5), 2))
    with lost_commit(1, counts=True):
        place(api)

    resume_checkouts(now=timezone.now() + timedelta(minutes=3))

    assert IdempotencyKey.objects.get().response_status == 201
    assert Order.objects.get().status == "CONFIRMED"
    assert_sound()


def test_any_other_post_is_rolled_back_or_remembered(api: APIClient) -> None:
    body = {"email": "jane@example.com", "password": "correct horse 9"}

    def register() -> Any:
        return api.post("/api/v1/auth/register", body, headers={"Idempotency-Key": "k"})

    with lost_commit(1, counts=True):
        assert register().status_code == 503
    again = register()

    assert (again.status_code, again["Idempotent-Replayed"]) == (202, "true")
