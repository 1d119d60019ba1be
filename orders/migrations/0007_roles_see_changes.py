"""Who may see what staff changed."""

from django.db import migrations

from shop.db.roles import extend_roles

MORE = {"admin": ["shop.view_changebystaff"]}


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0006_changes"),
        ("shop", "0005_changes"),
    ]

    operations = [extend_roles(MORE)]
