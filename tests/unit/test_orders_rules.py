"""Numbers, tokens, waits and words: what needs no database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.fields import CharField

from orders.models import Order, OrderEvent, Payment
from orders.providers import MANUAL, SANDBOX, provider_codes, provider_of, providers_for_buyers
from orders.providers.base import Outcome
from orders.selectors.access import access_token, token_hash
from orders.selectors.documents import actions_for, payment_word
from orders.serializers import PAYMENT_WORDS, PostalRequest, _TextField
from orders.services.drafts import DraftLine, OrderDraft
from orders.services.paying import backoff
from orders.services.placing import new_number
from orders.services.states import ORDER_EDGES, PAYMENT_EDGES, PAYMENT_STATUS_EDGES
from tests.make import orders as make


def test_numbers_are_ten_letters_that_cannot_be_misread_and_do_not_repeat() -> None:
    numbers = {new_number() for _ in range(2000)}

    assert len(numbers) == 2000
    assert all(len(number) == 10 for number in numbers)
    assert not set("ILOU") & set("".join(numbers))


def test_an_access_token_is_one_orders_alone_and_has_more_than_128_bits() -> None:
    token = access_token("0123456789")

    assert token == access_token("0123456789")
    assert token != access_token("0123456780")
    assert len(token) == 32
    assert token not in token_hash(token)


@pytest.mark.parametrize(
    "text",
    [
        "London",
        "  a name with spaces  ",
        "Straße 7, 東京",
        "12345678",
        "123456789",
        "12345678 ",
        "",
        "   ",
        "\t",
        "\tLondon\n",
        "two\nlines",
        "no\u00a0break",
        "a\0b",
        "half \ud83d",
        "\u202e",
        7,
        None,
        True,
        ["London"],
        {},
    ],
)
def test_a_text_that_is_plainly_right_is_read_as_any_other(text: object) -> None:
    """Beside the field without its short cut: the same text, or the same refusal."""

    field = _TextField(max_length=8)

    def read_by(run: Callable[[Any, object], Any]) -> object:
        try:
            return run(field, text)
        except ValidationError as error:
            return error.detail

    assert read_by(_TextField.run_validation) == read_by(CharField.run_validation)


def test_waits_double_up_to_ten_minutes() -> None:
    waits = [backoff(attempts) for attempts in range(12)]

    assert waits[:4] == [timedelta(seconds=s) for s in (15, 15, 30, 60)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=10)


def test_totals_of_a_draft_are_the_sums_of_its_lines() -> None:
    draft = OrderDraft(
        currency="GBP",
        country="GB",
        lines=(
            DraftLine(None, "A", "A", 2, 500, 900, discount_minor=100, tax_minor=150),
            DraftLine(None, "B", "B", 1, 333, 333, tax_minor=0),
        ),
        shipping_minor=395,
        shipping_tax_minor=66,
    )

    assert (draft.subtotal_minor, draft.discount_minor) == (1333, 100)
    assert (draft.tax_minor, draft.total_minor) == (216, 1628)


def test_final_states_lead_nowhere_and_every_edge_leads_to_a_state() -> None:
    for edges in (ORDER_EDGES, PAYMENT_STATUS_EDGES, PAYMENT_EDGES):
        assert all(target in edges for targets in edges.values() for target in targets)
        assert all(state not in targets for state, targets in edges.items())
    assert ORDER_EDGES["CANCELLED"] == ORDER_EDGES["COMPLETED"] == frozenset()
    assert PAYMENT_EDGES["DECLINED"] == PAYMENT_EDGES["VOIDED"] == frozenset()


def test_every_outcome_of_a_provider_has_a_status() -> None:
    assert {outcome.value.upper() for outcome in Outcome} <= set(Payment.Status)


def test_whether_we_have_asked_the_provider_is_nobody_elses_matter() -> None:
    words = {payment_word(Payment(status=status)) for status in Payment.Status}

    assert words == set(PAYMENT_WORDS)
    assert payment_word(Payment(status="NEW")) == "pending"
    assert payment_word(Payment(status="REQUESTED")) == "pending"


@pytest.mark.parametrize(
    ("status", "fulfillment", "allowed"),
    [
        ("PENDING", "UNFULFILLED", True),
        ("CONFIRMED", "UNFULFILLED", True),
        ("CONFIRMED", "PARTIALLY_FULFILLED", False),
        ("COMPLETED", "FULFILLED", False),
        ("CANCELLED", "UNFULFILLED", False),
    ],
)
def test_actions_say_why_not(status: str, fulfillment: str, allowed: bool) -> None:
    (action,) = actions_for(Order(status=status, fulfillment_status=fulfillment))

    assert action["allowed"] is allowed
    assert (action["reason"] is None) is allowed


def test_buyers_are_offered_what_they_may_use() -> None:
    assert set(provider_codes()) == {MANUAL, SANDBOX}
    assert set(providers_for_buyers()) == {SANDBOX}
    assert provider_of(MANUAL).statement(since=None) is None


def test_every_kind_of_event_fits_its_column() -> None:
    room = OrderEvent._meta.get_field("kind").max_length

    assert room is not None
    assert max(len(kind) for kind in OrderEvent.Kind) <= room


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({}, None),
        ({"postal_code": ""}, "postal_code"),
        ({"postal_code": "", "country": "HK"}, None),
        ({"postal_code": None, "country": "HK"}, None),
        ({"phone": "020 7946 0018"}, None),
        ({"phone": "call me"}, "phone"),
        ({"country": "gb"}, "country"),
        ({"country": "UK"}, "country"),
        ({"line1": None}, "line1"),
        ({"line1": "   "}, "line1"),
        ({"company": None}, None),
    ],
)
def test_addresses(changes: dict[str, object], pointer: str | None) -> None:
    address = PostalRequest(data=make.address(**changes))

    assert address.is_valid() is (pointer is None)
    assert set(address.errors) == ({pointer} if pointer else set())
