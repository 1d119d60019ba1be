"""Variants added, changed and taken away one at a time, as staff do it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypedDict

from django.db import IntegrityError, transaction
from django.db.models import Max

from catalog.errors import InvalidProduct, ProductNotFound, SkuTaken, VariantNotFound
from catalog.models import Price, Product, ProductImage, Variant
from catalog.services.draft_rules import variant_problems
from catalog.services.drafts import VariantDraft
from catalog.services.editing import are_variants_used
from catalog.services.listing import forget_cards_on_commit
from catalog.services.products import product_was_edited
from catalog.services.versions import require_version


class VariantChanges(TypedDict, total=False):
    """What of a variant changes; what is left out stays. The names of `VariantDraft`.

    `prices` are base prices by currency as there; currencies that are not named keep theirs.
    """

    sku: str
    option_values: Sequence[str]
    prices: Mapping[str, tuple[int, int | None]]
    position: int
    barcode: str
    weight_grams: int
    tax_class: str
    requires_shipping: bool
    image_id: int | None
    is_active: bool


@transaction.atomic
def add_variant(
    *,
    product_id: int,
    draft: VariantDraft,
    now: datetime,
    versions: Collection[int] | None = None,
    image_id: int | None = None,
) -> Variant:
    """Add a variant behind the others, with its base prices.

    Raises ProductNotFound, VersionMismatch, SkuTaken, and InvalidProduct that names every broken
    rule, among them an answer to the product's options that another variant gives.
    """
    product = Product.objects.filter(pk=product_id).locked().first()
    if product is None:
        raise ProductNotFound("There is no such product.")
    require_version(product.version, versions)
    last = product.variants.aggregate(last=Max("position"))["last"] or 0
    variant = Variant(product=product, position=last + 1)
    _write(variant, draft, image_id=image_id)
    _write_prices(variant, draft.prices)
    product_was_edited(product_id=product_id, now=now)
    return variant


@transaction.atomic
def change_variant(
    *,
    variant_id: int,
    changes: VariantChanges,
    now: datetime,
    versions: Collection[int] | None = None,
) -> Variant:
    """Change what `changes` names, and nothing at all where it is so already.

    `versions` are the product's. Raises VariantNotFound and what `add_variant` raises.
    """
    variant = _locked(variant_id, versions)
    before = _draft_of(variant)
    image_id = changes.get("image_id", variant.image_id)
    position = changes.get("position", variant.position)
    draft = _merged(before, changes)
    is_same = before == draft and (image_id, position) == (variant.image_id, variant.position)
    if not is_same:
        variant.position = position
        _write(variant, draft, image_id=image_id)
    is_repriced = _write_prices(variant, draft.prices)
    if not is_same or is_repriced:
        product_was_edited(product_id=variant.product_id, now=now)
    return variant


@transaction.atomic
def remove_variant(
    *, variant_id: int, now: datetime, versions: Collection[int] | None = None
) -> Literal["deleted", "deactivated"]:
    """Delete the variant, or take it from sale if others point at it; says which of the two.

    `versions` are the product's. Raises VariantNotFound, and VersionMismatch.
    """
    variant = _locked(variant_id, versions)
    outcome: Literal["deleted", "deactivated"]
    if are_variants_used([variant_id]):
        outcome = "deactivated"
        if not variant.is_active:
            return outcome
        variant.is_active = False
        variant.save(update_fields=["is_active"])
    else:
        outcome = "deleted"
        variant.delete()
        forget_cards_on_commit([variant_id])
    product_was_edited(product_id=variant.product_id, now=now)
    return outcome


def _locked(variant_id: int, versions: Collection[int] | None) -> Variant:
    # The product first, as every other change of the catalogue does.
    product = Product.objects.filter(variants=variant_id).locked().first()
    variant = Variant.objects.filter(pk=variant_id).first()
    if product is None or variant is None:
        raise VariantNotFound("There is no such variant.")
    require_version(product.version, versions)
    return variant


def _draft_of(variant: Variant) -> VariantDraft:
    return VariantDraft(
        sku=variant.sku,
        option_values=variant.option_values,
        barcode=variant.barcode,
        weight_grams=variant.weight_grams,
        tax_class=variant.tax_class,
        requires_shipping=variant.requires_shipping,
        is_active=variant.is_active,
    )


def _merged(before: VariantDraft, changes: VariantChanges) -> VariantDraft:
    return VariantDraft(
        sku=changes.get("sku", before.sku),
        option_values=list(changes.get("option_values", before.option_values)),
        prices=changes.get("prices", {}),
        barcode=changes.get("barcode", before.barcode),
        weight_grams=changes.get("weight_grams", before.weight_grams),
        tax_class=changes.get("tax_class", before.tax_class),
        requires_shipping=changes.get("requires_shipping", before.requires_shipping),
        is_active=changes.get("is_active", before.is_active),
    )


def _write(variant: Variant, draft: VariantDraft, *, image_id: int | None) -> None:
    product = variant.product
    problems = list(variant_problems(product.slug, draft, product.options.count()))
    answered_alike = (
        product.variants.filter(is_active=True, option_values=list(draft.option_values))
        .exclude(pk=variant.pk)
        .exists()
    )
    if draft.is_active and answered_alike:
        shown = " / ".join(draft.option_values) or "no option"
        problems.append(f"{product.slug}: another variant is {shown}")
    if (
        image_id is not None
        and not ProductImage.objects.filter(pk=image_id, product=product).exists()
    ):
        problems.append(f"{product.slug}: it has no picture {image_id}")
    if problems:
        raise InvalidProduct("; ".join(problems[:5]) + ".", problems=problems)
    variant.sku = draft.sku
    variant.title = " / ".join(draft.option_values)[:1000]
    variant.option_values = list(draft.option_values)
    variant.barcode = draft.barcode
    variant.weight_grams = draft.weight_grams
    variant.tax_class = draft.tax_class
    variant.requires_shipping = draft.requires_shipping
    variant.is_active = draft.is_active
    variant.image_id = image_id
    if Variant.objects.filter(sku=draft.sku).exclude(pk=variant.pk).exists():
        raise _sku_taken(draft.sku)
    try:
        with transaction.atomic():
            variant.save()
    except IntegrityError:
        raise _sku_taken(draft.sku) from None


def _write_prices(variant: Variant, prices: Mapping[str, tuple[int, int | None]]) -> bool:
    is_changed = False
    for currency, (amount, compare_at) in prices.items():
        base = Price.objects.filter(
            variant=variant, currency=currency, starts_at__isnull=True, ends_at__isnull=True
        ).first() or Price(variant=variant, currency=currency)
        wanted = (amount, compare_at)
        if base.pk is None or (base.amount_minor, base.compare_at_minor) != wanted:
            base.amount_minor, base.compare_at_minor = wanted
            base.save()
            is_changed = True
    return is_changed


def _sku_taken(sku: str) -> SkuTaken:
    return SkuTaken("Another variant has this SKU.", skus=[sku])
