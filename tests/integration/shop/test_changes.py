"""Who changed what: written by triggers, for staff and not for shoppers, and never rewritten."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User, UserChange, UserGroupChange
from cart.models import TaxRate
from catalog.models import Category, CategoryChange, Price, PriceChange, Product, ProductChange
from inventory.models import Stock, StockChange
from orders.models import OrderChange, PaymentChange
from shop.audit import acting
from shop.audit.reading import Asked, changes, prune_changes
from shop.audit.tracking import tables_of_changes
from shop.privacy.registry import DataClass, tables
from tests.make import accounts as make
from tests.make import catalog as make_catalog
from tests.make import orders as make_orders
from tests.make import second_factors

pytestmark = pytest.mark.django_db

PAGE = "/admin/shop/changebystaff/"


def by(user: User) -> Any:
    return acting(user_id=user.pk, request_id="r-1", through="test")


def rows(table: Any) -> list[tuple[str, Any]]:
    return list(table.objects.order_by("pgh_id").values_list("pgh_label", "pgh_context"))


def category(name: str = "Mugs") -> Category:
    return make_catalog.category(name)


# What is written


def test_a_change_over_the_api_says_who_and_in_which_request(api: APIClient) -> None:
    boss = make.superuser()
    variant = make_orders.variant(on_hand=1)
    path = f"/api/v1/products/{variant.product.slug}"

    answer = make.signed_in(api, boss).patch(
        path, {"title": "A better mug"}, headers={"X-Request-ID": "asked-1"}
    )

    assert answer.status_code == 200, answer.content
    (found,) = changes(Asked(table="catalog.Product"), limit=9)
    assert (found.user_id, found.request_id, found.through) == (boss.pk, "asked-1", "api")
    assert (found.kind, found.row) == ("update", variant.product_id)
    title = next(one for one in found.differences if one.name == "title")
    assert (title.old, title.new) == (variant.product.title, "A better mug")


def test_a_change_in_the_admin_is_written_too(client: Client) -> None:
    boss = make.superuser()
    client.force_login(boss)
    rate = TaxRate.objects.create(
        country="FR", tax_class="STANDARD", rate_bps=2000, valid_from="2014-01-01", source="law"
    )
    form = {
        "country": "FR",
        "tax_class": "STANDARD",
        "rate_bps": 2100,
        "valid_from": "2014-01-01",
        "source": "law",
    }

    answer = client.post(f"/admin/cart/taxrate/{rate.pk}/change/", form)

    assert answer.status_code == 302, answer.content
    found = changes(Asked(table="cart.TaxRate", row=rate.pk), limit=9)
    assert [(one.kind, one.user_id, one.through) for one in found] == [
        ("update", boss.pk, "admin"),
        ("insert", None, ""),
    ]
    assert [(one.name, one.old, one.new) for one in found[0].differences] == [
        ("rate_bps", 2000, 2100)
    ]


def test_shoppers_leave_no_trace_and_pay_nothing() -> None:
    variant = make_orders.variant(on_hand=3)

    make_orders.sold((variant, 1))

    for label, table in tables_of_changes().items():
        if table in (OrderChange, PaymentChange, StockChange, ProductChange, PriceChange):
            assert not table._default_manager.exists(), label


def test_the_next_request_is_nobodys(api: APIClient, client: Client) -> None:
    make.signed_in(api, make.superuser()).post("/api/v1/categories", {"name": "Mugs"})
    assert CategoryChange.objects.count() == 1

    Category.objects.update(name="Cups")

    assert CategoryChange.objects.count() == 1


def test_bulk_writes_and_deletions_are_caught() -> None:
    boss = make.superuser()
    one, two = category("One"), category("Two")

    with by(boss):
        Category.objects.update(description="All new")
        Category.objects.filter(pk=two.pk).delete()

    assert [label for label, _ in rows(CategoryChange)] == ["old", "new", "old", "new", "delete"]
    found = changes(Asked(table="catalog.Category", row=one.pk), limit=9)
    assert [(d.name, d.old, d.new) for d in found[0].differences] == [
        ("description", "", "All new")
    ]


@pytest.mark.django_db(transaction=True)
def test_a_statement_outside_of_a_transaction_has_its_name_and_leaves_it_to_nobody() -> None:
    boss = make.superuser()
    made = category()

    with by(boss):
        Category.objects.filter(pk=made.pk).update(name="Cups")
    Category.objects.filter(pk=made.pk).update(name="Mugs")

    assert [context["user"] for _, context in rows(CategoryChange)] == [boss.pk, boss.pk]


def test_what_is_rolled_back_was_not_changed_and_the_name_outlives_a_savepoint() -> None:
    made = category()
    with by(make.superuser()):
        with transaction.atomic():
            Category.objects.filter(pk=made.pk).update(name="Cups")
            transaction.set_rollback(True)
        assert rows(CategoryChange) == []

        Category.objects.filter(pk=made.pk).update(name="Bowls")

    assert len(rows(CategoryChange)) == 2


def test_powers_are_watched_whoever_gives_them() -> None:
    person = make.customer()
    assert not UserChange.objects.exists()
    group = Group.objects.create(name="a group")

    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_staff = TRUE WHERE id = %s", [person.pk])
    person.groups.add(group)

    (found,) = changes(Asked(table="accounts.User"), limit=9)
    assert [(one.name, one.old, one.new) for one in found.differences] == [
        ("is_staff", False, True)
    ]
    assert (found.user_id, found.through) == (None, "")
    assert [label for label, _ in rows(UserGroupChange)] == ["insert"]


def test_a_reset_second_factor_says_who_decided_it() -> None:
    person = make.customer()
    second_factors.set_up(person)

    call_command("reset_second_factor", person.email, by="Grace")

    found = changes(Asked(table="accounts.TotpFactor"), limit=1)[0]
    assert (found.kind, found.through) == ("delete", "command, by Grace")


def test_only_terms_of_stock_are_tracked_and_not_its_units() -> None:
    make_orders.variant(on_hand=3)
    with by(make.superuser()):
        Stock.objects.update(on_hand=4)
        assert not StockChange.objects.exists()

        Stock.objects.update(low_at=2)

    assert [label for label, _ in rows(StockChange)] == ["old", "new"]


def test_nothing_that_is_kept_says_anything_of_a_person() -> None:
    told = {
        f"{label}.{name}"
        for label in (table._meta.label for table in tables_of_changes().values())
        for name, personal in tables()[label].fields.items()
        if personal.data_class is not DataClass.NONE and name != "pgh_context"
    }

    assert told == set()


# What keeps it


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog_categorychange SET name = 'x'",
        "DELETE FROM catalog_categorychange",
        "UPDATE accounts_userchange SET is_staff = FALSE",
        "DELETE FROM accounts_userchange",
    ],
)
def test_it_is_not_rewritten_or_swept_away(statement: str) -> None:
    with by(make.superuser()):
        category()
    before = rows(CategoryChange), rows(UserChange)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert (rows(CategoryChange), rows(UserChange)) == before


def test_what_is_older_than_its_days_is_deleted_and_no_more() -> None:
    with by(make.superuser()):
        category("Old")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE catalog_categorychange DISABLE TRIGGER USER")
            cursor.execute(
                "UPDATE catalog_categorychange SET pgh_created_at = now() - interval '731 days'"
            )
            cursor.execute("ALTER TABLE catalog_categorychange ENABLE TRIGGER USER")
        category("New")

    assert prune_changes(now=timezone.now(), keep_days=730) == 1

    assert list(CategoryChange.objects.values_list("name", flat=True)) == ["New"]
    assert prune_changes(now=timezone.now() + timedelta(days=-1), keep_days=730) == 0


# Who reads it


def test_the_page_tells_who_when_and_what(client: Client) -> None:
    boss = make.superuser()
    price = Price.objects.get(variant=make_orders.variant(on_hand=1), currency="GBP")
    was = price.amount_minor
    with by(boss):
        Price.objects.filter(pk=price.pk).update(amount_minor=was + 1)
    client.force_login(make.superuser())  # whose own address is in the frame of each page

    page = client.get(PAGE, {"table": "catalog.Price", "row": str(price.pk)}).content.decode()

    assert f"<del>{was}</del> <ins>{was + 1}</ins>" in page
    assert str(boss) in page
    assert boss.email not in page
    assert f"catalog.Price {price.pk}" in page
    assert "Nothing was changed" in client.get(PAGE, {"user": 999999}).content.decode()
    history = f"/admin/catalog/product/{price.variant.product_id}/history/"
    assert PAGE in client.get(history).content.decode()


@pytest.mark.parametrize("query", ["?before=x", "?before=2026_1_1", "?row=x&user=-", "?table=no"])
def test_odd_questions_find_nothing_or_all(client: Client, query: str) -> None:
    client.force_login(make.superuser())

    assert client.get(PAGE + query).status_code == 200


def test_staff_without_the_permission_do_not_see_it(client: Client) -> None:
    client.force_login(make.staff("catalog.view_product"))
    assert client.get(PAGE).status_code == 403

    client.force_login(make.staff("shop.view_changebystaff"))
    assert client.get(PAGE).status_code == 200
    assert client.post(PAGE).status_code in {200, 405}


def test_pages_lose_and_repeat_nothing_of_one_moment() -> None:
    with by(make.superuser()):  # one transaction, and so one moment
        made = [category(f"Category {number}") for number in range(7)]
        Category.objects.update(position=50)
        Product.objects.all().delete()

    seen: list[tuple[str, int, str]] = []
    place = ""
    while page := changes(Asked(before=place), limit=3):
        seen += [(one.table, one.row, one.kind) for one in page]
        place = page[-1].place

    of_categories = [one for one in seen if one[0] == "catalog.Category"]
    assert len(of_categories) == 2 * len(made)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("size", [2, 20])
def test_the_page_takes_the_same_queries_at_any_size(
    client: Client, size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    boss = make.superuser()
    with by(boss):
        for number in range(size):
            category(f"Category {number}")
        Category.objects.update(position=5)
    client.force_login(boss)
    client.get(PAGE)

    # Expect 2 for who asks (session, user), one for each table, 2 for what the updates changed
    # (of one table), one for the people.
    with django_assert_num_queries(2 + len(tables_of_changes()) + 2 + 1):
        client.get(PAGE)
