"""Carts, what goes into them, and rules, for tests: valid by default, name only what matters."""

from datetime import UTC, date, datetime
from importlib import import_module
from itertools import count

from django.apps import apps

from cart.models import ShippingMethod, ShippingRate, ShippingZone, TaxRate
from cart.selectors import MethodRule, RateBand, Rules, TaxSpan
from cart.services import CartOwner, add_item
from catalog.models import Variant
from catalog.selectors import VariantCard
from catalog.services import (
    Availability,
    ProductDraft,
    VariantDraft,
    record_availability,
    upsert_product,
)
from tests.make import inventory

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

_numbers = count(1)


def rules() -> None:
    """Have the rules that a new shop begins with, also after a test emptied every table."""
    import_module("cart.migrations.0002_first_rules").seed(apps, None)


def variant_for_sale(
    *,
    on_hand: int = 10,
    price_minor: int = 1250,
    price_minor_eur: int | None = 1500,
    sku: str | None = None,
    tax_class: str = "STANDARD",
    weight_grams: int = 200,
    now: datetime = NOW,
) -> Variant:
    """Return the only variant of a published product, in stock as shoppers are told."""
    number = next(_numbers)
    sku = sku or f"CART-{number}"
    prices: dict[str, tuple[int, int | None]] = {"GBP": (price_minor, None)}
    if price_minor_eur is not None:
        prices["EUR"] = (price_minor_eur, None)
    made = upsert_product(
        draft=ProductDraft(
            slug=f"cart-product-{number}",
            title=f"Product {number}",
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
            options=["Size"],
            variants=[
                VariantDraft(
                    sku=sku,
                    option_values=["M"],
                    prices=prices,
                    tax_class=tax_class,
                    weight_grams=weight_grams,
                )
            ],
        ),
        now=now,
    )
    variant = Variant.objects.get(pk=made.variant_ids[sku])
    if on_hand:
        inventory.stock(variant=variant, on_hand=on_hand, now=now)
        record_availability(
            levels={variant.pk: Availability(state="in_stock", quantity=min(on_hand, 10))},
            now=now,
        )
    return variant


def unsold(variant: Variant) -> None:
    """Take the variant off sale, as a draft does that has it no longer active."""
    product = variant.product
    upsert_product(
        draft=ProductDraft(
            slug=product.slug,
            title=product.title,
            is_published=False,
            status="ARCHIVED",
            options=["Size"],
            variants=[VariantDraft(sku=variant.sku, option_values=["M"], is_active=False)],
        ),
        now=NOW,
    )


def guest_with(variant: Variant, quantity: int = 1) -> CartOwner:
    """Return a guest whose new cart holds this."""
    shown = add_item(owner=CartOwner(None, None), variant_id=variant.pk, quantity=quantity, now=NOW)
    return CartOwner(None, shown.token)


def shipping_method(
    code: str = "pigeon",
    *,
    countries: tuple[str, ...] = ("GB",),
    currency: str = "GBP",
    price_minor: int = 500,
    free_over_minor: int | None = None,
    max_weight_grams: int | None = None,
) -> ShippingMethod:
    """Return a method with one rate, in a zone of its own."""
    zone = ShippingZone.objects.create(name=f"Zone {next(_numbers)}", countries=list(countries))
    method = ShippingMethod.objects.create(
        code=code, zone=zone, name=code.title(), days_min=1, days_max=3
    )
    ShippingRate.objects.create(
        method=method,
        currency=currency,
        price_minor=price_minor,
        free_over_minor=free_over_minor,
        max_weight_grams=max_weight_grams,
    )
    return method


def tax_rate(
    country: str = "GB", tax_class: str = "STANDARD", *, rate_bps: int, valid_from: date
) -> TaxRate:
    return TaxRate.objects.create(
        country=country,
        tax_class=tax_class,
        rate_bps=rate_bps,
        valid_from=valid_from,
        source="A test",
    )


def card(
    *,
    variant_id: int = 1,
    unit_price_minor: int = 1250,
    currency: str = "GBP",
    tax_class: str = "STANDARD",
    weight_grams: int = 200,
    requires_shipping: bool = True,
) -> VariantCard:
    """Return a card that no database knows of."""
    return VariantCard(
        variant_id=variant_id,
        product_id=variant_id,
        product_slug=f"product-{variant_id}",
        sku=f"SKU-{variant_id}",
        title=f"Product {variant_id}",
        variant_title="M",
        options={"Size": "M"},
        image=None,
        unit_price_minor=unit_price_minor,
        compare_at_minor=None,
        currency=currency,
        tax_class=tax_class,
        weight_grams=weight_grams,
        requires_shipping=requires_shipping,
        availability_state="in_stock",
        availability_quantity=10,
    )


def plain_rules(
    *,
    standard_bps: int = 2000,
    reduced_bps: int = 500,
    bands: tuple[RateBand, ...] | None = None,
) -> Rules:
    """Return rules for GB: two taxes, and one method `standard` at 3.95, free over 50.00."""
    since = date(2020, 1, 1)
    if bands is None:
        bands = (band(),)
    return Rules(
        methods=(
            MethodRule(
                code="standard",
                name="Standard",
                countries=frozenset({"GB"}),
                days_min=2,
                days_max=4,
                bands=bands,
            ),
        ),
        taxes={
            ("GB", "STANDARD"): (TaxSpan(standard_bps, since, None),),
            ("GB", "REDUCED"): (TaxSpan(reduced_bps, since, None),),
        },
    )


def band(
    *,
    currency: str = "GBP",
    price_minor: int = 395,
    free_over_minor: int | None = 5000,
    min_subtotal_minor: int = 0,
    max_subtotal_minor: int | None = None,
    min_weight_grams: int = 0,
    max_weight_grams: int | None = None,
) -> RateBand:
    return RateBand(
        currency=currency,
        price_minor=price_minor,
        free_over_minor=free_over_minor,
        min_subtotal_minor=min_subtotal_minor,
        max_subtotal_minor=max_subtotal_minor,
        min_weight_grams=min_weight_grams,
        max_weight_grams=max_weight_grams,
    )
