import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    # Outside a transaction: the shop goes on while they are built.
    atomic = False

    dependencies = [
        ('catalog', '0005_renditions'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='productlisting',
            index=django.contrib.postgres.indexes.GinIndex(fields=['attribute_keys'], name='listing_with_attribute'),
        ),
        AddIndexConcurrently(
            model_name='productimage',
            index=models.Index(condition=models.Q(('rendered_at__isnull', True), models.Q(('file', ''), _negated=True)), fields=['file'], name='product_image_to_render'),
        ),
    ]
