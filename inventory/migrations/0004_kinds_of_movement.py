"""The ledger takes more kinds of movement. Not checked against old rows here: they all fit."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("inventory", "0003_first_warehouse")]

    operations = [
        migrations.RemoveConstraint(
            model_name='stockmovement',
            name='movement_kind_known',
        ),
        migrations.RemoveConstraint(
            model_name='stockmovement',
            name='movement_changes_something',
        ),
        migrations.AlterField(
            model_name='stockmovement',
            name='kind',
            field=models.CharField(choices=[('RECEIPT', 'Receipt'), ('RESERVATION', 'Reservation'), ('RELEASE', 'Release'), ('SALE', 'Sale'), ('RETURN', 'Return'), ('ADJUSTMENT', 'Adjustment'), ('WRITE_OFF', 'Write-off'), ('COUNT', 'Count'), ('TRANSFER_OUT', 'Transfer out'), ('TRANSFER_IN', 'Transfer in'), ('CORRECTION', 'Correction')], max_length=12),
        ),
        AddConstraintNotValid(
            model_name='stockmovement',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['RECEIPT', 'RESERVATION', 'RELEASE', 'SALE', 'RETURN', 'ADJUSTMENT', 'WRITE_OFF', 'COUNT', 'TRANSFER_OUT', 'TRANSFER_IN', 'CORRECTION'])), name='movement_kind_known'),
        ),
        AddConstraintNotValid(
            model_name='stockmovement',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('delta_on_hand', 0), ('delta_reserved', 0), _negated=True), ('kind', 'CORRECTION'), _connector='OR'), name='movement_changes_something'),
        ),
    ]
