"""Rates and the table of limits."""

import pytest

from shop.http.rate_limit.policies import PREFLIGHT, UNKNOWN, policy_of
from shop.http.rate_limit.rates import Rate, read_rate

DEFAULT = Rate(100, 60)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/m", Rate(100, 60)),
        ("10/5m", Rate(10, 300)),
        ("1/s", Rate(1, 1)),
        ("10/h", Rate(10, 3600)),
        ("1000000/d", Rate(1_000_000, 86_400)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert read_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0/m", "100", "100/", "/m", "100/x", "-1/m", "1/0m", "1 /m"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        read_rate(text)


@pytest.mark.parametrize(
    ("route", "name", "whole", "of_two", "of_three"),
    [
        ("api/v1/products", "default", 100, 50, 34),
        (UNKNOWN, "default", 100, 50, 34),
        ("api/v1/checkout", "default", 100, 13, 9),
        ("api/v1/auth/token", "log_in", 60, 8, 5),
        ("api/v1/orders/lookup", "mailed_links", 20, 3, 2),
        (PREFLIGHT, "preflight", 600, 300, 200),
    ],
)
def test_the_table_says_how_often_with_and_without_redis(
    route: str, name: str, whole: int, of_two: int, of_three: int
) -> None:
    policies = [policy_of(route, DEFAULT, workers) for workers in (2, 3)]

    assert {policy.name for policy in policies} == {name}
    assert {policy.rate for policy in policies} == {Rate(whole, 60)}
    assert [policy.local_rate.limit for policy in policies] == [of_two, of_three]


def test_one_setting_moves_them_all_and_none_below_one() -> None:
    assert policy_of("api/v1/auth/token", Rate(1000, 60), 2).rate == Rate(600, 60)
    assert policy_of("api/v1/orders/lookup", Rate(1, 60), 8).local_rate == Rate(1, 60)
