"""Parsed products made true: in the catalogue, and stocked for the first time."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Greatest
from django.utils.text import slugify

from catalog.models import Category, Product, TaxClass, Variant
from catalog.services import (
    ImageDraft,
    ProductDraft,
    UpsertResult,
    VariantDraft,
    ensure_category,
    upsert_products,
)
from inventory.models import Stock, StockMovement
from inventory.services.adjustments import StockTerms, set_stock_terms
from inventory.services.availability import record_availability
from inventory.services.imports.parsed import ParsedFile, ParsedProduct, ParsedVariant
from inventory.services.imports.report import ImportReport, Outcome, RowError, RowResult
from inventory.services.receipts import ReceiptLine, receive_stock
from shop.errors import Refusal

OPENING_CAUSE = "opening"  # one receipt of this cause per stock, so opening stock never doubles
UNLIMITED_BACKORDERS = 1_000_000  # units: "continue selling" names no limit of its own

_BATCH_PRODUCTS = 500
_BATCH_VARIANTS = 2000
_LONGEST_SKU = 120


@dataclass(frozen=True, slots=True)
class _Known:
    """What the shop has of a batch's products already."""

    variants: Mapping[str, Variant]  # by SKU: those of the products, and those that rows name
    skus: Mapping[tuple[str, tuple[str, ...]], str]  # by slug and option values
    attributes: Mapping[str, Mapping[str, object]]  # by slug


@dataclass(slots=True)
class _Work:
    """One product on its way into the catalogue."""

    parsed: ParsedProduct
    draft: ProductDraft | None = None
    variants: dict[str, ParsedVariant] = field(default_factory=dict)  # by SKU
    errors: list[RowError] = field(default_factory=list)
    result: UpsertResult | None = None
    stocked: set[str] = field(default_factory=set)  # SKUs whose stock or terms changed


