"""The rules of shipping and tax: what a new shop has, how fresh they are, who may change them."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from cart import selectors
from cart.models import ShippingMethod, ShippingRate, ShippingZone, TaxRate
from cart.selectors import forget_rules
from cart.services import load_rules, price, rules_changed, shipping_options
from tests.integration.cart.conftest import CountTrips
from tests.make import accounts
from tests.make import cart as make

pytestmark = pytest.mark.django_db

# fmt: off
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
    "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]
# fmt: on


def codes(country: str) -> list[str]:
    return [
        option.code
        for option in shipping_options(
            country=country, postal_code="", currency="GBP", subtotal_minor=100, weight_grams=1
        )
    ]


# --- what a new shop begins with


@pytest.mark.parametrize("country", ["GB", *EU])
def test_every_country_of_the_seed_has_each_class_and_two_methods(country: str) -> None:
    rules = load_rules(fresh=True)
    today = date(2026, 11, 2)

    standard, reduced, zero = (
        rules.tax_rate_bps(country=country, tax_class=tax_class, on=today)
        for tax_class in ("STANDARD", "REDUCED", "ZERO")
    )

    assert standard is not None
    assert reduced is not None
    assert 1500 <= standard <= 2700
    assert 500 <= reduced <= standard
    assert zero == 0
    for currency in ("GBP", "EUR"):
        options = shipping_options(
            country=country, postal_code="", currency=currency, subtotal_minor=100, weight_grams=1
        )
        assert [option.code for option in options] == ["standard", "express"]


def test_every_seeded_tax_names_its_source() -> None:
    taxed = TaxRate.objects.exclude(tax_class="ZERO")

    assert all("European Commission" in rate.source for rate in taxed.exclude(country="GB"))
    assert all("HM Revenue & Customs" in rate.source for rate in taxed.filter(country="GB"))
    assert set(taxed.values_list("country", flat=True)) == {"GB", *EU}


@pytest.mark.parametrize(
    ("country", "day", "rate_bps"),
    [
        ("GB", date(2010, 12, 1), 1750),
        ("GB", date(2011, 1, 4), 2000),
        ("EE", date(2025, 6, 30), 2200),
        ("EE", date(2025, 7, 1), 2400),
        ("RO", date(2025, 8, 1), 2100),
        ("SK", date(2024, 12, 31), 2000),
        ("FI", date(2026, 1, 1), 2550),
    ],
)
def test_the_days_on_which_taxes_changed(country: str, day: date, rate_bps: int) -> None:
    rules = load_rules(fresh=True)

    assert rules.tax_rate_bps(country=country, tax_class="STANDARD", on=day) == rate_bps


def test_seeding_again_changes_nothing() -> None:
    TaxRate.objects.filter(country="GB", tax_class="STANDARD").update(rate_bps=1)
    ShippingMethod.objects.update(name="Ours")
    before = [model.objects.count() for model in (TaxRate, ShippingZone, ShippingMethod)]

    make.rules()

    assert [model.objects.count() for model in (TaxRate, ShippingZone, ShippingMethod)] == before
    assert set(
        TaxRate.objects.filter(country="GB", tax_class="STANDARD").values_list(
            "rate_bps", flat=True
        )
    ) == {1}
    assert set(ShippingMethod.objects.values_list("name", flat=True)) == {"Ours"}


# --- how fresh


@pytest.mark.parametrize("size", [1, 20])
def test_fresh_rules_take_one_query_however_many_there_are(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(size):
        make.shipping_method(f"pigeon-{number}")

    # Expect 4 once: their version; the rates; the methods with their zones; the taxes.
    with django_assert_num_queries(4):
        load_rules(fresh=True)
    # Expect 1 from then on: their version.
    with django_assert_num_queries(1):
        rules = load_rules(fresh=True)

    assert len(rules.methods) == 4 + size


@pytest.mark.parametrize(
    "change",
    [
        lambda: make.shipping_method("pigeon"),
        lambda: ShippingMethod.objects.update(name="Ours"),
        lambda: ShippingRate.objects.update(price_minor=1),
        lambda: ShippingZone.objects.update(countries=["GB"]),
        lambda: TaxRate.objects.filter(country="GB").update(rate_bps=1),
        lambda: TaxRate.objects.filter(country="GB").delete(),
    ],
)
def test_fresh_rules_know_of_every_change_however_it_was_made(
    change: Callable[[], object],
) -> None:
    """Negative control: without the trigger of a table its changes are not seen."""
    before = load_rules(fresh=True)

    change()

    after = load_rules(fresh=True)
    assert after != before
    forget_rules()
    assert after == load_rules(fresh=True)


def test_warm_rules_take_no_query_and_mostly_no_trip(
    django_assert_num_queries: DjangoAssertNumQueries, count_trips: CountTrips
) -> None:
    load_rules()

    with django_assert_num_queries(0), count_trips() as trips:
        assert load_rules() == load_rules(fresh=False)
    assert trips == []


def test_another_process_takes_them_from_redis(
    django_assert_num_queries: DjangoAssertNumQueries, count_trips: CountTrips
) -> None:
    load_rules()
    selectors._memo.rules = None  # as a process that has just started

    with django_assert_num_queries(0), count_trips() as trips:
        load_rules()
    assert len(trips) == 1


def test_cached_and_fresh_rules_are_the_same() -> None:
    assert load_rules() == load_rules(fresh=True)
    forget_rules()
    assert load_rules() == load_rules(fresh=True)


def test_a_change_is_seen_once_it_is_committed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    assert codes("US") == []

    with django_capture_on_commit_callbacks(execute=True):
        make.shipping_method(countries=("US",))
        rules_changed()
        assert codes("US") == []

    assert codes("US") == ["pigeon"]


def test_what_is_switched_off_is_not_offered() -> None:
    ShippingMethod.objects.filter(code="standard").update(is_active=False)

    assert codes("GB") == ["express"]


def test_a_price_uses_the_rules_that_it_is_given(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    rules = load_rules(fresh=True)

    with django_assert_num_queries(0):
        quote = price(
            lines=[(make.card(unit_price_minor=1200), 2)],
            currency="GBP",
            country=None,
            postal_code="",
            shipping_method="standard",
            now=make.NOW,
            rules=rules,
        )

    assert (quote.country, quote.subtotal_minor, quote.shipping_minor) == ("GB", 2400, 395)
    assert (quote.tax_minor, quote.total_minor) == (466, 2795)


# --- staff


@pytest.fixture
def staff(client: Client) -> Client:
    user = accounts.customer()
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.refresh_from_db()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="cart"))
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", ["shippingzone", "shippingmethod", "shippingrate", "taxrate"])
def test_staff_see_and_search_each_table(staff: Client, model: str) -> None:
    assert staff.get(f"/admin/cart/{model}/").status_code == 200
    assert staff.get(f"/admin/cart/{model}/add/").status_code == 200
    if model != "taxrate":
        assert staff.get(f"/admin/cart/{model}/?q=standard").status_code == 200


@pytest.mark.parametrize("model", ["shippingzone", "shippingmethod", "shippingrate"])
def test_a_screen_takes_the_same_queries_for_any_number_of_rows(
    staff: Client, model: str, django_assert_max_num_queries: Any
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(50) as counted:
            assert staff.get(f"/admin/cart/{model}/").status_code == 200
        return len(counted.captured_queries)

    queries()
    before = queries()
    for number in range(20):
        make.shipping_method(f"pigeon-{number}")

    assert queries() == before


def test_a_rate_that_staff_change_is_charged_at_once(
    staff: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    load_rules()
    rate = ShippingRate.objects.get(
        method__zone__name="United Kingdom", method__code="standard", currency="GBP"
    )

    with django_capture_on_commit_callbacks(execute=True):
        response = staff.post(
            f"/admin/cart/shippingrate/{rate.pk}/change/",
            {
                "method": rate.method_id,
                "currency": "GBP",
                "price_minor": "100",
                "free_over_minor": "",
                "min_subtotal_minor": "0",
                "min_weight_grams": "0",
            },
        )

    assert response.status_code == 302, response.content
    options = shipping_options(
        country="GB", postal_code="", currency="GBP", subtotal_minor=10_000, weight_grams=1
    )
    assert options[0].price_minor == 100


def test_strangers_do_not_come_in(client: Client) -> None:
    client.force_login(accounts.customer())

    assert client.get("/admin/cart/taxrate/").status_code in {302, 403, 404}
