"""Card numbers: found however they are written, and not taken for what they are not."""

import random

import pytest

from shop.privacy.cards import (
    CODES,
    LONG_NUMBERS,
    CardNumberNotAccepted,
    holds_card_number,
    refuse_card_numbers,
    without_card_numbers,
)
from tests.make.cards import TEST_CARDS


@pytest.mark.parametrize("number", TEST_CARDS)
def test_each_is_found_however_it_is_written(number: str) -> None:
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    full_width = number.translate({ord(str(d)): 0xFF10 + d for d in range(10)})
    for text in (
        number,
        grouped,
        grouped.replace(" ", "-"),
        grouped.replace(" ", "."),
        grouped.replace(" ", "\u00a0"),
        f"Take it from {grouped}, please",
        f"card{number}!",
        f"{grouped} 12 26 123",
        full_width,
    ):
        assert holds_card_number(text), text


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # Luhn fails
        "0000000000000000",
        "411111111111",  # 12 digits
        "41111111111111111111",  # 20 in one piece
        "2026-11-25T06:07:00Z",
        "b2f5ff47-4366-4b6d-9d3c-0d2f8ab0e3a1",
        "41111111-1111-4111-8111-111111111111",  # a UUID
        "12 St James's Square, SW1Y 4JH",
        "5XK2M8QW1Z",
        "",
    ],
)
def test_what_is_none_is_none(text: str) -> None:
    assert not holds_card_number(text)


def test_article_numbers_are_taken_where_they_belong() -> None:
    dice = random.Random(5)
    eans: list[str] = []
    while len(eans) < 300:
        body = [dice.randrange(10) for _ in range(12)]
        check = -sum(d * (3 if place % 2 else 1) for place, d in enumerate(body)) % 10
        eans.append("".join(map(str, [*body, check])))

    assert not any(holds_card_number(ean, field=field) for ean in eans for field in CODES)
    # One in ten passes Luhn's check by chance: elsewhere it would be refused.
    assert 10 < sum(holds_card_number(ean, field="title") for ean in eans) < 60


@pytest.mark.parametrize("field", sorted(CODES))
@pytest.mark.parametrize("number", [card for card in TEST_CARDS if len(card) >= 15])
def test_a_card_is_no_article_number(field: str, number: str) -> None:
    assert holds_card_number(number, field=field)


@pytest.mark.parametrize("field", sorted(LONG_NUMBERS))
def test_numbers_of_others_making_are_not_looked_at(field: str) -> None:
    assert not holds_card_number("4111111111111111", field=field)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "4111111111111111"}, "/reason"),
        ({"payment": {"token": "4111 1111 1111 1111"}}, "/payment/token"),
        ({"lines": [{}, {"note": "5555-5555-5555-4444"}]}, "/lines/1/note"),
        ({"reason": 4111111111111111}, "/reason"),
        ({"reason": 4111111111111111.0}, "/reason"),
        ({"4111111111111111": 1}, "/"),
        ({"a": {"4111111111111111": 1}}, "/a"),
        (["4111111111111111"], "/0"),
    ],
)
def test_the_refusal_says_where_and_not_what(body: object, pointer: str) -> None:
    with pytest.raises(CardNumberNotAccepted) as refused:
        refuse_card_numbers(body)

    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert "1111" not in str(refused.value.errors) + refused.value.detail


def test_what_has_none_goes_through() -> None:
    refuse_card_numbers(
        {
            "phone": "+44 7700 900123",
            "quantity": 999,
            "is_default": True,
            "note": None,
            "x": [1.5],
            "variant_id": 4111111111111111,
        }
    )


def test_logs_have_them_taken_out() -> None:
    assert without_card_numbers("paid by 4111 1111 1111 1111 today") == "paid by [card] today"
    assert without_card_numbers("took 1234567890123 ms") == "took 1234567890123 ms"


@pytest.mark.parametrize(
    "made_up",
    [
        "task=ffc41111-1111-1111-1111-11111111a633",
        "digest abc4111111111111111fed00411111",
        "succeeded in 0.4111111111111111s: None",
    ],
)
def test_logs_keep_what_machines_make_up(made_up: str) -> None:
    assert without_card_numbers(made_up) == made_up
    assert without_card_numbers(f"{made_up} 4111111111111111") == f"{made_up} [card]"


def test_digits_inside_a_long_random_word_are_not_a_card() -> None:
    # An address of random letters was refused now and then, as somebody's relay address would be.
    assert not holds_card_number(f"ab{TEST_CARDS[0]}cdef0123@relay.example")
    for text in (
        f"ab{TEST_CARDS[0]}",
        f"ab {TEST_CARDS[0]} cdef0123",
        f"{TEST_CARDS[0]} 1227 000000000",
    ):
        assert holds_card_number(text), text
