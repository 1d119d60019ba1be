"""The roles that the shop ships: what each may do, and that they come with the tables."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from rest_framework.test import APIClient

from shop.db.roles import fill
from tests.access.table import TABLE
from tests.make.accounts import signed_in
from tests.make.roles import ROLES, member, roles

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations" / "roles.md"
OURS = ("accounts", "auth", "cart", "catalog", "inventory", "orders", "shop")


def held(role: str) -> list[str]:
    names = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return sorted(f"{app_label}.{codename}" for app_label, codename in names)


def table() -> str:
    """Return the roles as the page has them: a line for each model, its actions by role."""
    models = sorted({_model(name) for names in ROLES.values() for name in names})
    rows = [
        f"| `{model}` | " + " | ".join(_actions(ROLES[role], model) for role in ROLES) + " |"
        for model in models
    ]
    head = ["| | " + " | ".join(ROLES) + " |", "| --- " * (len(ROLES) + 1) + "|"]
    return "\n".join([*head, *rows])


def _model(name: str) -> str:
    app_label, _, codename = name.partition(".")
    return f"{app_label}.{codename.partition('_')[2]}"


def _actions(names: Sequence[str], model: str) -> str:
    order = ("view", "add", "change", "delete")
    found = {name.partition(".")[2].partition("_")[0] for name in names if _model(name) == model}
    return " ".join(action for action in order if action in found)


def test_the_page_tells_what_each_role_may() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), f"\n{table()}\n"


def test_each_role_holds_what_it_should() -> None:
    roles()

    assert {role: held(role) for role in ROLES} == {
        role: list(names) for role, names in ROLES.items()
    }


def test_a_fresh_database_has_them_before_django_makes_any_permission() -> None:
    # As in a migration on an empty database: neither kinds nor permissions are there.
    Group.objects.all().delete()
    Permission.objects.all().delete()
    ContentType.objects.all().delete()
    ContentType.objects.clear_cache()

    fill(apps, None, roles=ROLES, only_new=True)
    first = set(Permission.objects.values_list("pk", flat=True))
    for app_label in OURS:  # what `migrate` does at its end
        create_permissions(apps.get_app_config(app_label), verbosity=0)

    assert {role: held(role) for role in ROLES} == {
        role: list(names) for role, names in ROLES.items()
    }
    assert first <= set(Permission.objects.values_list("pk", flat=True))
    twice = Permission.objects.values_list("content_type__app_label", "codename")
    assert len(twice) == len(set(twice))
    # By the names that Django gives.
    assert Permission.objects.get(codename="view_stockmovement").name == "Can view stock movement"


def test_an_operator_s_own_groups_and_changes_stay() -> None:
    roles()
    support = Group.objects.get(name="support")
    support.permissions.clear()

    fill(apps, None, roles=ROLES, only_new=True)

    assert held("support") == []
    fill(apps, None, roles={"support": ["orders.view_order"]}, only_new=False)
    fill(apps, None, roles={"support": ["orders.view_order"]}, only_new=False)
    assert held("support") == ["orders.view_order"]


def test_a_permission_of_no_model_is_noticed() -> None:
    with pytest.raises(LookupError):
        fill(apps, None, roles={"support": ["orders.view_ordre"]}, only_new=False)


def test_every_permission_that_a_route_asks_for_is_in_a_role() -> None:
    asked = {name for entry in TABLE.values() for name in entry.permissions}
    daily = {name for role, names in ROLES.items() if role != "admin" for name in names}

    # Warehouses come and go with leases: that is for whoever runs the shop.
    assert asked - daily == {
        "inventory.add_warehouse",
        "inventory.change_warehouse",
        "inventory.delete_warehouse",
    }
    assert asked <= set(ROLES["admin"])


def test_nobody_but_superusers_gives_power() -> None:
    powers = {
        name
        for names in ROLES.values()
        for name in names
        if "group" in name or ".permission" in name
    }

    assert powers == {"auth.view_group"}


@pytest.mark.parametrize(
    ("role", "opens", "refuses"),
    [
        ("support", "orders", "inventory/movements"),
        ("warehouse", "inventory/movements", ""),
        ("catalogue", "inventory/purchase-limits", "inventory/movements"),
        ("finance", "inventory/reconciliation", "inventory/purchase-limits"),
        ("admin", "inventory/movements", ""),
    ],
)
def test_a_role_opens_its_doors_over_the_api(
    api: APIClient, role: str, opens: str, refuses: str
) -> None:
    signed_in(api, member(role))

    assert api.get(f"/api/v1/{opens}").status_code == 200
    if refuses:
        assert api.get(f"/api/v1/{refuses}").status_code == 403


def test_a_role_taken_away_is_gone_with_the_next_request(api: APIClient) -> None:
    user = member("warehouse")
    signed_in(api, user)
    assert api.get("/api/v1/inventory/movements").status_code == 200

    user.groups.clear()

    assert api.get("/api/v1/inventory/movements").status_code == 403
