"""A shop has one warehouse from the start."""

from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_first_warehouse(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("inventory", "Warehouse").objects.get_or_create(
        code="main",
        defaults={"name": "Main warehouse", "country": settings.SHOP_COUNTRY, "priority": 10},
    )


class Migration(migrations.Migration):

    dependencies = [("inventory", "0002_ledger_is_append_only")]

    operations = [
        # Going back leaves it: stock may lie there by then.
        migrations.RunPython(make_first_warehouse, migrations.RunPython.noop, elidable=False),
    ]
