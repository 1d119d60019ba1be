"""Have the database check the ledger's old rows, without keeping anybody from writing new ones."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("inventory", "0004_kinds_of_movement")]

    operations = [
        ValidateConstraint("stockmovement", "movement_kind_known"),
        ValidateConstraint("stockmovement", "movement_changes_something"),
    ]
