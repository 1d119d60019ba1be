"""The demo catalogue put into the shop, and put right again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import cpu_count

from django.db import transaction

from catalog.services import (
    ImageDraft,
    ProductDraft,
    VariantDraft,
    ensure_category,
    upsert_products,
)
from inventory.models import FlashSale, Stock, StockMovement
from inventory.selectors import default_warehouse
from inventory.services.adjustments import Adjustment, StockTerms, adjust_many, set_stock_terms
from inventory.services.availability import record_availability
from inventory.services.demo.catalogue import DemoPicture, DemoProduct, DemoVariant, demo_products
from inventory.services.demo.pictures import draw_picture
from inventory.services.flash_sales import FlashSaleDraft, create_flash_sale
from inventory.services.receipts import ReceiptLine, receive_stock

CAUSE = "demo"  # of the receipt by which a shop shows that its demo was loaded to the end

# Some days ahead, so that a newcomer finds one to look at and no order of theirs runs into it.
_SALE_IN = timedelta(days=7)
_SALE_LASTS = timedelta(days=1)
_SALE = "oat-mugs"
_SALE_SKU = "MUG-STONE-OAT"
_SALE_UNITS = 50

_PRODUCTS_AT_ONCE = 50
_MOST_ARTISTS = 4

Progress = Callable[[int, int], None]  # hears how many pictures are drawn, of how many


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What loading the demo did; `is_present` if it was there already and nothing was done."""

    is_present: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    variants: int = 0
    pictures: int = 0


def is_demo_loaded() -> bool:
    """Tell whether the demo was ever loaded to the end."""
    return StockMovement.objects.filter(cause=CAUSE, kind=StockMovement.Kind.RECEIPT).exists()


def load_demo(*, now: datetime, progress: Progress | None = None) -> DemoResult:
    """Put the demo catalogue, its pictures and its stock into the shop, once.

    Safe to repeat: a second call does nothing, and one after a kill completes the first.
    """
    if is_demo_loaded():
        return DemoResult(is_present=True)
    products = demo_products()
    result, variant_ids = _put_products(products, now=now, progress=progress)
    variants = [variant for product in products for variant in product.variants]
    warehouse = default_warehouse().code
    with transaction.atomic():
        set_stock_terms(terms=_terms(variants, variant_ids), warehouse=warehouse, now=now)
        receive_stock(
            lines=[
                ReceiptLine(variant_ids[variant.sku], variant.units)
                for variant in variants
                if variant.units
            ],
            warehouse=warehouse,
            cause=CAUSE,
            reason="Opening stock of the demo",
            now=now,
        )
        _plan_sale(variant_ids, now=now)
        record_availability(variant_ids=variant_ids.values(), now=now)
    return result


def reset_demo(*, now: datetime, progress: Progress | None = None) -> DemoResult:
    """Make the demo's products, prices, pictures and stock what they were at first.

    Orders stay, and with them what is promised to them: as many units are left as that takes.
    Products that are not of the demo are left alone. Safe to repeat.
    """
    if not is_demo_loaded():
        return load_demo(now=now, progress=progress)
    products = demo_products()
    result, variant_ids = _put_products(products, now=now, progress=progress)
    variants = [variant for product in products for variant in product.variants]
    terms = _terms(variants, variant_ids)
    warehouse = default_warehouse()
    with transaction.atomic():
        levels = {
            stock.variant_id: stock
            for stock in Stock.objects.filter(variant_id__in=variant_ids.values()).locked()
            if stock.warehouse_id == warehouse.pk
        }
        # Higher limits first and lower ones last: promises fit between the two at any moment.
        raised = [
            term
            for term in terms
            if (level := levels.get(term.variant_id)) is not None
            and (term.backorder_limit or 0) > level.backorder_limit
        ]
        set_stock_terms(terms=raised, warehouse=warehouse.code, now=now)
        corrections = [
            Adjustment(variant_id, delta)
            for variant in variants
            if (
                delta := _missing_units(variant, levels.get(variant_id := variant_ids[variant.sku]))
            )
        ]
        if corrections:
            adjust_many(
                lines=corrections,
                warehouse=warehouse.code,
                cause=f"demo-reset:{now.isoformat()}",
                reason="Demo reset",
                now=now,
            )
        set_stock_terms(terms=terms, warehouse=warehouse.code, now=now)
        record_availability(variant_ids=variant_ids.values(), now=now)
    return result


