from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys that are still running are few, and are looked for every minute."""

    atomic = False  # an index on a table in use is built beside its writers

    dependencies = [
        ("shop", "0002_jobs"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="idempotencykey",
            index=models.Index(
                condition=models.Q(("state", "STARTED")),
                fields=["created_at"],
                name="idempotency_key_started",
            ),
        ),
    ]
