"""Roles for tests, also after one emptied every table."""

from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group

from accounts.models import User
from shop.db.roles import Roles, fill
from tests.make import accounts

_FIRST: Roles = import_module("orders.migrations.0003_roles").ROLES
_MORE: list[Roles] = [
    import_module("orders.migrations.0005_roles_see_personal_data").MORE,
    import_module("orders.migrations.0007_roles_see_changes").MORE,
]
ROLES: Roles = {
    role: list(dict.fromkeys([*names, *(name for more in _MORE for name in more.get(role, ()))]))
    for role, names in _FIRST.items()
}


def roles() -> None:
    fill(apps, None, roles=ROLES, only_new=True)


def member(*names: str) -> User:
    """Return somebody who works here in these roles."""
    roles()
    user = accounts.staff()
    user.groups.set(Group.objects.filter(name__in=names))
    return user