def _plan_sale(variant_ids: Mapping[str, int], *, now: datetime) -> None:
    if _SALE_SKU not in variant_ids or FlashSale.objects.filter(slug=_SALE).exists():
        return
    starts_at = (now + _SALE_IN).replace(minute=0, second=0, microsecond=0)
    create_flash_sale(
        draft=FlashSaleDraft(
            variant_id=variant_ids[_SALE_SKU],
            slug=_SALE,
            name="Fifty mugs in oat",
            starts_at=starts_at,
            ends_at=starts_at + _SALE_LASTS,
            units=_SALE_UNITS,
            limit_per_customer=2,
        ),
        now=now,
    )


def _missing_units(variant: DemoVariant, level: Stock | None) -> int:
    if level is None:
        return variant.units
    return max(variant.units, level.reserved - variant.backorder_limit) - level.on_hand


def _terms(variants: Iterable[DemoVariant], variant_ids: Mapping[str, int]) -> list[StockTerms]:
    return [
        StockTerms(
            variant_ids[variant.sku],
            backorder_limit=variant.backorder_limit,
            low_at=variant.low_at,
        )
        for variant in variants
    ]


def _put_products(
    products: Sequence[DemoProduct], *, now: datetime, progress: Progress | None
) -> tuple[DemoResult, dict[str, int]]:
    """Make the products true and return what was done with the variants' ids by SKU."""
    category_slugs = {
        path: ensure_category(path=path).slug
        for path in dict.fromkeys(product.category_path for product in products)
    }
    outcomes: list[str] = []
    variant_ids: dict[str, int] = {}
    with _Studio(products, progress) as studio:
        for start in range(0, len(products), _PRODUCTS_AT_ONCE):
            drafts = [
                _draft(product, studio.pictures_of(product), category_slugs[product.category_path])
                for product in products[start : start + _PRODUCTS_AT_ONCE]
            ]
            for made in upsert_products(drafts=drafts, now=now):
                outcomes.append(made.outcome)
                variant_ids.update(made.variant_ids)
    result = DemoResult(
        is_present=False,
        created=outcomes.count("created"),
        updated=outcomes.count("updated"),
        unchanged=outcomes.count("unchanged"),
        variants=len(variant_ids),
        pictures=studio.picture_count,
    )
    return result, variant_ids


class _Studio:
    """Draws all pictures beside the work on the database, and hands them out in order.

    Threads help, as neither compressing a picture nor waiting for PostgreSQL holds Python's lock.
    """

    def __init__(self, products: Sequence[DemoProduct], progress: Progress | None) -> None:
        self._artists = ThreadPoolExecutor(max_workers=min(_MOST_ARTISTS, cpu_count() or 1))
        self._progress = progress
        self._handed_out = 0
        self._drawn: dict[DemoPicture, Future[bytes]] = {
            picture: self._artists.submit(_drawn, picture)
            for product in products
            for picture in product.pictures
        }
        self.picture_count = len(self._drawn)

    def __enter__(self) -> "_Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self._artists.shutdown(cancel_futures=True)

    def pictures_of(self, product: DemoProduct) -> list[bytes]:
        """Wait for the pictures of one product."""
        pictures = [self._drawn[picture].result() for picture in product.pictures]
        self._handed_out += len(pictures)
        if self._progress is not None:
            self._progress(self._handed_out, self.picture_count)
        return pictures


def _drawn(picture: DemoPicture) -> bytes:
    return draw_picture(
        kind=picture.kind, colour=picture.colour, look=picture.look, pattern=picture.pattern
    )


def _draft(product: DemoProduct, pictures: Sequence[bytes], category_slug: str) -> ProductDraft:
    return ProductDraft(
        slug=product.slug,
        title=product.title,
        description_html=product.description_html,
        vendor=product.vendor,
        product_type=product.product_type,
        tags=product.tags,
        category_slug=category_slug,
        published_at=product.published_at,
        options=product.options,
        variants=[
            VariantDraft(
                sku=variant.sku,
                option_values=variant.option_values,
                prices=variant.prices,
                barcode=variant.barcode,
                weight_grams=variant.weight_grams,
                tax_class=product.tax_class,
                image_position=variant.picture,
            )
            for variant in product.variants
        ],
        images=[
            ImageDraft(file=content, alt=picture.alt, position=place)
            for place, (picture, content) in enumerate(
                zip(product.pictures, pictures, strict=True), start=1
            )
        ],
        seo_title=product.title,
        seo_description=product.seo_description,
        attributes=product.attributes,
    )
