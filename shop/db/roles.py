"""Roles: groups of Django's that the shop ships, filled by migrations.

A permission is named (`orders.view_order`), as apps are in settings: its row need not be there.
Django makes the rows only after all migrations have run, so on a fresh database they are made here,
just as Django would; it then finds them and makes no others.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython

Roles = Mapping[str, Sequence[str]]  # permissions by the name of the role


def make_roles(roles: Roles) -> RunPython:
    """Return the step of a migration that makes these groups.

    A group that is there under such a name is an operator's own, and stays as it is. Undone, it
    leaves the groups: people are in them.
    """
    return RunPython(partial(fill, roles=roles, only_new=True), RunPython.noop)


def extend_roles(roles: Roles) -> RunPython:
    """Return the step of a migration that adds to these groups, for models that came later."""
    return RunPython(partial(fill, roles=roles, only_new=False), RunPython.noop)


def fill(
    apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None, *, roles: Roles, only_new: bool
) -> None:
    """Make the groups that are not there, and give them these permissions. Safe to repeat.

    Raises LookupError for a permission of a model that `apps` does not know.
    """
    database = schema_editor.connection.alias if schema_editor else DEFAULT_DB_ALIAS
    groups = apps.get_model("auth", "Group").objects.using(database)
    for role, names in roles.items():
        group, is_new = groups.get_or_create(name=role)
        if is_new or not only_new:
            group.permissions.add(*[_permission(apps, name, database) for name in names])


def _permission(apps: Apps, name: str, database: str) -> Any:
    app_label, _, codename = name.partition(".")
    model, title = _subject(apps, app_label, codename)
    kinds = apps.get_model("contenttypes", "ContentType").objects.using(database)
    kind, _ = kinds.get_or_create(app_label=app_label, model=model)
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    permission, _ = permissions.get_or_create(
        content_type=kind, codename=codename, defaults={"name": title}
    )
    return permission


def _subject(apps: Apps, app_label: str, codename: str) -> tuple[str, str]:
    """Return the model that a permission is of, and how Django calls the permission."""
    for model in apps.get_app_config(app_label).get_models():
        for special, title in model._meta.permissions:
            if special == codename:
                return str(model._meta.model_name), str(title)
    action, _, name = codename.partition("_")
    return name, f"Can {action} {apps.get_model(app_label, name)._meta.verbose_name_raw}"