class Importer:
    """One run over one file, batch by batch; each batch is a transaction, or a part of one."""

    def __init__(self, file: ParsedFile, *, currency: str, warehouse: str, now: datetime) -> None:
        self._file = file
        self._currency = currency
        self._warehouse = warehouse
        self._now = now
        self._category_slugs: dict[tuple[str, ...], str] = {}
        self._made_skus: set[str] = set()  # of the batch at hand; earlier ones are in the shop

    def rows(self, report: ImportReport) -> Iterator[RowResult]:
        """Import batch by batch; yield the rows of each batch once it is committed."""
        for batch in _batches(self._file.products()):
            works = [_Work(parsed, errors=list(parsed.errors)) for parsed in batch]
            self._import(works)
            for work in works:
                if work.parsed.slug:
                    report.products[_outcome(work)] += 1
                yield from _row_results(work)

    def _import(self, works: list[_Work]) -> None:
        sound = [work for work in works if not work.parsed.is_refused]
        known = self._known(sound)
        self._made_skus.clear()
        for work in sound:
            self._fill_draft(work, known)
        ready = [work for work in sound if work.draft is not None]
        if not ready:
            return
        try:
            self._save(ready)
        except Refusal:
            # One of them breaks a rule of the catalogue. Alone, each answers for itself.
            for work in ready:
                self._save_alone(work)

    def _save_alone(self, work: _Work) -> None:
        try:
            self._save([work])
        except Refusal as refusal:
            work.result = None
            work.stocked.clear()
            work.errors = _refused_rows(work, refusal, column=self._file.column("handle"))

    @transaction.atomic
    def _save(self, works: list[_Work]) -> None:
        drafts = [work.draft for work in works if work.draft is not None]
        for work, result in zip(works, upsert_products(drafts=drafts, now=self._now), strict=True):
            work.result = result
        self._stock(works)

    def _known(self, works: list[_Work]) -> _Known:
        slugs = [work.parsed.slug for work in works]
        given = [variant.sku for work in works for variant in work.parsed.variants if variant.sku]
        made = [
            sku
            for work in works
            for variant in work.parsed.variants
            if not variant.sku
            for sku in _candidate_skus(work.parsed.slug, variant.option_values)
        ]
        if made:
            self._file.foresee(made)
        variants: dict[str, Variant] = {}
        skus: dict[tuple[str, tuple[str, ...]], str] = {}
        by_product = Variant.objects.filter(product__slug__in=slugs)
        by_sku = Variant.objects.filter(sku__in={*given, *made})
        for variant in (by_product | by_sku).select_related("product").order_by("id"):
            variants[variant.sku] = variant
            skus.setdefault((variant.product.slug, tuple(variant.option_values)), variant.sku)
        attributes = dict(Product.objects.filter(slug__in=slugs).values_list("slug", "attributes"))
        return _Known(variants, skus, attributes)

    def _fill_draft(self, work: _Work, known: _Known) -> None:
        parsed = work.parsed
        for variant in parsed.variants:
            sku = variant.sku or self._made_sku(parsed.slug, variant, parsed.variants, known)
            owner = known.variants.get(sku)
            if owner is not None and owner.product.slug != parsed.slug:
                work.errors.append(
                    RowError(
                        variant.line,
                        self._file.column("sku"),
                        "sku_taken",
                        f"{sku!r} belongs to the product {owner.product.slug!r}",
                    )
                )
            else:
                work.variants[sku] = variant
        if not work.variants and not (parsed.may_have_no_variants and not parsed.variants):
            work.errors = _refused_rows(work, None, column=self._file.column("handle"))
            return
        attributes = dict(known.attributes.get(parsed.slug, {}))
        if parsed.attributes is not None:
            attributes = dict(parsed.attributes)
        if parsed.is_gift_card:
            attributes["gift_card"] = True
        work.draft = ProductDraft(
            slug=parsed.slug,
            title=parsed.title,
            description_html=parsed.description_html,
            vendor=parsed.vendor,
            product_type=parsed.product_type,
            tags=parsed.tags,
            category_slug=self._category_slug(parsed),
            status=parsed.status,
            is_published=parsed.is_published,
            published_at=parsed.published_at,
            options=parsed.option_names,
            variants=[
                self._variant_draft(sku, variant, known.variants.get(sku))
                for sku, variant in work.variants.items()
            ],
            images=_image_drafts(work),
            seo_title=parsed.seo_title,
            seo_description=parsed.seo_description,
            attributes=attributes,
        )

    def _variant_draft(
        self, sku: str, variant: ParsedVariant, earlier: Variant | None
    ) -> VariantDraft:
        tax_class = str(TaxClass.ZERO if variant.is_taxable is False else TaxClass.STANDARD)
        if earlier is not None and (
            variant.is_taxable is None
            or (variant.is_taxable and earlier.tax_class != TaxClass.ZERO)
        ):
            tax_class = earlier.tax_class  # the file cannot tell reduced from standard
        prices = {self._currency: (variant.price_minor, variant.compare_at_minor)}
        return VariantDraft(
            sku=sku,
            option_values=variant.option_values,
            prices=prices if variant.prices is None else variant.prices,
            barcode=variant.barcode,
            weight_grams=variant.weight_grams,
            tax_class=variant.tax_class or tax_class,
            requires_shipping=variant.requires_shipping,
            is_active=variant.is_active,
            image_url=variant.image_url or None,
            image_file=variant.image_file or None,
        )

    def _made_sku(
        self,
        slug: str,
        variant: ParsedVariant,
        siblings: Iterable[ParsedVariant],
        known: _Known,
    ) -> str:
        """Return the SKU of a variant whose row has none.

        The one it was given in an earlier import; else the plain one, from handle and options; or
        with a digest of them, where the plain one would be somebody else's.
        """
        earlier = known.skus.get((slug, variant.option_values))
        if earlier is not None and not self._file.gives_sku(earlier):
            return earlier
        plain, with_digest = _candidate_skus(slug, variant.option_values)
        twins = Counter(
            _candidate_skus(slug, sibling.option_values)[0]
            for sibling in siblings
            if not sibling.sku
        )
        is_free = not (
            plain in known.variants or plain in self._made_skus or self._file.gives_sku(plain)
        )
        sku = plain if is_free and twins[plain] == 1 else with_digest
        self._made_skus.add(sku)
        return sku

    def _category_slug(self, parsed: ParsedProduct) -> str | None:
        """Return the slug of the product's category, which is made where it is missing."""
        named, path = parsed.category_slug, parsed.category_path
        if not named and not path:
            return None
        key = (named, *path)
        if key not in self._category_slugs:
            is_known = bool(named) and Category.objects.filter(slug=named).exists()
            self._category_slugs[key] = (
                named if is_known or not path else ensure_category(path=path).slug
            )
        return self._category_slugs[key]

    def _stock(self, works: list[_Work]) -> None:
        """Open the stock of variants that never had any, and set the terms they are sold on."""
        sku_of: dict[int, str] = {}
        work_of: dict[int, _Work] = {}
        for work in works:
            assert work.result is not None
            for sku in work.variants:
                variant_id = work.result.variant_ids[sku]
                sku_of[variant_id] = sku
                work_of[variant_id] = work
        had_stock: set[int] = set()
        limit_of: dict[int, int] = {}
        owed_of: dict[int, int] = {}
        movements = StockMovement.objects.filter(stock=OuterRef("pk"))
        for variant_id, code, limit, beyond_stock, has_moved in (
            Stock.objects.filter(variant_id__in=sku_of)
            .annotate(
                has_moved=Exists(movements),
                beyond_stock=Greatest(F("reserved") - F("on_hand"), 0),
            )
            .values_list(
                "variant_id", "warehouse__code", "backorder_limit", "beyond_stock", "has_moved"
            )
        ):
            if has_moved:
                had_stock.add(variant_id)
            if code == self._warehouse:
                limit_of[variant_id] = limit
                owed_of[variant_id] = beyond_stock

        receipts: list[ReceiptLine] = []
        terms: list[StockTerms] = []
        for variant_id, sku in sku_of.items():
            variant = work_of[variant_id].variants[sku]
            limit = limit_of.get(variant_id, 0)
            owed = owed_of.get(variant_id, 0)
            if variant.backorder_limit is not None:
                wanted = max(variant.backorder_limit, owed)
            else:
                wanted = _backorder_limit(
                    limit, is_unlimited=variant.is_sold_beyond_stock, owed=owed
                )
            if variant.opening_units and variant_id not in had_stock:
                receipts.append(ReceiptLine(variant_id, variant.opening_units))
                work_of[variant_id].stocked.add(sku)
            if wanted != limit:
                terms.append(StockTerms(variant_id, backorder_limit=wanted))
                work_of[variant_id].stocked.add(sku)
        if receipts:
            receive_stock(
                lines=receipts,
                warehouse=self._warehouse,
                cause=OPENING_CAUSE,
                reason="Opening stock from a product import",
                now=self._now,
            )
        if terms:
            set_stock_terms(terms=terms, warehouse=self._warehouse, now=self._now)
        changed = {receipt.variant_id for receipt in receipts}
        changed.update(term.variant_id for term in terms)
        if changed:
            # Shoppers may be told at once, and not only when a worker comes to it.
            record_availability(variant_ids=changed, now=self._now)


