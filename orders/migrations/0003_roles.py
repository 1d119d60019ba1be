"""Roles for those who work here. What each may do: docs/operations/roles.md, which a test holds
against this.

Here, on the top floor, as roles span all apps.
"""

from django.db import migrations

from shop.db.roles import make_roles


def _all(app_label: str, actions: str, *models: str) -> list[str]:
    return [f"{app_label}.{action}_{model}" for model in models for action in actions.split()]


_EDIT = "view add change delete"

_SEE_CATALOGUE = _all(
    "catalog",
    "view",
    "category",
    "collection",
    "price",
    "product",
    "productimage",
    "productoption",
    "variant",
)
_SEE_ORDERS = _all(
    "orders",
    "view",
    "accountadjustment",
    "cancellation",
    "cancellationline",
    "creditnote",
    "creditnoteline",
    "order",
    "orderevent",
    "orderline",
    "payment",
    "refund",
    "refundline",
    "return",
    "returnline",
)
_SEE_STOCK = _all("inventory", "view", "stock", "warehouse", "flashsale", "purchaselimit")
_SEE_BOOKS = _all("inventory", "view", "reconciliationfinding", "reconciliationrun")

SUPPORT = [
    *_all("accounts", "view", "address", "user"),
    "accounts.change_address",
    *_SEE_CATALOGUE,
    *_SEE_ORDERS,
    "orders.change_order",
    *_all("catalog", "view change", "review"),
    *_SEE_STOCK,
    *_all("cart", "view", "shippingmethod", "shippingrate", "shippingzone"),
]
WAREHOUSE = [
    *_SEE_CATALOGUE,
    *_SEE_STOCK,
    *_SEE_BOOKS,
    *_all(
        "inventory",
        "view",
        "reservation",
        "stockcount",
        "stockmovement",
        "stocktransfer",
        "stocktransferline",
    ),
    "inventory.change_stock",
    "inventory.add_stockmovement",
    *_all("orders", "view", "order", "orderline", "return", "returnline"),
]
CATALOGUE = [
    *_all(
        "catalog",
        _EDIT,
        "attributedefinition",
        "category",
        "collection",
        "price",
        "product",
        "productimage",
        "productoption",
        "producttype",
        "review",
        "variant",
    ),
    *_all("catalog", "view", "pricehistory", "productlisting"),
    *_all("inventory", _EDIT, "flashsale", "purchaselimit"),
    *_all("inventory", "view", "stock", "stocksubscription", "warehouse"),
]
FINANCE = [
    *_SEE_ORDERS,
    *_all("orders", "add change", "refund"),
    *_all("orders", "view", "providerevent", "unstockedwriteoff"),
    *_SEE_BOOKS,
    *_all("cart", "view add change", "taxrate"),
    *_all("catalog", "view", "price", "pricehistory", "product", "variant"),
    *_all("inventory", "view", "stock", "stockmovement"),
]
ADMIN = [
    *SUPPORT,
    *WAREHOUSE,
    *CATALOGUE,
    *FINANCE,
    *_all("accounts", "add change", "user"),
    *_all("accounts", "add delete", "address"),
    "accounts.view_refreshtoken",
    "auth.view_group",
    *_all("cart", _EDIT, "shippingmethod", "shippingrate", "shippingzone"),
    *_all("inventory", "add change delete", "warehouse"),
    "orders.add_order",
    *_all("shop", "view", "job", "joberror", "outboxmessage"),
]

ROLES = {
    "support": sorted(set(SUPPORT)),
    "warehouse": sorted(set(WAREHOUSE)),
    "catalogue": sorted(set(CATALOGUE)),
    "finance": sorted(set(FINANCE)),
    "admin": sorted(set(ADMIN)),
}


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("cart", "0003_rules_version"),
        ("catalog", "0006_indexes"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("inventory", "0010_limits_by_buyer_and_sale"),
        ("orders", "0002_authorized_until"),
        ("shop", "0003_idempotency_key_started"),
    ]

    operations = [make_roles(ROLES)]
