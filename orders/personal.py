"""What the tables of orders hold of people, and what becomes of it."""

from shop.privacy.registry import DataClass, Erasure, Personal, Table, table_of_changes

_ORDER = "as long as the account; then the books alone"
# The provider of an open attempt is still to be asked, by its token.
_ATTEMPT = "as long as the account; of an attempt that is open, as long as the order"
_LAW = "10 years after the year of the sale (SHOP_INVOICE_KEEP_YEARS): tax law"
_TYPED = Personal(DataClass.FREE_TEXT, Erasure.BLANK, _ORDER)
_LINE = "sku title"


def _restricted(data_class: DataClass) -> Personal:
    return Personal(data_class, Erasure.EXPIRE, _LAW)


TABLES = (
    Table(
        "orders.Order",
        plain="number currency shipping_method shipping_method_name country",
        personal={
            "external_ref": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: the books"),
            "email": Personal(DataClass.CONTACT, Erasure.BLANK, _ORDER),
            "email_hash": Personal(DataClass.IDENTIFIER, Erasure.BLANK, _ORDER),
            "access_token_hash": Personal(DataClass.SECRET, Erasure.BLANK, _ORDER),
            "shipping_address": Personal(DataClass.ADDRESS, Erasure.REPLACE, _ORDER),
            "billing_address": Personal(DataClass.ADDRESS, Erasure.REPLACE, _ORDER),
            "cart_id": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: one order a cart"),
            "cancel_reason": _TYPED,
        },
        subject="customer",
        section="orders",
    ),
    Table(
        "orders.OrderLine",
        plain=f"{_LINE} variant_title options image tax_class",
        subject="order__customer",
        section="order_lines",
    ),
    Table(
        "orders.OrderEvent",
        personal={"detail": _TYPED},
        subject="order__customer",
        section="order_events",
    ),
    Table(
        "orders.Payment",
        plain="provider currency failure_code card_brand",
        personal={
            "token": Personal(DataClass.SECRET, Erasure.BLANK, _ATTEMPT),
            "next_action_url": Personal(DataClass.SECRET, Erasure.BLANK, _ATTEMPT),
            "provider_reference": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: books"),
            "card_last4": Personal(DataClass.IDENTIFIER, Erasure.BLANK, _ORDER),
        },
        subject="order__customer",
        section="payments",
    ),
    Table(
        "orders.ProviderEvent",
        plain="provider event_id kind",
        personal={
            "provider_reference": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: books"),
            # What a provider sends may name the payer.
            "payload": Personal(DataClass.SECRET, Erasure.BLANK, _ORDER),
        },
    ),
    Table(
        "orders.Refund",
        plain="reference currency failure_code",
        personal={
            "reason": _TYPED,
            "provider_reference": Personal(DataClass.IDENTIFIER, Erasure.KEEP, "no limit: books"),
        },
        subject="order__customer",
        section="refunds",
    ),
    Table(
        "orders.Return",
        plain="reference",
        personal={"reason": _TYPED},
        subject="order__customer",
        section="returns",
    ),
    Table(
        "orders.CreditNote",
        plain="external_ref country currency reason",
        subject="customer",
        section="credit_notes",
    ),
    Table("orders.CreditNoteLine", plain=_LINE),
    Table(
        "orders.Cancellation",
        plain="external_ref country currency",
        subject="customer",
        section="cancellations",
    ),
    Table("orders.CancellationLine", plain=_LINE),
    Table("orders.UnstockedWriteOff", plain="external_ref sku reason"),
    Table(
        "orders.AccountAdjustment",
        plain="external_ref sku reason currency",
        subject="customer",
        section="account_adjustments",
    ),
    Table("orders.SandboxCharge", plain="reference token currency"),
    Table("orders.SandboxRefund", plain="reference"),
    Table(
        "orders.Erasure",
        personal={
            "email_hashes": Personal(DataClass.IDENTIFIER, Erasure.BLANK, "until it is done"),
        },
    ),
    Table(
        "orders.RetainedInvoiceData",
        plain="order_number currency",
        personal={
            "email": _restricted(DataClass.CONTACT),
            "billing_address": _restricted(DataClass.ADDRESS),
            "shipping_address": _restricted(DataClass.ADDRESS),
        },
    ),
    table_of_changes("orders.OrderChange"),
    table_of_changes("orders.PaymentChange", "currency"),
    table_of_changes("orders.RefundChange", "currency"),
    table_of_changes("orders.ReturnChange"),
)
