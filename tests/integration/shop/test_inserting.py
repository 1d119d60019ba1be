import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from cart.models import ShippingMethod, ShippingZone
from shop.db.inserting import insert_with
from shop.db.joining import joining

pytestmark = pytest.mark.django_db


def zone() -> ShippingZone:
    return ShippingZone(name="Moon", countries=["XA", "XB"])


def method(code: str) -> ShippingMethod:
    return ShippingMethod(code=code, name=code.title(), days_min=1, days_max=2)


@pytest.mark.parametrize("size", [1, 20])
def test_a_row_and_those_that_point_at_it_are_one_statement(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    moon, methods = zone(), [method(f"rocket-{number}") for number in range(size)]

    with django_assert_num_queries(1):
        insert_with(moon, methods)

    assert ShippingZone.objects.get(name="Moon").pk == moon.pk
    assert ShippingZone.objects.get(name="Moon").countries == ["XA", "XB"]
    kept = list(moon.methods.order_by("pk"))
    assert [one.pk for one in methods] == [one.pk for one in kept]
    assert [one.code for one in methods] == [one.code for one in kept]
    assert all(one.zone is moon and one.zone_id == moon.pk for one in methods)


def test_they_can_be_saved_again(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    moon, rocket = zone(), method("rocket")
    insert_with(moon, [rocket])

    rocket.name = "Fast rocket"
    with django_assert_num_queries(1):
        rocket.save()

    assert ShippingMethod.objects.get(pk=rocket.pk).name == "Fast rocket"


def test_one_that_cannot_be_leaves_none() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_with(zone(), [method("rocket"), method("rocket")])

    assert not ShippingZone.objects.filter(name="Moon").exists()
    assert not ShippingMethod.objects.filter(code="rocket").exists()


def test_what_joins_sets_no_savepoint(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    @joining
    def unit() -> int:
        return ShippingZone.objects.filter(name="Moon").count()

    with transaction.atomic(), django_assert_num_queries(1):
        assert unit() == 0


@pytest.mark.django_db(transaction=True)
def test_what_joins_nothing_is_a_transaction_of_its_own() -> None:
    @joining
    def unit() -> None:
        zone().save()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        unit()

    assert not ShippingZone.objects.filter(name="Moon").exists()
