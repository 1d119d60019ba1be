import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):

    # Alone and outside a transaction: lists go on while it is built.
    atomic = False

    dependencies = [
        ('catalog', '0004_in_full'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='productlisting',
            index=django.contrib.postgres.indexes.GinIndex(fields=['attribute_keys'], name='listing_with_attribute'),
        ),
    ]