def _backorder_limit(limit: int, *, is_unlimited: bool | None, owed: int) -> int:
    """Return the limit that a file's policy asks for. A number that staff chose stays.

    No new back-orders is as low as a limit gets while units are owed.
    """
    if is_unlimited is None:
        return limit
    if is_unlimited:
        return limit or UNLIMITED_BACKORDERS
    return owed if limit == UNLIMITED_BACKORDERS else limit


def _batches(products: Iterator[ParsedProduct]) -> Iterator[list[ParsedProduct]]:
    batch: list[ParsedProduct] = []
    variant_count = 0
    for product in products:
        if batch and variant_count + len(product.variants) > _BATCH_VARIANTS:
            yield batch
            batch, variant_count = [], 0
        batch.append(product)
        variant_count += len(product.variants)
        if len(batch) == _BATCH_PRODUCTS:
            yield batch
            batch, variant_count = [], 0
    if batch:
        yield batch


def _candidate_skus(slug: str, option_values: tuple[str, ...]) -> tuple[str, str]:
    """Return the plain SKU for a variant, and one that is its own whatever the others are."""
    digest = hashlib.sha256("\0".join((slug, *option_values)).encode()).hexdigest()[:8].upper()
    parts = [slugify(text) or digest for text in (slug, *option_values)]
    plain = "-".join(parts).upper()
    room = _LONGEST_SKU - len(digest) - 1
    with_digest = plain if plain.endswith(digest) else f"{plain[:room].rstrip('-')}-{digest}"
    if len(plain) > _LONGEST_SKU:
        plain = with_digest = f"{plain[:room].rstrip('-')}-{digest}"
    return plain, with_digest


