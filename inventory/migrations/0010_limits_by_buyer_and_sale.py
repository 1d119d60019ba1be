from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Alone and without a transaction: reservations are written to while it runs."""

    atomic = False

    dependencies = [
        ('inventory', '0009_limits_and_flash_sales'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='reservation',
            index=models.Index(condition=models.Q(models.Q(('buyer', ''), _negated=True), models.Q(('state', 'RELEASED'), _negated=True)), fields=['buyer', 'stock'], name='reservation_by_buyer'),
        ),
        AddIndexConcurrently(
            model_name='reservation',
            index=models.Index(condition=models.Q(('sale__isnull', False), models.Q(('state', 'RELEASED'), _negated=True)), fields=['sale', 'created_at'], name='reservation_by_sale'),
        ),
        AddIndexConcurrently(
            model_name='reservation',
            index=models.Index(condition=models.Q(('sale__isnull', False), ('state', 'HELD')), fields=['sale', 'expires_at'], name='reservation_held_by_sale'),
        ),
        AddIndexConcurrently(
            model_name='reservation',
            index=models.Index(condition=models.Q(('state', 'HELD')), fields=['stock', 'expires_at'], name='reservation_held_by_stock'),
        ),
    ]
