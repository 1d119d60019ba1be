"""What roles may do with what migration 0004 made."""

from django.db import migrations

from shop.db.roles import extend_roles


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0002_personal_data"),
        ("orders", "0004_personal_data"),
        ("shop", "0004_personal_data"),
    ]

    operations = [
        extend_roles(
            {
                "support": ["shop.view_personal_data"],
                "warehouse": ["shop.view_personal_data"],
                "finance": ["shop.view_personal_data", "orders.view_retainedinvoicedata"],
                "admin": [
                    "shop.view_personal_data",
                    "shop.view_piiaccess",
                    "orders.view_retainedinvoicedata",
                ],
            }
        ),
    ]
