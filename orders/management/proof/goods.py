"""What the proof sells: a product made for one round, and archived after it."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from catalog.models import Variant
from catalog.services import ProductDraft, VariantDraft, archive_products, upsert_product
from inventory.models import Warehouse
from inventory.services import (
    FlashSaleDraft,
    ReceiptLine,
    change_flash_sale,
    create_flash_sale,
    receive_stock,
)

PREFIX = "PROOF-"  # of every SKU that was made for a proof


@dataclass(frozen=True, slots=True)
class Goods:
    """One variant with a known number of units, which nobody else sells."""

    product_id: int
    variant_id: int
    sku: str
    units: int
    sale_slug: str = ""  # of the flash sale that they are sold in


@transaction.atomic
def make_goods(*, units: int, now: datetime, in_flash_sale: bool = False) -> Goods:
    """Make a variant of which there are so many units, all in the shop's first warehouse.

    With `in_flash_sale` they are sold in one: to each buyer one, at a pace that makes some wait.
    """
    sku = f"{PREFIX}{uuid.uuid4().hex[:12].upper()}"
    made = upsert_product(
        draft=ProductDraft(
            slug=sku.lower(),
            title=f"Proof of stock {sku}",
            options=["Size"],
            variants=[
                VariantDraft(
                    sku=sku, option_values=["One"], prices={settings.SHOP_CURRENCY: (1000, None)}
                )
            ],
        ),
        now=now,
    )
    variant = Variant.objects.get(sku=sku)
    warehouse = Warehouse.objects.filter(is_active=True).order_by("priority", "id")[0]
    receive_stock(
        lines=[ReceiptLine(variant.pk, units)],
        warehouse=warehouse.code,
        cause=f"proof:{sku}",
        reason="Proof that stock is not oversold",
        now=now,
    )
    if in_flash_sale:
        create_flash_sale(
            draft=FlashSaleDraft(
                variant_id=variant.pk,
                slug=sku.lower(),
                name=f"Proof of a sale {sku}",
                starts_at=now - timedelta(minutes=1),
                ends_at=now + timedelta(hours=1),
                units=units,
                limit_per_customer=1,
                admitted_per_second=500,
                admitted_at_once=8,
            ),
            now=now,
        )
    return Goods(
        product_id=made.product.pk,
        variant_id=variant.pk,
        sku=sku,
        units=units,
        sale_slug=sku.lower() if in_flash_sale else "",
    )


def put_away(goods: Goods, *, now: datetime) -> None:
    """Archive the product: nobody sees it any more, and its books stay."""
    if goods.sale_slug:
        change_flash_sale(slug=goods.sale_slug, changes={"ends_at": now}, now=now)
    archive_products(product_ids=[goods.product_id], now=now)