def _image_drafts(work: _Work) -> list[ImageDraft] | None:
    """Return the product's pictures, or None to leave alone what is there."""
    drafts = {
        image.file or image.url: ImageDraft(
            url=None if image.file else image.url,
            kept_file=image.file or None,
            alt=image.alt,
            position=image.position or position,
        )
        for position, image in enumerate(work.parsed.images)
    }
    for variant in work.variants.values():
        if variant.image_url:
            drafts.setdefault(
                variant.image_url, ImageDraft(url=variant.image_url, position=len(drafts))
            )
    return list(drafts.values()) or None


def _refused_rows(work: _Work, refusal: Refusal | None, *, column: str) -> list[RowError]:
    """Return an error for each row of a product that is refused as a whole."""
    code = refusal.code if refusal is not None else "product_refused"
    detail = _sentence(refusal) if refusal is not None else "no row of its product can be imported"
    wrong = {error.line for error in work.errors}
    others = [
        RowError(line, column, code, detail)
        for line, _ in work.parsed.lines
        if line not in wrong and line not in work.parsed.skipped
    ]
    return sorted([*work.errors, *others], key=lambda error: error.line)


def _sentence(refusal: Refusal) -> str:
    problems = refusal.facts.get("problems")
    if isinstance(problems, list | tuple) and problems:
        return f"{refusal.detail} {'; '.join(str(problem) for problem in problems)}"
    return refusal.detail


def _outcome(work: _Work) -> Outcome:
    if work.result is None:
        return Outcome.FAILED
    if work.result.outcome == "unchanged" and work.stocked:
        return Outcome.UPDATED
    return Outcome(work.result.outcome)


def _row_results(work: _Work) -> Iterator[RowResult]:
    sku_of_line = {variant.line: sku for sku, variant in work.variants.items()}
    errors_of: dict[int, list[RowError]] = {}
    for error in work.errors:
        errors_of.setdefault(error.line, []).append(error)
    for line, given_sku in work.parsed.lines:
        sku = sku_of_line.get(line, given_sku)
        errors = tuple(errors_of.get(line, ()))
        yield RowResult(
            line, work.parsed.slug, sku, _row_outcome(work, line, sku, failed=bool(errors)), errors
        )


def _row_outcome(work: _Work, line: int, sku: str, *, failed: bool) -> Outcome:
    if failed:
        return Outcome.FAILED
    if line in work.parsed.skipped:
        return Outcome.SKIPPED
    if work.result is None:
        return Outcome.FAILED
    if work.result.outcome == "unchanged":
        return Outcome.UPDATED if sku in work.stocked else Outcome.UNCHANGED
    if sku in work.result.created_skus:
        return Outcome.CREATED
    return Outcome(work.result.outcome)
